#include "server/mcp/asks.h"

#include <math.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/elicited.h"
#include "server/mcp/forward.h"
#include "server/mcp/question.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"
#include "server/mcp/turns.h"

enum {
	OPEN_PER_SESSION = 64,
	OPEN_PER_SOURCE = 64,
	OPEN = 1024,
	WAIT_MS = 600000, /* unless the options say otherwise */
	ID_BYTES = 4096,  /* of a source's id or token */
};

/* One question.  Owned by the router. */
struct ask {
	struct routed *at;
	struct list link; /* in router->asks, the one due first comes first */
	uint64_t session;
	uint64_t number; /* towards the session */
	enum question_kind kind;
	double due;
	struct slice id;    /* the source's, raw and ours */
	struct slice token; /* the same; empty: it wants no progress */
};

static struct slice slice_copy(struct slice s)
{
	return (struct slice){mem_copy(s.ptr, s.len), s.len};
}

static void slice_free(struct slice s)
{
	free((void *)(uintptr_t)s.ptr);
}

static struct ask *ask_of(struct list *link)
{
	return LIST_ITEM(link, struct ask, link);
}

static void free_ask(struct ask *a)
{
	list_remove(&a->link);
	a->at->router->ask_count--;
	slice_free(a->id);
	slice_free(a->token);
	free(a);
}

static struct ask *find(struct router *r, uint64_t session, struct slice number)
{
	unsigned long long n;

	if (!json_u64(number, &n))
		return NULL;
	for (struct list *i = r->asks.next; i != &r->asks; i = i->next)
		if (ask_of(i)->session == session && ask_of(i)->number == n)
			return ask_of(i);
	return NULL;
}

/* --- how one ends --------------------------------------------------------- */

/* The client need not answer any more; reason is raw. */
static void tell_client(const struct ask *a, struct slice reason)
{
	struct session *s = sessions_find(a->at->router->sessions, a->session);
	struct buf text = {0};

	if (!s)
		return;
	forward_cancelled(&text, a->number, reason);
	session_deliver(s, buf_slice(&text), false);
	buf_finish(&text);
}

/* Answer the source for the client. */
static void dismiss(struct ask *a, const struct err *why)
{
	struct source *source = a->at->source;
	struct buf text = {0};

	log_info("asks", "%s: its question %llu to %llu ends: %s",
		 source_name(source), (unsigned long long)a->number,
		 (unsigned long long)a->session, why->text);
	question_dismiss(&text, a->kind, a->id, why);
	free_ask(a);
	source_answer(source, buf_slice(&text));
	buf_finish(&text);
}

/* Dismiss those of that source and session; NULL and 0 are all. */
static void dismiss_all(struct router *r, const struct routed *at,
			uint64_t session, const struct err *why, bool tell)
{
	struct buf reason = {0};
	struct list *next;

	json_quote(&reason, slice_of(why->text));
	for (struct list *i = r->asks.next; i != &r->asks; i = next) {
		struct ask *a = ask_of(i);

		next = i->next;
		if ((at && a->at != at) || (session && a->session != session))
			continue;
		if (tell)
			tell_client(a, buf_slice(&reason));
		dismiss(a, why);
	}
	buf_finish(&reason);
}

static void set_alarm(struct router *r)
{
	if (!list_empty(&r->asks))
		alarm_by(&r->ask_due, ask_of(r->asks.next)->due);
}

static void on_due(void *owner)
{
	struct router *r = owner;
	double now = alarm_now();
	struct err why;

	err_set(&why, ERR_DEADLINE, "nobody answered in time");
	while (!list_empty(&r->asks) && ask_of(r->asks.next)->due <= now) {
		struct ask *a = ask_of(list_pop(&r->asks));

		tell_client(a, slice_of("\"timeout\""));
		dismiss(a, &why);
	}
	set_alarm(r);
}

/* --- from a source -------------------------------------------------------- */

