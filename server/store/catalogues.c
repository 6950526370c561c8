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
	"  capabilities) VALUES (?, ?, ?, ?, ?) "
	"ON CONFLICT (source) DO UPDATE SET"
	"  server_name = excluded.server_name,"
	"  server_version = excluded.server_version,"
	"  revision = excluded.revision,"
	"  capabilities = excluded.capabilities";
static const char sql_clear[] = "DELETE FROM tool WHERE source = ?";
static const char sql_put_tool[] =
	"INSERT INTO tool (source, position, own, json) VALUES (?, ?, ?, ?)";
/* The first name given to a tool is its name for ever. */
static const char sql_put_name[] =
	"INSERT INTO name (source, own, exposed) VALUES (?, ?, ?) "
	"ON CONFLICT (source, own) DO NOTHING";
static const char sql_catalogues[] =
	"SELECT source, name, server_name, server_version, revision,"
	"  capabilities "
	"FROM catalogue JOIN source ON source.id = catalogue.source "
	"ORDER BY source.id";
static const char sql_tools[] =
	"SELECT tool.own, exposed, json FROM tool "
	"JOIN name ON name.source = tool.source AND name.own = tool.own "
	"WHERE tool.source = ? ORDER BY position";
static const char sql_names[] =
	"SELECT source.name, own, exposed FROM name "
	"JOIN source ON source.id = name.source ORDER BY source.id, own";

/* --- replace -------------------------------------------------------------- */

struct put {
	struct op op;
	struct stored_catalogue c; /* points into bytes and tools */
	struct stored_tool *tools;
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
	/* Removed while it was asked for its tools. */
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
	query_next(&q);
	return query_end(&q, e);
}

static bool clear_tools(struct store *s, int64_t source, struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_clear);
	query_number(&q, source);
	query_next(&q);
	return query_end(&q, e);
}

static bool put_name(struct store *s, int64_t source,
		     const struct stored_tool *t, struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_put_name);
	query_number(&q, source);
	query_blob(&q, t->name);
	query_slice(&q, t->exposed);
	query_next(&q);
	bool taken = query_conflicts(&q);
	if (query_end(&q, e))
		return true;
	return taken ? err_set(e, ERR_ALREADY_EXISTS,
			       "the name '%.*s' is another tool's",
			       (int)t->exposed.len, t->exposed.ptr)
		     : false;
}

static bool put_tool(struct store *s, int64_t source, size_t position,
		     const struct stored_tool *t, struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_put_tool);
	query_number(&q, source);
	query_number(&q, (int64_t)position);
	query_blob(&q, t->name);
	query_slice(&q, t->json);
	query_next(&q);
	return query_end(&q, e) && put_name(s, source, t, e);
}

static bool run_put(struct store *s, struct op *op, struct err *e)
{
	const struct put *put = (const struct put *)(const void *)op;
	int64_t source = 0;

	if (!find_source(s, put->c.source, &source, e) ||
	    !put_head(s, source, &put->c, e) || !clear_tools(s, source, e))
		return false;
	for (size_t i = 0; i < put->c.tool_count; i++)
		if (!put_tool(s, source, i, &put->tools[i], e))
			return false;
	return true;
}

static void free_put(struct op *op)
{
	struct put *put = (struct put *)(void *)op;

	free(put->tools);
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
		     c->capabilities.len;

	for (size_t i = 0; i < c->tool_count; i++)
		len += c->tools[i].name.len + c->tools[i].exposed.len +
		       c->tools[i].json.len;
	return len;
}

void store_catalogue_put(struct store *s, const struct stored_catalogue *c,
			 store_done_fn *done, void *owner)
{
	struct put *put = mem_zalloc(sizeof(*put));
	char *at = mem_alloc(bytes_of(c));

	put->bytes = at;
	put->tools = mem_alloc(c->tool_count * sizeof(*put->tools));
	put->c = (struct stored_catalogue){
		.source = copy_text(&at, c->source),
		.server_name = copy_text(&at, c->server_name),
		.server_version = copy_text(&at, c->server_version),
		.revision = copy_text(&at, c->revision),
		.capabilities = copy_slice(&at, c->capabilities),
		.tools = put->tools,
		.tool_count = c->tool_count,
	};
	for (size_t i = 0; i < c->tool_count; i++)
		put->tools[i] = (struct stored_tool){
			.name = copy_slice(&at, c->tools[i].name),
			.exposed = copy_slice(&at, c->tools[i].exposed),
			.json = copy_slice(&at, c->tools[i].json),
		};
	queue_put(s, &put->op, &kind_put, done, owner);
}

/* --- read ----------------------------------------------------------------- */

struct reading {
	struct op op;
	store_catalogue_row_fn *catalogue_row;
	store_name_row_fn *name_row;
};

/* The tools of one source, as they are collected. */
struct shelf {
	struct stored_tool *tools;
	size_t count;
	size_t cap;
	struct buf bytes; /* of the tools, in their order */
};

static struct slice place(struct shelf *shelf, struct slice from)
{
	buf_append_slice(&shelf->bytes, from);
	return (struct slice){NULL, from.len};
}

static void add_tool(struct shelf *shelf, struct query *q)
{
	if (shelf->count == shelf->cap) {
		shelf->cap = shelf->cap ? shelf->cap * 2 : 16;
		shelf->tools = mem_grow(shelf->tools,
					shelf->cap * sizeof(*shelf->tools));
	}
	struct stored_tool *t = &shelf->tools[shelf->count++];
	t->name = place(shelf, query_column(q, 0));
	t->exposed = place(shelf, query_column(q, 1));
	t->json = place(shelf, query_column(q, 2));
}

/* bytes moves while it grows: where slices point is known at the end. */
static void point_tools(struct shelf *shelf)
{
	const char *at = shelf->bytes.data;

	for (size_t i = 0; i < shelf->count; i++) {
		struct stored_tool *t = &shelf->tools[i];
		struct slice *parts[] = {&t->name, &t->exposed, &t->json};

		for (int k = 0; k < 3; k++) {
			parts[k]->ptr = at;
			at += parts[k]->len;
		}
	}
}

static bool collect_tools(struct store *s, int64_t source, struct shelf *shelf,
			  struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_tools);
	query_number(&q, source);
	while (query_next(&q))
		add_tool(shelf, &q);
	if (!query_end(&q, e))
		return false;
	point_tools(shelf);
	return true;
}

static bool hand_up(struct store *s, struct reading *reading, struct query *q,
		    struct err *e)
{
	struct shelf shelf = {0};
	bool ok = collect_tools(s, query_column_number(q, 0), &shelf, e);
	const struct stored_catalogue c = {
		.source = query_column_text(q, 1),
		.server_name = query_column_text(q, 2),
		.server_version = query_column_text(q, 3),
		.revision = query_column_text(q, 4),
		.capabilities = query_column(q, 5),
		.tools = shelf.tools,
		.tool_count = shelf.count,
	};

	if (ok)
		reading->catalogue_row(reading->op.owner, &c);
	free(shelf.tools);
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
