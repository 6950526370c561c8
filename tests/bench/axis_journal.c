/* Rows of the journal, and of the audit log with them: the store's, and a bare
 * loop's with the same pragmas. */
#include <ev.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "axis.h"
#include "lab.h"
#include "proto/err.h"
#include "proto/message.h"
#include "report.h"
#include "server/store/audit.h"
#include "server/store/journal.h"

enum { ROWS_AT_ONCE = 32, RESULT_BYTES = 200, AUDIT_MOST = 10000 };

static const unsigned char adapter[STORED_KEY_BYTES] = {1};

/* --- the store ------------------------------------------------------------ */

struct ours {
	struct ev_loop *loop;
	struct store *store;
	struct message *result;
	uint64_t next;
	unsigned done;
	unsigned rows; /* of the audit log, that were read */
	bool audited;
};

static void on_done(void *owner, const struct err *why)
{
	if (why)
		lab_fail("the journal: %s", why->text);
	((struct ours *)owner)->done++;
}

static void turn(struct ours *o, unsigned wanted)
{
	while (o->done < wanted)
		ev_run(o->loop, EVRUN_ONCE);
}

static void add_audit(struct ours *o)
{
	const struct stored_audit row = {
		.ended_ms = 1,
		.duration_us = 100,
		.client = "bench",
		.source = "echo",
		.method = slice_of("tools/call"),
		.name = slice_of("echo"),
		.request_bytes = 100,
		.answer_bytes = RESULT_BYTES,
		.outcome = "ok",
	};

	store_audit_add(o->store, &row, AUDIT_MOST);
}

static void on_audit_row(void *owner, const struct stored_audit *row)
{
	if (!slice_is(row->name, "echo"))
		lab_fail("an audit row reads %.*s", (int)row->name.len,
			 row->name.ptr);
	((struct ours *)owner)->rows++;
}

/* Nobody is told when an audit row was written. */
static void check_audit(struct ours *o)
{
	o->done = 0;
	store_audit_read(o->store, ROWS_AT_ONCE, on_audit_row, on_done, o);
	turn(o, 1);
	if (o->rows != ROWS_AT_ONCE)
		lab_fail("%u audit rows of %d are there", o->rows,
			 ROWS_AT_ONCE);
}

/* A turn that accepts n, one that finishes them, and settles them with the
 * next. */
static void run_ours(struct ours *o, unsigned n)
{
	int64_t places[ROWS_AT_ONCE];

	o->done = 0;
	for (unsigned i = 0; i < n; i++) {
		struct stored_call call = {
			.sequence = o->next + i,
			.hash = o->next,
			.accepted_ms = 1,
			.name = slice_of("\"echo__echo\""),
		};

		memcpy(call.adapter, adapter, sizeof(adapter));
		places[i] = store_call_accept(o->store, &call, on_done, o);
	}
	turn(o, n);
	for (unsigned i = 0; i < n; i++)
		store_call_finish(o->store, places[i], o->result, on_done, o);
	for (unsigned i = 0; o->audited && i < n; i++)
		add_audit(o);
	turn(o, 2 * n);
	store_calls_forget(o->store, places, n, NULL, NULL);
	o->next += n;
}

/* --- the bare loop -------------------------------------------------------- */

struct bare {
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *accept, *finish, *audit;
	uint64_t next;
	bool audited;
};

static sqlite3_stmt *prepare(struct bare *b, const char *sql)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(b->db, sql, -1, &s, NULL) != SQLITE_OK)
		lab_fail("%s: %s", sql, sqlite3_errmsg(b->db));
	return s;
}

static void step(struct bare *b, sqlite3_stmt *s)
{
	if (sqlite3_step(s) != SQLITE_DONE)
		lab_fail("%s", sqlite3_errmsg(b->db));
	sqlite3_reset(s);
}

