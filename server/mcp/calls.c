#include "server/mcp/calls.h"

#include <stdlib.h>

#include "proto/buf.h"
#include "proto/clock.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mem.h"
#include "server/mcp/alias.h"
#include "server/mcp/asks.h"
#include "server/mcp/audit.h"
#include "server/mcp/elicited.h"
#include "server/mcp/handouts.h"
#include "server/mcp/project.h"
#include "server/mcp/result.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"
#include "server/mcp/turns.h"

/* Owned by the router; in two of its lists. */
struct call {
	struct routed *at;
	struct list in_source; /* at->calls */
	struct list in_router; /* router->calls */
	uint64_t number;       /* the source's */
	uint64_t ticket;     /* in router->tickets, while it is written down */
	struct reply_to to;  /* to.id is ours */
	struct slice token;  /* raw and ours; empty: no progress is wanted */
	unsigned way_back;   /* of enum call_return */
	struct slice method; /* ours, for whoever looks, as is name */
	struct slice name;
	size_t request_bytes;
	int64_t started_us;
};

static struct slice slice_copy(struct slice s)
{
	return (struct slice){mem_copy(s.ptr, s.len), s.len};
}

static void slice_free(struct slice s)
{
	free((void *)(uintptr_t)s.ptr);
}

/* Take c out of the router, so that its answer may be followed at once by
 * another request with the same id. */
static void unlink_call(struct call *c)
{
	list_remove(&c->in_source);
	list_remove(&c->in_router);
	if (c->ticket != 0)
		map_remove_u64(&c->at->router->tickets, c->ticket);
	c->at->router->in_flight--;
}

static void free_call(struct call *c)
{
	slice_free(c->to.id);
	slice_free(c->token);
	slice_free(c->method);
	slice_free(c->name);
	free(c);
}

/* --- reading -------------------------------------------------------------- */

/* One walk over an object: the members of these names.  Two parsers may take
 * different ones of two equal keys: what we route on must be there once. */
static bool read_members(struct slice object, const char *const *names,
			 struct slice *values, size_t count, struct err *e)
{
	struct json_member member;
	size_t at = 0;

	for (size_t i = 0; i < count; i++)
		values[i] = (struct slice){NULL, 0};
	while (json_next_member(object, &at, &member)) {
		for (size_t i = 0; i < count; i++) {
			if (!json_key_is(member.key, names[i]))
				continue;
			if (values[i].len > 0)
				return err_set(e, ERR_INVALID_REQUEST,
					       "the member \"%s\" of the "
					       "params occurs twice",
					       names[i]);
			values[i] = member.value;
		}
	}
	return true;
}

/* MCP 2025-11-25, Progress: "Progress tokens MUST be a string or integer
 * value." */
static bool read_token(struct slice meta, struct slice *token, struct err *e)
{
	static const char *const names[] = {"progressToken"};
	enum json_kind kind = json_kind(meta);

	*token = (struct slice){NULL, 0};
	if (kind == JSON_NONE)
		return true;
	if (kind != JSON_OBJECT)
		return err_set(e, ERR_INVALID_PARAMS,
			       "params._meta is not an object");
	if (!read_members(meta, names, token, 1, e))
		return false;
	kind = json_kind(*token);
	if (kind != JSON_NONE && kind != JSON_STRING && kind != JSON_NUMBER)
		return err_set(e, ERR_INVALID_PARAMS,
			       "the progress token is neither a string nor an "
			       "integer");
	return true;
}

/* MCP 2025-11-25, Completion: a ref is {"type":"ref/prompt","name":..} or
 * {"type":"ref/resource","uri":..}. */
static bool read_ref(struct slice ref, struct call_target *target,
		     struct err *e)
{
	static const char *const names[] = {"type", "name", "uri"};
	struct slice values[3];

	if (!read_members(ref, names, values, 3, e))
		return false;
	target->type = values[0];
	if (json_string_is(target->type, "ref/prompt"))
		target->value = values[1];
	else if (json_string_is(target->type, "ref/resource"))
		target->value = values[2];
	else
		return err_set(e, ERR_INVALID_PARAMS,
			       "params.ref.type is neither ref/prompt nor "
			       "ref/resource");
	return true;
}

bool call_read(const struct jsonrpc *m, const char *member,
	       struct call_target *target, struct err *e)
{
	const char *const names[] = {member, "_meta"};
	struct slice values[2];

