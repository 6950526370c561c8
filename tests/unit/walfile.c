/* The log's file, over one that fails now and then: what was committed is in
 * the files at once, what was not is not. */
#include "tests/support/room.h"

#include <sqlite3.h>

#include "server/store/walfile.h"

enum {
	KEYS = 40,
	VALUE_BYTES = 3000,
	STATEMENTS = 24, /* in a transaction */
	TRANSACTIONS = 400,
	LOOKED_AT = 7, /* of so many transactions one is compared */
};

/* --- a VFS that fails ----------------------------------------------------- */

static struct {
	unsigned writes; /* to the log */
	unsigned one_in; /* of so many fails one; 0: none */
	unsigned failed;
} faults;

struct bad_file {
	sqlite3_file base;
	bool log;
	sqlite3_file *real;
};

static sqlite3_vfs *unix_vfs;
static const sqlite3_io_methods *unix_methods;
static unsigned seed = 1;

static unsigned draw(unsigned below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % below;
}

/* Half of it may have been written. */
static int write_badly(sqlite3_file *file, const void *bytes, int n,
		       sqlite3_int64 offset)
{
	faults.writes++;
	if (faults.one_in == 0 || draw(faults.one_in) != 0)
		return unix_methods->xWrite(file, bytes, n, offset);
	faults.failed++;
	if (draw(2) == 0)
		unix_methods->xWrite(file, bytes, n / 2, offset);
	return SQLITE_FULL;
}

static int open_badly(sqlite3_vfs *vfs, const char *path, sqlite3_file *file,
		      int flags, int *out)
{
	static sqlite3_io_methods bad;
	int rc = unix_vfs->xOpen(unix_vfs, path, file, flags, out);

	(void)vfs;
	if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_WAL))
		return rc;
	unix_methods = file->pMethods;
	bad = *unix_methods;
	bad.xWrite = write_badly;
	file->pMethods = &bad;
	return rc;
}

/* Before walfile_vfs() looks for SQLite's own. */
static void make_it_bad(void)
{
	static sqlite3_vfs bad;

	unix_vfs = sqlite3_vfs_find(NULL);
	assert_non_null(unix_vfs);
	bad = *unix_vfs;
	bad.zName = "bad";
	bad.xOpen = open_badly;
	assert_int_equal(sqlite3_vfs_register(&bad, 1), SQLITE_OK);
}

/* --- a database and what must be in it ------------------------------------ */

struct value {
	unsigned len; /* 0: there is none */
	unsigned char byte;
};

struct pair {
	sqlite3 *db;
	struct value now[KEYS], committed[KEYS];
};

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static sqlite3 *open_db(const char *path, const char *vfs)
{
	sqlite3 *db = NULL;

	assert_int_equal(
		sqlite3_open_v2(path, &db,
				SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				vfs),
		SQLITE_OK);
	assert_int_equal(run(db, "PRAGMA page_size = 1024;"
				 "PRAGMA locking_mode = EXCLUSIVE;"
				 "PRAGMA journal_mode = WAL;"
				 "PRAGMA synchronous = NORMAL;"
				 "PRAGMA wal_autocheckpoint = 400;"
				 "PRAGMA cache_size = 12"),
			 SQLITE_OK);
	return db;
}

/* A few small pages are all that the cache may have, so that much is written
 * before the commit, read again, and written again. */
static void open_pair(struct room *r, struct pair *p)
{
	*p = (struct pair){.db = open_db(r->db, walfile_vfs())};
	assert_int_equal(
		run(p->db,
		    "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB NOT NULL)"),
		SQLITE_OK);
}

/* Two rows: a statement that may fail in its middle is undone alone, and what
 * was written before it stays. */
static int put(struct pair *p, unsigned key, struct value v)
{
	static unsigned char bytes[VALUE_BYTES];
	sqlite3_stmt *q = NULL;

	memset(bytes, v.byte, v.len);
	int rc = sqlite3_prepare_v2(
		p->db,
		v.len > 0 ? "REPLACE INTO t SELECT ?1 + column1, ?2"
			    " FROM (VALUES (0), (1000))"
			  : "DELETE FROM t WHERE k IN (?1, ?1 + 1000)",
		-1, &q, NULL);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(q, 1, key);
	if (v.len > 0)
		sqlite3_bind_blob(q, 2, bytes, (int)v.len, SQLITE_STATIC);
	sqlite3_step(q);
	rc = sqlite3_finalize(q);
	if (rc == SQLITE_OK)
		p->now[key] = v;
	return rc;
}

/* The first failure ends it, as in the queue, or is ignored if SQLite can go
 * on.  No ROLLBACK TO: with pages that were written before the commit, SQLite
 * 3.40 by itself does not always come back to what there was. */