static void open_bare(struct bare *b, const char *path)
{
	static const char script[] =
		"PRAGMA page_size = 1024;"
		"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
		"PRAGMA synchronous = NORMAL; PRAGMA secure_delete = FAST;"
		"PRAGMA wal_autocheckpoint = 1000;"
		"PRAGMA journal_size_limit = 17825792;"
		"PRAGMA cache_size = -512;"
		"CREATE TABLE call (place INTEGER PRIMARY KEY,"
		" adapter BLOB NOT NULL, sequence INTEGER NOT NULL,"
		" state INTEGER NOT NULL, hash INTEGER NOT NULL,"
		" accepted_ms INTEGER NOT NULL, name TEXT NOT NULL,"
		" size INTEGER NOT NULL, result BLOB) STRICT;"
		"CREATE TABLE audit (id INTEGER PRIMARY KEY,"
		" ended_ms INTEGER NOT NULL, duration_us INTEGER NOT NULL,"
		" client TEXT NOT NULL, source TEXT NOT NULL,"
		" method TEXT NOT NULL, name BLOB NOT NULL,"
		" request_bytes INTEGER NOT NULL,"
		" answer_bytes INTEGER NOT NULL, outcome TEXT NOT NULL) STRICT";

	if (sqlite3_open(path, &b->db) != SQLITE_OK ||
	    sqlite3_exec(b->db, script, NULL, NULL, NULL) != SQLITE_OK)
		lab_fail("%s: %s", path, sqlite3_errmsg(b->db));
	b->begin = prepare(b, "BEGIN IMMEDIATE");
	b->commit = prepare(b, "COMMIT");
	b->accept = prepare(b, "REPLACE INTO call VALUES (?, ?, ?, 1, 1, 1,"
			       " '\"echo__echo\"', 0, NULL)");
	b->finish = prepare(b, "UPDATE call SET state = 2, size = 200,"
			       " result = ? WHERE place = ?");
	b->audit = prepare(b, "INSERT INTO audit VALUES (NULL, 1, 100, 'bench',"
			      " 'echo', 'tools/call', x'6563686f', 100, 200,"
			      " 'ok')");
}

static void close_bare(struct bare *b)
{
	sqlite3_finalize(b->begin);
	sqlite3_finalize(b->commit);
	sqlite3_finalize(b->accept);
	sqlite3_finalize(b->finish);
	sqlite3_finalize(b->audit);
	sqlite3_close(b->db);
}

/* Each row is written over the one that is settled. */
static void run_bare(struct bare *b, unsigned n)
{
	static const char result[RESULT_BYTES];

	step(b, b->begin);
	for (unsigned i = 0; i < n; i++) {
		sqlite3_bind_int64(b->accept, 1, 1 + i);
		sqlite3_bind_blob(b->accept, 2, adapter, sizeof(adapter),
				  SQLITE_STATIC);
		sqlite3_bind_int64(b->accept, 3, (sqlite3_int64)b->next + i);
		step(b, b->accept);
	}
	step(b, b->commit);
	step(b, b->begin);
	for (unsigned i = 0; i < n; i++) {
		sqlite3_bind_blob(b->finish, 1, result, RESULT_BYTES,
				  SQLITE_STATIC);
		sqlite3_bind_int64(b->finish, 2, 1 + i);
		step(b, b->finish);
		if (b->audited)
			step(b, b->audit);
	}
	step(b, b->commit);
	b->next += n;
}

/* -------------------------------------------------------------------------- */

static double per_s(int64_t began, unsigned rows)
{
	return rows / ((double)(now_ns() - began) / 1e9);
}

static void measure(struct ours *o, struct bare *b, const struct effort *e,
		    unsigned n, const char *what)
{
	struct samples ours = {0};
	struct samples bare = {0};
	const struct row row = {.axis = "journal",
				.what = what,
				.unit = "/s",
				.floor_what = "bare SQLite",
				.aim = -0.5};

	for (unsigned round = 0; round < e->rounds; round++) {
		int64_t began = now_ns();

		for (unsigned i = 0; i < e->messages; i += n)
			run_ours(o, n);
		samples_add(&ours, per_s(began, e->messages));
		began = now_ns();
		for (unsigned i = 0; i < e->messages; i += n)
			run_bare(b, n);
		samples_add(&bare, per_s(began, e->messages));
	}
	report_samples(row, &ours, &bare);
	samples_finish(&ours);
	samples_finish(&bare);
}

void axis_journal(const struct effort *e)
{
	static const unsigned char instance[STORED_KEY_BYTES] = {1};
	static const char result[RESULT_BYTES];
	struct ours o = {.next = 1};
	struct bare b = {.next = 1};
	struct err why;

	lab_fresh();
	o.loop = ev_loop_new(EVFLAG_AUTO);
	o.store = store_open(o.loop, lab_path(""), &why);
	if (!o.store || store_begin_epoch(o.store, instance, &why) == 0)
		lab_fail("%s", why.text);
	o.result = message_new((struct slice){result, RESULT_BYTES}, false);
	open_bare(&b, lab_path("bare.db"));
	measure(&o, &b, e, 1, "calls written down, one by one");
	measure(&o, &b, e, ROWS_AT_ONCE, "calls written down, 32 at a time");
	o.audited = b.audited = true;
	measure(&o, &b, e, 1, "with their audit rows, one by one");
	measure(&o, &b, e, ROWS_AT_ONCE, "with their audit rows, 32 at a time");
	check_audit(&o);
	close_bare(&b);
	store_close(o.store);
	message_unref(o.result);
	ev_loop_destroy(o.loop);
}
