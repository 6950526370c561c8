/*
 * breaker: a daemon that cannot start must not be started all the time.
 *
 * run/boot remembers the starts that never became ready: it is written before
 * any risky work and removed when the start turned out well.  Read and written
 * under owner.lock only.  Another boot of the machine begins anew.
 */
#ifndef ELECTION_BREAKER_H
#define ELECTION_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "election/error.h"
#include "election/plat.h"

enum { BREAKER_STARTS = 6, BREAKER_CAUSE_BYTES = 240 };

struct breaker {
	unsigned failures; /* starts in a row, none of them good */
	int64_t start_ms[BREAKER_STARTS]; /* since boot, the latest first */
	char boot_id[PLAT_BOOT_ID_BYTES];
	char cause[BREAKER_CAUSE_BYTES]; /* of the latest failure, or "" */
};

/* What the record in run_fd says of this boot; no failures when it says
 * nothing usable. */
void breaker_read(struct breaker *b, int run_fd, const char *boot_id,
		  int64_t now_ms);

/* For how long no start may be tried; 0 for none.  Spread by jitter, any
 * byte. */
int64_t breaker_wait_ms(const struct breaker *b, int64_t now_ms,
			unsigned char jitter);

/* Count a start, before anything else is done.  run is for messages. */
bool breaker_begin(struct breaker *b, int run_fd, const char *run,
		   int64_t now_ms, struct election_error *e);

/* Remember why it failed, for those who will find the breaker open. */
void breaker_blame(struct breaker *b, int run_fd, const char *run,
		   const char *cause);

/* The start was good: forget all of it. */
void breaker_end(struct breaker *b, int run_fd);

/* The start was none: somebody else shall try. */
void breaker_undo(struct breaker *b, int run_fd, const char *run);

#endif