static bool has_room(const struct routed *at, uint64_t session, struct err *e)
{
	const struct router *r = at->router;
	unsigned of_session = 0;
	unsigned of_source = 0;

	for (struct list *i = r->asks.next; i != &r->asks; i = i->next) {
		of_session += ask_of(i)->session == session;
		of_source += ask_of(i)->at == at;
	}
	if (of_session < OPEN_PER_SESSION && of_source < OPEN_PER_SOURCE &&
	    r->ask_count < OPEN)
		return true;
	return err_set(e, ERR_OVERLOADED, "too many questions are open");
}

/* The session to be asked; NULL with *e set when nobody is. */
static struct session *choose(struct routed *from, const struct question *q,
			      struct err *e)
{
	struct router *r = from->router;
	bool several;
	uint64_t owner = turns_owner(from, &several, e);
	struct session *s = sessions_find(r->sessions, owner);

	if (several && q->kind != QUESTION_ROOTS)
		turns_make_exclusive(from);
	if (!s)
		return NULL;
	if (r->draining || r->stopping) {
		err_set(e, ERR_DRAINING, "the daemon is about to stop");
		return NULL;
	}
	if (!question_check(q, session_abilities(s), e) ||
	    !has_room(from, owner, e))
		return NULL;
	if (q->m->id.len > ID_BYTES || q->token.len > ID_BYTES) {
		err_set(e, ERR_TOO_LARGE, "its id is too long");
		return NULL;
	}
	return s;
}

static struct ask *keep(struct routed *from, struct session *s,
			const struct question *q)
{
	struct router *r = from->router;
	struct ask *a = mem_alloc(sizeof(*a));
	unsigned wait_ms = r->options.ask_ms ? r->options.ask_ms : WAIT_MS;

	*a = (struct ask){
		.at = from,
		.session = session_number(s),
		.number = session_question(s),
		.kind = q->kind,
		.due = alarm_now() + wait_ms / 1000.0,
		.id = slice_copy(q->m->id),
		.token = slice_copy(q->token),
	};
	list_append(&r->asks, &a->link);
	r->ask_count++;
	set_alarm(r);
	return a;
}

static bool put(struct routed *from, const struct question *q, struct err *e)
{
	struct session *s = choose(from, q, e);
	struct buf text = {0};

	if (!s)
		return false;
	struct ask *a = keep(from, s, q);
	question_write(&text, q, a->number, source_name(from->source));
	bool sent = session_ask(s, buf_slice(&text));
	buf_finish(&text);
	if (!sent) {
		free_ask(a);
		return err_set(e, ERR_LOST, "the client does not read");
	}
	elicited_note(from, a->session, q->elicitation);
	return true;
}

/* A client that cannot be asked is an error, so that the tool can say so. */
static void refuse(struct routed *from, const struct question *q,
		   const struct err *why)
{
	struct buf text = {0};

	log_odd("asks", "%s: its %.*s reaches nobody: %s",
		source_name(from->source), (int)q->m->method.len,
		q->m->method.ptr, why->text);
	if (why->reason == ERR_METHOD_NOT_FOUND ||
	    why->reason == ERR_INVALID_PARAMS ||
	    why->reason == ERR_INVALID_REQUEST)
		jsonrpc_error(&text, q->m->id, why, NULL);
	else
		question_dismiss(&text, q->kind, q->m->id, why);
	source_answer(from->source, buf_slice(&text));
	buf_finish(&text);
}

static void answer_roots(struct routed *from, const struct jsonrpc *m,
			 struct slice list)
{
	struct buf result = {0};
	struct buf text = {0};

	buf_append_text(&result, "{\"roots\":");
	buf_append_slice(&result, list);
	buf_append_text(&result, "}");
	jsonrpc_result(&text, m->id, buf_slice(&result));
	source_answer(from->source, buf_slice(&text));
	buf_finish(&text);
	buf_finish(&result);
}

