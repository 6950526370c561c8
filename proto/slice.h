/*
 * slice: borrowed bytes.  Whoever made the bytes says how long they live.
 */
#ifndef PROTO_SLICE_H
#define PROTO_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *ptr;
	size_t len;
};

/* The bytes of a NUL-terminated string, without the NUL. */
static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Is s exactly this string? */
static inline bool slice_is(struct slice s, const char *text)
{
	return slice_equal(s, slice_of(text));
}

#endif