	*target = (struct call_target){0};
	if (json_kind(m->params) != JSON_OBJECT)
		return err_set(e, ERR_INVALID_PARAMS,
			       "the params are not an object");
	if (!read_members(m->params, names, values, 2, e))
		return false;
	target->value = values[0];
	if (strcmp(member, "ref") == 0 && !read_ref(values[0], target, e))
		return false;
	if (json_kind(target->value) != JSON_STRING)
		return err_set(e, ERR_INVALID_PARAMS,
			       "params.%s is not a string", member);
	return read_token(values[1], &target->token, e);
}

/* --- what a source says --------------------------------------------------- */

/* The answer as the client gets it. */
static void append_answer(struct buf *to, const struct call *c,
			  const struct jsonrpc *m, const struct result *result,
			  const char *revision)
{
	const char *source = source_name(c->at->source);
	bool wrapped = c->way_back & CALL_WRAPPED;

	if (c->way_back & CALL_HANDS_OUT)
		handouts_note(c->at->router->handouts, source, result);
	project_response(to, m, result, c->to.id, revision, wrapped);
}

/* The same of a resource whose URI is another one here. */
static void append_aliased(struct buf *to, const struct call *c,
			   const struct jsonrpc *m, const char *revision)
{
	struct jsonrpc aliased = {0};
	struct buf text = {0};

	alias_contents(&text, m->text, m->result, source_name(c->at->source));
	/* It was sliced before, so it can be again. */
	jsonrpc_slice(buf_slice(&text), &aliased, NULL);
	aliased.whole = &text;
	const struct result result = result_read(aliased.result);
	append_answer(to, c, &aliased, &result, revision);
	buf_finish(&text);
}

static struct audited audited(const struct call *c)
{
	return (struct audited){
		.session = c->to.session,
		.method = c->method,
		.name = c->name,
		.request_bytes = c->request_bytes,
		.started_us = c->started_us,
	};
}

static void on_answer(void *owner, const struct jsonrpc *m)
{
	const struct audited done = audited(owner);
	const struct result result = result_read(m->result);
	struct call *c = owner;
	const struct session *s =
		sessions_find(c->at->router->sessions, c->to.session);
	struct buf text = {0};

	unlink_call(c);
	audit_answer(c->at, &done, m, &result);
	elicited_note_error(c->at, c->to.session, m->error);
	if (s && c->way_back & CALL_ALIASED)
		append_aliased(&text, c, m, session_revision(s));
	else if (s)
		append_answer(&text, c, m, &result, session_revision(s));
	reply_text(c->at->router, c->to, &text, m->kind == JSONRPC_ERROR);
	turns_next(c->at);
	free_call(c);
}

static void on_fail(void *owner, const struct err *why)
{
	struct call *c = owner;

	const struct audited done = audited(c);

	unlink_call(c);
	audit_failure(c->at, &done, err_name(why->reason));
	if (why->reason == ERR_DEADLINE)
		turns_abandoned(c->at, c->to.session);
	reply_error(c->at->router, c->to, why, source_name(c->at->source));
	turns_next(c->at);
	free_call(c);
}

/* MCP 2025-11-25, Progress: notifications "MUST only reference tokens that
 * were provided in an active request": who gave none hears nothing. */
static void on_progress(void *owner, const struct jsonrpc *m,
			struct slice token)
{
	struct call *c = owner;
	struct session *s =
		sessions_find(c->at->router->sessions, c->to.session);
	struct json_edit edit = {.old = token, .with = c->token};
	struct buf text = {0};

	if (!s || c->token.len == 0)
		return;
	json_splice(&text, m->text, &edit, 1);
	session_deliver(s, buf_slice(&text), true);
	buf_finish(&text);
}

/* What has an effect is written down first. */
static bool on_leaving(void *owner)
{
	struct call *c = owner;
	struct router *r = c->at->router;
	struct session *s = sessions_find(r->sessions, c->to.session);
	uint64_t ticket = r->last_ticket + 1;

	if (!s || !session_write_down(s, c->to.id, ticket))
		return true;
	r->last_ticket = ticket;
	c->ticket = ticket;
	map_put_u64(&r->tickets, ticket, c);
	return false;
}

void router_written(struct router *r, uint64_t ticket, const struct err *why)
{
	struct call *c = map_remove_u64(&r->tickets, ticket);

	if (!c)
		return;
	c->ticket = 0;
	if (!why) {
		source_send(c->at->source, c->number);
		return;
	}
	source_cancel(c->at->source, c->number, (struct slice){NULL, 0});
	on_fail(c, why);
}

