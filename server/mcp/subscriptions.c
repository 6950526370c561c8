#include "server/mcp/subscriptions.h"

#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/alias.h"
#include "server/mcp/calls.h"
#include "server/mcp/methods.h"
#include "server/mcp/owner.h"
#include "server/mcp/restore.h"
#include "server/mcp/session.h"
#include "server/mcp/watches.h"

/* --- towards the source --------------------------------------------------- */

/* Ask the source on our own behalf; 0 with *e set when it refuses. */
static uint64_t ask(struct routed *at, const char *method, struct slice uri,
		    const struct source_reply *reply, void *owner,
		    struct err *e)
{
	struct buf params = {0};
	struct buf text = {0};
	struct jsonrpc m;
	struct source_request request = {.m = &m};

	buf_append_text(&params, "{\"uri\":");
	json_quote(&params, uri);
	buf_append_text(&params, "}");
	jsonrpc_request(&text, slice_of("0"), method, buf_slice(&params));
	jsonrpc_slice(buf_slice(&text), &m, NULL); /* we wrote it */
	uint64_t number = source_request(at->source, &request, reply, owner, e);
	buf_finish(&params);
	buf_finish(&text);
	return number;
}

static void on_unsubscribed(void *owner, const struct jsonrpc *m)
{
	(void)owner;
	(void)m;
}

static void on_not_unsubscribed(void *owner, const struct err *why)
{
	(void)owner;
	log_debug("router", "unsubscribing: %s", why->text);
}

static const struct source_reply unsubscribe_reply = {
	.answer = on_unsubscribed,
	.fail = on_not_unsubscribed,
};

/* Its answer is not waited for any more. */
static void ask_not(struct watch *w)
{
	if (w->asking)
		source_cancel(w->at->source, w->asking,
			      (struct slice){NULL, 0});
	w->asking = 0;
}

/* Nobody listens any more.  A source that is down has forgotten it anyway. */
static void end_watch(struct watch *w)
{
	struct err e;

	ask_not(w);
	if (source_state(w->at->source) == SOURCE_READY &&
	    !ask(w->at, "resources/unsubscribe", watch_uri(w),
		 &unsubscribe_reply, NULL, &e))
		log_debug("router", "unsubscribing: %s", e.text);
	watch_free(w);
}

/* --- the source's answer -------------------------------------------------- */

void subscriptions_tell(struct router *r, uint64_t session, struct slice uri)
{
	struct session *s = sessions_find(r->sessions, session);
	struct buf params = {0};
	struct buf text = {0};

	buf_append_text(&params, "{\"uri\":");
	json_quote(&params, uri);
	buf_append_text(&params, "}");
	jsonrpc_request(&text, (struct slice){NULL, 0},
			"notifications/resources/updated", buf_slice(&params));
	if (s)
		session_deliver(s, buf_slice(&text), true);
	buf_finish(&params);
	buf_finish(&text);
}

/* It may have missed something, if the source has not even forgotten it. */
static void tell_again(const struct subscriber *s)
{
	const struct watch *w = s->watch;
	struct buf alias = {0};

	if (s->aliased)
		alias_make(&alias, source_name(w->at->source), watch_uri(w));
	subscriptions_tell(w->all->router, s->session,
			   s->aliased ? buf_slice(&alias) : watch_uri(w));
	buf_finish(&alias);
}

/* Who waits for no answer had subscribed before. */
static void tell_others(const struct watch *w)
{
	for (struct list *i = w->subscribers.next; i != &w->subscribers;
	     i = i->next) {
		const struct subscriber *s =
			LIST_ITEM(i, struct subscriber, in_watch);

		if (s->id.len == 0)
			tell_again(s);
	}
}

static void on_subscribed(void *owner, const struct jsonrpc *m)
{
	struct watch *w = owner;
	struct router *r = w->all->router;
	bool failed = m->kind == JSONRPC_ERROR;
	struct subscriber *s;

	w->asking = 0;
	tell_others(w);
	while ((s = watch_waiting(w))) {
		struct json_edit edit = {.old = m->id, .with = s->id};
		struct reply_to to = {s->session, s->id};
		struct buf text = {0};

		json_splice(&text, m->text, &edit, 1);
		reply_text(r, to, &text, failed);
		subscriber_settle(s);
		if (failed)
			subscriber_free(s);
	}
	if (list_empty(&w->subscribers))
		watch_free(w);
}

