#include "server/mcp/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void what_means_something_is_found(void **state)
{
	struct result r = result_read(slice_of(
		"{\"structuredContent\": {\"content\":1}, \"messages\" :[2],"
		"\"_meta\":{\"isError\":false},\"isError\":true , \"content\":"
		"[ {} ]}"));

	(void)state;
	assert_true(slice_is(r.content, "[ {} ]"));
	assert_true(slice_is(r.messages, "[2]"));
	assert_true(slice_is(r.structured, "{\"content\":1}"));
	assert_true(r.failed);
}

static void what_is_not_there_is_empty(void **state)
{
	static const char *const raw[] = {"",
					  "{}",
					  "[]",
					  "7",
					  "{\"isError\":false}",
					  "{\"isError\":\"true\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
		struct result r = result_read(slice_of(raw[i]));

		assert_int_equal(r.content.len, 0);
		assert_int_equal(r.messages.len, 0);
		assert_int_equal(r.structured.len, 0);
		assert_false(r.failed);
	}
}

/* As most parsers have it. */
static void the_last_of_two_counts_however_it_is_spelt(void **state)
{
	struct result r = result_read(
		slice_of("{\"isError\":true,\"content\":[1],"
			 "\"c\\u006fntent\":[2],\"isError\":false}"));

	(void)state;
	assert_true(slice_is(r.content, "[2]"));
	assert_false(r.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_means_something_is_found),
		cmocka_unit_test(what_is_not_there_is_empty),
		cmocka_unit_test(the_last_of_two_counts_however_it_is_spelt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
