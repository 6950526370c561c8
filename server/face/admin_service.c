#include "server/face/admin_service.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/envelope.h"
#include "proto/err.h"
#include "proto/list.h"
#include "proto/mem.h"
#include "proto/protobuf.h"
#include "proto/version.h"
#include "server/face/admin_internal.h"
#include "server/face/admin_offer.h"
#include "server/face/admin_view.h"
#include "server/face/call.h"
#include "server/face/service.h"
#include "server/mcp/catalogue.h"
#include "server/mcp/router.h"
#include "server/mcp/session.h"

/* An AddSource carries a whole environment. */
enum { REQUEST_BYTES = 4 * 1024 * 1024 };

/* --- requests ------------------------------------------------------------- */

const void *admin_unpack(struct admin *a,
			 const ProtobufCMessageDescriptor *type,
			 struct slice request, struct err *e)
{
	arena_reset(&a->arena);
	return protobuf_unpack(&a->arena, type, request, e);
}

/* The empty name stands for all of them. */
static bool knows_source(const struct admin *a, const char *name)
{
	return name[0] == '\0' || router_source(a->router, name);
}

/* --- status --------------------------------------------------------------- */

static void add_counters(struct admin *a, const struct admin_facts *facts,
			 Executor__Admin__V1__Counters *to)
{
	to->connections = facts->connections;
	to->streams = facts->streams;
	to->requests_in_flight = sessions_in_flight(a->sessions);
	to->requests = router_requests(a->router);
	to->errors = router_errors(a->router);
}

Executor__Admin__V1__GetStatusResponse *admin_status(struct admin *a,
						     struct view *v)
{
	Executor__Admin__V1__GetStatusResponse *r = view_take(v, sizeof(*r));
	struct admin_facts facts = {0};

	executor__admin__v1__get_status_response__init(r);
	r->counters = view_take(v, sizeof(*r->counters));
	executor__admin__v1__counters__init(r->counters);
	a->events->facts(a->owner, &facts);
	add_counters(a, &facts, r->counters);
	r->pid = getpid();
	r->epoch = facts.epoch;
	r->instance = protobuf_bytes((struct slice){
		(const char *)facts.instance, ENVELOPE_ID_BYTES});
	r->version = view_text(v, version_text);
	r->data_dir = protobuf_bytes(slice_of(facts.data_dir));
	r->unix_socket = protobuf_bytes(slice_of(facts.socket));
	r->tcp_url = view_text(v, facts.tcp_url);
	r->uptime_s = facts.uptime_s;
	r->sessions = view_sessions(v, a->sessions, &r->n_sessions);
	r->sources = view_sources(v, a->router, &r->n_sources);
	r->tools = (uint32_t)catalogue_count(router_catalogue(a->router));
	r->draining = facts.draining;
	return r;
}

static struct fate *on_get_status(void *service, struct call *c,
				  struct slice request)
{
	struct admin *a = service;
	struct view v;

	(void)request; /* it has no fields */
	view_init(&v);
	struct fate *fate = call_reply(c, &admin_status(a, &v)->base);
	view_finish(&v);
	return fate;
}

/* Nobody but a newer one can lock this version out. */
static bool may_be_replaced(const char *by, struct err *e)
{
	if (by[0] == '\0' || version_compare(by, version_text) > 0)
		return true;
	return err_set(e, version_is(by) ? ERR_VERSION : ERR_INVALID_ARGUMENT,
		       "this daemon is version %s, and is not replaced by "
		       "%.64s",
		       version_text, by);
}

static struct fate *on_drain(void *service, struct call *c,
			     struct slice request)
{
	struct admin *a = service;
	Executor__Admin__V1__DrainResponse r;
	struct err e;

	executor__admin__v1__drain_response__init(&r);
	const Executor__Admin__V1__DrainRequest *asked =
		admin_unpack(a, &executor__admin__v1__drain_request__descriptor,
			     request, &e);
	if (!asked)
		return call_fail(c, &e);
	if (!may_be_replaced(asked->min_version, &e))
		return call_fail(c, &e);
	r.pid = getpid();
	struct fate *fate = call_reply(c, &r.base);
	a->events->drain(a->owner, asked->timeout_ms, asked->min_version);
	return fate;
}

/* --- sources -------------------------------------------------------------- */

static struct fate *on_list_sources(void *service, struct call *c,
				    struct slice request)
{
	struct admin *a = service;
	Executor__Admin__V1__ListSourcesResponse r;
	struct view v;

