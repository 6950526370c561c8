/*
 * jsonrpc: what a JSON-RPC 2.0 message is, as slices of its own text.
 *
 * One strict pass (see json.h) finds kind, id, method and
 * params/result/error.  A member that we read and that occurs twice is an
 * error: two parsers could disagree about it.  No I/O.
 */
#ifndef PROTO_JSONRPC_H
#define PROTO_JSONRPC_H

#include <stdbool.h>

#include "proto/err.h"
#include "proto/json.h"
#include "proto/slice.h"

struct buf;

enum jsonrpc_kind {
	JSONRPC_REQUEST,
	JSONRPC_NOTIFICATION,
	JSONRPC_RESULT,
	JSONRPC_ERROR,
};

struct jsonrpc {
	enum jsonrpc_kind kind;
	struct slice text;   /* the whole message */
	struct slice id;     /* raw: 1, "1" and 1.0 are three ids.  Of an
			      * error also null, or empty when left out */
	struct slice method; /* raw, with quotes; jsonrpc_method_is() */
	struct slice params; /* raw; empty when absent or null */
	struct slice result; /* raw; of a result */
	struct slice error;  /* raw; of an error */
	/* Set by whoever hands the message up: the buffer that text is all of,
	 * when who gets it may take that (buf_move()); or NULL. */
	struct buf *whole;
};

/* Slice text.  ERR_PARSE: not JSON or not UTF-8.  ERR_INVALID_REQUEST: no
 * JSON-RPC message.  ERR_TOO_LARGE: nested too deep.  With the last two, m->id
 * is set when it could be made out, so that the refusal can name it; when
 * false is returned nothing else of *m means anything.  An id must be a string
 * or an integer (1.0 and 1e3 are, 1.5 is not); MCP allows null nowhere but in
 * an error. */
bool jsonrpc_slice(struct slice text, struct jsonrpc *m, struct err *e);

/* Is text, valid or not, an array by its first byte: a batch? */
bool jsonrpc_is_batch(struct slice text);

static inline bool jsonrpc_method_is(const struct jsonrpc *m,
				     const char *method)
{
	return json_string_is(m->method, method);
}

/* Append an error response.  id empty means null.  The text is quoted;
 * data.reason is the reason's name, and extra (raw members such as
 * "\"source\":\"x\"", or NULL) stands behind it.  No newline. */
void jsonrpc_error(struct buf *to, struct slice id, const struct err *e,
		   const char *extra);

/* Append a result response; result is raw. */
void jsonrpc_result(struct buf *to, struct slice id, struct slice result);

/* Append a request (id is raw) or, with an empty id, a notification.  params
 * is raw, or empty for none. */
void jsonrpc_request(struct buf *to, struct slice id, const char *method,
		     struct slice params);

#endif
