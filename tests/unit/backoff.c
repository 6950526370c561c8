/* backoff: rests that grow, and what counts as a crash loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/mcp/backoff.h"

static const double epsilon = 1e-6;

static void rests_double_up_to_the_longest(void **state)
{
	static const double rests[] = {0.25, 0.5, 1, 2, 4, 8, 16, 30, 30};
	struct backoff b = {0};
	double now = 1000;

	(void)state;
	for (size_t i = 0; i < sizeof(rests) / sizeof(*rests); i++) {
		now += 59; /* ready for less than a minute */
		backoff_fail(&b, now, now - 59);
		assert_float_equal(backoff_left(&b, now), rests[i], epsilon);
		assert_false(b.looping);
	}
	now += 61;
	backoff_fail(&b, now, now - 61);
	assert_float_equal(backoff_left(&b, now), 0.25, epsilon);
}

static void six_failures_within_a_minute_are_a_loop(void **state)
{
	struct backoff b = {0};
	double now = 1000;

	(void)state;
	for (int i = 0; i < 5; i++, now += 11)
		backoff_fail(&b, now, 0);
	assert_false(b.looping);
	backoff_fail(&b, now, 0); /* 55 s after the first */
	assert_true(b.looping);
	assert_float_equal(backoff_left(&b, now), 300, epsilon);
	/* It had its chance: once more is enough. */
	now += 300;
	backoff_fail(&b, now, 0);
	assert_float_equal(backoff_left(&b, now), 300, epsilon);
	/* A minute makes it forgotten. */
	now += 400;
	backoff_fail(&b, now, now - 61);
	assert_false(b.looping);
	assert_float_equal(backoff_left(&b, now), 0.25, epsilon);
}

static void failures_of_long_ago_do_not_count(void **state)
{
	struct backoff b = {0};
	double now = 1000;

	(void)state;
	for (int i = 0; i < 100; i++, now += 12.1) { /* five in a minute */
		backoff_fail(&b, now, 0);
		assert_false(b.looping);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rests_double_up_to_the_longest),
		cmocka_unit_test(six_failures_within_a_minute_are_a_loop),
		cmocka_unit_test(failures_of_long_ago_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
