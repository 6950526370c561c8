/*
 * manager: the service manager that started us, if one did.
 *
 * What sd_notify(3) and sd_listen_fds(3) describe, spoken without a library:
 * datagrams of lines to $NOTIFY_SOCKET, and listening sockets from descriptor
 * 3 on.  Without a manager nothing of it does anything.  Owned by the daemon.
 */
#ifndef SERVER_MANAGER_H
#define SERVER_MANAGER_H

#include <ev.h>
#include <stddef.h>

enum { MANAGER_LISTENERS = 4 };

struct manager {
	struct ev_loop *loop;
	ev_timer watchdog; /* runs only if the manager wants to hear of us */
	double watchdog_s; /* how often; 0: never */
	int fds[MANAGER_LISTENERS];
	size_t count;
};

/* Read the environment.  Takes the sockets that were passed: close-on-exec, and
 * whoever serves one takes it out of fds. */
void manager_init(struct manager *m);

/* Say lines, as sd_notify(3) has them. */
void manager_say(const struct manager *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Ready; and from now on a sign of life as often as is wanted. */
void manager_ready(struct manager *m, struct ev_loop *loop);

/* The sockets shall outlive an exec after all. */
void manager_keep(const struct manager *m);

/* No more signs of life. */
void manager_stop(struct manager *m);

#endif
