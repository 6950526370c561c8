/*
 * fuzz: what a fuzz target is, and what they share.
 *
 * A target is one file with one LLVMFuzzerTestOneInput(); libFuzzer drives it
 * in the preset fuzz, replay.c with the kept corpus everywhere else.  What must
 * hold is asserted: assertions ship, so they also stand in every build.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

/* libFuzzer's name.  Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a script: bytes are taken from its front, and nothing but
 * zeroes comes from an empty one. */
struct script {
	struct slice rest;
};

static inline unsigned script_byte(struct script *s)
{
	if (s->rest.len == 0)
		return 0;
	unsigned byte = (unsigned char)s->rest.ptr[0];
	s->rest.ptr++;
	s->rest.len--;
	return byte;
}

static inline struct slice script_bytes(struct script *s, size_t len)
{
	if (len > s->rest.len)
		len = s->rest.len;
	struct slice bytes = {s->rest.ptr, len};
	s->rest.ptr += len;
	s->rest.len -= len;
	return bytes;
}

#endif
