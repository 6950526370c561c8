#include "server/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/mem.h"
#include "server/store/query.h"
#include "server/store/queue.h"
#include "server/store/store_internal.h"

static const char sql_source_id[] = "SELECT id FROM source WHERE name = ?";
static const char sql_put[] =
	"INSERT INTO catalogue (source, server_name, server_version, revision,"
	"  capabilities, instructions) VALUES (?, ?, ?, ?, ?, ?) "
	"ON CONFLICT (source) DO UPDATE SET"
	"  server_name = excluded.server_name,"
	"  server_version = excluded.server_version,"
	"  revision = excluded.revision,"
	"  capabilities = excluded.capabilities,"
	"  instructions = excluded.instructions";
static const char sql_clear[] =
	"DELETE FROM item WHERE source = ? AND (1 << kind) & ?";
static const char sql_put_item[] =
	"INSERT INTO item (source, kind, position, own, json) "
	"VALUES (?, ?, ?, ?, ?)";
/* The first name that is given stays for ever. */
static const char sql_put_name[] =
	"INSERT INTO name (source, own, exposed) VALUES (?, ?, ?) "
	"ON CONFLICT (source, own) DO NOTHING";
static const char sql_catalogues[] =
	"SELECT source, name, server_name, server_version, revision,"
	"  capabilities, instructions "
	"FROM catalogue JOIN source ON source.id = catalogue.source "
	"ORDER BY source.id";
static const char sql_items[] =
	"SELECT kind, item.own, ifnull(exposed, ''), json FROM item "
	"LEFT JOIN name ON name.source = item.source AND name.own = item.own "
	"WHERE item.source = ? ORDER BY kind, position";
static const char sql_names[] =
	"SELECT source.name, own, exposed FROM name "
	"JOIN source ON source.id = name.source ORDER BY source.id, own";

/* --- replace -------------------------------------------------------------- */

struct put {
	struct op op;
	struct stored_catalogue c; /* points into bytes and items */
	struct stored_item *items;
	char *bytes;
};

static bool find_source(struct store *s, const char *name, int64_t *id,
			struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_source_id);
	query_text(&q, name);
	bool found = query_next(&q);
	if (found)
		*id = query_column_number(&q, 0);
	if (!query_end(&q, e))
		return false;
	/* Removed while it was asked for its lists. */
	return found ||
	       err_set(e, ERR_NOT_FOUND, "there is no source '%s'", name);
}

static bool put_head(struct store *s, int64_t source,
		     const struct stored_catalogue *c, struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_put);
	query_number(&q, source);
	query_text(&q, c->server_name);
	query_text(&q, c->server_version);
	query_text(&q, c->revision);
	query_slice(&q, c->capabilities);
	query_slice(&q, c->instructions);
	query_next(&q);
	return query_end(&q, e);
}

static bool clear_items(struct store *s, int64_t source, unsigned kinds,
			struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_clear);
	query_number(&q, source);
	query_number(&q, (int64_t)kinds);
	query_next(&q);
	return query_end(&q, e);
}

static bool put_name(struct store *s, int64_t source,
		     const struct stored_item *t, struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_put_name);
	query_number(&q, source);
	query_blob(&q, t->key);
	query_slice(&q, t->exposed);
	query_next(&q);
	bool taken = query_conflicts(&q);
	if (query_end(&q, e))
		return true;
	return taken ? err_set(e, ERR_ALREADY_EXISTS,
			       "the name '%.*s' is another's",
			       (int)t->exposed.len, t->exposed.ptr)
		     : false;
}

static bool put_item(struct store *s, int64_t source, size_t position,
		     const struct stored_item *t, struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_put_item);
	query_number(&q, source);
	query_number(&q, (int64_t)t->kind);
	query_number(&q, (int64_t)position);
	query_blob(&q, t->key);
	query_slice(&q, t->json);
	query_next(&q);
	return query_end(&q, e) &&
	       (t->exposed.len == 0 || put_name(s, source, t, e));
}

static bool run_put(struct store *s, struct op *op, struct err *e)
{
	const struct put *put = (const struct put *)(const void *)op;
	int64_t source = 0;

	if (!find_source(s, put->c.source, &source, e) ||
	    !put_head(s, source, &put->c, e) ||
	    !clear_items(s, source, put->c.kinds, e))
		return false;
	for (size_t i = 0; i < put->c.count; i++)
		if (!put_item(s, source, i, &put->items[i], e))
			return false;
	return true;
}

static void free_put(struct op *op)
{
	struct put *put = (struct put *)(void *)op;

	free(put->items);
	free(put->bytes);
	free(put);
}

/* Not durable: after a power cut the source is asked again. */
static const struct op_kind kind_put = {
	.writes = true, .run = run_put, .free = free_put};

static struct slice copy_slice(char **at, struct slice from)
{
	char *to = *at;

	if (from.len > 0)
		memcpy(to, from.ptr, from.len);
	*at += from.len;
	return (struct slice){to, from.len};
}

static const char *copy_text(char **at, const char *text)
{
	return copy_slice(at, (struct slice){text, strlen(text) + 1}).ptr;
}

static size_t bytes_of(const struct stored_catalogue *c)
{
	size_t len = strlen(c->source) + strlen(c->server_name) +
		     strlen(c->server_version) + strlen(c->revision) + 4 +
		     c->capabilities.len + c->instructions.len;

	for (size_t i = 0; i < c->count; i++)
		len += c->items[i].key.len + c->items[i].exposed.len +
		       c->items[i].json.len;
	return len;
}

