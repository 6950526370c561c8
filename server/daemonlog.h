/*
 * daemonlog: logs/executord.log, of bounded size.
 *
 * The daemon keeps its own log short, since nobody rotates a user's files:
 * executord.log, .1 and .2, of about 5 MiB each.  Owned by the daemon.
 */
#ifndef SERVER_DAEMONLOG_H
#define SERVER_DAEMONLOG_H

#include <stdbool.h>

#include "proto/log.h"

struct err;
struct daemonlog;

enum {
	DAEMONLOG_BYTES = 5 * 1024 * 1024,
	DAEMONLOG_KEPT = 3, /* files, the current one included */
};

/* Append to logs/executord.log below dir_fd, which is borrowed, from now on;
 * a log that is full already is turned over first.  With streams, standard
 * output and error go there, too. */
struct daemonlog *daemonlog_open(int dir_fd, enum log_level level, bool streams,
				 struct err *e);

/* Turn over when it is full.  Cheap: it looks at the file only now and then. */
void daemonlog_check(struct daemonlog *l);

/* Open it anew: someone moved or removed it. */
void daemonlog_reopen(struct daemonlog *l);

/* The log goes to stderr again.  l may be NULL. */
void daemonlog_close(struct daemonlog *l);

#endif
