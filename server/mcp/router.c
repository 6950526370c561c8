#include "server/mcp/router.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/clock.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/asks.h"
#include "server/mcp/calls.h"
#include "server/mcp/elicited.h"
#include "server/mcp/handouts.h"
#include "server/mcp/instructions.h"
#include "server/mcp/lists.h"
#include "server/mcp/methods.h"
#include "server/mcp/nametable.h"
#include "server/mcp/replies.h"
#include "server/mcp/restore.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"
#include "server/mcp/sessions.h"
#include "server/mcp/subscriptions.h"
#include "server/mcp/trials.h"
#include "server/mcp/turns.h"
#include "server/upstream/children.h"

enum {
	CHANGED_MS = 50,  /* changes of several sources are told once */
	NAME_SHOWN = 100, /* of a name in an error */
	STARTS_AT_ONCE = 4,
	SOURCES_RUNNING = 256,
};

struct slice asked_shown(struct slice name)
{
	return (struct slice){name.ptr,
			      name.len < NAME_SHOWN ? name.len : NAME_SHOWN};
}

bool asked_waits(struct router *r, const struct asked *a, unsigned kinds)
{
	lists_refresh(r, kinds);
	if (a->waited || lists_settled(r, kinds))
		return false;
	lists_park(r, a->to.session, a->m, a->source, kinds);
	return true;
}

/* --- methods -------------------------------------------------------------- */

static void initialize(struct router *r, const struct asked *a)
{
	struct buf instructions = {0};
	struct buf result = {0};

	session_set_client(a->session, a->m->params);
	instructions_merge(r, &instructions);
	mcp_initialize_result(&result, a->m->params, buf_slice(&instructions));
	reply_result(r, a->to, buf_slice(&result));
	buf_finish(&instructions);
	buf_finish(&result);
}

/* MCP 2025-11-25, Ping: "The receiver MUST respond promptly with an empty
 * response". */
static void ping(struct router *r, const struct asked *a)
{
	reply_result(r, a->to, slice_of("{}"));
}

static void set_level(struct router *r, const struct asked *a)
{
	struct slice value = json_get(a->m->params, "level");
	struct buf name = {0};
	enum mcp_level level;
	struct err e;

	if (json_kind(value) == JSON_STRING)
		json_unquote(&name, value);
	if (mcp_level_parse(buf_slice(&name), &level)) {
		session_set_log_level(a->session, (int)level);
		reply_result(r, a->to, slice_of("{}"));
	} else {
		err_set(&e, ERR_INVALID_PARAMS,
			"params.level is none of debug, info, notice, warning, "
			"error, critical, alert, emergency");
		reply_error(r, a->to, &e, NULL);
	}
	buf_finish(&name);
}

/* What is not here is answered with -32601.  What a source has to do is left
 * to the next daemon while this one is about to stop. */
static const struct {
	const char *name;
	method_fn *handle;
	bool forwards;
} methods[] = {
	{"completion/complete", method_complete, true},
	{"initialize", initialize, false},
	{"logging/setLevel", set_level, false},
	{"ping", ping, false},
	{"prompts/get", method_get_prompt, true},
	{"prompts/list", method_list_prompts, false},
	{"resources/list", method_list_resources, false},
	{"resources/read", method_read_resource, true},
	{"resources/subscribe", method_subscribe, true},
	{"resources/templates/list", method_list_templates, false},
	{"resources/unsubscribe", method_unsubscribe, false},
	{"tools/call", method_call_tool, true},
	{"tools/list", method_list_tools, false},
};

void router_dispatch(struct router *r, struct session *s,
		     const struct jsonrpc *m, const char *source, bool waited)
{
	struct asked a = {
		.session = s,
		.m = m,
		.to = {session_number(s), m->id},
		.source = source,
		.waited = waited,
	};
	struct slice name = asked_shown(m->method);
	struct err e;

	if (r->stopping) {
		err_set(&e, ERR_DRAINING, "the daemon is about to stop");
		reply_error(r, a.to, &e, NULL);
		return;
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (!jsonrpc_method_is(m, methods[i].name))
			continue;
		if (!r->draining || !methods[i].forwards ||
		    !session_decline(s, m->id))
			methods[i].handle(r, &a);
		return;
	}
	err_set(&e, ERR_METHOD_NOT_FOUND, "the method %.*s is not served",
		(int)name.len, name.ptr);
	reply_error(r, a.to, &e, NULL);
}

