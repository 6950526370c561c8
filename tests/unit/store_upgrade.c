/* What older versions wrote is there after the upgrade. */
#include "tests/support/room.h"

#include <sqlite3.h>

#include "server/store/audit.h"
#include "server/store/journal.h"
#include "server/store/migrations.h"
#include "server/store/schema.h"

enum { OLD = 6 };

static const unsigned char instance[16] = {1, 2, 3};

/* A daemon of version 6 was killed: one call is done, one was passed on, and
 * the audit log has lost its first rows already. */
static const char version_6[] =
	"UPDATE owner SET epoch = 3;"
	"INSERT INTO daemon VALUES (3, x'0102030405060708090a0b0c0d0e0f10', 5);"
	"INSERT INTO call VALUES"
	"  (x'09090000000000000000000000000000', 7, 2, -1, 20, '\"pay\"', 2,"
	"   x'7b7d'),"
	"  (x'09090000000000000000000000000000', 8, 1, 5, 10, '', 0, NULL);"
	"INSERT INTO audit VALUES"
	"  (41, 1, 2, 'c', 's', 'tools/call', x'6100', 3, 4, 'ok'),"
	"  (42, 2, 2, 'c', 's', 'tools/call', x'62', 3, 4, 'tool_error');";

static void make_old(struct room *r)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(r->db, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(
		sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL),
		SQLITE_OK);
	for (int i = 0; i < OLD; i++)
		assert_int_equal(
			sqlite3_exec(db, migrations[i], NULL, NULL, NULL),
			SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, version_6, NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

struct found {
	char text[512];
	int64_t places[2];
	unsigned calls;
};

static void on_call(void *owner, const struct stored_call *call)
{
	struct found *f = owner;
	size_t len = strlen(f->text);

	assert_int_equal(call->adapter[0], 9);
	snprintf(f->text + len, sizeof(f->text) - len, "%llu:%d:%lld:%.*s:%zu ",
		 (unsigned long long)call->sequence, (int)call->state,
		 (long long)call->hash, (int)call->name.len, call->name.ptr,
		 call->result_bytes);
	assert_in_range(f->calls, 0, 1);
	f->places[f->calls++] = call->place;
}

static void on_audit(void *owner, const struct stored_audit *row)
{
	struct found *f = owner;
	size_t len = strlen(f->text);

	snprintf(f->text + len, sizeof(f->text) - len, "%lld:%.*s:%zu:%s ",
		 (long long)row->ended_ms, (int)row->method.len,
		 row->method.ptr, row->name.len, row->outcome);
}

static void on_result(void *owner, struct slice result)
{
	snprintf(owner, 16, "%.*s", (int)result.len, result.ptr);
}

static void assert_audit(struct room *r, const char *want)
{
	struct found f = {0};

	store_audit_read(r->store, 10, on_audit, NULL, &f);
	room_run(r);
	assert_string_equal(f.text, want);
}

static void calls_and_the_audit_log_of_version_6_are_kept(void **state)
{
	struct room *r = *state;
	const struct stored_audit newer = {
		.ended_ms = 3,
		.client = "c",
		.source = "s",
		.method = slice_of("tools/call"),
		.outcome = "ok",
	};
	char result[16] = "";
	struct answer a[2] = {0};
	struct found f = {0};
	struct err e;

	make_old(r);
	room_open(r);
	assert_int_equal(store_begin_epoch(r->store, instance, &e), 4);
	store_calls(r->store, on_call, NULL, &f);
	room_run(r);
	assert_string_equal(f.text, "8:3:5::0 7:2:-1:\"pay\":2 ");
	store_call_result(r->store, f.places[1], on_result, NULL, result);
	assert_audit(r, "2:tools/call:1:tool_error 1:tools/call:2:ok ");
	assert_string_equal(result, "{}");

	struct stored_call call = {.sequence = 9, .adapter = {9}};
	int64_t place = store_call_accept(r->store, &call, on_done, &a[0]);
	assert_true(place != f.places[0] && place != f.places[1]);
	store_audit_add(r->store, &newer, 2);
	store_check(r->store, on_done, &a[1]);
	assert_audit(r, "3:tools/call:0:ok 2:tools/call:1:tool_error "
			"1:tools/call:2:ok ");
	assert_int_equal(a[0].reason, ERR_NONE);
	assert_int_equal(a[1].reason, ERR_NONE);
	room_close(r);
	room_open(r); /* and once is enough */
	room_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(calls_and_the_audit_log_of_version_6_are_kept),
	};

	return cmocka_run_group_tests_name("store_upgrade", tests, NULL, NULL);
}
