/*
 * json_scan: a strict cursor over JSON text.
 *
 * RFC 8259 and UTF-8, each byte looked at once.  json.c and jsonrpc.c walk
 * objects with it; nothing else includes this.  Every function starts where
 * the cursor stands and leaves it behind what it read; one that returns false
 * has filled *e, and the cursor is where the text is wrong.
 */
#ifndef PROTO_JSON_SCAN_H
#define PROTO_JSON_SCAN_H

#include <stdbool.h>

#include "proto/slice.h"

struct err;

struct json_scan {
	const char *at;
	const char *end;
	const char *text; /* where offsets count from */
	bool escaped;	  /* the last key read holds a backslash */
};

static inline struct json_scan json_scan_of(struct slice text)
{
	/* An empty slice may have no address to count from. */
	const char *start = text.len > 0 ? text.ptr : "";

	return (struct json_scan){start, start + text.len, start, false};
}

/* The first byte from at on that is no white space, or end. */
static inline const char *json_space_end(const char *at, const char *end)
{
	while (at < end && (unsigned char)*at <= ' ' &&
	       (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

/* White space, if any. */
static inline void json_scan_space(struct json_scan *s)
{
	s->at = json_space_end(s->at, s->end);
}

/* The byte under the cursor, if it is that one. */
static inline bool json_scan_byte(struct json_scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* A member's key and its colon, with the white space behind each; *key is
 * what stands between the quotes. */
bool json_scan_key(struct json_scan *s, struct slice *key, struct err *e);

/* A value, nested at most depth arrays and objects deep. */
bool json_scan_value(struct json_scan *s, unsigned depth, struct err *e);

/* White space, then nothing. */
bool json_scan_end(struct json_scan *s, struct err *e);

/* ERR_PARSE, with the offset of the cursor. */
bool json_scan_fail(const struct json_scan *s, const char *why, struct err *e);

#endif
