/*
 * bearer: a bearer token, as text.
 *
 * 32 random bytes in base64url without padding (RFC 4648 section 5): nothing
 * that a shell, a header or a file could misread.  Whoever holds one wipes it
 * after use, and puts it into no log and no error.  No I/O.
 */
#ifndef PROTO_BEARER_H
#define PROTO_BEARER_H

#include <stdbool.h>

#include "proto/slice.h"

enum { BEARER_CHARS = 43 };

struct bearer {
	char text[BEARER_CHARS + 1]; /* NUL behind it */
};

/* A new one. */
void bearer_make(struct bearer *b);

/* Read what a file or a person holds: the characters, and at most one line
 * break behind them.  False when it is no token; *b is unchanged. */
bool bearer_parse(struct bearer *b, struct slice text);

/* The token in the value of a header "authorization".  RFC 6750 section 2.1:
 * credentials = "Bearer" 1*SP b64token; RFC 9110 section 11.1: the scheme is
 * case-insensitive.  {NULL, 0} when it has another form. */
struct slice bearer_of_header(struct slice value);

/* Is it this one?  Takes the same time wherever they differ. */
bool bearer_is(const struct bearer *b, struct slice token);

#endif
