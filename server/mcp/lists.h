/*
 * lists: who waits until it is known what every source has of some kinds.
 *
 * A source that was read in an earlier life is served from the catalogue at
 * once.  One that was never read is waited for, once and within a bound; what
 * is known by then is the list, and what comes later is announced.  So a source
 * that starts slowly, or never answers, holds up the first list at the most.
 * Part of the router.
 */
#ifndef SERVER_MCP_LISTS_H
#define SERVER_MCP_LISTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/mcp/replies.h"

struct jsonrpc;
struct router;

/* Is nothing to be waited for? */
bool lists_settled(const struct router *r, unsigned kinds);

/* Have every source read whose lists were not read in this life. */
void lists_refresh(struct router *r, unsigned kinds);

/* Something has settled: go on if it was the last. */
void lists_check(struct router *r);

/* The same as router_when_listed(), for these kinds. */
void lists_when(struct router *r, unsigned kinds, void (*done)(void *owner),
		void *owner);

/* Hand m to router_dispatch() again once these kinds are settled, or the bound
 * is reached. */
void lists_park(struct router *r, uint64_t session, const struct jsonrpc *m,
		const char *source, unsigned kinds);

/* The daemon is about to stop: leave those who wait to the next one. */
void lists_decline(struct router *r);

/* The request is not wanted any more.  False when it is not parked. */
bool lists_cancel(struct router *r, struct reply_to to);

/* The session has gone. */
void lists_cancel_all(struct router *r, uint64_t session);

/* Forget everybody. */
void lists_drop_all(struct router *r);

#endif
