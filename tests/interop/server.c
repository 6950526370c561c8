/*
 * interop-server: grpc.testing.TestService behind a socket.
 *
 * For tests and for stock interop clients only; whoever can connect is served.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/h2.h"
#include "proto/log.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "tests/interop/test_service.h"

enum { CONNECTIONS_MAX = 1000, BACKLOG = 128 };

struct server {
	struct ev_loop *loop;
	struct services services;
	struct test_service *test;
	struct peers *peers;
	const char *path; /* of the unix socket, or NULL */
	ev_io listening;
	ev_signal stop[2];
	ev_prepare gone;
	bool stopping;
};

static _Noreturn void usage(void)
{
	fputs("usage: interop-server --listen HOST:PORT | unix:PATH\n", stderr);
	exit(2);
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "interop-server: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- the socket ----------------------------------------------------------- */

static int listen_unix(struct server *s, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	memcpy(a.sun_path, path, strlen(path));
	s->path = path;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fd, BACKLOG) != 0)
		die(path);
	printf("listening on unix:%s\n", path);
	return fd;
}

static void say_address(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char host[64], port[16];

	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&a, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		die("the address");
	printf(a.ss_family == AF_INET6 ? "listening on [%s]:%s\n"
				       : "listening on %s:%s\n",
	       host, port);
}

/* "127.0.0.1:0", "[::1]:5000" */
static int listen_tcp(const char *address)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC,
				       .ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	const char *colon = strrchr(address, ':');
	struct addrinfo *found;
	char host[64];
	const int on = 1;

	if (!colon || (size_t)(colon - address) >= sizeof(host))
		usage();
	bool brackets = address[0] == '[' && colon[-1] == ']';
	snprintf(host, sizeof(host), "%.*s",
		 (int)(colon - address) - (brackets ? 2 : 0),
		 address + (brackets ? 1 : 0));
	int rv = getaddrinfo(host, colon + 1, &hints, &found);
	if (rv != 0) {
		fprintf(stderr, "interop-server: %s: %s\n", address,
			gai_strerror(rv));
		exit(1);
	}
	int fd = socket(found->ai_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
	    listen(fd, BACKLOG) != 0)
		die(address);
	freeaddrinfo(found);
	say_address(fd);
	return fd;
}

static int listen_on(struct server *s, const char *address)
{
	int fd = strncmp(address, "unix:", 5) == 0 ? listen_unix(s, address + 5)
						   : listen_tcp(address);

	fflush(stdout);
	return fd;
}

/* --- events --------------------------------------------------------------- */

static void on_connection(struct ev_loop *loop, ev_io *w, int revents)
{
	struct server *s = w->data;

	(void)loop;
	(void)revents;
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (peers_count(s->peers) >= CONNECTIONS_MAX)
		close(fd);
	else
		peers_add(s->peers, fd);
}

/* The first time: what is open may finish.  Then: at once. */
static void on_stop(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct server *s = w->data;

	(void)revents;
	if (s->stopping) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	s->stopping = true;
	ev_io_stop(loop, &s->listening);
	peers_drain(s->peers);
	ev_prepare_start(loop, &s->gone);
}

static void on_prepare(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct server *s = w->data;

	(void)revents;
	if (peers_count(s->peers) == 0)
		ev_break(loop, EVBREAK_ALL);
}

static void watch(struct server *s, int fd)
{
	static const int signals[] = {SIGTERM, SIGINT};

	ev_io_init(&s->listening, on_connection, fd, EV_READ);
	s->listening.data = s;
	ev_io_start(s->loop, &s->listening);
	for (int i = 0; i < 2; i++) {
		ev_signal_init(&s->stop[i], on_stop, signals[i]);
		s->stop[i].data = s;
		ev_signal_start(s->loop, &s->stop[i]);
	}
	ev_prepare_init(&s->gone, on_prepare);
	s->gone.data = s;
}

int main(int argc, char **argv)
{
	struct server s = {0};
	const struct h2_limits limits = h2_limits_local();

	if (argc != 3 || strcmp(argv[1], "--listen") != 0)
		usage();
	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, LOG_ODD);
	s.loop = ev_default_loop(EVFLAG_AUTO);
	s.test = test_service_new(s.loop, &s.services);
	s.peers = peers_new(s.loop, &s.services, &limits);
	int fd = listen_on(&s, argv[2]);
	watch(&s, fd);
	ev_run(s.loop, 0);

	bool clean = peers_count(s.peers) == 0;
	peers_free(s.peers);
	/* Every call has been closed, by whatever it was: or this is a bug. */
	clean = s.services.open == 0 && clean;
	test_service_free(s.test);
	close(fd);
	if (s.path)
		unlink(s.path);
	ev_loop_destroy(s.loop);
	return clean ? 0 : 1;
}
