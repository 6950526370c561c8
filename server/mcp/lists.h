/*
 * lists: who waits until the tools of every source are known.
 *
 * A source whose tools were read in an earlier life is served from the
 * catalogue at once.  One that was never read is waited for, within a bound;
 * what is known by then is the list.  Part of the router.
 */
#ifndef SERVER_MCP_LISTS_H
#define SERVER_MCP_LISTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/mcp/replies.h"

struct jsonrpc;
struct router;

/* Is nothing to be waited for? */
bool lists_settled(const struct router *r);

/* Have the tools read of every source that was not read in this life. */
void lists_refresh(struct router *r);

/* Something has settled: go on if it was the last. */
void lists_check(struct router *r);

/* Hand m to router_dispatch() again once all is settled, or the bound is
 * reached. */
void lists_park(struct router *r, uint64_t session, const struct jsonrpc *m,
		const char *source);

/* The request is not wanted any more.  False when it is not parked. */
bool lists_cancel(struct router *r, struct reply_to to);

/* The session has gone. */
void lists_cancel_all(struct router *r, uint64_t session);

/* Forget everybody. */
void lists_drop_all(struct router *r);

#endif
