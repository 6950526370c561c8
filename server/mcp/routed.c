/* The sources as the router has them: in their order, loaded from the store,
 * and what they say of their tools. */
#include "server/mcp/router.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/log.h"
#include "proto/map.h"
#include "proto/mem.h"
#include "server/mcp/asks.h"
#include "server/mcp/builtin_hub.h"
#include "server/mcp/lists.h"
#include "server/mcp/routing.h"
#include "server/mcp/trials.h"
#include "server/mcp/turns.h"
#include "server/store/store.h"

/* --- tools ---------------------------------------------------------------- */

static void on_kept(void *owner, const struct err *why)
{
	(void)owner;
	if (why)
		log_odd("router", "the tools of a source are not kept: %s",
			why->text);
}

/* Keep what the source said, under the names that its tools were given.  A
 * tool without a valid name, or there twice, is in no list and not kept. */
static void keep_tools(struct routed *at)
{
	struct router *r = at->router;
	const char *name = source_name(at->source);
	struct map seen = {0};
	struct source_info info;
	size_t count;
	const struct source_tool *tools = source_tools(at->source, &count);
	struct stored_tool *kept = mem_alloc(count * sizeof(*kept));
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct catalogue_tool *known =
			catalogue_find_own(r->catalogue, name, tools[i].name);

		if (!known || map_put(&seen, tools[i].name, kept))
			continue;
		kept[n++] = (struct stored_tool){
			.name = tools[i].name,
			.exposed = known->exposed,
			.json = tools[i].json,
		};
	}
	source_info(at->source, &info);
	store_catalogue_put(r->store,
			    &(struct stored_catalogue){
				    .source = name,
				    .server_name = info.server_name,
				    .server_version = info.server_version,
				    .revision = info.revision,
				    .capabilities = info.capabilities,
				    .tools = kept,
				    .tool_count = n,
			    },
			    on_kept, r);
	map_finish(&seen);
	free(kept);
}

static void on_tools(void *owner, struct source *s)
{
	struct routed *at = owner;
	struct router *r = at->router;
	struct source_info info;
	struct buf before = {0};
	size_t count;
	const struct source_tool *tools = source_tools(s, &count);

	if (at->gone || routed_disabled(at))
		return;
	/* What is read at a start is news only if it differs from what an
	 * earlier start knew; the built-in one's is never.  A running source
	 * that says that its tools changed is believed. */
	source_info(s, &info);
	bool announced = at->fresh && info.restarts == at->restarts;
	if (!announced)
		buf_append_slice(&before, catalogue_list(r->catalogue));
	catalogue_set(r->catalogue, source_name(s), tools, count);
	bool differs =
		!slice_equal(buf_slice(&before), catalogue_list(r->catalogue));
	if (announced || (differs && !info.builtin))
		router_changed(r);
	buf_finish(&before);
	at->fresh = true;
	at->settled = true;
	at->restarts = info.restarts;
	if (!info.builtin)
		keep_tools(at);
	trials_settle(at, NULL);
	lists_check(r);
}

/* The source has logged why. */
static void on_failed(void *owner, struct source *s, const struct err *why)
{
	struct routed *at = owner;

	(void)s;
	if (at->gone)
		return;
	at->settled = true;
	trials_settle(at, why);
	lists_check(at->router);
}

static void on_notification(void *owner, struct source *s,
			    const struct jsonrpc *m)
{
	struct routed *at = owner;

	(void)s;
	if (!at->gone)
		router_notice(at, m);
}

static bool on_request(void *owner, struct source *s, const struct jsonrpc *m)
{
	struct routed *at = owner;

	(void)s;
	return !at->gone && asks_request(at, m);
}

static void on_ended(void *owner, struct source *s)
{
	struct routed *at = owner;

	(void)s;
	asks_source_ended(at);
	turns_source_ended(at);
}

static const struct source_events events = {
	.tools = on_tools,
	.failed = on_failed,
	.notification = on_notification,
	.request = on_request,
	.ended = on_ended,
};

/* --- the sources ---------------------------------------------------------- */

static struct routed *make(struct router *r)
{
	struct routed *at = mem_zalloc(sizeof(*at));