void store_catalogue_put(struct store *s, const struct stored_catalogue *c,
			 store_done_fn *done, void *owner)
{
	struct put *put = mem_zalloc(sizeof(*put));
	char *at = mem_alloc(bytes_of(c));

	put->bytes = at;
	put->items = mem_alloc(c->count * sizeof(*put->items));
	put->c = (struct stored_catalogue){
		.source = copy_text(&at, c->source),
		.server_name = copy_text(&at, c->server_name),
		.server_version = copy_text(&at, c->server_version),
		.revision = copy_text(&at, c->revision),
		.capabilities = copy_slice(&at, c->capabilities),
		.instructions = copy_slice(&at, c->instructions),
		.kinds = c->kinds,
		.items = put->items,
		.count = c->count,
	};
	for (size_t i = 0; i < c->count; i++)
		put->items[i] = (struct stored_item){
			.kind = c->items[i].kind,
			.key = copy_slice(&at, c->items[i].key),
			.exposed = copy_slice(&at, c->items[i].exposed),
			.json = copy_slice(&at, c->items[i].json),
		};
	queue_put(s, &put->op, &kind_put, done, owner);
}

/* --- read ----------------------------------------------------------------- */

struct reading {
	struct op op;
	store_catalogue_row_fn *catalogue_row;
	store_name_row_fn *name_row;
};

/* The items of one source, as they are collected. */
struct shelf {
	struct stored_item *items;
	size_t count;
	size_t cap;
	struct buf bytes; /* of the items, in their order */
};

static struct slice place(struct shelf *shelf, struct slice from)
{
	buf_append_slice(&shelf->bytes, from);
	return (struct slice){NULL, from.len};
}

static void add_item(struct shelf *shelf, struct query *q)
{
	if (shelf->count == shelf->cap) {
		shelf->cap = shelf->cap ? shelf->cap * 2 : 16;
		shelf->items = mem_grow(shelf->items,
					shelf->cap * sizeof(*shelf->items));
	}
	struct stored_item *t = &shelf->items[shelf->count++];
	t->kind = (unsigned)query_column_number(q, 0);
	t->key = place(shelf, query_column(q, 1));
	t->exposed = place(shelf, query_column(q, 2));
	t->json = place(shelf, query_column(q, 3));
}

/* bytes moves while it grows: where slices point is known at the end. */
static void point_items(struct shelf *shelf)
{
	const char *at = shelf->bytes.data;

	for (size_t i = 0; i < shelf->count; i++) {
		struct stored_item *t = &shelf->items[i];
		struct slice *parts[] = {&t->key, &t->exposed, &t->json};

		for (int k = 0; k < 3; k++) {
			parts[k]->ptr = at;
			at += parts[k]->len;
		}
	}
}

static bool collect_items(struct store *s, int64_t source, struct shelf *shelf,
			  struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_items);
	query_number(&q, source);
	while (query_next(&q))
		add_item(shelf, &q);
	if (!query_end(&q, e))
		return false;
	point_items(shelf);
	return true;
}

static bool hand_up(struct store *s, struct reading *reading, struct query *q,
		    struct err *e)
{
	struct shelf shelf = {0};
	bool ok = collect_items(s, query_column_number(q, 0), &shelf, e);
	const struct stored_catalogue c = {
		.source = query_column_text(q, 1),
		.server_name = query_column_text(q, 2),
		.server_version = query_column_text(q, 3),
		.revision = query_column_text(q, 4),
		.capabilities = query_column(q, 5),
		.instructions = query_column(q, 6),
		.kinds = ~0u,
		.items = shelf.items,
		.count = shelf.count,
	};

	if (ok)
		reading->catalogue_row(reading->op.owner, &c);
	free(shelf.items);
	buf_finish(&shelf.bytes);
	return ok;
}

static bool run_catalogues(struct store *s, struct op *op, struct err *e)
{
	struct reading *reading = (struct reading *)(void *)op;
	struct query q;
	bool ok = true;

	query_begin(&q, s, sql_catalogues);
	while (ok && query_next(&q))
		ok = hand_up(s, reading, &q, e);
	return query_end(&q, ok ? e : NULL) && ok;
}

static bool run_names(struct store *s, struct op *op, struct err *e)
{
	struct reading *reading = (struct reading *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_names);
	while (query_next(&q))
		reading->name_row(op->owner, query_column_text(&q, 0),
				  query_column(&q, 1), query_column(&q, 2));
	return query_end(&q, e);
}

static void free_reading(struct op *op)
{
	free(op);
}

static const struct op_kind kind_catalogues = {.run = run_catalogues,
					       .free = free_reading};
static const struct op_kind kind_names = {.run = run_names,
					  .free = free_reading};

void store_catalogues(struct store *s, store_catalogue_row_fn *row,
		      store_done_fn *done, void *owner)
{
	struct reading *reading = mem_zalloc(sizeof(*reading));

	reading->catalogue_row = row;
	queue_put(s, &reading->op, &kind_catalogues, done, owner);
}

void store_names(struct store *s, store_name_row_fn *row, store_done_fn *done,
		 void *owner)
{
	struct reading *reading = mem_zalloc(sizeof(*reading));

	reading->name_row = row;
	queue_put(s, &reading->op, &kind_names, done, owner);
}
