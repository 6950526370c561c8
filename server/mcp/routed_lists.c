/* What sources have, as the router learns it: from them, and from the store
 * what they said in an earlier life. */
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/map.h"
#include "proto/mem.h"
#include "server/mcp/lists.h"
#include "server/mcp/nametable.h"
#include "server/mcp/routing.h"
#include "server/mcp/trials.h"
#include "server/store/store.h"

static void on_kept(void *owner, const struct err *why)
{
	(void)owner;
	if (why)
		log_odd("router", "what a source has is not kept: %s",
			why->text);
}

/* Keep what the source said of a kind, under the names that were given.  What
 * has no valid key, or is there twice, is in no list and not kept. */
static void keep_items(struct routed *at, enum kind kind)
{
	struct router *r = at->router;
	const char *name = source_name(at->source);
	struct map seen = {0};
	struct source_info info;
	size_t count;
	const struct source_item *items =
		source_items(at->source, kind, &count);
	struct stored_item *kept = mem_alloc(count * sizeof(*kept));
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct catalogue_item *known = catalogue_find_own(
			r->catalogues[kind], name, items[i].key);

		if (!known || map_put(&seen, items[i].key, kept))
			continue;
		kept[n++] = (struct stored_item){
			.kind = (unsigned)kind,
			.key = items[i].key,
			.exposed = kind_rows[kind].renamed
					   ? known->exposed
					   : (struct slice){NULL, 0},
			.json = items[i].json,
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
				    .instructions = info.instructions,
				    .kinds = 1u << kind,
				    .items = kept,
				    .count = n,
			    },
			    on_kept, r);
	map_finish(&seen);
	free(kept);
}

void routed_learn(struct routed *at, struct slice capabilities,
		  struct slice instructions)
{
	at->has_resources =
		json_kind(json_get(capabilities, "resources")) == JSON_OBJECT;
	at->completes =
		json_kind(json_get(capabilities, "completions")) == JSON_OBJECT;
	buf_reset(&at->instructions, 0);
	buf_append_slice(&at->instructions, instructions);
}

void routed_listed(struct routed *at, enum kind kind)
{
	struct router *r = at->router;
	struct catalogue *c = r->catalogues[kind];
	struct source_info info;
	struct buf before = {0};
	size_t count;
	const struct source_item *items =
		source_items(at->source, kind, &count);

	/* What is read at a start is news only if it differs from what an
	 * earlier start knew; the built-in one's is never.  A running source
	 * that says that it has others now is believed. */
	source_info(at->source, &info);
	bool announced =
		at->fresh & 1u << kind && info.restarts == at->restarts[kind];
	if (!announced)
		buf_append_slice(&before, catalogue_list(c));
	catalogue_set(c, source_name(at->source), items, count);
	bool differs = !slice_equal(buf_slice(&before), catalogue_list(c));
	if (announced || (differs && !info.builtin))
		router_changed(r, 1u << kind);
	buf_finish(&before);
	at->fresh |= 1u << kind;
	at->settled |= 1u << kind;
	at->restarts[kind] = info.restarts;
	if (!info.builtin)
		keep_items(at, kind);
	trials_note(at, 1u << kind, NULL);
	lists_check(r);
}

void routed_recall(struct routed *at, const struct stored_catalogue *stored)
{
	struct router *r = at->router;
	struct source_item *items = mem_alloc(stored->count * sizeof(*items));
	size_t from = 0;

	routed_learn(at, stored->capabilities, stored->instructions);
	for (int k = 0; k < KIND_COUNT; k++) {
		size_t n = 0;

		for (; from < stored->count &&
		       stored->items[from].kind == (unsigned)k;
		     from++)
			items[n++] =
				(struct source_item){stored->items[from].key,
						     stored->items[from].json};
		catalogue_set(r->catalogues[k], stored->source, items, n);
	}
	at->settled = KINDS_ALL;
	free(items);
}

void routed_clear(struct routed *at)
{
	struct router *r = at->router;

	for (int k = 0; k < KIND_COUNT; k++)
		catalogue_set(r->catalogues[k], source_name(at->source), NULL,
			      0);
}

void routed_forget(struct routed *at)
{
	struct router *r = at->router;
	const char *name = source_name(at->source);

	for (int k = 0; k < KIND_COUNT; k++)
		catalogue_forget(r->catalogues[k], name);
	nametable_forget(r->names, name);
	router_changed(r, KINDS_ALL);
}
