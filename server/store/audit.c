#include "server/store/audit.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "server/store/query.h"
#include "server/store/queue.h"
#include "server/store/store_internal.h"

enum {
	EVERY = 256, /* rows, until the oldest are looked at */
	TOGETHER = 32,
	COLUMNS = 9,
	ROW_BYTES = 256, /* most have less */
};

static const int64_t row_ms = 30ll * 24 * 60 * 60 * 1000;

/* A row of the table is what was added in one turn, as a JSON array of arrays:
 * a statement for each would be a third of what the journal costs when many
 * calls come together.  Its id is the number of the last of them. */
static const char sql_add[] =
	"INSERT INTO audit (id, ended_ms, rows) VALUES (?, ?, ?)";
static const char sql_last[] = "SELECT ifnull(max(id), 0) FROM audit";
static const char sql_read[] =
	"SELECT rows FROM audit ORDER BY id DESC LIMIT ?";
static const char sql_most[] = "DELETE FROM audit WHERE id <= ?";
/* They are in the order of their ids: the first young one ends the search. */
static const char sql_old[] =
	"DELETE FROM audit WHERE id < ifnull("
	"  (SELECT id FROM audit WHERE ended_ms > ? ORDER BY id LIMIT 1), 0)";

/* --- added ---------------------------------------------------------------- */

struct addition {
	struct op op;
	struct store *store;
	struct buf rows; /* JSON, without the last bracket */
	unsigned count;
	unsigned most;
	int64_t ended_ms; /* of the last */
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

static bool know_last(struct store *s, struct err *e)
{
	struct query q;

	if (s->audited > 0)
		return true;
	query_begin(&q, s, sql_last);
	if (query_next(&q))
		s->audited = query_column_number(&q, 0);
	return query_end(&q, e);
}

static bool keep_bounds(struct store *s, const struct addition *a,
			struct err *e)
{
	int64_t id = s->audited;

	return id / EVERY == (id - a->count) / EVERY ||
	       (run_number(s, sql_most, id - a->most, e) &&
		run_number(s, sql_old, a->ended_ms - row_ms, e));
}

static bool run_add(struct store *s, struct op *op, struct err *e)
{
	struct addition *a = (struct addition *)(void *)op;
	struct query q;

	/* Nothing is added to it any more. */
	if (s->auditing == a)
		s->auditing = NULL;
	if (!know_last(s, e))
		return false;
	s->audited += a->count;
	query_begin(&q, s, sql_add);
	query_number(&q, s->audited);
	query_number(&q, a->ended_ms);
	query_slice(&q, buf_slice(&a->rows));
	query_next(&q);
	return query_end(&q, e) && keep_bounds(s, a, e);
}

static void free_add(struct op *op)
{
	struct addition *a = (struct addition *)(void *)op;

	if (a->store->auditing == a)
		a->store->auditing = NULL;
	buf_finish(&a->rows);
	free(a);
}

static const struct op_kind kind_add = {
	.writes = true, .whole = true, .run = run_add, .free = free_add};

/* What waits to be run in this turn, and has room. */
static struct addition *addition_of(struct store *s)
{
	struct addition *a = s->auditing;

	if (a && a->count < TOGETHER)
		return a;
	a = mem_zalloc(sizeof(*a));
	a->store = s;
	s->auditing = a;
	queue_put(s, &a->op, &kind_add, NULL, NULL);
	return a;
}

static void put_number(struct buf *to, char before, uint64_t n)
{
	char digits[21];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	digits[--at] = before;
	buf_append(to, digits + at, sizeof(digits) - at);
}

static void put_text(struct buf *to, struct slice text)
{
	buf_append(to, ",", 1);
	json_quote(to, text);
}

void store_audit_add(struct store *s, const struct stored_audit *row,
		     unsigned most)
{
	struct addition *a = addition_of(s);
	struct buf *to = &a->rows;

	a->most = most;
	a->ended_ms = row->ended_ms;
	buf_reserve(to, ROW_BYTES);
	buf_append(to, a->count++ == 0 ? "[" : ",", 1);
	put_number(to, '[', (uint64_t)row->ended_ms);
	put_number(to, ',', row->duration_us);
	put_text(to, slice_of(row->client));
	put_text(to, slice_of(row->source));
	put_text(to, row->method);
	put_text(to, row->name);
	put_number(to, ',', row->request_bytes);
	put_number(to, ',', row->answer_bytes);
	put_text(to, slice_of(row->outcome));
	buf_append(to, "]", 1);
}

/* --- read ----------------------------------------------------------------- */

struct reading {
	struct op op;
	unsigned limit;
	store_audit_row_fn *row;
};

static uint64_t number_of(struct slice value)
{
	unsigned long long n = 0;

	json_u64(value, &n);
	return n;
}

/* Its characters, with a NUL behind them. */
static struct slice text_of(struct buf *texts, struct slice value)
{
	size_t at = texts->len;

	json_unquote(texts, value);
	buf_append(texts, "", 1);
	return (struct slice){texts->data + at, texts->len - 1 - at};
}

static void tell(const struct reading *reading, struct slice row)
{
	struct slice column[COLUMNS] = {{0}};
	struct buf texts = {0};
	size_t at = 0;

	for (int i = 0; i < COLUMNS; i++)
		json_next_element(row, &at, &column[i]);
	buf_reserve(&texts, row.len + COLUMNS); /* where it is, it stays */
	const struct stored_audit told = {
		.ended_ms = (int64_t)number_of(column[0]),
		.duration_us = number_of(column[1]),
		.client = text_of(&texts, column[2]).ptr,
		.source = text_of(&texts, column[3]).ptr,
		.method = text_of(&texts, column[4]),
		.name = text_of(&texts, column[5]),
		.request_bytes = number_of(column[6]),
		.answer_bytes = number_of(column[7]),
		.outcome = text_of(&texts, column[8]).ptr,
	};
	reading->row(reading->op.owner, &told);
	buf_finish(&texts);
}

/* Returns how many. */
static unsigned tell_newest(const struct reading *reading, struct slice rows,
			    unsigned limit)
{
	struct slice row[TOGETHER];
	unsigned count = 0;
	unsigned told = 0;
	size_t at = 0;

	while (count < TOGETHER && json_next_element(rows, &at, &row[count]))
		count++;
	while (told < limit && told < count)
		tell(reading, row[count - ++told]);
	return told;
}

static bool run_read(struct store *s, struct op *op, struct err *e)
{
	struct reading *reading = (struct reading *)(void *)op;
	unsigned left = reading->limit;
	struct query q;

	query_begin(&q, s, sql_read);
	query_number(&q, reading->limit);
	while (left > 0 && query_next(&q))
		left -= tell_newest(reading, query_column(&q, 0), left);
	return query_end(&q, e);
}

static void free_plain(struct op *op)
{
	free(op);
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
