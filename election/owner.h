/*
 * owner: a candidate, and the daemon that it becomes.
 *
 * The first act is to try owner.lock; the loser leaves, the winner is the
 * owner until it dies.  The kernel's lock alone decides.  Only the owner
 * writes or unlinks a shared file.
 *
 *   owner_take -> (bump the epoch) -> owner_listen -> owner_publish
 *   -> owner_ready -> serve, owner_check -> owner_unpublish -> exit
 *
 * An owner that could not listen or publish must say so (owner_fail) and exit:
 * alive but not to be found, it would keep everyone out for ever.
 */
#ifndef ELECTION_OWNER_H
#define ELECTION_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "election/datadir.h"
#include "election/manifest.h"

struct owner;

enum owner_outcome {
	OWNER_WON,
	OWNER_LOST,    /* another one holds the lock: told through the pipe */
	OWNER_RESTING, /* too many failed starts: the breaker is open */
	OWNER_FAILED,  /* e says why: told through the pipe */
};

enum owner_state {
	OWNER_STILL,
	/* The lock, the directory or the socket was replaced or removed, or a
	 * manifest that was removed could not be put back: stop serving. */
	OWNER_DEPOSED,
};

/* The exit statuses of a candidate that does not serve. */
enum { OWNER_EXIT_LOST = 75, OWNER_EXIT_FAILED = 69 };

/* Try to own the canonical data_dir.  ready_fd is the starter's pipe, or -1;
 * it becomes the owner's, and SIGPIPE must be ignored.  Only OWNER_WON sets
 * *o; every other outcome fills *e and has been told through the pipe.  When
 * e->code is "crash_loop", *wait_ms says how long the breaker stays open. */
enum owner_outcome owner_take(struct owner **o, const char *data_dir,
			      int ready_fd, int64_t *wait_ms,
			      struct election_error *e);

/* A line to the starter that work goes on ("migrating"): extends its
 * patience. */
void owner_progress(struct owner *o, const char *phase);

/* Bind and listen on a socket of this epoch's own name, 0600.  Where the
 * data directory's path is too long for sun_path it lies under
 * /run/user/UID or /tmp/executor-UID.  The descriptor, which is the caller's,
 * or -1. */
int owner_listen(struct owner *o, uint64_t epoch, struct election_error *e);

/* Fill in socket, pid and identity, write the manifest, and move
 * run/executor.sock to the socket.  m->epoch is owner_listen()'s. */
bool owner_publish(struct owner *o, struct manifest *m,
		   struct election_error *e);

/* Tell the starter; the start counts as good from now on. */
void owner_ready(struct owner *o);

/* Tell the starter why not; the first error line that a person will see.
 * Counts as a failed start, unless the directory wants another version. */
void owner_fail(struct owner *o, const struct election_error *e);

/* Let another program be the candidate in our place: it finds the starter's
 * pipe where we did.  The lock is free in between.  Only a program that nobody
 * but us or root can change is run.  Returns when that did not work, *e saying
 * why; we are the owner still. */
void owner_yield(struct owner *o, const char *program, char *const argv[],
		 struct election_error *e);

/* Readable when owner_check() may find something; -1 where the system cannot
 * watch, then check every 2 s. */
int owner_watch_fd(const struct owner *o);

/* Is the lock still the file at its path, the directory the same; the
 * manifest ours (if not it is published again)? */
enum owner_state owner_check(struct owner *o);

/* Unlink the manifest, the link and the socket, in this order, while the lock
 * is still held: nobody finds us any more, though whoever connected already is
 * still in the backlog.  A deposed owner leaves alone what may be its
 * successor's.  One that stays after all listens and publishes again. */
void owner_unpublish(struct owner *o);

/* The path of the socket, and the symbolic link to it. */
const char *owner_socket(const struct owner *o);
const char *owner_link(const struct owner *o);

/* Close everything but the lock, which goes with the process. */
void owner_free(struct owner *o);

#endif
