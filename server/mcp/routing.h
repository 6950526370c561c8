/*
 * routing: the inside of the router, for router*.c, routed*.c, calls.c,
 * lists.c, replies.c and builtin_hub.c alone.  What everybody else needs stands
 * in router.h.
 */
#ifndef SERVER_MCP_ROUTING_H
#define SERVER_MCP_ROUTING_H

#include <ev.h>

#include "proto/buf.h"
#include "proto/list.h"
#include "proto/map.h"
#include "server/mcp/alarm.h"
#include "server/mcp/router.h"
#include "server/mcp/starts.h"
#include "server/upstream/survey.h"

struct stored_catalogue;

/* A source as the router sees it.  Owned by the router. */
struct routed {
	struct router *router;
	struct source *source;
	struct list calls; /* in flight there */
	struct list turns; /* requests that wait for those of others */
	unsigned turn_count;
	bool admitting;	       /* one of them is let in */
	struct list abandoned; /* calls that may still run there */
	unsigned abandoned_count;
	struct list link;    /* in router->leaving, once it was removed */
	unsigned settled;    /* kinds: no list waits for it, known or failed */
	int64_t patience_ms; /* lists wait for it until then; 0: none has yet */
	unsigned fresh;	     /* kinds that were read in this life */
	unsigned restarts[KIND_COUNT]; /* of the source, when they were */
	bool has_resources; /* it declares them, now or in an earlier life */
	bool completes;	    /* the same of completions */
	unsigned watches;   /* its resources that are subscribed to */
	struct buf instructions; /* the same */
	/* Of whoever removed it. */
	void (*gone)(void *owner, const struct err *why);
	void *gone_owner;
};

/* Owned by the daemon. */
struct router {
	struct ev_loop *loop;
	struct store *store;
	struct sessions *sessions;
	struct router_options options;
	char *data_dir;
	char *log_dir;
	int64_t started_ms;
	struct nametable *names;
	struct catalogue *catalogues[KIND_COUNT];
	struct handouts *handouts;
	struct subscriptions *subscriptions;

	struct starts starts;
	struct children *children;
	struct survey survey;
	struct routed **sources; /* in their order, the built-in one first */
	size_t source_count;
	struct list leaving; /* struct routed; they are being ended */
	struct list orders;  /* what the store was asked to add or remove */
	struct ev_timer departure; /* runs while something is being ended */
	void (*loaded)(void *owner, const struct err *why);
	void *loaded_owner;
	void (*stopped)(void *owner);
	void *stopped_owner;
	bool stopping;

	struct list calls;  /* struct call, in flight in any source */
	struct map tickets; /* number -> struct call that is written down */
	uint64_t last_ticket;
	struct list turns; /* struct visitor, those of all sources */
	size_t turn_bytes; /* of their messages */
	struct alarm turn; /* somebody may go in */
	struct list asks;  /* struct ask, the one due first first */
	unsigned ask_count;
	struct alarm ask_due;
	struct list elicited; /* struct elicited, the oldest first */
	unsigned elicited_count;
	bool draining;		 /* clients are asked nothing any more */
	struct list parked;	 /* requests that wait for the first list */
	struct list waiters;	 /* whoever waits for it */
	struct list trials;	 /* whoever waits for one source */
	struct ev_timer changed; /* runs while list_changed is to be told .. */
	unsigned changed_kinds;	 /* .. of these kinds */

	int level; /* sources were told this mcp_level; -1: none */
	unsigned in_flight;
	uint64_t requests;
	uint64_t errors;
};

/* --- router.c ------------------------------------------------------------- */

/* Handle a request.  waited: it has waited for the first list already. */
void router_dispatch(struct router *r, struct session *s,
		     const struct jsonrpc *m, const char *source, bool waited);

/* A notification of a source that is nobody's. */
void router_notice(struct routed *from, const struct jsonrpc *m);

/* These kinds have changed: clients are told soon, once for all changes. */
void router_changed(struct router *r, unsigned kinds);

/* --- routed.c ------------------------------------------------------------- */

/* A source that is not yet among the others. */
struct routed *routed_new(struct router *r, const struct stored_source *stored);

/* Put it behind the others. */
void routed_append(struct router *r, struct routed *at);

/* End it at once and release; at may be NULL, and has no calls. */
void routed_free(struct routed *at);

/* Was it turned off?  Then it is not started, and nothing of it is listed. */
bool routed_disabled(const struct routed *at);

/* NULL when there is none. */
struct routed *router_routed(const struct router *r, const char *name);

/* --- routed_lists.c ------------------------------------------------------- */

/* What its server declares and says. */
void routed_learn(struct routed *at, struct slice capabilities,
		  struct slice instructions);

/* It has read what it has of a kind. */
void routed_listed(struct routed *at, enum kind kind);

/* What it had in an earlier life. */
void routed_recall(struct routed *at, const struct stored_catalogue *stored);

/* It has nothing (any more), but keeps its place and its names; or not even
 * those, and clients are told. */
void routed_clear(struct routed *at);
void routed_forget(struct routed *at);

/* --- router_sources.c ----------------------------------------------------- */

/* Release all sources and what is on the way to the store. */
void router_free_sources(struct router *r);

#endif
