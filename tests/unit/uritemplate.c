/* uritemplate: what a template may have been expanded to. */
#include "server/mcp/uritemplate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool matches(const char *pattern, const char *uri)
{
	return uritemplate_matches(slice_of(pattern), slice_of(uri));
}

static void templates_of_levels_1_and_2_are_matched(void **state)
{
	(void)state;
	assert_true(matches("x://{id}", "x://7"));
	assert_true(matches("x://{id}/data", "x://a%20b/data"));
	assert_true(matches("x://{a}-{b}", "x://1-2-3"));
	assert_true(matches("x://{+path}", "x://a/b?c"));
	assert_true(matches("x://y{#part}", "x://y#z"));
	assert_true(matches("x://y{#part}", "x://y"));
	assert_true(matches("x://y{?q,r}", "x://y?q=1"));
	assert_true(matches("x://y", "x://y"));
	assert_false(matches("x://{id}", "x://"));
	assert_false(matches("x://{id}", "x://a/b"));
	assert_false(matches("x://{id}/data", "x://7/date"));
	assert_false(matches("x://y{#part}", "x://yz"));
	assert_false(matches("x://{", "x://{"));
	assert_false(matches("x://{}", "x://7"));
	assert_false(matches("", "x"));
}

/* In time that a list of such templates does not multiply. */
static void a_hostile_template_ends(void **state)
{
	char pattern[64 * 4 + 2] = "";
	char uri[4001] = "";

	(void)state;
	for (int i = 0; i < 64; i++)
		memcpy(pattern + i * 4, "{+a}", 4);
	memset(uri, 'a', sizeof(uri) - 1);
	assert_true(matches(pattern, uri));
	pattern[64 * 4] = 'b';
	assert_false(matches(pattern, uri));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_of_levels_1_and_2_are_matched),
		cmocka_unit_test(a_hostile_template_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
