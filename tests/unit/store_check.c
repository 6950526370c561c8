/* A database that was damaged is told from one that is sound. */
#include "tests/support/room.h"

enum { PAGE_BYTES = 1024, SOURCES = 200 };

static struct answer check(struct room *r)
{
	struct answer a = {0};

	store_check(r->store, on_done, &a);
	room_run(r);
	assert_int_equal(a.calls, 1);
	return a;
}

static void a_sound_database_is_sound(void **state)
{
	struct room *r = *state;
	struct answer a;

	room_open(r);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	a = check(r);
	assert_int_equal(a.reason, ERR_NONE);
	assert_true(store_version() > 0);
}

/* Past the pages that are read at the start: a store is opened all the same,
 * as nothing there looks at them. */
static void damage_is_found_where_nobody_looked(void **state)
{
	struct room *r = *state;
	struct answer a;
	char name[16];
	char garbage[PAGE_BYTES];

	room_open(r);
	for (int i = 0; i < SOURCES; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		assert_int_equal(add_and_run(r, name), ERR_NONE);
	}
	room_close(r);
	memset(garbage, 0xff, sizeof(garbage));
	FILE *file = fopen(r->db, "r+e");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	assert_int_equal(ftell(file) % PAGE_BYTES, 0);
	assert_int_equal(fseek(file, -PAGE_BYTES, SEEK_END), 0);
	assert_int_equal(fwrite(garbage, 1, sizeof(garbage), file),
			 sizeof(garbage));
	assert_int_equal(fclose(file), 0);
	room_open(r);
	a = check(r);
	assert_int_equal(a.reason, ERR_CORRUPT);
	assert_non_null(strstr(a.text, r->db));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(a_sound_database_is_sound),
		room_test(damage_is_found_where_nobody_looked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
