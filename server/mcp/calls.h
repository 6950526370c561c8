/*
 * calls: requests that a source is working on.
 *
 * A call holds its session by number and the client's own id and progress
 * token as they were written, and puts them back into what the source says.
 * Owned by the router.
 */
#ifndef SERVER_MCP_CALLS_H
#define SERVER_MCP_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/mcp/replies.h"

struct catalogue_tool;
struct err;
struct jsonrpc;
struct routed;
struct router;

/* What a tools/call asks for, as slices of the request. */
struct call_target {
	struct slice name;  /* value of params.name, with quotes */
	struct slice token; /* value of params._meta.progressToken, or empty */
};

/* Read and check the params of a tools/call. */
bool call_read(const struct jsonrpc *m, struct call_target *target,
	       struct err *e);

/* Forward m to the source of that tool.  False with *e set when the source
 * refuses it; else the answer follows from the loop. */
bool call_start(struct routed *at, const struct jsonrpc *m,
		const struct call_target *target,
		const struct catalogue_tool *tool, uint64_t session,
		struct err *e);

/* The request of that session and id is not wanted any more; reason is raw or
 * empty.  False when there is no such call. */
bool call_cancel(struct router *r, struct reply_to to, struct slice reason);

/* The session has gone: cancel all of its calls. */
void call_cancel_all(struct router *r, uint64_t session);

/* The session that alone has calls at this source; 0 when there is none, and
 * *several when there is more than one. */
uint64_t call_sole_session(struct routed *at, bool *several);

/* Forget every call, without an answer. */
void call_drop_all(struct router *r);

#endif
