/*
 * json_scan: a strict cursor over JSON text.
 *
 * RFC 8259 and UTF-8 in one pass.  json.c and jsonrpc.c walk objects with it;
 * nothing else includes this.  Every function starts where the cursor stands
 * and leaves it behind what it read; one that returns false has filled *e, and
 * the cursor is where the text is wrong.
 */
#ifndef PROTO_JSON_SCAN_H
#define PROTO_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct err;
struct json_member;

struct json_scan {
	const char *at;
	const char *end;
	const char *text; /* where offsets count from */
	/* A bit for each of the 64 bytes before seen, the highest for the
	 * last, says which are not plain: see json_plain.h. */
	uint64_t marks;
	const char *seen;
};

static inline struct json_scan json_scan_of(struct slice text)
{
	/* An empty slice may have no address to count from. */
	const char *start = text.len > 0 ? text.ptr : "";

	return (struct json_scan){start, start + text.len, start, 0, start};
}

/* The first byte from at on that is no white space, or end. */
const char *json_space_run_end(const char *at, const char *end);

/* The same; most often there is none. */
static inline const char *json_space_end(const char *at, const char *end)
{
	if (at == end || (unsigned char)*at > ' ')
		return at;
	return json_space_run_end(at, end);
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

/* A value, nested at most depth arrays and objects deep; depth is at most
 * JSON_DEPTH. */
bool json_scan_value(struct json_scan *s, unsigned depth, struct err *e);

/* A member: its key, its colon, and such a value. */
bool json_scan_member(struct json_scan *s, unsigned depth,
		      struct json_member *m, struct err *e);

/* The rest of an object behind its opening brace: such members, each of which
 * is told of when it has been read. */
typedef void json_scan_event(void *owner, struct slice key, struct slice value);
bool json_scan_members(struct json_scan *s, unsigned depth,
		       json_scan_event *on_member, void *owner, struct err *e);

/* White space, then nothing. */
bool json_scan_end(struct json_scan *s, struct err *e);

/* ERR_PARSE, with the offset of the cursor. */
bool json_scan_fail(const struct json_scan *s, const char *why, struct err *e);

#endif
