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

struct err;
struct jsonrpc;
struct routed;
struct router;

/* What a request that is forwarded asks for, as slices of it. */
struct call_target {
	struct slice value; /* what names it, with quotes: it is replaced */
	struct slice type;  /* of a ref, else empty */
	struct slice token; /* value of params._meta.progressToken, or empty */
};

/* What becomes of its result on the way back; flags. */
enum call_return {
	CALL_HANDS_OUT = 1, /* the URIs in it are the source's from now on */
	CALL_ALIASED = 2,   /* the contents' URIs are given as aliases */
	CALL_WRAPPED = 4,   /* as catalogue_item.wrapped says */
};

/* Read and check the params of a request whose params have this member: the
 * name or URI, or, when it is "ref", an object with one of them. */
bool call_read(const struct jsonrpc *m, const char *member,
	       struct call_target *target, struct err *e);

/* Forward m to that source, which calls it own.  False with *e set when the
 * source refuses it; else the answer follows from the loop. */
bool call_start(struct routed *at, const struct jsonrpc *m,
		const struct call_target *target, struct slice own,
		unsigned way_back, uint64_t session, struct err *e);

/* The request of that session and id is not wanted any more; reason is raw or
 * empty.  False when there is no such call. */
bool call_cancel(struct router *r, struct reply_to to, struct slice reason);

/* The daemon is about to stop: leave to the next one what no source has got. */
void call_decline(struct router *r);

/* The session has gone: cancel all of its calls. */
void call_cancel_all(struct router *r, uint64_t session);

/* The session that alone has calls at this source; 0 when there is none, and
 * *several when there is more than one. */
uint64_t call_sole_session(struct routed *at, bool *several);

/* Forget every call, without an answer. */
void call_drop_all(struct router *r);

#endif
