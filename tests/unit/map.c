#include "proto/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Values are addresses in here; which one tells the key. */
static char cells[4096];

enum { CELLS = sizeof(cells) };

static void an_empty_map_holds_nothing(void **state)
{
	struct map m = {0};
	size_t at = 0;

	(void)state;
	assert_null(map_get(&m, slice_of("a")));
	assert_null(map_remove(&m, slice_of("a")));
	assert_null(map_next(&m, &at));
	map_finish(&m);
	map_finish(&m);
}

static void a_value_is_found_replaced_and_taken_out(void **state)
{
	struct map m = {0};
	char key[] = "key";

	(void)state;
	assert_null(map_put(&m, slice_of(key), &cells[0]));
	key[0] = 'x'; /* the map has a copy */
	assert_ptr_equal(map_get(&m, slice_of("key")), &cells[0]);
	assert_null(map_get(&m, slice_of("xey")));
	assert_ptr_equal(map_put(&m, slice_of("key"), &cells[1]), &cells[0]);
	assert_int_equal(m.count, 1);
	assert_ptr_equal(map_remove(&m, slice_of("key")), &cells[1]);
	assert_null(map_get(&m, slice_of("key")));
	assert_int_equal(m.count, 0);
	map_finish(&m);
}

static void keys_are_bytes_of_any_length(void **state)
{
	static const struct slice keys[] = {
		{"", 0},
		{"\0", 1},
		{"\0\0", 2},
		{"a", 1},
		{"a\0", 2},
		{"1", 1},
		{"\"1\"", 3},
		{"1.0", 3},
		{"12345678", 8},
		{"12345678\0", 9},
		{"123456781234567", 15},
		{"1234567812345678", 16},
	};
	enum { KEYS = sizeof(keys) / sizeof(keys[0]) };
	struct map m = {0};

	(void)state;
	for (size_t i = 0; i < KEYS; i++)
		assert_null(map_put(&m, keys[i], &cells[i]));
	for (size_t i = 0; i < KEYS; i++)
		assert_ptr_equal(map_get(&m, keys[i]), &cells[i]);
	map_finish(&m);
}

static void many_come_and_go_and_none_is_lost(void **state)
{
	struct map m = {0};
	size_t held = 0;
	uint64_t step = 1;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		/* A generator with a long period, and no rhythm of ours. */
		step = step * 6364136223846793005u + 1442695040888963407u;
		uint64_t key = step >> 33 & (CELLS - 1);
		void *before = map_get_u64(&m, key);

		assert_true(before == NULL || before == &cells[key]);
		if (step >> 60 & 1) {
			assert_ptr_equal(map_put_u64(&m, key, &cells[key]),
					 before);
			held += before == NULL;
		} else {
			assert_ptr_equal(map_remove_u64(&m, key), before);
			held -= before != NULL;
		}
		assert_int_equal(m.count, held);
	}
	assert_true(held > 1000);
	for (uint64_t key = 0; key < CELLS; key++)
		if (map_remove_u64(&m, key))
			held--;
	assert_int_equal(held, 0);
	assert_int_equal(m.count, 0);
	map_finish(&m);
}

static void a_walk_meets_everyone_once(void **state)
{
	struct map m = {0};
	struct map_entry *entry;
	unsigned met[1000] = {0};
	size_t at = 0;

	(void)state;
	for (uint64_t key = 0; key < 1000; key++)
		map_put_u64(&m, key, &cells[key]);
	while ((entry = map_next(&m, &at)) != NULL) {
		uint64_t key;

		assert_int_equal(map_key(entry).len, sizeof(key));
		memcpy(&key, map_key(entry).ptr, sizeof(key));
		assert_true(key < 1000);
		assert_ptr_equal(entry->value, &cells[key]);
		met[key]++;
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(met[i], 1);
	map_finish(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_holds_nothing),
		cmocka_unit_test(a_value_is_found_replaced_and_taken_out),
		cmocka_unit_test(keys_are_bytes_of_any_length),
		cmocka_unit_test(many_come_and_go_and_none_is_lost),
		cmocka_unit_test(a_walk_meets_everyone_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
