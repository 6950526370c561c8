#include "tests/support/room.h"

#include <sqlite3.h>

#include "server/store/blank.h"
#include "server/store/schema.h"

/* The first value of each row, as lines. */
static struct buf look(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	struct buf lines = {0};

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW)
		buf_printf(&lines, "%s\n",
			   (const char *)sqlite3_column_text(s, 0));
	assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	buf_append(&lines, "", 1);
	return lines;
}

static void assert_alike(const struct room *r, struct buf was, const char *sql)
{
	struct buf is = look(r->db, sql);

	assert_string_equal(is.data, was.data);
	buf_finish(&is);
	buf_finish(&was);
}

static const char facts[] = "SELECT type || name || coalesce(sql, '') "
			    "FROM sqlite_schema ORDER BY name";
static const char rows[] = "SELECT epoch || hex(instance) || min_version || "
			   "version || hex(program) FROM owner";
static const char id[] = "PRAGMA application_id";
static const char version[] = "PRAGMA user_version";

static void it_is_what_the_migrations_make(void **state)
{
	struct room *r = *state;
	struct buf was[4];

	file_write(r->db, "", 0); /* so old that it has all before it */
	room_open(r);
	room_close(r);
	was[0] = look(r->db, facts);
	was[1] = look(r->db, rows);
	was[2] = look(r->db, id);
	was[3] = look(r->db, version);
	assert_non_null(strstr(was[0].data, "CREATE TABLE audit"));
	assert_int_equal(unlink(r->db), 0);

	room_open(r);
	room_close(r);
	assert_alike(r, was[0], facts);
	assert_alike(r, was[1], rows);
	assert_alike(r, was[2], id);
	assert_alike(r, was[3], version);
}

static void it_is_sound(void **state)
{
	struct room *r = *state;
	struct err e;

	assert_true(blank_create(r->dir, &e));
	struct buf found = look(r->db, "PRAGMA integrity_check");
	assert_string_equal(found.data, "ok\n");
	buf_finish(&found);
	found = look(r->db, "PRAGMA journal_mode");
	assert_string_equal(found.data, "wal\n");
	buf_finish(&found);
	assert_int_equal(file_mode(r->db), 0600);
}

static void what_a_crash_left_of_one_is_made_anew(void **state)
{
	struct room *r = *state;
	char fresh[128];

	snprintf(fresh, sizeof(fresh), "%s.new", r->db);
	file_write(fresh, blank_image, 4711);
	room_open(r);
	assert_int_equal(file_mode(fresh), -1);
	assert_int_equal(file_mode(r->db), 0600);
}

static void what_is_there_stays(void **state)
{
	struct room *r = *state;
	struct err e;

	file_write(r->db, "mine", 4);
	assert_true(blank_create(r->dir, &e));
	struct buf found = file_read(r->db);
	assert_int_equal(found.len, 4);
	buf_finish(&found);
	/* A link that leads nowhere yet is not followed and not replaced. */
	assert_int_equal(unlink(r->db), 0);
	assert_int_equal(symlink("nowhere", r->db), 0);
	assert_true(blank_create(r->dir, &e));
	assert_int_equal(file_mode(r->db), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(it_is_what_the_migrations_make),
		room_test(it_is_sound),
		room_test(what_a_crash_left_of_one_is_made_anew),
		room_test(what_is_there_stays),
	};

	return cmocka_run_group_tests_name("store_blank", tests, NULL, NULL);
}
