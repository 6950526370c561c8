#include "server/mcp/turns.h"

#include <stdlib.h>

#include "proto/err.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/asks.h"
#include "server/mcp/calls.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"
#include "server/store/store.h"

enum {
	WAITING = 1024,		  /* for one source */
	WAITING_BYTES = 64 << 20, /* for all */
	ABANDONED = 64,		  /* of one source; the oldest is forgotten */
};

/* How long an abandoned call may go on asking. */
static const double abandoned_s = 60.0;

/* A request that waits.  Owned by the router. */
struct visitor {
	struct routed *at;
	struct list in_source; /* at->turns */
	struct list in_router; /* router->turns */
	uint64_t session;
	struct jsonrpc m; /* slices of text */
	char *text;
	char *own; /* or NULL */
};

/* Owned by at->abandoned. */
struct abandoned {
	struct list link;
	uint64_t session;
	double until;
};

static void free_visitor(struct visitor *v)
{
	struct router *r = v->at->router;

	list_remove(&v->in_source);
	list_remove(&v->in_router);
	v->at->turn_count--;
	r->turn_bytes -= v->m.text.len;
	r->in_flight--;
	free(v->text);
	free(v->own);
	free(v);
}

static struct visitor *visitor_of(struct list *in_source)
{
	return LIST_ITEM(in_source, struct visitor, in_source);
}

/* --- whose ---------------------------------------------------------------- */

static void forget_abandoned(struct routed *at)
{
	free(LIST_ITEM(list_pop(&at->abandoned), struct abandoned, link));
	at->abandoned_count--;
}

void turns_abandoned(struct routed *at, uint64_t session)
{
	struct abandoned *a = mem_alloc(sizeof(*a));

	if (at->abandoned_count >= ABANDONED)
		forget_abandoned(at);
	*a = (struct abandoned){.session = session,
				.until = alarm_now() + abandoned_s};
	list_append(&at->abandoned, &a->link);
	at->abandoned_count++;
}

/* Has another session a call there that was given up? */
static bool is_haunted(struct routed *at, uint64_t session)
{
	double now = alarm_now();

	while (!list_empty(&at->abandoned) &&
	       LIST_ITEM(at->abandoned.next, struct abandoned, link)->until <=
		       now)
		forget_abandoned(at);
	for (struct list *i = at->abandoned.next; i != &at->abandoned;
	     i = i->next)
		if (LIST_ITEM(i, struct abandoned, link)->session != session)
			return true;
	return false;
}

uint64_t turns_owner(struct routed *at, bool *several, struct err *e)
{
	uint64_t sole = call_sole_session(at, several);

	/* What waits for the start was not sent yet. */
	if (source_state(at->source) != SOURCE_READY) {
		*several = false;
		err_set(e, ERR_CANCELLED, "no client's request has reached it");
		return 0;
	}
	if (*several) {
		err_set(e, ERR_CANCELLED,
			"several clients wait for the source, and it does not "
			"say for which of them it asks");
		return 0;
	}
	if (sole == 0) {
		err_set(e, ERR_CANCELLED, "no client waits for the source");
		return 0;
	}
	if (is_haunted(at, sole)) {
		err_set(e, ERR_CANCELLED,
			"it may be about a call that another client gave up");
		return 0;
	}
	return sole;
}

/* --- taking turns --------------------------------------------------------- */

static void on_kept(void *owner, const struct err *why)
{
	(void)owner;
	if (why)
		log_odd("turns", "that a source asks clients is not kept: %s",
			why->text);
}

void turns_make_exclusive(struct routed *at)
{
	const struct stored_change change = {
		.enabled = -1,
		.interactive = "always",
	};
	const char *name = source_name(at->source);

	if (at->gone || source_is_exclusive(at->source))
		return;
	log_odd("turns",
		"%s asks clients while it works for several: from now on it "
		"works for one at a time; to undo: executor source set %s "
		"--interactive auto",
		name, name);
	source_set(at->source, &change);
	store_source_set(at->router->store, name, &change, on_kept, at->router);
}

/* Whoever is being asked may need the source for the answer. */
bool turns_admit(struct routed *at, uint64_t session)
{
	bool several;

	if (!source_is_exclusive(at->source) || at->admitting)
		return true;
	uint64_t holder = call_sole_session(at, &several);
	if (several || (holder != 0 && holder != session))
		return false;
	return list_empty(&at->turns) ||
	       (holder == session && asks_open(at, session));
}

