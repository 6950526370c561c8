#include "server/mcp/nametable.h"

#include <stdlib.h>

#include "proto/list.h"
#include "proto/log.h"
#include "proto/map.h"
#include "proto/mem.h"
#include "server/mcp/names.h"

/* A name that was given, perhaps to something that is gone.  Owned by its
 * source's row. */
struct given {
	struct list link;
	const char *source; /* the row's */
	char exposed[NAMES_BYTES + 1];
};

/* Owned by the table. */
struct row {
	char *source;
	struct list given;
	struct map by_own; /* -> struct given */
};

struct nametable {
	struct map by_source;  /* -> struct row */
	struct map by_exposed; /* -> struct given */
};

static struct row *row_of(struct nametable *t, const char *source)
{
	struct row *row = map_get(&t->by_source, slice_of(source));

	if (row)
		return row;
	row = mem_zalloc(sizeof(*row));
	row->source = mem_text(source);
	list_init(&row->given);
	map_put(&t->by_source, slice_of(source), row);
	return row;
}

static struct given *give(struct nametable *t, struct row *row,
			  struct slice own, struct slice exposed)
{
	struct given *g = mem_zalloc(sizeof(*g));

	g->source = row->source;
	memcpy(g->exposed, exposed.ptr, exposed.len);
	list_append(&row->given, &g->link);
	map_put(&row->by_own, own, g);
	map_put(&t->by_exposed, exposed, g);
	return g;
}

static void free_row(struct nametable *t, struct row *row)
{
	while (!list_empty(&row->given)) {
		struct given *g =
			LIST_ITEM(list_pop(&row->given), struct given, link);

		map_remove(&t->by_exposed, slice_of(g->exposed));
		free(g);
	}
	map_finish(&row->by_own);
	free(row->source);
	free(row);
}

struct nametable *nametable_new(void)
{
	return mem_zalloc(sizeof(struct nametable));
}

void nametable_remember(struct nametable *t, const char *source,
			struct slice own, struct slice exposed)
{
	struct row *row = row_of(t, source);

	if (exposed.len > NAMES_BYTES || map_get(&row->by_own, own) ||
	    map_get(&t->by_exposed, exposed)) {
		log_odd("catalogue", "source %s: a stored name is not usable",
			source);
		return;
	}
	give(t, row, own, exposed);
}

const char *nametable_give(struct nametable *t, const char *source,
			   struct slice own)
{
	struct row *row = row_of(t, source);
	const struct given *g = map_get(&row->by_own, own);
	char exposed[NAMES_BYTES + 1];
	unsigned try = 0;

	if (g)
		return g->exposed;
	do
		names_expose(exposed, source, own, try++);
	while (map_get(&t->by_exposed, slice_of(exposed)));
	return give(t, row, own, slice_of(exposed))->exposed;
}

const char *nametable_whose(const struct nametable *t, struct slice exposed)
{
	const struct given *g = map_get(&t->by_exposed, exposed);

	return g ? g->source : NULL;
}

void nametable_forget(struct nametable *t, const char *source)
{
	struct row *row = map_remove(&t->by_source, slice_of(source));

	if (row)
		free_row(t, row);
}

void nametable_free(struct nametable *t)
{
	struct map_entry *e;
	size_t at = 0;

	if (!t)
		return;
	while ((e = map_next(&t->by_source, &at)))
		free_row(t, e->value);
	map_finish(&t->by_source);
	map_finish(&t->by_exposed);
	free(t);
}
