/* seqset: against an array of flags. */
#include "proto/seqset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void in_order_it_needs_no_memory(void **state)
{
	struct seqset s = {.all = 41};

	(void)state;
	for (uint64_t n = 42; n < 1000; n++)
		assert_true(seqset_add(&s, n));
	assert_int_equal(s.all, 999);
	assert_null(s.bits);
	assert_false(seqset_add(&s, 999));
	assert_false(seqset_add(&s, 1));
	assert_false(seqset_add(&s, 0));
	seqset_finish(&s);
}

static void any_order_ends_in_the_same_set(void **state)
{
	enum { COUNT = 5000 };
	static bool in[COUNT + 2];
	struct seqset s = {0};
	uint32_t random = 12345;

	(void)state;
	while (s.all < COUNT) {
		random = random * 1664525u + 1013904223u;
		uint64_t n = random % COUNT + 1;

		assert_int_equal(seqset_add(&s, n), !in[n]);
		in[n] = true;
		uint64_t all = s.all;
		assert_false(in[all + 1]);
		assert_true(all == 0 || in[all]);
	}
	assert_int_equal(s.count, 0);
	seqset_finish(&s);
}

static void what_is_too_far_ahead_is_refused(void **state)
{
	struct seqset s = {.all = 10};

	(void)state;
	assert_false(seqset_add(&s, 10 + SEQSET_AHEAD + 1));
	assert_false(seqset_add(&s, UINT64_MAX));
	assert_true(seqset_add(&s, 10 + SEQSET_AHEAD));
	assert_false(seqset_add(&s, 10 + SEQSET_AHEAD));
	assert_int_equal(s.all, 10);
	for (uint64_t n = 11; n < 10 + SEQSET_AHEAD; n++)
		assert_true(seqset_add(&s, n));
	assert_int_equal(s.all, 10 + SEQSET_AHEAD);
	seqset_finish(&s);
}

static void a_copy_is_the_same_set_and_its_own(void **state)
{
	struct seqset s = {.all = 3};
	struct seqset copy = {0};

	(void)state;
	seqset_add(&s, 7);
	seqset_copy(&copy, &s);
	seqset_add(&copy, 5);
	for (uint64_t n = 1; n < 10; n++) {
		assert_int_equal(seqset_has(&s, n), n <= 3 || n == 7);
		assert_int_equal(seqset_has(&copy, n),
				 n <= 3 || n == 5 || n == 7);
	}
	seqset_finish(&s);
	seqset_finish(&copy);
}

/* Over whatever is above, at any distance. */
static void it_can_be_raised(void **state)
{
	const uint64_t to[] = {1, 4, 5, 7, 8, 9, 1000, 1023, 1024, 1030, 5000};

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		struct seqset s = {.all = 3};

		seqset_add(&s, 5);
		seqset_add(&s, 8);
		seqset_add(&s, 1020);
		seqset_raise(&s, to[i]);
		for (uint64_t n = 1; n < 6000; n++)
			assert_int_equal(seqset_has(&s, n),
					 n <= 3 || n <= to[i] || n == 5 ||
						 n == 8 || n == 1020);
		uint64_t next = s.all + 1;
		assert_false(seqset_has(&s, next));
		assert_true(seqset_add(&s, next));
		assert_true(seqset_has(&s, next));
		seqset_finish(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_it_needs_no_memory),
		cmocka_unit_test(any_order_ends_in_the_same_set),
		cmocka_unit_test(what_is_too_far_ahead_is_refused),
		cmocka_unit_test(a_copy_is_the_same_set_and_its_own),
		cmocka_unit_test(it_can_be_raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
