#include "tests/support/room.h"

#include "server/store/audit.h"

static const int64_t month_ms = 30ll * 24 * 3600 * 1000;

static void add(struct room *r, int64_t ended_ms, const char *name,
		unsigned most)
{
	const struct stored_audit row = {
		.ended_ms = ended_ms,
		.duration_us = 1234,
		.client = "client",
		.source = "source",
		.method = slice_of("tools/call"),
		.name = slice_of(name),
		.request_bytes = 7,
		.answer_bytes = 1ull << 40,
		.outcome = "ok",
	};

	store_audit_add(r->store, &row, most);
}

struct rows {
	unsigned count;
	char names[64]; /* of the first few */
	int64_t oldest_ms;
};

static void on_row(void *owner, const struct stored_audit *row)
{
	struct rows *rows = owner;
	size_t len = strlen(rows->names);

	assert_int_equal(row->duration_us, 1234);
	assert_string_equal(row->client, "client");
	assert_string_equal(row->source, "source");
	assert_true(slice_is(row->method, "tools/call"));
	assert_int_equal(row->request_bytes, 7);
	assert_true(row->answer_bytes == 1ull << 40);
	assert_string_equal(row->outcome, "ok");
	if (rows->count++ < 4)
		snprintf(rows->names + len, sizeof(rows->names) - len, "%.*s ",
			 (int)row->name.len, row->name.ptr);
	rows->oldest_ms = row->ended_ms;
}

static struct rows read_rows(struct room *r, unsigned limit)
{
	struct rows rows = {0};
	struct answer a = {0};

	store_audit_read(r->store, limit, on_row, NULL, &rows);
	store_check(r->store, on_done, &a); /* sound, and after it */
	room_run(r);
	assert_int_equal(a.reason, ERR_NONE);
	return rows;
}

static void the_newest_come_first(void **state)
{
	struct room *r = *state;
	char names[3] = "a";

	room_open(r);
	for (; *names < 'f'; (*names)++)
		add(r, 1, names, 100);
	struct rows rows = read_rows(r, 3);
	assert_int_equal(rows.count, 3);
	assert_string_equal(rows.names, "e d c ");
	room_close(r);
	room_open(r);
	assert_int_equal(read_rows(r, 100).count, 5);
	room_close(r);
}

static void on_odd(void *owner, const struct stored_audit *row)
{
	bool *found = owner;

	assert_true(row->ended_ms == INT64_MAX);
	assert_true(row->duration_us == UINT64_MAX / 2);
	assert_string_equal(row->client, "\"\\\n\x01");
	assert_string_equal(row->source, "");
	assert_true(slice_is(row->method, "\xc3\xa4]"));
	assert_int_equal(row->name.len, 3);
	assert_memory_equal(row->name.ptr, "a\0b", 3);
	assert_int_equal(row->request_bytes, 0);
	assert_string_equal(row->outcome, "[,]");
	*found = true;
}

static void whatever_is_said_is_kept(void **state)
{
	struct room *r = *state;
	const struct stored_audit row = {
		.ended_ms = INT64_MAX,
		.duration_us = UINT64_MAX / 2,
		.client = "\"\\\n\x01",
		.source = "",
		.method = slice_of("\xc3\xa4]"),
		.name = {"a\0b", 3},
		.outcome = "[,]",
	};
	bool found = false;

	room_open(r);
	store_audit_add(r->store, &row, 100);
	store_audit_read(r->store, 1, on_odd, NULL, &found);
	room_run(r);
	assert_true(found);
	room_close(r);
}

/* Turns of one, of a few and of many. */
static void rows_are_counted_over_all_turns(void **state)
{
	struct room *r = *state;
	unsigned added = 0;

	room_open(r);
	for (unsigned turn = 0; turn < 100; turn++) {
		for (unsigned i = 0; i < turn % 50 + 1; i++, added++)
			add(r, added, "x", 1000);
		room_run(r);
		if (turn == 50) {
			room_close(r);
			room_open(r);
		}
		for (unsigned limit = 1; limit < 40; limit += 13) {
			struct rows rows = read_rows(r, limit);
			unsigned want = limit < added ? limit : added;

			assert_int_equal(rows.count, want);
			assert_int_equal(rows.oldest_ms, added - want);
		}
	}
	assert_in_range(read_rows(r, 5000).count, 1000, 1000 + 256 + 32);
	room_close(r);
}

/* Looked at now and then: 256 more than there may be, at most. */
static void there_are_only_so_many(void **state)
{
	struct room *r = *state;

	room_open(r);
	for (int i = 0; i < 2000; i++)
		add(r, 1, "x", 100);
	assert_in_range(read_rows(r, 5000).count, 100, 355);
	room_close(r);
}

static void old_ones_go(void **state)
{
	struct room *r = *state;

	room_open(r);
	for (int i = 0; i < 200; i++)
		add(r, 1000, "old", 5000);
	room_run(r);
	for (int i = 0; i < 400; i++)
		add(r, month_ms + 2000, "young", 5000);
	struct rows rows = read_rows(r, 5000);
	assert_int_equal(rows.count, 400);
	assert_true(rows.oldest_ms == month_ms + 2000);
	room_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(the_newest_come_first),
		room_test(whatever_is_said_is_kept),
		room_test(rows_are_counted_over_all_turns),
		room_test(there_are_only_so_many),
		room_test(old_ones_go),
	};

	return cmocka_run_group_tests_name("store_audit", tests, NULL, NULL);
}
