/*
 * seqset: which numbers of a sequence have been met.
 *
 * Numbers count up from 1 and come roughly in order: all up to some number
 * are in the set, and a few above it.  Those cost a bit each, the others
 * nothing.  A zeroed struct is an empty set.  No I/O.
 */
#ifndef PROTO_SEQSET_H
#define PROTO_SEQSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No number may be this far above the first that is missing. */
enum { SEQSET_AHEAD = 1 << 20 };

struct seqset {
	uint64_t all;	/* every number up to this one is in */
	uint64_t *bits; /* number n is bit n % cap_bits */
	size_t cap_bits;
	size_t count; /* bits that are set */
};

/* False when n is in already, or too far ahead. */
bool seqset_add(struct seqset *s, uint64_t n);

/* Every number up to n is in. */
void seqset_raise(struct seqset *s, uint64_t n);

bool seqset_has(const struct seqset *s, uint64_t n);

/* Make *to, which is empty, the same set as from. */
void seqset_copy(struct seqset *to, const struct seqset *from);

/* Release; *s is zeroed. */
void seqset_finish(struct seqset *s);

#endif