/* Whoever was told that he is subscribed stays so, for the next start. */
static void refuse_waiting(struct watch *w, const struct err *why)
{
	struct subscriber *s;

	w->asking = 0;
	while ((s = watch_waiting(w))) {
		reply_error(w->all->router,
			    (struct reply_to){s->session, s->id}, why,
			    source_name(w->at->source));
		subscriber_free(s);
	}
}

static void on_not_subscribed(void *owner, const struct err *why)
{
	struct watch *w = owner;

	refuse_waiting(w, why);
	if (list_empty(&w->subscribers))
		watch_free(w);
}

static const struct source_reply subscribe_reply = {
	.answer = on_subscribed,
	.fail = on_not_subscribed,
};

/* --- subscribing ---------------------------------------------------------- */

/* The first one of all: the source is asked. */
static bool ask_first(struct watch *w, struct err *e)
{
	w->asking = ask(w->at, "resources/subscribe", watch_uri(w),
			&subscribe_reply, w, e);
	return w->asking != 0;
}

static bool join(struct router *r, const struct asked *a, const struct owner *o,
		 struct subscriber **joined, struct err *e)
{
	struct subscriptions *all = r->subscriptions;
	struct buf key = watch_key_of(o->at, buf_slice(&o->uri));
	struct watch *w = map_get(&all->by_key, buf_slice(&key));
	bool first = w == NULL;

	if (first)
		w = watch_new(all, o->at, buf_slice(&key));
	buf_finish(&key);
	*joined = watch_find(w, a->to.session);
	if (*joined)
		return true; /* once more changes nothing */
	*joined = watch_add(w, a->to.session, o->aliased, e);
	if (*joined && (!first || ask_first(w, e)))
		return true;
	if (*joined)
		subscriber_free(*joined);
	if (list_empty(&w->subscribers))
		watch_free(w);
	return false;
}

static void subscribe(struct router *r, const struct asked *a,
		      const struct owner *o)
{
	struct subscriber *s;
	struct err e;

	if (!join(r, a, o, &s, &e)) {
		reply_error(r, a->to, &e, source_name(o->at->source));
	} else if (s->watch->asking && s->id.len == 0) {
		s->id = (struct slice){mem_copy(a->to.id.ptr, a->to.id.len),
				       a->to.id.len};
		r->in_flight++;
	} else {
		reply_result(r, a->to, slice_of("{}"));
	}
}

void subscriptions_restore(struct subscriptions *all, uint64_t session,
			   const struct owner *o)
{
	struct buf key = watch_key_of(o->at, buf_slice(&o->uri));
	struct watch *w = map_get(&all->by_key, buf_slice(&key));
	struct subscriber *s;
	struct err e;

	if (!w) {
		w = watch_new(all, o->at, buf_slice(&key));
		/* If it cannot be asked now, it is when it starts. */
		if (!ask_first(w, &e))
			log_info("router", "not subscribed yet: %s", e.text);
	}
	buf_finish(&key);
	s = watch_find(w, session);
	if (!s)
		s = watch_add(w, session, o->aliased, &e);
	if (s && !w->asking && source_state(o->at->source) == SOURCE_READY)
		tell_again(s); /* others have it in force */
	if (list_empty(&w->subscribers))
		end_watch(w);
}

/* MCP leaves open what happens to who was not subscribed: nothing does. */
static void unsubscribe(struct router *r, const struct asked *a,
			const struct owner *o)
{
	struct buf key = watch_key_of(o->at, buf_slice(&o->uri));
	struct watch *w = map_get(&r->subscriptions->by_key, buf_slice(&key));
	struct subscriber *s = w ? watch_find(w, a->to.session) : NULL;

	buf_finish(&key);
	restore_forget(r->subscriptions, a->to.session, o);
	if (s) {
		/* Its request, if it still waits, was granted and ended. */
		if (s->id.len > 0)
			reply_result(r, (struct reply_to){s->session, s->id},
				     slice_of("{}"));
		subscriber_free(s);
		if (list_empty(&w->subscribers))
			end_watch(w);
	}
	reply_result(r, a->to, slice_of("{}"));
}

static void answer(struct router *r, const struct asked *a,
		   void (*handle)(struct router *r, const struct asked *a,
				  const struct owner *o))
{
	struct call_target target;
	struct owner o;
	struct err e;

	if (!call_read(a->m, "uri", &target, &e)) {
		reply_error(r, a->to, &e, a->source);
		return;
	}
	if (!method_find_uri(r, a, target.value, &o))
		return;
	handle(r, a, &o);
	owner_finish(&o);
}

void method_subscribe(struct router *r, const struct asked *a)
{
	answer(r, a, subscribe);
}

