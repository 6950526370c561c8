/*
 * subscriptions: which sessions want to hear of which resource.
 *
 * A source hears one resources/subscribe for all of them, when the first comes,
 * and one resources/unsubscribe when the last has gone; while anybody listens
 * the source is kept running, and subscribed to again whenever it has started
 * anew.  A session's subscriptions end with it.  Owned by the router.
 *
 * A subscription that was interrupted may have missed something: once it is in
 * force again its session is told that the resource may have changed.
 */
#ifndef SERVER_MCP_SUBSCRIPTIONS_H
#define SERVER_MCP_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "server/mcp/replies.h"

struct jsonrpc;
struct owner;
struct routed;
struct router;
struct subscriptions;

/* Of one session; one more is refused. */
enum { SUBSCRIPTIONS_EACH = ENVELOPE_SUBSCRIPTIONS_MAX };

struct subscriptions *subscriptions_new(struct router *r);

/* A notifications/resources/updated of that source. */
void subscriptions_updated(struct subscriptions *all, struct routed *from,
			   const struct jsonrpc *m);

/* The session had this one with an earlier daemon, and goes on with it whatever
 * the source says to that. */
void subscriptions_restore(struct subscriptions *all, uint64_t session,
			   const struct owner *o);

/* A resources/updated for that session, by the (decoded) URI that it knows. */
void subscriptions_tell(struct router *r, uint64_t session, struct slice uri);

/* The source has started (again). */
void subscriptions_ready(struct subscriptions *all, struct routed *at);

/* The source goes; nobody is told. */
void subscriptions_gone(struct subscriptions *all, struct routed *at);

/* The request to subscribe of that session and id is not wanted any more.
 * False when there is none that waits. */
bool subscriptions_cancel(struct subscriptions *all, struct reply_to to);

/* The session has gone. */
void subscriptions_left(struct subscriptions *all, uint64_t session);

/* How many resources are subscribed to. */
size_t subscriptions_count(const struct subscriptions *all);

/* all may be NULL. */
void subscriptions_free(struct subscriptions *all);

#endif