	executor__admin__v1__list_sources_response__init(&r);
	(void)request; /* it has no fields */
	view_init(&v);
	r.sources = view_sources(&v, a->router, &r.n_sources);
	struct fate *fate = call_reply(c, &r.base);
	view_finish(&v);
	return fate;
}

struct fate *admin_no_source(struct call *c, const char *name)
{
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "no source is called %.64s", name);
	return call_fail(c, &e);
}

static struct fate *on_get_source(void *service, struct call *c,
				  struct slice request)
{
	struct admin *a = service;
	Executor__Admin__V1__GetSourceResponse r;
	struct view v;
	struct err e;

	executor__admin__v1__get_source_response__init(&r);
	const Executor__Admin__V1__GetSourceRequest *asked = admin_unpack(
		a, &executor__admin__v1__get_source_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	const struct source *s = router_source(a->router, asked->name);
	if (!s)
		return admin_no_source(c, asked->name);
	view_init(&v);
	r.source = view_source(&v, s);
	view_stderr(&v, r.source, s);
	struct fate *fate = call_reply(c, &r.base);
	view_finish(&v);
	return fate;
}

static struct fate *answer_added(struct wait *w)
{
	Executor__Admin__V1__AddSourceResponse r;
	const struct source *s = router_source(w->admin->router, w->name);
	struct view v;

	executor__admin__v1__add_source_response__init(&r);
	if (!s) /* removed again by someone quicker */
		return admin_no_source(w->call, w->name);
	view_init(&v);
	r.source = view_source(&v, s);
	struct fate *fate = call_reply(w->call, &r.base);
	view_finish(&v);
	return fate;
}

static struct fate *on_add_source(void *service, struct call *c,
				  struct slice request)
{
	struct admin *a = service;
	struct stored_source stored;
	struct fate *fate;
	struct view v;
	struct err e;

	const Executor__Admin__V1__AddSourceRequest *asked = admin_unpack(
		a, &executor__admin__v1__add_source_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	view_init(&v);
	if (offer_read(asked, &v, &stored, &e)) {
		struct wait *w = wait_new(a, c, answer_added, stored.name, "");

		router_source_add(a->router, &stored, wait_done, w);
		fate = wait_begin(w);
	} else {
		fate = call_fail(c, &e);
	}
	view_finish(&v);
	return fate;
}

static struct fate *answer_set(struct wait *w)
{
	Executor__Admin__V1__SetSourceResponse r;
	const struct source *s = router_source(w->admin->router, w->name);
	struct view v;

	executor__admin__v1__set_source_response__init(&r);
	if (!s) /* removed meanwhile */
		return admin_no_source(w->call, w->name);
	view_init(&v);
	r.source = view_source(&v, s);
	struct fate *fate = call_reply(w->call, &r.base);
	view_finish(&v);
	return fate;
}

static struct fate *on_set_source(void *service, struct call *c,
				  struct slice request)
{
	struct admin *a = service;
	struct stored_change change;
	struct fate *fate;
	struct view v;
	struct err e;

	const Executor__Admin__V1__SetSourceRequest *asked = admin_unpack(
		a, &executor__admin__v1__set_source_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	view_init(&v);
	if (offer_read_change(asked, &v, &change, &e)) {
		struct wait *w = wait_new(a, c, answer_set, asked->name, "");

		router_source_set(a->router, w->name, &change, wait_done, w);
		fate = wait_begin(w);
	} else {
		fate = call_fail(c, &e);
	}
	view_finish(&v);
	return fate;
}

static struct fate *on_rotate_token(void *service, struct call *c,
				    struct slice request)
{
	Executor__Admin__V1__RotateTokenResponse r;
	struct admin *a = service;
	struct err e;

	if (!admin_unpack(
		    a, &executor__admin__v1__rotate_token_request__descriptor,
		    request, &e) ||
	    !a->events->rotate_token(a->owner, &e))
		return call_fail(c, &e);
	executor__admin__v1__rotate_token_response__init(&r);
	return call_reply(c, &r.base);
}

static struct fate *answer_removed(struct wait *w)
{
	Executor__Admin__V1__RemoveSourceResponse r;

	executor__admin__v1__remove_source_response__init(&r);
	return call_reply(w->call, &r.base);
}

static struct fate *on_remove_source(void *service, struct call *c,
				     struct slice request)
{
	struct admin *a = service;
	struct err e;

	const Executor__Admin__V1__RemoveSourceRequest *asked = admin_unpack(
		a, &executor__admin__v1__remove_source_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	struct wait *w = wait_new(a, c, answer_removed, asked->name, "");
	router_source_remove(a->router, w->name, wait_done, w);
	return wait_begin(w);
}

/* --- tools ---------------------------------------------------------------- */

static struct fate *answer_tools(struct wait *w)
{
	Executor__Admin__V1__ListToolsResponse r;
	struct view v;

