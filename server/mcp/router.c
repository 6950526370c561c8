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
#include "server/mcp/lists.h"
#include "server/mcp/replies.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"
#include "server/mcp/sessions.h"
#include "server/mcp/trials.h"
#include "server/mcp/turns.h"
#include "server/upstream/children.h"

enum {
	CHANGED_MS = 50,  /* changes of several sources are told once */
	NAME_SHOWN = 100, /* of a name in an error */
	STARTS_AT_ONCE = 4,
	SOURCES_RUNNING = 256,
};

/* What a handler is given. */
struct asked {
	struct session *session;
	const struct jsonrpc *m;
	struct reply_to to;
	const char *source; /* of session_single(), or NULL */
	bool waited;	    /* for the first list */
};

static struct slice shown(struct slice name)
{
	return (struct slice){name.ptr,
			      name.len < NAME_SHOWN ? name.len : NAME_SHOWN};
}

/* --- methods -------------------------------------------------------------- */

static void initialize(struct router *r, const struct asked *a)
{
	struct buf result = {0};

	session_set_client(a->session, a->m->params);
	mcp_initialize_result(&result, a->m->params);
	reply_result(r, a->to, buf_slice(&result));
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

static void list_tools(struct router *r, const struct asked *a)
{
	struct buf result = {0};
	struct err e;

	/* MCP 2025-11-25, Pagination: "Invalid cursors SHOULD result in an
	 * error with code -32602".  All of the list is one page, so there is
	 * no cursor that we gave. */
	if (json_get(a->m->params, "cursor").len > 0) {
		err_set(&e, ERR_INVALID_PARAMS,
			"this cursor was not given out here");
		reply_error(r, a->to, &e, NULL);
		return;
	}
	lists_refresh(r);
	if (!a->waited && !lists_settled(r)) {
		lists_park(r, a->to.session, a->m, NULL);
		return;
	}
	buf_append_text(&result, "{\"tools\":");
	buf_append_slice(&result, catalogue_list(r->catalogue));
	buf_append_text(&result, "}");
	reply_result(r, a->to, buf_slice(&result));
	buf_finish(&result);
}

/* Why the source of that name does not have the tool: always false. */
static bool refuse_own(const struct router *r, const char *source,
		       struct slice name, struct err *e)
{
	const struct routed *at = router_routed(r, source);
	struct source_info info;
	size_t tools;

	if (!at)
		return err_set(e, ERR_NOT_FOUND,
			       "there is no source \"%s\"; `executor source "
			       "list` names those there are",
			       source);
	source_info(at->source, &info);
	source_tools(at->source, &tools);
	if (tools == 0 && *info.last_error)
		return err_set(e, ERR_SOURCE_DOWN,
			       "the tools of \"%s\" are not known: %s", source,
			       info.last_error);
	return err_set(e, ERR_UNKNOWN_TOOL,
		       "the source \"%s\" has no tool \"%.*s\"", source,
		       (int)name.len, name.ptr);
}

/* Is it a tool of a source that was turned off? */
static bool refuse_disabled(const struct router *r, const char *source,
			    struct slice name, struct err *e)
{
	const char *whose =
		source ? source : catalogue_whose(r->catalogue, name);
	const struct routed *at = whose ? router_routed(r, whose) : NULL;

	if (!at || !routed_disabled(at))
		return false;
	err_set(e, ERR_SOURCE_DISABLED,
		"the source \"%s\" is disabled; to have its tools again: "
		"executor source enable %s",
		whose, whose);
	return true;
}

/* Forward to the source that has the tool of this (decoded) name.  False with
 * *e set when it cannot be. */
static bool forward(struct router *r, const struct asked *a,
		    const struct call_target *target, struct slice name,
		    struct err *e)
{
	const struct catalogue_tool *tool =
		a->source ? catalogue_find_own(r->catalogue, a->source, name)
			  : catalogue_find(r->catalogue, name);
	struct slice text = shown(name);

	if (!tool && refuse_disabled(r, a->source, name, e))
		return false;
	if (!tool && a->source)
		return refuse_own(r, a->source, text, e);
	if (!tool)
		return err_set(e, ERR_UNKNOWN_TOOL,
			       "there is no tool \"%.*s\"; tools/list names "
			       "those there are",
			       (int)text.len, text.ptr);
	struct routed *at = router_routed(r, tool->source);
	assert(at); /* the catalogue forgets a source before it goes */
	if (!turns_admit(at, a->to.session))
		return turns_wait(at, a->to.session, a->m, a->source, e);
	return call_start(at, a->m, target, tool, a->to.session, e);
}

static void call_tool(struct router *r, const struct asked *a)
{
	struct call_target target = {0};
	struct buf name = {0};
	struct err e;

	if (!call_read(a->m, &target, &e)) {
		reply_error(r, a->to, &e, a->source);
		return;
	}
	json_unquote(&name, target.name);
	if (!forward(r, a, &target, buf_slice(&name), &e)) {
		/* It may be a tool of a source that was never asked. */
		if ((e.reason == ERR_UNKNOWN_TOOL ||
		     e.reason == ERR_SOURCE_DOWN) &&
		    !a->waited) {
			lists_refresh(r);
			if (!lists_settled(r)) {
				lists_park(r, a->to.session, a->m, a->source);
				goto out;
			}
		}
		reply_error(r, a->to, &e, a->source);
	}
out:
	buf_finish(&name);
}

/* What is not here is answered with -32601. */
static const struct {
	const char *name;
	void (*handle)(struct router *r, const struct asked *a);
} methods[] = {
	{"initialize", initialize},
	{"logging/setLevel", set_level},
	{"ping", ping},
	{"tools/call", call_tool},
	{"tools/list", list_tools},
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
	struct slice name = shown(m->method);
	struct err e;

	if (r->stopping) {
		err_set(&e, ERR_DRAINING, "the daemon is about to stop");
		reply_error(r, a.to, &e, NULL);
		return;
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (!jsonrpc_method_is(m, methods[i].name))
			continue;
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

static void on_changed(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct router *r = w->data;

	(void)loop;
	(void)events;
	sessions_broadcast(
		r->sessions,
		slice_of("{\"jsonrpc\":\"2.0\","
			 "\"method\":\"notifications/tools/list_changed\"}"),
		false, NULL, 0);
}

void router_changed(struct router *r)
{
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

/* Most ask nothing of us: notifications/initialized is known from the first
 * request, and no source is told that roots may change. */
void router_notification(struct router *r, struct session *s,
			 const struct jsonrpc *m)
{
	struct slice name = shown(m->method);

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
}

void router_cancel(struct router *r, uint64_t session_number, struct slice id,
		   struct slice reason)
{
	struct reply_to to = {session_number, id};

	if (!call_cancel(r, to, reason) && !turns_cancel(r, to))
		lists_cancel(r, to);
}

void router_drain(struct router *r)
{
	asks_drain(r);
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
	r->catalogue = catalogue_new();
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
	return r->catalogue;
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
	assert(r->in_flight == 0);
	ev_timer_stop(r->loop, &r->changed);
	router_free_sources(r);
	children_free(r->children);
	survey_finish(&r->survey);
	catalogue_free(r->catalogue);
	free(r->data_dir);
	free(r->log_dir);
	free(r);
}