static const struct source_reply replies = {
	.answer = on_answer,
	.fail = on_fail,
	.leaving = on_leaving,
	.progress = on_progress,
};

/* --- life ----------------------------------------------------------------- */

bool call_start(struct routed *at, const struct jsonrpc *m,
		const struct call_target *target, struct slice own,
		unsigned way_back, uint64_t session, struct err *e)
{
	struct router *r = at->router;
	struct source_request request = {
		.m = m,
		.name_old = target->value,
		.name_new = own,
		.token_old = target->token,
	};
	struct call *c = mem_zalloc(sizeof(*c));

	c->at = at;
	c->to = (struct reply_to){session, slice_copy(m->id)};
	c->token = slice_copy(target->token);
	c->way_back = way_back;
	c->method = slice_copy(m->method);
	c->name = slice_copy(own);
	c->request_bytes = m->text.len;
	c->started_us = clock_now_us();
	list_append(&at->calls, &c->in_source);
	list_append(&r->calls, &c->in_router);
	r->in_flight++;
	c->number = source_request(at->source, &request, &replies, c, e);
	if (c->number != 0)
		return true;
	unlink_call(c);
	free_call(c);
	return false;
}

static bool has_calls(const struct routed *at, uint64_t session)
{
	for (struct list *i = at->calls.next; i != &at->calls; i = i->next)
		if (LIST_ITEM(i, struct call, in_source)->to.session == session)
			return true;
	return false;
}

static void cancel(struct call *c, struct slice reason)
{
	struct routed *at = c->at;
	uint64_t session = c->to.session;

	const struct audited done = audited(c);

	source_cancel(at->source, c->number, reason);
	unlink_call(c);
	audit_failure(at, &done, err_name(ERR_CANCELLED));
	free_call(c);
	if (source_state(at->source) == SOURCE_READY)
		turns_abandoned(at, session);
	if (!has_calls(at, session))
		asks_withdraw(at, session);
	turns_next(at);
}

bool call_cancel(struct router *r, struct reply_to to, struct slice reason)
{
	for (struct list *i = r->calls.next; i != &r->calls; i = i->next) {
		struct call *c = LIST_ITEM(i, struct call, in_router);

		if (c->to.session != to.session ||
		    !slice_equal(c->to.id, to.id))
			continue;
		cancel(c, reason);
		return true;
	}
	return false;
}

void call_decline(struct router *r)
{
	struct list *next;

	for (struct list *i = r->calls.next; i != &r->calls; i = next) {
		struct call *c = LIST_ITEM(i, struct call, in_router);
		struct session *s = sessions_find(r->sessions, c->to.session);

		next = i->next;
		if (source_holds(c->at->source, c->number) &&
		    (!s || session_decline(s, c->to.id)))
			cancel(c, (struct slice){NULL, 0});
	}
}

void call_cancel_all(struct router *r, uint64_t session)
{
	struct list *next;

	for (struct list *i = r->calls.next; i != &r->calls; i = next) {
		struct call *c = LIST_ITEM(i, struct call, in_router);

		next = i->next;
		if (c->to.session == session)
			cancel(c, slice_of("\"the client has left\""));
	}
}

uint64_t call_sole_session(struct routed *at, bool *several)
{
	uint64_t sole = 0;

	*several = false;
	for (struct list *i = at->calls.next; i != &at->calls; i = i->next) {
		uint64_t session =
			LIST_ITEM(i, struct call, in_source)->to.session;

		if (sole != 0 && session != sole) {
			*several = true;
			return 0;
		}
		sole = session;
	}
	return sole;
}

void router_calls(const struct router *r,
		  void (*row)(void *owner, const struct router_call *call),
		  void *owner)
{
	for (const struct list *i = r->calls.next; i != &r->calls;
	     i = i->next) {
		const struct call *c = LIST_ITEM((struct list *)(uintptr_t)i,
						 struct call, in_router);

		row(owner, &(struct router_call){
				   .session = c->to.session,
				   .method = c->method,
				   .source = source_name(c->at->source),
				   .name = c->name,
				   .started_ms = c->started_us / 1000,
			   });
	}
}

void call_drop_all(struct router *r)
{
	while (!list_empty(&r->calls)) {
		struct call *c =
			LIST_ITEM(list_pop(&r->calls), struct call, in_router);

		unlink_call(c);
		free_call(c);
	}
}
