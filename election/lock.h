/*
 * lock: a file that one process at a time holds, released by the kernel.
 *
 * flock(2) on a file that is never unlinked or renamed.  It dies with its
 * holder, so there is nothing to reclaim and no pid to judge.  The holder
 * keeps the descriptor; closing it, and every copy of it, releases.
 */
#ifndef ELECTION_LOCK_H
#define ELECTION_LOCK_H

#include <stdbool.h>

#include "election/error.h"

enum lock_outcome {
	LOCK_TAKEN,
	LOCK_HELD,   /* by another open of the file */
	LOCK_FAILED, /* e says why: then nobody may act as if he held it */
};

/* Try once to lock name below dir_fd, made 0600 when missing; dir is for
 * messages.  Only LOCK_TAKEN sets *fd, which is close-on-exec.  Never waits,
 * never follows a link. */
enum lock_outcome lock_try(int dir_fd, const char *dir, const char *name,
			   int *fd, struct election_error *e);

/* Is fd still the file of that name?  When it was removed or replaced,
 * someone else may hold the new one. */
bool lock_is_current(int dir_fd, const char *name, int fd);

#endif
