#include "tests/support/room.h"

#include <sqlite3.h>

#include "server/store/schema.h"

/* Statements of another program. */
static void raw(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	/* As if it had been killed: the WAL stays. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Of each page, and where the table's first begins. */
static size_t page_bytes(const char *path, const char *table, size_t *at)
{
	sqlite3_stmt *q = NULL;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(
			db,
			"SELECT page_size, (rootpage - 1) * page_size"
			" FROM pragma_page_size, sqlite_schema WHERE name = ?",
			-1, &q, NULL),
		SQLITE_OK);
	sqlite3_bind_text(q, 1, table, -1, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	size_t bytes = (size_t)sqlite3_column_int64(q, 0);
	*at = (size_t)sqlite3_column_int64(q, 1);
	sqlite3_finalize(q);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return bytes;
}

/* Refused, and every byte as before. */
static void assert_untouched(struct room *r, enum reason reason,
			     const char *text)
{
	struct buf db = file_read(r->db);
	struct buf wal = file_read(r->wal);
	int mode = file_mode(r->db);

	room_refuses(r, reason, text);
	room_refuses(r, reason, r->db);
	assert_true(file_is(r->db, &db));
	assert_true(file_is(r->wal, &wal));
	assert_int_equal(file_mode(r->db), mode);
	buf_finish(&db);
	buf_finish(&wal);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct room *r = *state;
	char text[8192];

	memset(text, 'x', sizeof(text));
	file_write(r->db, text, sizeof(text));
	assert_untouched(r, ERR_CORRUPT, "is not a database");
	/* Cut off in its first page. */
	file_write(r->db, "SQLite format 3", 16);
	assert_untouched(r, ERR_CORRUPT, "is not a database");
}

static void a_foreign_database_is_refused(void **state)
{
	struct room *r = *state;

	raw(r->db, "CREATE TABLE other (x)");
	assert_int_equal(chmod(r->db, 0644), 0);
	assert_untouched(r, ERR_STORE, "not of executord");
	raw(r->db, "PRAGMA application_id = 77; DROP TABLE other");
	assert_untouched(r, ERR_STORE, "not of executord");
	raw(r->db, "PRAGMA application_id = 0; PRAGMA user_version = 1");
	assert_untouched(r, ERR_STORE, "not of executord");
}

static void a_newer_database_is_refused(void **state)
{
	struct room *r = *state;
	char versions[64];

	room_open(r);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	room_close(r);
	/* The new version is in the WAL alone. */
	raw(r->db, "PRAGMA user_version = 4711");
	assert_true(file_mode(r->wal) >= 0);
	assert_untouched(r, ERR_VERSION, "schema version 4711");
	snprintf(versions, sizeof(versions), "up to %d", schema_version());
	assert_untouched(r, ERR_VERSION, versions);
}

static void a_damaged_owner_is_refused(void **state)
{
	struct room *r = *state;
	struct buf db;
	struct buf wal;
	size_t at = 0;

	room_open(r);
	room_close(r);
	size_t page = page_bytes(r->db, "owner", &at);
	db = file_read(r->db);
	/* What is in the log must not be written into a damaged file. */
	room_open(r);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	wal = file_read(r->wal);
	room_close(r);
	assert_true(wal.len > 0);
	memset(db.data + at, 0xff, page);
	file_write(r->db, db.data, db.len);
	file_write(r->wal, wal.data, wal.len);
	assert_untouched(r, ERR_CORRUPT, "is damaged");
	buf_finish(&db);
	buf_finish(&wal);
}

static void damage_found_later_is_told_and_not_repaired(void **state)
{
	struct room *r = *state;
	struct answer a[2] = {0};
	struct listing l;
	struct buf db;
	size_t at = 0;

	room_open(r);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	room_close(r);
	page_bytes(r->db, "source", &at);
	db = file_read(r->db);
	memset(db.data + at, 0xff, 64);
	file_write(r->db, db.data, db.len);
	buf_finish(&db);
	room_open(r);
	list_sources(r, &l);
	assert_int_equal(l.end.reason, ERR_CORRUPT);
	assert_non_null(strstr(l.end.text, r->db));
	add_source(r, "two", NULL, 0, &a[0]);
	store_source_remove(r->store, "none", on_done, &a[1]);
	room_run(r);
	assert_int_equal(a[0].reason, ERR_CORRUPT);
	assert_int_equal(a[1].reason, ERR_CORRUPT);
}

static void an_empty_file_is_a_new_store(void **state)
{
	struct room *r = *state;
	struct listing l;

	file_write(r->db, "", 0);
	room_open(r);
	list_sources(r, &l);
	assert_int_equal(l.end.reason, ERR_NONE);
	room_close(r);
	/* And so is one that was killed before its first transaction. */
	assert_int_equal(unlink(r->db), 0);
	raw(r->db, "PRAGMA journal_mode = WAL");
	room_open(r);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
}

static void a_log_without_its_database_is_kept(void **state)
{
	struct room *r = *state;
	struct buf wal;

	room_open(r);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	wal = file_read(r->wal);
	room_close(r);
	assert_true(wal.len > 0);
	assert_int_equal(unlink(r->db), 0);
	file_write(r->wal, wal.data, wal.len);
	room_refuses(r, ERR_CORRUPT, "missing or empty");
	assert_int_equal(file_mode(r->db), -1);
	file_write(r->db, "", 0);
	room_refuses(r, ERR_CORRUPT, "missing or empty");
	assert_true(file_is(r->wal, &wal));
	buf_finish(&wal);
}

static void a_directory_in_its_place_is_refused(void **state)
{
	struct room *r = *state;

	assert_int_equal(mkdir(r->db, 0700), 0);
	room_refuses(r, ERR_STORE, r->db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(a_file_that_is_no_database_is_refused),
		room_test(a_foreign_database_is_refused),
		room_test(a_newer_database_is_refused),
		room_test(a_damaged_owner_is_refused),
		room_test(damage_found_later_is_told_and_not_repaired),
		room_test(an_empty_file_is_a_new_store),
		room_test(a_log_without_its_database_is_kept),
		room_test(a_directory_in_its_place_is_refused),
	};

	return cmocka_run_group_tests_name("store_refusals", tests, NULL, NULL);
}