void method_unsubscribe(struct router *r, const struct asked *a)
{
	answer(r, a, unsubscribe);
}

/* --- what happens --------------------------------------------------------- */

static void tell(struct watch *w, const struct jsonrpc *m, struct slice uri)
{
	struct sessions *sessions = w->all->router->sessions;
	struct buf alias = {0};
	struct buf quoted = {0};
	struct buf aliased = {0};

	alias_make(&alias, source_name(w->at->source), watch_uri(w));
	json_quote(&quoted, buf_slice(&alias));
	struct json_edit edit = {.old = uri, .with = buf_slice(&quoted)};
	json_splice(&aliased, m->text, &edit, 1);
	for (struct list *i = w->subscribers.next; i != &w->subscribers;
	     i = i->next) {
		struct subscriber *s =
			LIST_ITEM(i, struct subscriber, in_watch);
		struct session *session = sessions_find(sessions, s->session);

		if (session)
			session_deliver(session,
					s->aliased ? buf_slice(&aliased)
						   : m->text,
					true);
	}
	buf_finish(&alias);
	buf_finish(&quoted);
	buf_finish(&aliased);
}

void subscriptions_updated(struct subscriptions *all, struct routed *from,
			   const struct jsonrpc *m)
{
	struct slice quoted = json_get(m->params, "uri");
	struct buf uri = {0};

	if (json_kind(quoted) != JSON_STRING)
		return;
	json_unquote(&uri, quoted);
	struct buf key = watch_key_of(from, buf_slice(&uri));
	struct watch *w = map_get(&all->by_key, buf_slice(&key));
	if (w)
		tell(w, m, quoted);
	buf_finish(&key);
	buf_finish(&uri);
}

void subscriptions_ready(struct subscriptions *all, struct routed *at)
{
	struct err e;

	for (struct list *i = all->watches.next; i != &all->watches;
	     i = i->next) {
		struct watch *w = LIST_ITEM(i, struct watch, link);

		/* What is being asked was waiting for this start. */
		if (w->at != at || w->asking)
			continue;
		if (!ask_first(w, &e))
			log_odd("router", "not subscribed again: %s", e.text);
	}
}

void subscriptions_gone(struct subscriptions *all, struct routed *at)
{
	struct list *next;
	struct err e;

	err_set(&e, ERR_SOURCE_DOWN, "the source \"%s\" was turned off",
		source_name(at->source));
	for (struct list *i = all->watches.next; i != &all->watches; i = next) {
		struct watch *w = LIST_ITEM(i, struct watch, link);

		next = i->next;
		if (w->at != at)
			continue;
		ask_not(w);
		refuse_waiting(w, &e);
		watch_drop(w);
	}
}

bool subscriptions_cancel(struct subscriptions *all, struct reply_to to)
{
	const struct listener *l = map_get_u64(&all->by_session, to.session);

	for (struct list *i = l ? l->subscribers.next : NULL;
	     i && i != &l->subscribers; i = i->next) {
		struct subscriber *s =
			LIST_ITEM(i, struct subscriber, in_session);
		struct watch *w = s->watch;

		if (s->id.len == 0 || !slice_equal(s->id, to.id))
			continue;
		subscriber_free(s);
		if (list_empty(&w->subscribers))
			end_watch(w);
		return true;
	}
	return false;
}

void subscriptions_left(struct subscriptions *all, uint64_t session)
{
	const struct listener *l = map_get_u64(&all->by_session, session);

	restore_left(all, session);
	for (size_t left = l ? l->count : 0; left > 0; left--) {
		struct subscriber *s = LIST_ITEM(l->subscribers.next,
						 struct subscriber, in_session);
		struct watch *w = s->watch;

		subscriber_free(s); /* and l with the last one */
		if (list_empty(&w->subscribers))
			end_watch(w);
	}
}

size_t subscriptions_count(const struct subscriptions *all)
{
	return all->by_key.count;
}

struct subscriptions *subscriptions_new(struct router *r)
{
	struct subscriptions *all = mem_zalloc(sizeof(*all));

	all->router = r;
	list_init(&all->watches);
	list_init(&all->restoring);
	return all;
}

void subscriptions_free(struct subscriptions *all)
{
	if (!all)
		return;
	restore_drop_all(all);
	while (!list_empty(&all->watches))
		watch_drop(LIST_ITEM(all->watches.next, struct watch, link));
	map_finish(&all->by_key);
	map_finish(&all->by_session);
	free(all);
}
