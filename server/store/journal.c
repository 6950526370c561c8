#include "server/store/journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/message.h"
#include "server/store/query.h"
#include "server/store/queue.h"
#include "server/store/store_internal.h"

static const char sql_left[] = "UPDATE call SET state = 3 WHERE state = 1";
static const char sql_put_daemon[] =
	"INSERT INTO daemon (epoch, instance, began_ms) VALUES (?, ?, ?)";
static const char sql_daemons[] =
	"SELECT instance, began_ms FROM daemon ORDER BY epoch";
static const char sql_last_place[] = "SELECT ifnull(max(place), 0) FROM call";
/* The result stands last: what is before it is read without it. */
static const char sql_calls[] =
	"SELECT adapter, sequence, state, hash, accepted_ms, name, size, place "
	"FROM call ORDER BY accepted_ms, place";
static const char sql_accept[] =
	"REPLACE INTO call (place, adapter, sequence, state, hash, accepted_ms,"
	"  name, size, result) VALUES (?, ?, ?, 1, ?, ?, ?, 0, NULL)";
static const char sql_finish[] =
	"UPDATE call SET state = ?, size = ?, result = ? WHERE place = ?";
static const char sql_result[] =
	"SELECT result FROM call WHERE place = ? AND state = 2";
static const char sql_forget[] = "DELETE FROM call WHERE place = ?";
static const char sql_expire_calls[] =
	"DELETE FROM call WHERE accepted_ms <= ? AND state <> 1";
static const char sql_expire_daemons[] =
	"DELETE FROM daemon WHERE began_ms <= ?";

static void bind_key(struct query *q, const unsigned char *key)
{
	query_blob(q, (struct slice){(const char *)key, STORED_KEY_BYTES});
}

static void copy_key(unsigned char *to, struct slice from)
{
	if (from.len == STORED_KEY_BYTES)
		memcpy(to, from.ptr, from.len);
}

/* Run a statement whose one parameter is a number. */
static bool run_with(struct store *s, const char *sql, int64_t number,
		     struct err *e)
{
	struct query q;

	query_begin(&q, s, sql);
	query_number(&q, number);
	query_next(&q);
	return query_end(&q, e);
}

static void free_plain(struct op *op)
{
	free(op);
}

bool journal_begin_epoch(struct store *s, struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_last_place);
	if (query_next(&q))
		s->next_place = query_column_number(&q, 0) + 1;
	return query_end(&q, e) && query_run(s, sql_left, e);
}

/* --- daemons -------------------------------------------------------------- */

struct daemon_put {
	struct op op;
	struct stored_daemon daemon;
};

static bool run_daemon_put(struct store *s, struct op *op, struct err *e)
{
	struct daemon_put *put = (struct daemon_put *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_put_daemon);
	query_number(&q, (int64_t)s->epoch);
	bind_key(&q, put->daemon.instance);
	query_number(&q, put->daemon.began_ms);
	query_next(&q);
	return query_end(&q, e);
}

static const struct op_kind kind_daemon_put = {.writes = true,
					       .whole = true,
					       .run = run_daemon_put,
					       .free = free_plain};

void store_daemon_put(struct store *s, const struct stored_daemon *daemon,
		      store_done_fn *done, void *owner)
{
	struct daemon_put *put = mem_zalloc(sizeof(*put));

	put->daemon = *daemon;
	queue_put(s, &put->op, &kind_daemon_put, done, owner);
}

struct daemons {
	struct op op;
	store_daemon_row_fn *row;
};

static bool run_daemons(struct store *s, struct op *op, struct err *e)
{
	struct daemons *reading = (struct daemons *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_daemons);
	while (query_next(&q)) {
		struct stored_daemon daemon = {0};

		copy_key(daemon.instance, query_column(&q, 0));
		daemon.began_ms = query_column_number(&q, 1);
		reading->row(op->owner, &daemon);
	}
	return query_end(&q, e);
}

static const struct op_kind kind_daemons = {.run = run_daemons,
					    .free = free_plain};

void store_daemons(struct store *s, store_daemon_row_fn *row,
		   store_done_fn *done, void *owner)
{
	struct daemons *reading = mem_zalloc(sizeof(*reading));

	reading->row = row;
	queue_put(s, &reading->op, &kind_daemons, done, owner);
}

/* --- accepted and forgotten ----------------------------------------------- */

struct acceptance {
	struct op op;
	struct stored_call call;
	char name[];
};

struct forgetting {
	struct op op;
	struct store *store;
	size_t count;
	int64_t places[];
};

/* Most calls are accepted in the turn in which one before is forgotten: one
 * statement and one page for both. */
static int64_t take_place(struct store *s)
{
	struct forgetting *f = s->forgetting;

	assert(s->next_place > 0);
	return f && f->count > 0 ? f->places[--f->count] : s->next_place++;
}

static bool run_accept(struct store *s, struct op *op, struct err *e)
{
	struct acceptance *a = (struct acceptance *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_accept);
	query_number(&q, a->call.place);
	bind_key(&q, a->call.adapter);
	query_number(&q, (int64_t)a->call.sequence);
	query_number(&q, (int64_t)a->call.hash);
	query_number(&q, a->call.accepted_ms);
	query_slice(&q, a->call.name);
	query_next(&q);
	return query_end(&q, e);
}

/* Not durable: of a power cut the adapter dies, too. */
static const struct op_kind kind_accept = {
	.writes = true, .whole = true, .run = run_accept, .free = free_plain};

