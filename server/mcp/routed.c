/* The sources as the router has them: in their order, and loaded from the
 * store. */
#include "server/mcp/router.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/err.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/asks.h"
#include "server/mcp/builtin_hub.h"
#include "server/mcp/lists.h"
#include "server/mcp/nametable.h"
#include "server/mcp/routing.h"
#include "server/mcp/subscriptions.h"
#include "server/mcp/trials.h"
#include "server/mcp/turns.h"
#include "server/store/store.h"

/* --- what sources say ----------------------------------------------------- */

static void on_ready(void *owner, struct source *s)
{
	struct routed *at = owner;
	struct source_info info;

	if (at->gone)
		return;
	source_info(s, &info);
	routed_learn(at, info.capabilities, info.instructions);
	subscriptions_ready(at->router->subscriptions, at);
}

static void on_listed(void *owner, struct source *s, enum kind kind)
{
	struct routed *at = owner;

	(void)s;
	if (!at->gone && !routed_disabled(at))
		routed_listed(at, kind);
}

/* The source has logged why. */
static void on_failed(void *owner, struct source *s, unsigned kinds,
		      const struct err *why)
{
	struct routed *at = owner;

	(void)s;
	if (at->gone)
		return;
	at->settled |= kinds;
	trials_note(at, kinds, why);
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
	.ready = on_ready,
	.listed = on_listed,
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
	buf_finish(&at->instructions);
	free(at);
}

/* Behind the others; it has a place in the lists before it has anything. */
void routed_append(struct router *r, struct routed *at)
{
	r->sources = mem_grow(r->sources,
			      (r->source_count + 1) * sizeof(*r->sources));
	r->sources[r->source_count++] = at;
	routed_clear(at);
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

	if (at && !routed_disabled(at))
		routed_recall(at, c);
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
	if (why)
		source_refuse_starts(at->source, why);
	at->settled = routed_disabled(at) ? KINDS_ALL : 0;
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

	nametable_remember(r->names, source, name, exposed);
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
