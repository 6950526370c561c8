#include "proto/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/utf8.h"

static void every_reason_has_a_row(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_COUNT; i++) {
		enum reason reason = (enum reason)i;

		assert_non_null(err_name(reason));
		assert_true(strlen(err_name(reason)) > 0);
		/* Names go into JSON as they are, and come back by name. */
		assert_int_equal(
			strspn(err_name(reason), "abcdefghijklmnopqrstuvwxyz_"),
			strlen(err_name(reason)));
		assert_int_equal(err_by_name(err_name(reason)), reason);
		if (reason == ERR_NONE)
			continue;
		assert_int_not_equal(err_grpc(reason), GRPC_OK);
		assert_true(err_grpc(reason) <= GRPC_UNAUTHENTICATED);
	}
	assert_int_equal(err_by_name("no such name"), ERR_INTERNAL);
	assert_int_equal(err_grpc(ERR_NONE), GRPC_OK);
}

/* MCP 2026-07-28, Base Protocol, Error Codes: local conditions use none of
 * -32000 to -32019; -32002 is what 2025-11-25 has for a resource. */
static void only_standard_codes_go_out(void **state)
{
	(void)state;
	for (int i = ERR_NONE + 1; i < ERR_COUNT; i++) {
		int code = err_jsonrpc((enum reason)i);

		assert_true(code == -32700 ||
			    (code >= -32603 && code <= -32600) ||
			    (code == -32002 && i == ERR_UNKNOWN_RESOURCE));
	}
}

static void an_error_is_filled_once(void **state)
{
	struct err e;

	(void)state;
	assert_false(
		err_set(&e, ERR_NOT_FOUND, "no %s number %d", "source", 3));
	assert_int_equal(e.reason, ERR_NOT_FOUND);
	assert_string_equal(e.text, "no source number 3");
	assert_false(err_set(NULL, ERR_NOT_FOUND, "nobody asked"));
	assert_false(err_sys(NULL, ERR_IO, "nobody asked"));
}

static void the_system_may_know_better_why(void **state)
{
	static const struct {
		int number;
		enum reason want;
	} rows[] = {
		{ENOENT, ERR_IO},
		{EACCES, ERR_IO},
		{ENOSPC, ERR_NO_SPACE},
		{EDQUOT, ERR_NO_SPACE},
		{EROFS, ERR_READ_ONLY},
		{EMFILE, ERR_NO_DESCRIPTORS},
		{ENFILE, ERR_NO_DESCRIPTORS},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		errno = rows[i].number;
		assert_false(err_sys(&e, ERR_IO, "open %s", "/x"));
		assert_int_equal(e.reason, rows[i].want);
		assert_memory_equal(e.text, "open /x: ", 9);
		const char *system = strerror(rows[i].number);
		assert_memory_equal(e.text + 9, system, strlen(system));
		/* What is known to help is said, too. */
		assert_int_equal(e.text[9 + strlen(system)],
				 e.reason == ERR_IO ? '\0' : ';');
	}
}

static void a_long_text_is_cut_at_a_character(void **state)
{
	static const char *const characters[] = {
		"x",
		"\xc3\xa9",
		"\xe2\x82\xac",
		"\xf0\x9f\x98\x80",
	};
	char text[2 * ERR_TEXT_BYTES];
	struct err e;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t len = strlen(characters[i]);

		/* Every place in a character is once where the text ends. */
		for (size_t shift = 0; shift < len; shift++) {
			size_t at = shift;

			memset(text, 'a', shift);
			for (; at + len < sizeof(text); at += len)
				memcpy(text + at, characters[i], len);
			text[at] = '\0';
			err_set(&e, ERR_IO, "%s", text);
			assert_true(utf8_valid(slice_of(e.text)));
			assert_true(strlen(e.text) + len >= ERR_TEXT_BYTES);
			assert_memory_equal(e.text, text, strlen(e.text));
			errno = ENOENT;
			err_sys(&e, ERR_IO, "%s", text);
			assert_true(utf8_valid(slice_of(e.text)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_row),
		cmocka_unit_test(only_standard_codes_go_out),
		cmocka_unit_test(an_error_is_filled_once),
		cmocka_unit_test(the_system_may_know_better_why),
		cmocka_unit_test(a_long_text_is_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