/* --- what sources say to nobody ------------------------------------------- */

static bool wants_level(const struct session *s, int level)
{
	return session_log_level(s) <= level;
}

/* Whose log message it is, nobody says: that of the only session with a call
 * at the source; of all when there is none; with several callers it is not
 * guessed. */
void router_notice(struct routed *from, const struct jsonrpc *m)
{
	struct router *r = from->router;
	struct slice value = json_get(m->params, "level");
	struct buf name = {0};
	enum mcp_level level = MCP_LEVEL_INFO;
	bool several;

	if (jsonrpc_method_is(m, "notifications/cancelled")) {
		asks_cancelled(from, m);
		return;
	}
	if (jsonrpc_method_is(m, "notifications/elicitation/complete")) {
		elicited_complete(from, m);
		return;
	}
	if (jsonrpc_method_is(m, "notifications/resources/updated")) {
		subscriptions_updated(r->subscriptions, from, m);
		return;
	}
	if (!jsonrpc_method_is(m, "notifications/message")) {
		log_debug("router", "%s: a notification that nobody asked for",
			  source_name(from->source));
		return;
	}
	if (json_kind(value) == JSON_STRING)
		json_unquote(&name, value);
	mcp_level_parse(buf_slice(&name), &level);
	buf_finish(&name);
	uint64_t sole = call_sole_session(from, &several);
	struct session *s = sessions_find(r->sessions, sole);
	if (several)
		log_info("router",
			 "%s: a log message (%s) while several "
			 "clients wait for it",
			 source_name(from->source), mcp_level_name(level));
	else if (sole == 0)
		sessions_broadcast(r->sessions, m->text, true, wants_level,
				   (int)level);
	else if (s && wants_level(s, (int)level))
		session_deliver(s, m->text, true);
}

/* Resources and their templates have one notification. */
static void on_changed(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct router *r = w->data;
	unsigned kinds = r->changed_kinds;
	struct buf text = {0};

	(void)loop;
	(void)events;
	r->changed_kinds = 0;
	if (kinds & KINDS_RESOURCE)
		kinds = (kinds & ~(unsigned)KINDS_RESOURCE) |
			1u << KIND_RESOURCE;
	for (int k = 0; k < KIND_COUNT; k++) {
		if (!(kinds & 1u << k))
			continue;
		jsonrpc_request(&text, (struct slice){NULL, 0},
				kind_rows[k].changed, (struct slice){NULL, 0});
		sessions_broadcast(r->sessions, buf_slice(&text), false, NULL,
				   0);
		buf_finish(&text);
	}
}

void router_changed(struct router *r, unsigned kinds)
{
	r->changed_kinds |= kinds;
	if (ev_is_active(&r->changed))
		return;
	ev_timer_set(&r->changed, CHANGED_MS / 1000.0, 0.0);
	ev_timer_start(r->loop, &r->changed);
}

/* --- the sessions' side --------------------------------------------------- */

void router_request(struct router *r, struct session *s,
		    const struct jsonrpc *m, const char *source)
{
	router_dispatch(r, s, m, source, false);
}

void router_restore(struct router *r, struct session *s,
		    const struct slice *uris, size_t count)
{
	restore_begin(r->subscriptions, session_number(s), uris, count);
}

/* Most ask nothing of us: notifications/initialized is known from the first
 * request, and no source is told that roots may change. */
void router_notification(struct router *r, struct session *s,
			 const struct jsonrpc *m)
{
	struct slice name = asked_shown(m->method);

	if (jsonrpc_method_is(m, "notifications/progress")) {
		asks_progress(r, session_number(s), m);
		return;
	}
	log_debug("router", "%llu: %.*s", (unsigned long long)session_number(s),
		  (int)name.len, name.ptr);
}

