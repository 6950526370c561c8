/*
 * watches: the resources that somebody listens to, and who does.
 *
 * The tables behind subscriptions.c, and nobody else's: a watch for each
 * resource, a subscriber for each session that listens to it.  A source is kept
 * running while any of its resources is watched.
 */
#ifndef SERVER_MCP_WATCHES_H
#define SERVER_MCP_WATCHES_H

#include <stdbool.h>

#include "proto/buf.h"
#include "proto/list.h"
#include "proto/map.h"
#include "server/mcp/routing.h"
#include "server/mcp/subscriptions.h"

/* A resource of a source that somebody listens to.  Owned by the table; goes
 * with its last subscriber. */
struct watch {
	struct subscriptions *all;
	struct list link;
	struct routed *at;
	char *key; /* the source's name, a NUL, the URI as the source has it */
	size_t key_len;
	struct list subscribers;
	size_t count;	 /* of them */
	uint64_t asking; /* our resources/subscribe under way, or 0 */
};

/* A session that listens.  Owned by the watch; also in its session's list. */
struct subscriber {
	struct watch *watch;
	struct list in_watch;
	struct list in_session;
	uint64_t session;
	bool aliased;	 /* it knows the resource by an alias */
	struct slice id; /* its request that is not answered yet, or empty */
};

/* Owned by the table; goes with its last subscription. */
struct listener {
	struct list subscribers;
	size_t count;
};

struct subscriptions {
	struct router *router;
	struct list watches;
	struct map by_key;     /* -> struct watch */
	struct map by_session; /* number -> struct listener */
	struct list restoring; /* of restore.c */
};

/* The URI, as the source calls it; and the key of such a one: the caller
 * finishes it. */
struct slice watch_uri(const struct watch *w);
struct buf watch_key_of(const struct routed *at, struct slice uri);

struct watch *watch_new(struct subscriptions *all, struct routed *at,
			struct slice key);

/* One that has no subscribers; or has, who are dropped without a word. */
void watch_free(struct watch *w);
void watch_drop(struct watch *w);

/* The session listens too; NULL with *e set when it has too many. */
struct subscriber *watch_add(struct watch *w, uint64_t session, bool aliased,
			     struct err *e);

/* NULL when it does not. */
struct subscriber *watch_find(const struct watch *w, uint64_t session);

/* The first whose request waits for its answer, or NULL. */
struct subscriber *watch_waiting(const struct watch *w);

/* Its request is answered, or will not be. */
void subscriber_settle(struct subscriber *s);

/* Take it out of its watch, which stays. */
void subscriber_free(struct subscriber *s);

#endif
