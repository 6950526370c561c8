/*
 * replies: how a request ends: with a result, an error, or a source's answer.
 *
 * Everything the router answers leaves through here and is counted here.  The
 * session may be gone, or may have cancelled: then nothing is delivered.
 */
#ifndef SERVER_MCP_REPLIES_H
#define SERVER_MCP_REPLIES_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct buf;
struct err;
struct router;

/* Whose answer it is. */
struct reply_to {
	uint64_t session; /* number */
	struct slice id;  /* raw, as the client wrote it */
};

/* result is raw JSON. */
void reply_result(struct router *r, struct reply_to to, struct slice result);

/* source is who is to blame, or NULL. */
void reply_error(struct router *r, struct reply_to to, const struct err *e,
		 const char *source);

/* The same, with raw members in data, such as "\"uri\":\"x\"". */
void reply_error_with(struct router *r, struct reply_to to, const struct err *e,
		      const char *extra);

/* A whole response, which is empty afterwards; failed: it is an error. */
void reply_text(struct router *r, struct reply_to to, struct buf *json,
		bool failed);

#endif
