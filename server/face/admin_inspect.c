/* The part of AdminService with which a person looks into the daemon. */
#include "server/face/admin_internal.h"

#include <string.h>

#include "proto/buf.h"
#include "proto/envelope.h"
#include "proto/err.h"
#include "proto/json.h"
#include "server/face/admin_view.h"
#include "server/face/call.h"
#include "server/mcp/catalogue.h"
#include "server/mcp/router.h"
#include "server/mcp/session.h"
#include "server/store/store.h"

enum { SEARCH_DEFAULT = 20, SEARCH_MOST = 1000 };

/* --- tools ---------------------------------------------------------------- */

/* The tools that a search found, in its order. */
static Executor__Admin__V1__Tool **find_tools(struct view *v,
					      const struct catalogue *all,
					      struct slice query,
					      unsigned limit, size_t *count)
{
	struct buf found = {0};
	struct buf name = {0};
	struct slice hit;
	size_t at = 0;

	catalogue_search(all, query, limit, &found);
	Executor__Admin__V1__Tool **list =
		view_take(v, (limit + 1) * sizeof(*list));
	for (*count = 0; *count < limit &&
			 json_next_element(buf_slice(&found), &at, &hit);) {
		buf_reset(&name, SIZE_MAX);
		json_unquote(&name, json_get(hit, "name"));
		const struct catalogue_item *t =
			catalogue_find(all, buf_slice(&name));
		if (t)
			list[(*count)++] = view_tool(v, t);
	}
	buf_finish(&found);
	buf_finish(&name);
	return list;
}

static struct fate *answer_search(struct wait *w)
{
	Executor__Admin__V1__SearchToolsResponse r;
	struct view v;

	executor__admin__v1__search_tools_response__init(&r);
	view_init(&v);
	r.tools = find_tools(&v, router_catalogue(w->admin->router),
			     slice_of(w->name), w->limit, &r.n_tools);
	struct fate *fate = call_reply(w->call, &r.base);
	view_finish(&v);
	return fate;
}

struct fate *admin_search_tools(void *service, struct call *c,
				struct slice request)
{
	struct admin *a = service;
	struct err e;

	const Executor__Admin__V1__SearchToolsRequest *asked = admin_unpack(
		a, &executor__admin__v1__search_tools_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	struct wait *w = wait_new(a, c, answer_search, asked->query, "");
	w->limit = asked->limit ? asked->limit : SEARCH_DEFAULT;
	if (w->limit > SEARCH_MOST)
		w->limit = SEARCH_MOST;
	return wait_for_lists(w);
}

/* --- sources -------------------------------------------------------------- */

static struct fate *answer_tested(struct wait *w)
{
	Executor__Admin__V1__TestSourceResponse r;
	const struct source *s = router_source(w->admin->router, w->name);
	struct view v;

	executor__admin__v1__test_source_response__init(&r);
	if (!s)
		return admin_no_source(w->call, w->name);
	view_init(&v);
	r.source = view_source(&v, s);
	struct fate *fate = call_reply(w->call, &r.base);
	view_finish(&v);
	return fate;
}

struct fate *admin_test_source(void *service, struct call *c,
			       struct slice request)
{
	struct admin *a = service;
	struct err e;

	const Executor__Admin__V1__TestSourceRequest *asked = admin_unpack(
		a, &executor__admin__v1__test_source_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	struct wait *w = wait_new(a, c, answer_tested, asked->name, "");
	w->forget = router_forget_test;
	router_source_test(a->router, w->name, wait_done, w);
	return wait_begin(w);
}

/* Was the tool given another name than the one a person would guess? */
static bool is_renamed(const struct catalogue_item *t)
{
	size_t prefix = strlen(t->source);
	struct slice name = t->exposed;

	if (name.len <= prefix + 2 ||
	    memcmp(name.ptr, t->source, prefix) != 0 ||
	    memcmp(name.ptr + prefix, "__", 2) != 0)
		return true;
	return !slice_equal(
		(struct slice){name.ptr + prefix + 2, name.len - prefix - 2},
		t->key);
}

static void count_names(const struct catalogue *all, const struct source *s,
			Executor__Admin__V1__SourceCheck *to)
{
	const struct catalogue_item *t;
	size_t said = 0;
	size_t at = 0;

	while ((t = catalogue_next(all, &at))) {
		if (strcmp(t->source, source_name(s)) != 0)
			continue;
		to->tools++;
		to->renamed += is_renamed(t);
	}
	source_items(s, KIND_TOOL, &said);
	if (to->enabled && said > to->tools)
		to->left_out = (uint32_t)said - to->tools;
}

static Executor__Admin__V1__SourceCheck *
check(struct view *v, const struct catalogue *all, const struct source *s)
{
	Executor__Admin__V1__SourceCheck *to = view_take(v, sizeof(*to));
	struct source_info info = {0};
	struct buf program = {0};
	struct err e;

	executor__admin__v1__source_check__init(to);
	source_info(s, &info);
	to->name = view_text(v, source_name(s));
	to->enabled = !info.disabled;
	to->last_error = view_text(v, info.last_error);
	if (!source_check(s, &program, &e)) {
		to->error = view_text(v, e.text);
	} else if (program.len > 0) {
		struct slice path = slice_of(program.data);

		path.ptr = view_bytes(v, path);
		to->program = protobuf_bytes(path);
	}
	count_names(all, s, to);
	buf_finish(&program);
	return to;
}

struct fate *admin_check_sources(void *service, struct call *c,
				 struct slice request)
{
	struct admin *a = service;
	Executor__Admin__V1__CheckSourcesResponse r;
	const struct source *s;
	struct view v;
	size_t total = 0;
	size_t at = 0;

	executor__admin__v1__check_sources_response__init(&r);
	(void)request; /* it has no fields */
	while (router_next_source(a->router, &at))
		total++;
	view_init(&v);
	r.sources = view_take(&v, (total + 1) * sizeof(*r.sources));
	at = 0;
	while ((s = router_next_source(a->router, &at)))
		r.sources[r.n_sources++] =
			check(&v, router_catalogue(a->router), s);
	struct fate *fate = call_reply(c, &r.base);
	view_finish(&v);
	return fate;
}

/* --- calls ---------------------------------------------------------------- */

struct fate *admin_list_calls(void *service, struct call *c,
			      struct slice request)
{
	struct admin *a = service;
	Executor__Admin__V1__ListCallsResponse r;
	struct view v;

	executor__admin__v1__list_calls_response__init(&r);
	(void)request; /* it has no fields */
	view_init(&v);
	r.calls = view_calls(&v, a->router, a->sessions, &r.n_calls);
	struct fate *fate = call_reply(c, &r.base);
	view_finish(&v);
	return fate;
}

/* --- the store ------------------------------------------------------------ */

static struct fate *answer_checked(struct wait *w)
{
	Executor__Admin__V1__CheckStoreResponse r;

	executor__admin__v1__check_store_response__init(&r);
	r.schema_version = (uint32_t)store_version();
	return call_reply(w->call, &r.base);
}

struct fate *admin_check_store(void *service, struct call *c,
			       struct slice request)
{
	struct admin *a = service;

	(void)request; /* it has no fields */
	struct wait *w = wait_new(a, c, answer_checked, "", "");
	store_check(a->store, wait_done, w);
	return wait_begin(w);
}