	executor__admin__v1__list_tools_response__init(&r);
	view_init(&v);
	r.tools = view_tools(&v, router_catalogue(w->admin->router), w->source,
			     &r.n_tools);
	struct fate *fate = call_reply(w->call, &r.base);
	view_finish(&v);
	return fate;
}

static struct fate *on_list_tools(void *service, struct call *c,
				  struct slice request)
{
	struct admin *a = service;
	struct err e;

	const Executor__Admin__V1__ListToolsRequest *asked = admin_unpack(
		a, &executor__admin__v1__list_tools_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	if (!knows_source(a, asked->source))
		return admin_no_source(c, asked->source);
	return wait_for_lists(wait_new(a, c, answer_tools, "", asked->source));
}

static const struct catalogue_item *find_tool(const struct wait *w)
{
	const struct catalogue *all = router_catalogue(w->admin->router);

	if (w->source[0] != '\0')
		return catalogue_find_own(all, w->source, slice_of(w->name));
	return catalogue_find(all, slice_of(w->name));
}

static struct fate *answer_tool(struct wait *w)
{
	Executor__Admin__V1__GetToolResponse r;
	const struct catalogue_item *t = find_tool(w);
	struct view v;
	struct err e;

	executor__admin__v1__get_tool_response__init(&r);
	if (!t) {
		err_set(&e, ERR_NOT_FOUND, "no tool is called %.128s%s%.64s",
			w->name, w->source[0] != '\0' ? " in source " : "",
			w->source);
		return call_fail(w->call, &e);
	}
	view_init(&v);
	r.tool = view_tool(&v, t);
	struct fate *fate = call_reply(w->call, &r.base);
	view_finish(&v);
	return fate;
}

static struct fate *on_get_tool(void *service, struct call *c,
				struct slice request)
{
	struct admin *a = service;
	struct err e;

	const Executor__Admin__V1__GetToolRequest *asked = admin_unpack(
		a, &executor__admin__v1__get_tool_request__descriptor, request,
		&e);
	if (!asked)
		return call_fail(c, &e);
	if (!knows_source(a, asked->source))
		return admin_no_source(c, asked->source);
	struct wait *w =
		wait_new(a, c, answer_tool, asked->name, asked->source);
	if (!find_tool(w))
		return wait_for_lists(w);
	w->fate = answer_tool(w);
	return wait_begin(w);
}

/* --- the table ------------------------------------------------------------ */

static const struct method methods[] = {
	{.name = "GetStatus", .unary = on_get_status},
	{.name = "ListSources", .unary = on_list_sources},
	{.name = "GetSource", .unary = on_get_source},
	{.name = "AddSource", .unary = on_add_source},
	{.name = "RemoveSource", .unary = on_remove_source},
	{.name = "ListTools", .unary = on_list_tools},
	{.name = "GetTool", .unary = on_get_tool},
	{.name = "Drain", .unary = on_drain},
	{.name = "SetSource", .unary = on_set_source},
	{.name = "SearchTools", .unary = admin_search_tools},
	{.name = "TestSource", .unary = admin_test_source},
	{.name = "ListCalls", .unary = admin_list_calls},
	{.name = "ListAudit", .unary = admin_list_audit},
	{.name = "CheckSources", .unary = admin_check_sources},
	{.name = "CheckStore", .unary = admin_check_store},
	{.name = "WatchStatus", .server_stream = admin_watch_status},
	{.name = "WatchLog", .server_stream = admin_watch_log},
	{.name = "RotateToken", .unary = on_rotate_token},
};

struct admin *admin_new(struct ev_loop *loop, struct services *services,
			struct router *router, struct sessions *sessions,
			struct store *store, const struct admin_events *events,
			void *owner)
{
	struct admin *a = mem_zalloc(sizeof(*a));

	a->loop = loop;
	a->router = router;
	a->sessions = sessions;
	a->store = store;
	a->events = events;
	a->owner = owner;
	list_init(&a->waits);
	list_init(&a->watches);
	services_add(services, &(struct service){
				       .name = "executor.admin.v1.AdminService",
				       .methods = methods,
				       .method_count = sizeof(methods) /
						       sizeof(methods[0]),
				       .limit_bytes = REQUEST_BYTES,
				       .admin = true,
				       .object = a,
			       });
	return a;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	while (!list_empty(&a->waits))
		wait_free(LIST_ITEM(list_pop(&a->waits), struct wait, link));
	arena_finish(&a->arena);
	free(a);
}