bool asks_request(struct routed *from, const struct jsonrpc *m)
{
	struct question q = {.kind = question_kind(m)};
	struct slice list;
	struct err e;

	if (q.kind == QUESTION_NONE)
		return false;
	if (q.kind == QUESTION_ROOTS) {
		switch (source_roots(from->source, &list)) {
		case SOURCE_ROOTS_NONE:
			return false;
		case SOURCE_ROOTS_LIST:
			answer_roots(from, m, list);
			return true;
		case SOURCE_ROOTS_CLIENT:
			break;
		}
	} else if (!source_may_ask(from->source)) {
		return false;
	}
	if (!question_read(m, &q, &e) || !put(from, &q, &e))
		refuse(from, &q, &e);
	return true;
}

void asks_cancelled(struct routed *from, const struct jsonrpc *m)
{
	struct router *r = from->router;
	struct slice id = json_get(m->params, "requestId");

	for (struct list *i = r->asks.next; i != &r->asks; i = i->next) {
		struct ask *a = ask_of(i);

		if (a->at != from || !slice_equal(a->id, id))
			continue;
		tell_client(a, json_get(m->params, "reason"));
		free_ask(a);
		source_answer(from->source, (struct slice){NULL, 0});
		return;
	}
}

/* --- from a client -------------------------------------------------------- */

void asks_answered(struct router *r, uint64_t session, const struct jsonrpc *m)
{
	struct ask *a = find(r, session, m->id);
	struct buf text = {0};

	if (!a) {
		log_debug("asks", "%llu: an answer to nothing that is asked",
			  (unsigned long long)session);
		return;
	}
	struct source *source = a->at->source;
	struct json_edit edit = {.old = m->id, .with = a->id};
	json_splice(&text, m->text, &edit, 1);
	free_ask(a);
	source_answer(source, buf_slice(&text));
	buf_finish(&text);
}

void asks_progress(struct router *r, uint64_t session, const struct jsonrpc *m)
{
	struct slice token = json_get(m->params, "progressToken");
	struct ask *a = find(r, session, token);
	struct buf text = {0};

	if (!a || a->token.len == 0 ||
	    json_has_twice(m->params, "progressToken"))
		return;
	struct json_edit edit = {.old = token, .with = a->token};
	json_splice(&text, m->text, &edit, 1);
	source_notify(a->at->source, buf_slice(&text));
	buf_finish(&text);
}

/* --- what ends ------------------------------------------------------------ */

bool asks_open(const struct routed *at, uint64_t session)
{
	const struct router *r = at->router;

	for (struct list *i = r->asks.next; i != &r->asks; i = i->next)
		if (ask_of(i)->at == at && ask_of(i)->session == session)
			return true;
	return false;
}

void asks_withdraw(struct routed *at, uint64_t session)
{
	struct err why;

	err_set(&why, ERR_CANCELLED, "the client gave up its call");
	dismiss_all(at->router, at, session, &why, true);
}

void asks_source_ended(struct routed *at)
{
	struct router *r = at->router;
	struct list *next;

	for (struct list *i = r->asks.next; i != &r->asks; i = next) {
		next = i->next;
		if (ask_of(i)->at != at)
			continue;
		tell_client(ask_of(i), slice_of("\"the source has ended\""));
		free_ask(ask_of(i));
	}
	elicited_forget(r, at, 0);
}

void asks_left(struct router *r, uint64_t session)
{
	struct err why;

	err_set(&why, ERR_CANCELLED, "the client has left");
	dismiss_all(r, NULL, session, &why, false);
	elicited_forget(r, NULL, session);
}

void asks_drain(struct router *r)
{
	struct err why;

	r->draining = true;
	err_set(&why, ERR_DRAINING, "the daemon is about to stop");
	dismiss_all(r, NULL, 0, &why, true);
}

/* --- life ----------------------------------------------------------------- */

void asks_init(struct router *r)
{
	list_init(&r->asks);
	list_init(&r->elicited);
	alarm_init(&r->ask_due, r->loop, on_due, r);
}

void asks_drop_all(struct router *r)
{
	while (!list_empty(&r->asks))
		free_ask(ask_of(list_pop(&r->asks)));
	elicited_forget(r, NULL, 0);
	alarm_stop(&r->ask_due);
}