void router_response(struct router *r, struct session *s,
		     const struct jsonrpc *m)
{
	asks_answered(r, session_number(s), m);
}

void router_left(struct router *r, uint64_t session_number)
{
	asks_left(r, session_number);
	turns_cancel_all(r, session_number);
	call_cancel_all(r, session_number);
	lists_cancel_all(r, session_number);
	subscriptions_left(r->subscriptions, session_number);
}

void router_cancel(struct router *r, uint64_t session_number, struct slice id,
		   struct slice reason)
{
	struct reply_to to = {session_number, id};

	if (!call_cancel(r, to, reason) && !turns_cancel(r, to) &&
	    !lists_cancel(r, to))
		subscriptions_cancel(r->subscriptions, to);
}

void router_drain(struct router *r)
{
	asks_drain(r);
	turns_decline(r);
	call_decline(r);
	lists_decline(r);
}

void router_set_level(struct router *r, enum mcp_level level)
{
	r->level = (int)level;
	for (size_t i = 0; i < r->source_count; i++)
		source_set_level(r->sources[i]->source, mcp_level_name(level));
}

/* --- life ----------------------------------------------------------------- */

static char *path_below(const char *dir, const char *name)
{
	struct buf path = {0};

	buf_printf(&path, "%s/%s", dir, name);
	char *text = mem_ntext(path.data, path.len);
	buf_finish(&path);
	return text;
}

struct router *router_new(struct ev_loop *loop, struct store *store,
			  struct sessions *sessions,
			  const struct router_options *options)
{
	struct router *r = mem_zalloc(sizeof(*r));

	r->loop = loop;
	r->store = store;
	r->sessions = sessions;
	r->options = *options;
	r->data_dir = mem_text(options->data_dir);
	r->options.data_dir = r->data_dir;
	r->log_dir = path_below(r->data_dir, "logs");
	r->started_ms = clock_now_ms();
	starts_init(&r->starts, STARTS_AT_ONCE, SOURCES_RUNNING);
	char *run_dir = path_below(r->data_dir, "run");
	r->children = children_new(run_dir);
	free(run_dir);
	r->names = nametable_new();
	for (int k = 0; k < KIND_COUNT; k++)
		r->catalogues[k] = catalogue_new((enum kind)k, r->names);
	r->handouts = handouts_new();
	r->subscriptions = subscriptions_new(r);
	r->level = -1;
	list_init(&r->leaving);
	list_init(&r->orders);
	list_init(&r->calls);
	asks_init(r);
	turns_init(r);
	list_init(&r->parked);
	list_init(&r->waiters);
	list_init(&r->trials);
	ev_timer_init(&r->changed, on_changed, 0.0, 0.0);
	r->changed.data = r;
	return r;
}

unsigned router_in_flight(const struct router *r)
{
	return r->in_flight;
}

const struct catalogue *router_catalogue(const struct router *r)
{
	return r->catalogues[KIND_TOOL];
}

uint64_t router_requests(const struct router *r)
{
	return r->requests;
}

uint64_t router_errors(const struct router *r)
{
	return r->errors;
}

void router_free(struct router *r)
{
	if (!r)
		return;
	asks_drop_all(r);
	turns_drop_all(r);
	call_drop_all(r);
	lists_drop_all(r);
	trials_drop_all(r);
	subscriptions_free(r->subscriptions);
	assert(r->in_flight == 0);
	ev_timer_stop(r->loop, &r->changed);
	router_free_sources(r);
	children_free(r->children);
	survey_finish(&r->survey);
	for (int k = 0; k < KIND_COUNT; k++)
		catalogue_free(r->catalogues[k]);
	nametable_free(r->names);
	handouts_free(r->handouts);
	map_finish(&r->tickets);
	free(r->data_dir);
	free(r->log_dir);
	free(r);
}
