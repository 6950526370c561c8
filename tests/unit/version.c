/* version: which one comes first. */
#include "proto/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TWENTY "aaaaaaaaaaaaaaaaaaaa"

static void ours_is_one(void **state)
{
	(void)state;
	assert_true(version_is(version_text));
	assert_int_equal(version_compare(version_text, version_text), 0);
	assert_true(version_protocol_min <= version_protocol_max);
}

static void the_order_is_that_of_semver(void **state)
{
	/* The examples of SemVer 2.0.0, 11, and what goes wrong with text. */
	static const char *const rising[] = {
		"",
		"0.9.0",
		"0.10.0",
		"1.0.0-0",
		"1.0.0-2",
		"1.0.0-10",
		"1.0.0-alpha",
		"1.0.0-alpha.1",
		"1.0.0-alpha.beta",
		"1.0.0-beta",
		"1.0.0-beta.2",
		"1.0.0-beta.11",
		"1.0.0-rc.1",
		"1.0.0",
		"2.0.0",
		"2.1.0",
		"2.1.1",
		"10.0.0",
		"99999999999999999999999.0.0",
	};
	enum { COUNT = sizeof(rising) / sizeof(rising[0]) };

	(void)state;
	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j < COUNT; j++) {
			int order = version_compare(rising[i], rising[j]);

			assert_int_equal((order > 0) - (order < 0),
					 (i > j) - (i < j));
		}
	assert_int_equal(version_compare("1.0.0+a", "1.0.0+b"), 0);
	assert_int_equal(version_compare("1.0.0-a+x", "1.0.0-a"), 0);
}

static void what_is_none_comes_before_all(void **state)
{
	static const char *const none[] = {
		"1",
		"1.2",
		"1.2.",
		"1.2.x",
		"a.b.c",
		"v1.2.3",
		"1.2.3.4",
		"1.2.3 ",
		"1.2.3-\n",
		"-1.2.3",
		"1.2.3-" TWENTY TWENTY TWENTY,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_false(version_is(none[i]));
		assert_true(version_compare(none[i], "0.0.1") < 0);
		assert_true(version_compare("0.0.1", none[i]) > 0);
		assert_int_equal(version_compare(none[i], none[i]), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_is_one),
		cmocka_unit_test(the_order_is_that_of_semver),
		cmocka_unit_test(what_is_none_comes_before_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
