#include "server/store/audit.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "server/store/query.h"
#include "server/store/queue.h"
#include "server/store/store_internal.h"

enum { EVERY = 256 }; /* rows, until the oldest are looked at */

static const int64_t row_ms = 30ll * 24 * 60 * 60 * 1000;

static const char sql_add[] =
	"INSERT INTO audit (ended_ms, duration_us, client, source, method,"
	"  name, request_bytes, answer_bytes, outcome) "
	"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
static const char sql_read[] =
	"SELECT ended_ms, duration_us, client, source, method, name,"
	"  request_bytes, answer_bytes, outcome "
	"FROM audit ORDER BY id DESC LIMIT ?";
static const char sql_most[] = "DELETE FROM audit WHERE id <= ?";
/* They are in the order of their ids: the first young one ends the search. */
static const char sql_old[] =
	"DELETE FROM audit WHERE id < ifnull("
	"  (SELECT id FROM audit WHERE ended_ms > ? ORDER BY id LIMIT 1), 0)";

struct addition {
	struct op op;
	struct stored_audit row;
	unsigned most;
	char text[]; /* of row */
};

static bool run_number(struct store *s, const char *sql, int64_t n,
		       struct err *e)
{
	struct query q;

	query_begin(&q, s, sql);
	query_number(&q, n);
	query_next(&q);
	return query_end(&q, e);
}

static bool keep_bounds(struct store *s, const struct addition *a,
			struct err *e)
{
	int64_t id = sqlite3_last_insert_rowid(s->db);

	return id % EVERY != 0 ||
	       (run_number(s, sql_most, id - a->most, e) &&
		run_number(s, sql_old, a->row.ended_ms - row_ms, e));
}

static bool run_add(struct store *s, struct op *op, struct err *e)
{
	struct addition *a = (struct addition *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_add);
	query_number(&q, a->row.ended_ms);
	query_number(&q, (int64_t)a->row.duration_us);
	query_text(&q, a->row.client);
	query_text(&q, a->row.source);
	query_slice(&q, a->row.method);
	query_blob(&q, a->row.name);
	query_number(&q, (int64_t)a->row.request_bytes);
	query_number(&q, (int64_t)a->row.answer_bytes);
	query_text(&q, a->row.outcome);
	query_next(&q);
	return query_end(&q, e) && keep_bounds(s, a, e);
}

static void free_plain(struct op *op)
{
	free(op);
}

static const struct op_kind kind_add = {
	.writes = true, .whole = true, .run = run_add, .free = free_plain};

/* Copy it, with a NUL behind it. */
static const char *put(char **to, struct slice text)
{
	char *at = *to;

	if (text.len > 0)
		memcpy(at, text.ptr, text.len);
	at[text.len] = '\0';
	*to += text.len + 1;
	return at;
}

void store_audit_add(struct store *s, const struct stored_audit *row,
		     unsigned most)
{
	const struct slice client = slice_of(row->client);
	const struct slice source = slice_of(row->source);
	const struct slice outcome = slice_of(row->outcome);
	struct addition *a =
		mem_zalloc(sizeof(*a) + client.len + source.len +
			   row->method.len + row->name.len + outcome.len + 5);
	char *to = a->text;

	a->row = *row;
	a->most = most;
	a->row.client = put(&to, client);
	a->row.source = put(&to, source);
	a->row.method.ptr = put(&to, row->method);
	a->row.name.ptr = put(&to, row->name);
	a->row.outcome = put(&to, outcome);
	queue_put(s, &a->op, &kind_add, NULL, NULL);
}

struct reading {
	struct op op;
	unsigned limit;
	store_audit_row_fn *row;
};

static bool run_read(struct store *s, struct op *op, struct err *e)
{
	struct reading *reading = (struct reading *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_read);
	query_number(&q, reading->limit);
	while (query_next(&q)) {
		const struct stored_audit row = {
			.ended_ms = query_column_number(&q, 0),
			.duration_us = (uint64_t)query_column_number(&q, 1),
			.client = query_column_text(&q, 2),
			.source = query_column_text(&q, 3),
			.method = query_column(&q, 4),
			.name = query_column(&q, 5),
			.request_bytes = (uint64_t)query_column_number(&q, 6),
			.answer_bytes = (uint64_t)query_column_number(&q, 7),
			.outcome = query_column_text(&q, 8),
		};

		reading->row(op->owner, &row);
	}
	return query_end(&q, e);
}

static const struct op_kind kind_read = {.run = run_read, .free = free_plain};

void store_audit_read(struct store *s, unsigned limit, store_audit_row_fn *row,
		      store_done_fn *done, void *owner)
{
	struct reading *reading = mem_zalloc(sizeof(*reading));

	reading->limit = limit;
	reading->row = row;
	queue_put(s, &reading->op, &kind_read, done, owner);
}
