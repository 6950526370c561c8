#include "server/mcp/lists.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/jsonrpc.h"
#include "proto/mem.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"

/* Somebody to be called.  Owned by the router, in router->waiters. */
struct waiter {
	struct router *router;
	struct list link;
	struct ev_timer bound;
	int64_t until_ms; /* CLOCK_MONOTONIC */
	unsigned kinds;
	void (*done)(void *owner);
	void *owner;
};

/* A request that waits.  Owned by the router, in router->parked. */
struct parked {
	struct router *router;
	struct list link;
	uint64_t session;
	struct jsonrpc m; /* slices of text */
	char *text;
	char *source; /* or NULL */
};

bool lists_settled(const struct router *r, unsigned kinds)
{
	for (size_t i = 0; i < r->source_count; i++)
		if (kinds & ~r->sources[i]->settled)
			return false;
	return true;
}

void lists_refresh(struct router *r, unsigned kinds)
{
	for (size_t i = 0; i < r->source_count; i++)
		if (kinds & ~r->sources[i]->fresh && !r->stopping &&
		    !routed_disabled(r->sources[i]))
			source_refresh(r->sources[i]->source);
}

/* --- whoever waits -------------------------------------------------------- */

static void free_waiter(struct waiter *w)
{
	ev_timer_stop(w->router->loop, &w->bound);
	list_remove(&w->link);
	free(w);
}

static void wake(struct waiter *w)
{
	void (*done)(void *owner) = w->done;
	void *owner = w->owner;

	free_waiter(w);
	done(owner);
}

/* Whoever was waited for until then is waited for no more: what it has is told
 * when it comes. */
static void give_up(struct router *r, int64_t until_ms)
{
	for (size_t i = 0; i < r->source_count; i++) {
		struct routed *at = r->sources[i];

		if (at->patience_ms != 0 && at->patience_ms <= until_ms)
			at->settled = KINDS_ALL;
	}
}

static void on_bound(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct waiter *w = timer->data;
	struct router *r = w->router;

	(void)loop;
	(void)events;
	give_up(r, w->until_ms);
	wake(w);
	lists_check(r);
}

static struct waiter *first_settled(struct router *r)
{
	for (struct list *i = r->waiters.next; i != &r->waiters; i = i->next) {
		struct waiter *w = LIST_ITEM(i, struct waiter, link);

		if (lists_settled(r, w->kinds))
			return w;
	}
	return NULL;
}

void lists_check(struct router *r)
{
	struct waiter *w;

	/* Whoever is woken may end others. */
	while ((w = first_settled(r)))
		wake(w);
}

/* Until when there may be something to wait for.  A source is waited for once
 * and no longer than the bound, whoever begins. */
static int64_t wait_until(struct router *r, unsigned kinds, int64_t now_ms)
{
	int64_t until_ms = now_ms;

	for (size_t i = 0; i < r->source_count; i++) {
		struct routed *at = r->sources[i];

		if (!(kinds & ~at->settled))
			continue;
		if (at->patience_ms == 0)
			at->patience_ms = now_ms + r->options.first_list_ms;
		if (at->patience_ms > until_ms)
			until_ms = at->patience_ms;
	}
	return until_ms;
}

void lists_when(struct router *r, unsigned kinds, void (*done)(void *owner),
		void *owner)
{
	int64_t now_ms = clock_now_ms();

	lists_refresh(r, kinds);
	give_up(r, now_ms);
	if (lists_settled(r, kinds)) {
		done(owner);
		return;
	}
	struct waiter *w = mem_zalloc(sizeof(*w));
	w->router = r;
	w->kinds = kinds;
	w->until_ms = wait_until(r, kinds, now_ms);
	w->done = done;
	w->owner = owner;
	ev_timer_init(&w->bound, on_bound,
		      (double)(w->until_ms - now_ms) / 1000.0, 0.0);
	w->bound.data = w;
	ev_timer_start(r->loop, &w->bound);
	list_append(&r->waiters, &w->link);
}

void router_when_listed(struct router *r, void (*done)(void *owner),
			void *owner)
{
	lists_when(r, KINDS_TOOL, done, owner);
}

void router_forget_listed(struct router *r, void *owner)
{
	struct list *next;

	for (struct list *i = r->waiters.next; i != &r->waiters; i = next) {
		struct waiter *w = LIST_ITEM(i, struct waiter, link);

		next = i->next;
		if (w->owner == owner)
			free_waiter(w);
	}
}

/* --- requests that wait --------------------------------------------------- */

static void free_parked(struct parked *p)
{
	router_forget_listed(p->router, p);
	list_remove(&p->link);
	p->router->in_flight--;
	free(p->text);
	free(p->source);
	free(p);
}

static void on_listed(void *owner)
{
	struct parked *p = owner;
	struct session *s = sessions_find(p->router->sessions, p->session);

	if (s)
		router_dispatch(p->router, s, &p->m, p->source, true);
	free_parked(p);
}

void lists_park(struct router *r, uint64_t session, const struct jsonrpc *m,
		const char *source, unsigned kinds)
{
	struct parked *p = mem_zalloc(sizeof(*p));

	p->router = r;
	p->session = session;
	p->text = mem_ntext(m->text.ptr, m->text.len);
	p->source = source ? mem_text(source) : NULL;
	/* It was sliced before, so it can be again. */
	jsonrpc_slice((struct slice){p->text, m->text.len}, &p->m, NULL);
	list_append(&r->parked, &p->link);
	r->in_flight++;
	lists_when(r, kinds, on_listed, p);
}

void lists_decline(struct router *r)
{
	struct list *next;

	for (struct list *i = r->parked.next; i != &r->parked; i = next) {
		struct parked *p = LIST_ITEM(i, struct parked, link);
		struct session *s = sessions_find(r->sessions, p->session);

		next = i->next;
		if (!s || session_decline(s, p->m.id))
			free_parked(p);
	}
}

bool lists_cancel(struct router *r, struct reply_to to)
{
	for (struct list *i = r->parked.next; i != &r->parked; i = i->next) {
		struct parked *p = LIST_ITEM(i, struct parked, link);

		if (p->session != to.session || !slice_equal(p->m.id, to.id))
			continue;
		free_parked(p);
		return true;
	}
	return false;
}

void lists_cancel_all(struct router *r, uint64_t session)
{
	struct list *next;

	for (struct list *i = r->parked.next; i != &r->parked; i = next) {
		struct parked *p = LIST_ITEM(i, struct parked, link);

		next = i->next;
		if (p->session == session)
			free_parked(p);
	}
}

void lists_drop_all(struct router *r)
{
	while (!list_empty(&r->parked))
		free_parked(
			LIST_ITEM(list_pop(&r->parked), struct parked, link));
	while (!list_empty(&r->waiters))
		free_waiter(
			LIST_ITEM(list_pop(&r->waiters), struct waiter, link));
}
