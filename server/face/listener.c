#include "server/face/listener.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/mem.h"
#include "server/face/peer.h"

enum {
	ACCEPT_PER_TURN = 64,
	BACKLOG = 4096, /* no kernel's is longer unless it was told so */
};

static const double REST_S = 0.1;

struct listener {
	struct ev_loop *loop;
	int fd;
	bool local; /* a unix socket */
	struct peers *peers;
	size_t most;
	bool full; /* said so already */
	/* Held open so that it can be given up for a connection that could
	 * otherwise be neither taken nor refused. */
	int reserve_fd;
	ev_io readable;
	ev_timer rest;
};

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The uid of the process that connected. */
static bool peer_uid(int fd, uid_t *uid)
{
#ifdef SO_PEERCRED
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 ||
	    len != sizeof(who))
		return false;
	*uid = who.uid;
	return true;
#else
	gid_t gid;

	return getpeereid(fd, uid, &gid) == 0;
#endif
}

static bool is_unix(int fd)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(name);

	return getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
	       name.ss_family == AF_UNIX;
}

static bool is_our_uid(int fd)
{
	uid_t uid = (uid_t)-1;

	if (!peer_uid(fd, &uid)) {
		log_odd("listener", "a peer was refused: %s", strerror(errno));
		return false;
	}
	if (uid != geteuid()) {
		log_odd("listener", "a peer of uid %lu was refused",
			(unsigned long)uid);
		return false;
	}
	return true;
}

static bool may_enter(struct listener *l, int fd)
{
	if (l->local && !is_our_uid(fd))
		return false;
	if (peers_count(l->peers) >= l->most) {
		if (!l->full)
			log_odd("listener",
				"%zu connections are open: more are refused",
				l->most);
		l->full = true;
		return false;
	}
	l->full = false;
	return true;
}

/* No descriptor is left: those in the queue would wake us for ever.  Refuse
 * them with the reserve, and let others close theirs. */
static void rest(struct listener *l, int error)
{
	log_odd("listener", "accept: %s", strerror(error));
	if (l->reserve_fd >= 0 && (error == EMFILE || error == ENFILE)) {
		close(l->reserve_fd);
		for (int i = 0; i < ACCEPT_PER_TURN; i++) {
			int fd = accept(l->fd, NULL, NULL);

			if (fd < 0)
				break;
			close(fd);
		}
		l->reserve_fd = open_reserve();
	}
	ev_io_stop(l->loop, &l->readable);
	ev_timer_set(&l->rest, REST_S, 0.);
	ev_timer_start(l->loop, &l->rest);
}

/* What is written is whole messages: none must wait until the last one was
 * acknowledged. */
static void hurry(int fd)
{
	const int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		log_odd("listener", "TCP_NODELAY: %s", strerror(errno));
}

/* Take one; false when there is none to take now. */
static bool take(struct listener *l)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && may_enter(l, fd)) {
		if (!l->local)
			hurry(fd);
		peers_add(l->peers, fd);
		return true;
	}
	if (fd >= 0) {
		close(fd);
		return true;
	}
	if (errno == EINTR || errno == ECONNABORTED)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		rest(l, errno);
	return false;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	for (int i = 0; i < ACCEPT_PER_TURN; i++)
		if (!take(w->data))
			return;
}

static void on_rested(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct listener *l = w->data;

	(void)revents;
	if (l->reserve_fd < 0)
		l->reserve_fd = open_reserve();
	ev_io_start(loop, &l->readable);
}

struct listener *listener_new(struct ev_loop *loop, int fd, struct peers *peers,
			      size_t most)
{
	struct listener *l = mem_zalloc(sizeof(*l));

	l->loop = loop;
	l->fd = fd;
	l->local = is_unix(fd);
	l->peers = peers;
	l->most = most;
	l->reserve_fd = open_reserve();
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	ev_init(&l->rest, on_rested);
	l->rest.data = l;
	ev_io_init(&l->readable, on_readable, fd, EV_READ);
	l->readable.data = l;
	ev_io_start(loop, &l->readable);
	return l;
}

void listener_take(struct listener *l)
{
	for (int i = 0; i < BACKLOG && take(l); i++)
		;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	ev_io_stop(l->loop, &l->readable);
	ev_timer_stop(l->loop, &l->rest);
	close(l->fd);
	if (l->reserve_fd >= 0)
		close(l->reserve_fd);
	free(l);
}
