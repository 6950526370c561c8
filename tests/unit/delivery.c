#include "adapter/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_number_is_seen_once_in_any_order(void **state)
{
	const uint64_t order[] = {3, 1, 5, 2, 4};
	struct delivery d = {0};

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_true(delivery_see(&d, order[i]));
	for (uint64_t n = 1; n <= 5; n++)
		assert_false(delivery_see(&d, n));
	assert_true(delivery_see(&d, 6));
	delivery_reset(&d);
}

static void what_is_done_counts_up_to_the_first_gap(void **state)
{
	struct delivery d = {0};

	(void)state;
	for (uint64_t n = 1; n <= 4; n++)
		delivery_see(&d, n);
	delivery_done(&d, 1);
	delivery_done(&d, 3);
	delivery_done(&d, 4);
	assert_int_equal(delivery_all(&d), 1);
	assert_true(delivery_is_done(&d, 3));
	assert_false(delivery_is_done(&d, 2));
	delivery_done(&d, 2);
	assert_int_equal(delivery_all(&d), 4);
	delivery_reset(&d);
}

static void a_message_is_done_with_its_last_byte(void **state)
{
	struct delivery d = {0};

	(void)state;
	delivery_see(&d, 1);
	delivery_see(&d, 2);
	delivery_wait(&d, 1, 10);
	delivery_wait(&d, 2, 20);
	assert_int_equal(delivery_next(&d, 9), 0);
	assert_int_equal(delivery_next(&d, 19), 1);
	assert_int_equal(delivery_next(&d, 19), 0);
	assert_int_equal(delivery_all(&d), 1);
	assert_int_equal(delivery_next(&d, 20), 2);
	assert_int_equal(delivery_all(&d), 2);
	delivery_reset(&d);
}

static void a_reset_starts_at_nothing(void **state)
{
	struct delivery d = {0};

	(void)state;
	delivery_see(&d, 1);
	delivery_wait(&d, 1, 10);
	delivery_reset(&d);
	assert_int_equal(delivery_next(&d, 100), 0);
	assert_int_equal(delivery_all(&d), 0);
	assert_true(delivery_see(&d, 1));
	delivery_reset(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_seen_once_in_any_order),
		cmocka_unit_test(what_is_done_counts_up_to_the_first_gap),
		cmocka_unit_test(a_message_is_done_with_its_last_byte),
		cmocka_unit_test(a_reset_starts_at_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