int64_t store_call_accept(struct store *s, const struct stored_call *call,
			  store_done_fn *done, void *owner)
{
	struct acceptance *a = mem_zalloc(sizeof(*a) + call->name.len);

	a->call = *call;
	if (call->name.len > 0)
		memcpy(a->name, call->name.ptr, call->name.len);
	a->call.name.ptr = a->name;
	if (call->place == 0)
		a->call.place = take_place(s);
	int64_t place = a->call.place;
	queue_put(s, &a->op, &kind_accept, done, owner);
	return place;
}

static bool run_forget(struct store *s, struct op *op, struct err *e)
{
	struct forgetting *f = (struct forgetting *)(void *)op;

	for (; f->count > 0; f->count--)
		if (!run_with(s, sql_forget, f->places[f->count - 1], e))
			return false;
	return true;
}

static void free_forgetting(struct op *op)
{
	struct forgetting *f = (struct forgetting *)(void *)op;

	if (f->store->forgetting == f)
		f->store->forgetting = NULL;
	free(f);
}

static const struct op_kind kind_forget = {.writes = true,
					   .whole = true,
					   .run = run_forget,
					   .free = free_forgetting};

void store_calls_forget(struct store *s, const int64_t *places, size_t count,
			store_done_fn *done, void *owner)
{
	size_t bytes = count * sizeof(*places);
	struct forgetting *f = mem_zalloc(sizeof(*f) + bytes);

	f->store = s;
	f->count = count;
	memcpy(f->places, places, bytes);
	s->forgetting = f;
	queue_put(s, &f->op, &kind_forget, done, owner);
}

/* --- done ----------------------------------------------------------------- */

struct ending {
	struct op op;
	int64_t place;
	struct message *result; /* or NULL */
};

static bool run_finish(struct store *s, struct op *op, struct err *e)
{
	struct ending *end = (struct ending *)(void *)op;
	struct slice result = {NULL, 0};
	struct query q;

	if (end->place == 0)
		return true;
	if (end->result)
		result = message_text(end->result);
	query_begin(&q, s, sql_finish);
	query_number(&q, end->result ? STORED_DONE : STORED_ENDED);
	query_number(&q, (int64_t)result.len);
	query_blob(&q, result);
	query_number(&q, end->place);
	query_next(&q);
	return query_end(&q, e);
}

static void free_ending(struct op *op)
{
	struct ending *end = (struct ending *)(void *)op;

	message_unref(end->result);
	free(end);
}

static const struct op_kind kind_finish = {
	.writes = true, .whole = true, .run = run_finish, .free = free_ending};

void store_call_finish(struct store *s, int64_t place, struct message *result,
		       store_done_fn *done, void *owner)
{
	struct ending *end = mem_zalloc(sizeof(*end));

	end->place = place;
	end->result = result ? message_ref(result) : NULL;
	queue_put(s, &end->op, &kind_finish, done, owner);
}

/* --- expired -------------------------------------------------------------- */

struct expiry {
	struct op op;
	int64_t accepted_ms;
};

static bool run_expiry(struct store *s, struct op *op, struct err *e)
{
	struct expiry *x = (struct expiry *)(void *)op;

	return run_with(s, sql_expire_daemons, x->accepted_ms, e) &&
	       run_with(s, sql_expire_calls, x->accepted_ms, e);
}

static const struct op_kind kind_expiry = {
	.writes = true, .whole = true, .run = run_expiry, .free = free_plain};

void store_calls_expire(struct store *s, int64_t accepted_ms,
			store_done_fn *done, void *owner)
{
	struct expiry *x = mem_zalloc(sizeof(*x));

	x->accepted_ms = accepted_ms;
	queue_put(s, &x->op, &kind_expiry, done, owner);
}

/* --- read ----------------------------------------------------------------- */

struct calls {
	struct op op;
	store_call_row_fn *row;
};

static bool run_calls(struct store *s, struct op *op, struct err *e)
{
	struct calls *reading = (struct calls *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_calls);
	while (query_next(&q)) {
		struct stored_call call = {
			.sequence = (uint64_t)query_column_number(&q, 1),
			.state = (enum stored_call_state)query_column_number(&q,
									     2),
			.hash = (uint64_t)query_column_number(&q, 3),
			.accepted_ms = query_column_number(&q, 4),
			.name = query_column(&q, 5),
			.result_bytes = (size_t)query_column_number(&q, 6),
			.place = query_column_number(&q, 7),
		};

		copy_key(call.adapter, query_column(&q, 0));
		reading->row(op->owner, &call);
	}
	return query_end(&q, e);
}

static const struct op_kind kind_calls = {.run = run_calls, .free = free_plain};

void store_calls(struct store *s, store_call_row_fn *row, store_done_fn *done,
		 void *owner)
{
	struct calls *reading = mem_zalloc(sizeof(*reading));

	reading->row = row;
	queue_put(s, &reading->op, &kind_calls, done, owner);
}

struct result {
	struct op op;
	int64_t place;
	store_result_row_fn *row;
};

static bool run_result(struct store *s, struct op *op, struct err *e)
{
	struct result *r = (struct result *)(void *)op;
	struct query q;
	bool found = false;

	query_begin(&q, s, sql_result);
	query_number(&q, r->place);
	while (query_next(&q)) {
		found = true;
		r->row(op->owner, query_column(&q, 0));
	}
	return query_end(&q, e) &&
	       (found || err_set(e, ERR_NOT_FOUND, "no such result is kept"));
}

static const struct op_kind kind_result = {.run = run_result,
					   .free = free_plain};

void store_call_result(struct store *s, int64_t place, store_result_row_fn *row,
		       store_done_fn *done, void *owner)
{
	struct result *r = mem_zalloc(sizeof(*r));

	r->place = place;
	r->row = row;
	queue_put(s, &r->op, &kind_result, done, owner);
}
