/*
 * sequences: which numbers have arrived, each at most once.
 *
 * Small messages overtake large ones, so numbers come out of order; after a
 * resume they may come again.  What is contiguous is one number, the rest a
 * set.  A zeroed struct has seen nothing.
 */
#ifndef SERVER_MCP_SEQUENCES_H
#define SERVER_MCP_SEQUENCES_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/map.h"

/* A sender that leaves this many numbers behind a gap has lost count. */
enum { SEQUENCES_BEYOND_MAX = 65536 };

struct sequences {
	uint64_t all;	   /* every number up to this one has arrived */
	struct map beyond; /* and these, behind a gap */
};

bool sequences_has(const struct sequences *q, uint64_t number);

/* Is the set behind the gap at its bound? */
bool sequences_full(const struct sequences *q);

/* Note number; false when it had arrived before. */
bool sequences_add(struct sequences *q, uint64_t number);

void sequences_finish(struct sequences *q);

#endif