static int write_some(struct pair *p)
{
	bool stubborn = draw(2) == 0;
	int rc = SQLITE_OK;

	for (unsigned n = 1 + draw(2 * STATEMENTS); rc == SQLITE_OK && n > 0;
	     n--) {
		struct value v = {draw(4) ? 1 + draw(VALUE_BYTES) : 0,
				  (unsigned char)draw(256)};

		rc = put(p, draw(KEYS), v);
		if (stubborn && !sqlite3_get_autocommit(p->db))
			rc = SQLITE_OK;
	}
	return rc;
}

static bool transact(struct pair *p)
{
	int rc = run(p->db, "BEGIN IMMEDIATE");

	if (rc == SQLITE_OK)
		rc = write_some(p);
	if (rc == SQLITE_OK)
		rc = run(p->db, "COMMIT");
	if (rc == SQLITE_OK) {
		memcpy(p->committed, p->now, sizeof(p->now));
		return true;
	}
	if (!sqlite3_get_autocommit(p->db))
		assert_int_equal(run(p->db, "ROLLBACK"), SQLITE_OK);
	memcpy(p->now, p->committed, sizeof(p->now));
	return false;
}

static void assert_same(sqlite3 *db, const struct value *want)
{
	sqlite3_stmt *q = NULL;
	unsigned key = 0;

	assert_int_equal(sqlite3_prepare_v2(
				 db,
				 "SELECT k, v FROM t WHERE k < 1000 ORDER BY k",
				 -1, &q, NULL),
			 SQLITE_OK);
	for (; key < KEYS; key++) {
		if (want[key].len == 0)
			continue;
		assert_int_equal(sqlite3_step(q), SQLITE_ROW);
		assert_int_equal(sqlite3_column_int(q, 0), key);
		assert_int_equal(sqlite3_column_bytes(q, 1), want[key].len);
		const unsigned char *bytes = sqlite3_column_blob(q, 1);
		for (unsigned i = 0; i < want[key].len; i++)
			assert_int_equal(bytes[i], want[key].byte);
	}
	assert_int_equal(sqlite3_step(q), SQLITE_DONE);
	assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
}

/* What a daemon that is killed now would leave. */
static void assert_left(struct room *r, const struct pair *p)
{
	struct buf db = file_read(r->db);
	struct buf wal = file_read(r->wal);
	char copy[128];
	char copy_wal[128];

	snprintf(copy, sizeof(copy), "%s/copy", r->dir);
	snprintf(copy_wal, sizeof(copy_wal), "%s/copy-wal", r->dir);
	file_write(copy, db.data, db.len);
	file_write(copy_wal, wal.data, wal.len);
	buf_finish(&db);
	buf_finish(&wal);
	sqlite3 *left = open_db(copy, "unix");
	run(left, "PRAGMA synchronous = OFF");
	assert_same(left, p->committed);
	sqlite3_close(left);
}

/* --- tests ---------------------------------------------------------------- */

static void a_transaction_is_one_write(void **state)
{
	struct room *r = *state;
	struct pair p;

	faults.one_in = 0;
	open_pair(r, &p);
	for (unsigned len = 1; len < VALUE_BYTES; len += 500) {
		assert_int_equal(put(&p, 1, (struct value){len, 'x'}),
				 SQLITE_OK);
		faults.writes = 0;
		assert_int_equal(put(&p, 1, (struct value){len, 'y'}),
				 SQLITE_OK);
		assert_int_equal(faults.writes, 1);
		memcpy(p.committed, p.now, sizeof(p.now));
		assert_left(r, &p);
	}
	sqlite3_close(p.db);
}

static void what_is_committed_is_in_the_files(void **state)
{
	struct room *r = *state;
	struct pair p;

	faults.one_in = 0;
	open_pair(r, &p);
	for (int i = 0; i < TRANSACTIONS / 4; i++) {
		assert_true(transact(&p));
		assert_left(r, &p);
	}
	assert_same(p.db, p.committed);
	sqlite3_close(p.db);
}

static void what_cannot_be_written_is_not_committed(void **state)
{
	struct room *r = *state;
	struct pair p;
	unsigned done = 0;

	faults.one_in = 0;
	open_pair(r, &p);
	faults.failed = 0;
	for (int i = 0; i < TRANSACTIONS; i++) {
		faults.one_in = 50 + draw(300);
		done += transact(&p);
		faults.one_in = 0;
		if (draw(LOOKED_AT) != 0)
			continue;
		assert_left(r, &p);
		assert_same(p.db, p.committed);
	}
	print_message("%u of %d are done, %u writes failed\n", done,
		      TRANSACTIONS, faults.failed);
	assert_in_range(done, TRANSACTIONS / 4, TRANSACTIONS * 3 / 4);
	assert_true(transact(&p));
	assert_left(r, &p);
	sqlite3_close(p.db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(a_transaction_is_one_write),
		room_test(what_is_committed_is_in_the_files),
		room_test(what_cannot_be_written_is_not_committed),
	};

	make_it_bad();
	return cmocka_run_group_tests_name("walfile", tests, NULL, NULL);
}