bool turns_wait(struct routed *at, uint64_t session, const struct jsonrpc *m,
		const char *own, struct err *e)
{
	struct router *r = at->router;

	if (at->turn_count >= WAITING ||
	    (r->turn_bytes > 0 && r->turn_bytes + m->text.len > WAITING_BYTES))
		return err_set(e, ERR_OVERLOADED,
			       "source %s works for one client at a time, and "
			       "%u requests wait for it",
			       source_name(at->source), at->turn_count);
	struct visitor *v = mem_zalloc(sizeof(*v));
	v->at = at;
	v->session = session;
	v->text = mem_ntext(m->text.ptr, m->text.len);
	v->own = own ? mem_text(own) : NULL;
	/* It was sliced before, so it can be again. */
	jsonrpc_slice((struct slice){v->text, m->text.len}, &v->m, NULL);
	list_append(&at->turns, &v->in_source);
	list_append(&r->turns, &v->in_router);
	at->turn_count++;
	r->turn_bytes += m->text.len;
	r->in_flight++;
	/* It may have become exclusive, or free, this very moment. */
	turns_next(at);
	return true;
}

/* Hand it on; whatever becomes of it, it has had its turn. */
static void take_turn(struct visitor *v)
{
	struct routed *at = v->at;
	struct session *s = sessions_find(at->router->sessions, v->session);
	struct jsonrpc m = v->m;
	char *text = v->text;
	char *own = v->own;

	v->text = NULL;
	v->own = NULL;
	free_visitor(v);
	at->admitting = true;
	if (s)
		router_dispatch(at->router, s, &m, own, true);
	at->admitting = false;
	free(text);
	free(own);
}

/* Everything at the head of the queue that is of one session goes in. */
static void admit_waiting(struct routed *at)
{
	bool several;

	while (!list_empty(&at->turns)) {
		uint64_t holder = call_sole_session(at, &several);

		if (source_is_exclusive(at->source) &&
		    (several ||
		     (holder != 0 &&
		      holder != visitor_of(at->turns.next)->session)))
			return;
		take_turn(visitor_of(list_pop(&at->turns)));
	}
}

static void on_turn(void *owner)
{
	struct router *r = owner;

	for (size_t i = 0; i < r->source_count; i++)
		admit_waiting(r->sources[i]);
}

void turns_next(struct routed *at)
{
	if (!list_empty(&at->turns))
		alarm_by(&at->router->turn, 0);
}

/* --- giving up ------------------------------------------------------------ */

void turns_refuse(struct routed *at, const struct err *why)
{
	while (!list_empty(&at->turns)) {
		struct visitor *v = visitor_of(list_pop(&at->turns));

		/* Answered first: its id is its own. */
		reply_error(at->router, (struct reply_to){v->session, v->m.id},
			    why, source_name(at->source));
		free_visitor(v);
	}
}

void turns_decline(struct router *r)
{
	struct list *next;

	for (struct list *i = r->turns.next; i != &r->turns; i = next) {
		struct visitor *v = LIST_ITEM(i, struct visitor, in_router);
		struct session *s = sessions_find(r->sessions, v->session);

		next = i->next;
		if (!s || session_decline(s, v->m.id))
			free_visitor(v);
	}
}

bool turns_cancel(struct router *r, struct reply_to to)
{
	for (struct list *i = r->turns.next; i != &r->turns; i = i->next) {
		struct visitor *v = LIST_ITEM(i, struct visitor, in_router);

		if (v->session != to.session || !slice_equal(v->m.id, to.id))
			continue;
		free_visitor(v);
		return true;
	}
	return false;
}

void turns_cancel_all(struct router *r, uint64_t session)
{
	struct list *next;

	for (struct list *i = r->turns.next; i != &r->turns; i = next) {
		struct visitor *v = LIST_ITEM(i, struct visitor, in_router);

		next = i->next;
		if (v->session == session)
			free_visitor(v);
	}
}

/* --- life ----------------------------------------------------------------- */

void turns_init(struct router *r)
{
	list_init(&r->turns);
	alarm_init(&r->turn, r->loop, on_turn, r);
}

void turns_source_ended(struct routed *at)
{
	while (!list_empty(&at->abandoned))
		forget_abandoned(at);
}

void turns_drop_all(struct router *r)
{
	struct list *next;

	for (struct list *i = r->turns.next; i != &r->turns; i = next) {
		next = i->next;
		free_visitor(LIST_ITEM(i, struct visitor, in_router));
	}
	alarm_stop(&r->turn);
}
