#include "proto/seqset.h"

#include <stdlib.h>

#include "proto/mem.h"

enum { WORD_BITS = 64, SMALLEST = 1024 };

static uint64_t *word_of(const struct seqset *s, uint64_t n)
{
	return &s->bits[(n & (s->cap_bits - 1)) / WORD_BITS];
}

static uint64_t bit_of(uint64_t n)
{
	return (uint64_t)1 << n % WORD_BITS;
}

static bool is_set(const struct seqset *s, uint64_t n)
{
	return s->count > 0 && n - s->all <= s->cap_bits &&
	       (*word_of(s, n) & bit_of(n));
}

static void grow(struct seqset *s, uint64_t ahead)
{
	struct seqset wide = {.all = s->all, .cap_bits = SMALLEST};

	while (wide.cap_bits < ahead)
		wide.cap_bits *= 2;
	wide.bits = mem_zalloc(wide.cap_bits / 8);
	for (uint64_t n = s->all + 1; n <= s->all + s->cap_bits; n++)
		if (is_set(s, n))
			*word_of(&wide, n) |= bit_of(n);
	free(s->bits);
	s->bits = wide.bits;
	s->cap_bits = wide.cap_bits;
}

/* The first that may be missing is in, or to count as if it were. */
static void take_next(struct seqset *s)
{
	bool set = is_set(s, s->all + 1);

	s->all++;
	if (!set)
		return;
	*word_of(s, s->all) &= ~bit_of(s->all);
	s->count--;
}

bool seqset_add(struct seqset *s, uint64_t n)
{
	if (n <= s->all || n - s->all > SEQSET_AHEAD || is_set(s, n))
		return false;
	if (n > s->all + 1) {
		if (n - s->all > s->cap_bits)
			grow(s, n - s->all);
		*word_of(s, n) |= bit_of(n);
		s->count++;
		return true;
	}
	take_next(s);
	while (is_set(s, s->all + 1))
		take_next(s);
	return true;
}

void seqset_raise(struct seqset *s, uint64_t n)
{
	if (n <= s->all)
		return;
	if (n - s->all >= s->cap_bits) {
		seqset_finish(s);
		s->all = n;
		return;
	}
	while (s->all < n || is_set(s, s->all + 1))
		take_next(s);
}

bool seqset_has(const struct seqset *s, uint64_t n)
{
	return n <= s->all || is_set(s, n);
}

void seqset_copy(struct seqset *to, const struct seqset *from)
{
	*to = *from;
	if (from->bits)
		to->bits = mem_copy(from->bits, from->cap_bits / 8);
}

void seqset_finish(struct seqset *s)
{
	free(s->bits);
	*s = (struct seqset){0};
}
