#include "server/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/log.h"

enum { FIRST_FD = 3, TEXT_BYTES = 512 };

/* A variable that holds a number from 1 on; else 0. */
static unsigned long long number_in(const char *name)
{
	const char *text = getenv(name);
	char *end;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 ? n : 0;
}

/* Is what the variables say meant for us, and not for who started us? */
static bool is_for_us(const char *name)
{
	return number_in(name) == (unsigned long long)getpid();
}

static bool is_option(int fd, int option, int wanted)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 &&
	       value == wanted;
}

/* Ours are unix sockets: who connects is known by his uid. */
static bool is_listener(int fd)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(name);

	return getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
	       name.ss_family == AF_UNIX &&
	       is_option(fd, SO_TYPE, SOCK_STREAM) &&
	       is_option(fd, SO_ACCEPTCONN, 1);
}

static void take_sockets(struct manager *m)
{
	unsigned long long count = number_in("LISTEN_FDS");

	if (!is_for_us("LISTEN_PID"))
		return;
	for (int fd = FIRST_FD; count > 0; count--, fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			return; /* there are no more */
		if (m->count < MANAGER_LISTENERS && is_listener(fd)) {
			m->fds[m->count++] = fd;
			continue;
		}
		log_odd("manager",
			"descriptor %d is no unix socket that listens, or one "
			"too many: not served",
			fd);
		close(fd);
	}
}

void manager_init(struct manager *m)
{
	unsigned long long us = number_in("WATCHDOG_USEC");

	*m = (struct manager){.loop = NULL};
	take_sockets(m);
	if (us > 0 && (!getenv("WATCHDOG_PID") || is_for_us("WATCHDOG_PID")))
		m->watchdog_s = (double)us / 2e6;
}

/* systemd(1): a name that begins with @ is in the abstract namespace. */
static socklen_t address_of(const char *name, struct sockaddr_un *to)
{
	size_t len = name ? strlen(name) : 0;

	if (len < 2 || len >= sizeof(to->sun_path) ||
	    (name[0] != '/' && name[0] != '@'))
		return 0;
	*to = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(to->sun_path, name, len);
	if (name[0] == '@')
		to->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void manager_say(const struct manager *m, const char *fmt, ...)
{
	struct sockaddr_un to;
	socklen_t to_len = address_of(getenv("NOTIFY_SOCKET"), &to);
	char text[TEXT_BYTES];
	va_list ap;

	(void)m;
	if (to_len == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL,
			     (struct sockaddr *)&to, to_len) < 0)
		log_odd("manager", "%s does not take news: %s",
			getenv("NOTIFY_SOCKET"), strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	manager_say(w->data, "WATCHDOG=1\n");
}

void manager_ready(struct manager *m, struct ev_loop *loop)
{
	m->loop = loop;
	manager_say(m, "READY=1\nMAINPID=%ld\nSTATUS=Serving\n",
		    (long)getpid());
	if (m->watchdog_s <= 0)
		return;
	ev_timer_init(&m->watchdog, on_watchdog, m->watchdog_s, m->watchdog_s);
	m->watchdog.data = m;
	ev_timer_start(loop, &m->watchdog);
}

void manager_keep(const struct manager *m)
{
	for (size_t i = 0; i < m->count; i++)
		fcntl(m->fds[i], F_SETFD, 0);
}

void manager_stop(struct manager *m)
{
	if (m->loop && m->watchdog_s > 0)
		ev_timer_stop(m->loop, &m->watchdog);
	m->loop = NULL;
}
