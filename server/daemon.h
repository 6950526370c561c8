/*
 * daemon: the owner of a data directory, from the lock to the exit status.
 *
 * Owns everything below it, and knows in which order it starts and stops:
 *
 *   lock, log, store, epoch, sessions, router, services, peers, socket,
 *   manifest, ready; and the same way back.
 *
 *   STARTING --ready--> SERVING --SIGTERM, Drain, deposed--> DRAINING
 *   DRAINING --nothing in flight--> LEAVING --no peers--> STOPPING
 *   STOPPING --sources down--> STOPPED        STARTING --error--> STOPPED
 *
 * While it drains nobody finds it any more, running requests finish, clients
 * hear a goodbye, connections close, sources end in good order.  Each step has
 * a bound in time, and a second SIGTERM ends the step that it is in.
 */
#ifndef SERVER_DAEMON_H
#define SERVER_DAEMON_H

struct config;

/* The exit statuses that are not owner.h's. */
enum { DAEMON_EXIT_OK = 0, DAEMON_EXIT_BROKEN = 1, DAEMON_EXIT_USAGE = 2 };

/* Run until the end; returns the exit status.  One line on standard error says
 * why when it did not serve. */
int daemon_run(const struct config *config);

#endif
