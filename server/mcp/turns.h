/*
 * turns: for which client a source works.
 *
 * What a source asks over stdio does not say for whom, so it is taken to be for
 * the session that alone has calls there; with calls of several it is nobody's.
 * A call that was given up counts on for a while: most servers go on with what
 * was cancelled, and may ask for it.  At a source that is exclusive, sessions
 * take turns: while one has calls there, those of others wait, in order.  Part
 * of the router.
 */
#ifndef SERVER_MCP_TURNS_H
#define SERVER_MCP_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/mcp/replies.h"

struct err;
struct jsonrpc;
struct routed;
struct router;

void turns_init(struct router *r);

/* The session that the source works for.  0 with *e set when that is not
 * clear; *several when calls of more than one are in flight. */
uint64_t turns_owner(struct routed *at, bool *several, struct err *e);

/* A call of that session was given up and may still run there. */
void turns_abandoned(struct routed *at, uint64_t session);

/* It asks, and several wait for it: from now on they take turns there, unless
 * its settings say otherwise. */
void turns_make_exclusive(struct routed *at);

/* May the session call this source now? */
bool turns_admit(struct routed *at, uint64_t session);

/* Keep the request until it may; router_dispatch() gets it then.  False with
 * *e set when too many wait.  own: of session_single(), or NULL. */
bool turns_wait(struct routed *at, uint64_t session, const struct jsonrpc *m,
		const char *own, struct err *e);

/* A call has ended there: from the loop, let the next in. */
void turns_next(struct routed *at);

/* The source has ended, and what ran there with it. */
void turns_source_ended(struct routed *at);

/* The source goes: refuse whoever waits for it. */
void turns_refuse(struct routed *at, const struct err *why);

/* The daemon is about to stop: leave those who wait to the next one. */
void turns_decline(struct router *r);

/* The request is not wanted any more.  False when it does not wait. */
bool turns_cancel(struct router *r, struct reply_to to);

/* The session has gone. */
void turns_cancel_all(struct router *r, uint64_t session);

/* Forget everybody. */
void turns_drop_all(struct router *r);

#endif
