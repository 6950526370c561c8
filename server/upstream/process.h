/*
 * process: an upstream that is a child process speaking over stdin and stdout.
 *
 * Owns the child, its process group, its pipes and its log.  The child leads a
 * group of its own; ending it ends the group, so that what `npx` or `uvx`
 * started goes too, and so does, on a system with /proc, what left the group
 * but carries the marker (procs.h).  Its environment is exactly what is given
 * here, and the marker.  Its stderr goes to a file of bounded size (logfile.h).
 *
 *   RUNNING --stop, a pipe closed--> CLOSING --eof_ms--> TERMINATING
 *   TERMINATING --term_ms--> KILLING
 *   any of them --exit--> CLEARING --group gone, output read--> .down
 */
#ifndef SERVER_UPSTREAM_PROCESS_H
#define SERVER_UPSTREAM_PROCESS_H

#include "server/upstream/upstream.h"

struct children;
struct ev_loop;

struct process_options {
	const char *name;	    /* for errors and the log */
	const char *const *command; /* argv; command[0] is sought in the
				     * PATH of env, relative to cwd */
	const char *const *env;	    /* "K=V", NULL-terminated */
	const char *cwd;	    /* absolute */
	const char *log_path; /* stderr is appended there; NULL drops it */
	size_t message_bytes; /* limit of one message from it */
	/* The stop ladder: end of input, this long, TERM, this long, KILL. */
	unsigned eof_ms;  /* 2000 */
	unsigned term_ms; /* 3000 */
	/* Where it is written down while it runs, or NULL; outlives it. */
	struct children *children;
};

/* Start it.  The loop is the default one: libev watches children in no other,
 * and it also reaps those that were freed before they ended.  NULL with
 * ERR_SOURCE_DOWN when it cannot even be started: the text says which command
 * was sought where.  Everything is borrowed. */
struct upstream *process_new(struct ev_loop *loop,
			     const struct process_options *options,
			     const struct upstream_events *events, void *owner,
			     struct err *e);

#endif
