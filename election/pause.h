/*
 * pause: how long to wait before the next try.
 *
 * It doubles each time it is taken, and is spread at random, so that many who
 * wait for the same thing do not move as one.
 */
#ifndef ELECTION_PAUSE_H
#define ELECTION_PAUSE_H

#include <stdint.h>

struct pause {
	int64_t first_ms;
	int64_t last_ms;
	int64_t next_ms;
};

/* Take it: the pause now, give or take a quarter. */
int64_t pause_take(struct pause *p);

/* The next one is the first again. */
void pause_reset(struct pause *p);

/* Anything from low to high. */
int64_t pause_between(int64_t low_ms, int64_t high_ms);

#endif
