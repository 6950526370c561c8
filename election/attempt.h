/*
 * attempt: one candidate of ours, from spawn.lock to its verdict.
 *
 * spawn.lock is held, if it was free, until the candidate has answered, died
 * or been silent for too long.  It damps the herd and decides nothing: whoever
 * runs out of patience goes on without it.  Owned by the election.
 */
#ifndef ELECTION_ATTEMPT_H
#define ELECTION_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "election/error.h"
#include "election/spawn.h"

enum { ATTEMPT_PHASE_BYTES = 64 };

struct attempt {
	int lock_fd; /* spawn.lock, or -1 */
	struct spawn spawn;
	char phase[ATTEMPT_PHASE_BYTES]; /* what it said it is doing */
	int64_t until_ms;		 /* when our patience with it ends */
};

enum attempt_event {
	ATTEMPT_WAIT,  /* until its descriptor is readable or until_ms */
	ATTEMPT_WORK,  /* it won and is at work: e says on what */
	ATTEMPT_READY, /* the manifest is there */
	ATTEMPT_LOST,  /* another one holds owner.lock */
	ATTEMPT_REST,  /* the breaker is open: e, and wait_ms */
	ATTEMPT_FAIL,  /* it failed, died or says nothing: e */
};

void attempt_init(struct attempt *a);

/* False: another one holds spawn.lock.  True: it is ours, or cannot be had at
 * all (a read-only or full disk: the candidate will say so better). */
bool attempt_lock(struct attempt *a, int dir_fd, const char *data_dir);

bool attempt_start(struct attempt *a, const char *candidate,
		   const char *data_dir, int64_t now_ms,
		   struct election_error *e);

/* The next event; after any but WAIT and WORK it is time to finish. */
enum attempt_event attempt_next(struct attempt *a, const char *data_dir,
				int64_t now_ms, int64_t *wait_ms,
				struct election_error *e);

/* Release the lock and listen no more; the candidate goes on. */
void attempt_finish(struct attempt *a);

/* Now and then, also later: see spawn_reap(). */
void attempt_reap(struct attempt *a);

#endif
