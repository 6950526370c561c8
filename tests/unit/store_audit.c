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
		room_test(there_are_only_so_many),
		room_test(old_ones_go),
	};

	return cmocka_run_group_tests_name("store_audit", tests, NULL, NULL);
}