	at->router = r;
	list_init(&at->calls);
	list_init(&at->turns);
	list_init(&at->abandoned);
	list_init(&at->link);
	return at;
}

struct routed *routed_new(struct router *r, const struct stored_source *stored)
{
	struct routed *at = make(r);

	at->source = source_new(r->loop, stored, r->log_dir, &r->options.limits,
				&events, at);
	source_share(at->source, &(struct source_shared){
					 .starts = &r->starts,
					 .children = r->children,
					 .survey = &r->survey,
				 });
	return at;
}

void routed_free(struct routed *at)
{
	if (!at)
		return;
	assert(list_empty(&at->calls) && list_empty(&at->turns));
	turns_source_ended(at);
	list_remove(&at->link);
	source_free(at->source);
	free(at);
}

/* Behind the others; it has a place in the list before it has tools. */
void routed_append(struct router *r, struct routed *at)
{
	r->sources = mem_grow(r->sources,
			      (r->source_count + 1) * sizeof(*r->sources));
	r->sources[r->source_count++] = at;
	catalogue_set(r->catalogue, source_name(at->source), NULL, 0);
	if (r->level >= 0)
		source_set_level(at->source,
				 mcp_level_name((enum mcp_level)r->level));
}

static void add_builtin(struct router *r)
{
	struct routed *at = make(r);

	at->source = source_new_builtin(r->loop, &builtin_hub, r,
					&r->options.limits, &events, at);
	routed_append(r, at);
}

bool routed_disabled(const struct routed *at)
{
	struct source_info info;

	source_info(at->source, &info);
	return info.disabled;
}

struct routed *router_routed(const struct router *r, const char *name)
{
	for (size_t i = 0; i < r->source_count; i++)
		if (strcmp(source_name(r->sources[i]->source), name) == 0)
			return r->sources[i];
	return NULL;
}

struct source *router_source(const struct router *r, const char *name)
{
	struct routed *at = router_routed(r, name);

	return at ? at->source : NULL;
}

struct source *router_next_source(const struct router *r, size_t *at)
{
	return *at < r->source_count ? r->sources[(*at)++]->source : NULL;
}

/* --- loading -------------------------------------------------------------- */

static void finish_load(struct router *r, const struct err *why)
{
	r->loaded(r->loaded_owner, why);
}

static void on_catalogue(void *owner, const struct stored_catalogue *c)
{
	struct router *r = owner;
	struct routed *at = router_routed(r, c->source);
	struct source_tool *tools = mem_alloc(c->tool_count * sizeof(*tools));

	for (size_t i = 0; i < c->tool_count; i++)
		tools[i] = (struct source_tool){c->tools[i].name,
						c->tools[i].json};
	if (at && !routed_disabled(at)) {
		catalogue_set(r->catalogue, c->source, tools, c->tool_count);
		at->settled = true;
	}
	free(tools);
}

static void on_catalogues_done(void *owner, const struct err *why)
{
	finish_load(owner, why);
}

static void on_source(void *owner, const struct stored_source *stored,
		      const struct err *why)
{
	struct router *r = owner;

	if (why)
		log_odd("router", "%s: its environment cannot be opened: %s",
			stored->name, why->text);
	struct routed *at = routed_new(r, stored);
	at->settled = routed_disabled(at);
	routed_append(r, at);
}

static void on_sources_done(void *owner, const struct err *why)
{
	struct router *r = owner;

	if (why)
		finish_load(r, why);
	else
		store_catalogues(r->store, on_catalogue, on_catalogues_done, r);
}

static void on_name(void *owner, const char *source, struct slice name,
		    struct slice exposed)
{
	struct router *r = owner;

	catalogue_remember(r->catalogue, source, name, exposed);
}

static void on_names_done(void *owner, const struct err *why)
{
	struct router *r = owner;

	if (why) {
		finish_load(r, why);
		return;
	}
	/* It answers at once; nothing is started for it. */
	add_builtin(r);
	source_refresh(r->sources[0]->source);
	store_sources(r->store, on_source, on_sources_done, r);
}

void router_load(struct router *r,
		 void (*done)(void *owner, const struct err *why), void *owner)
{
	r->loaded = done;
	r->loaded_owner = owner;
	/* First, for a name that was given is given for ever. */
	store_names(r->store, on_name, on_names_done, r);
}
