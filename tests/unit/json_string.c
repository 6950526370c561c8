#include "proto/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/json_plain.h"

static void assert_buf(struct buf *b, const char *want)
{
	assert_int_equal(b->len, strlen(want));
	assert_memory_equal(b->data, want, b->len);
	buf_reset(b, SIZE_MAX);
}

static unsigned marks_one_by_one(const char *at)
{
	unsigned marks = 0;

	for (unsigned i = 0; i < 16; i++)
		marks |= (unsigned)!json_plain(at[i]) << i;
	return marks;
}

static void both_ways_to_mark_bytes_agree(void **state)
{
	char text[16];

	(void)state;
	for (int c = 0; c < 256; c++) {
		bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

		assert_int_equal(json_plain((char)c), plain);
	}
	/* Every byte everywhere, beside every other: a sum that is not kept
	 * in its byte would change the next. */
	for (unsigned at = 0; at < 15; at++) {
		for (int c = 0; c < 256 * 256; c++) {
			memset(text, at % 2 ? '!' : '"', sizeof(text));
			text[at] = (char)(c & 0xff);
			text[at + 1] = (char)(c >> 8);
			unsigned want = marks_one_by_one(text);

			if (json_marks(text) != want ||
			    json_marks_words(text) != want)
				fail_msg("bytes %#x at %u", (unsigned)c, at);
		}
	}
}

static void plain_bytes_end_where_one_is_marked(void **state)
{
	char text[48];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t len = 0; len <= sizeof(text); len++)
		assert_ptr_equal(json_plain_end(text, text + len), text + len);
	for (size_t at = 0; at < sizeof(text); at++) {
		text[at] = '"';
		assert_ptr_equal(json_plain_end(text, text + sizeof(text)),
				 text + at);
		text[at] = 'x';
	}
}

static void a_key_is_compared_by_its_characters(void **state)
{
	(void)state;
	assert_true(json_key_is(slice_of("id"), "id"));
	assert_true(json_key_is(slice_of("i\\u0064"), "id"));
	assert_true(json_key_is(slice_of("\\u0069\\u0064"), "id"));
	assert_true(json_key_is(slice_of("a\\/b"), "a/b"));
	assert_true(
		json_key_is(slice_of("\\ud83d\\ude00"), "\xf0\x9f\x98\x80"));
	assert_true(json_key_is(slice_of("\\u00E9"), "\xc3\xa9"));
	assert_true(json_key_is(slice_of("a\\\\b"), "a\\b"));
	assert_false(json_key_is(slice_of("a\\b"), "a\\b"));
	assert_false(json_key_is(slice_of("id\\u0000"), "id"));
	assert_false(json_key_is(slice_of("i"), "id"));
	assert_false(json_key_is(slice_of("idx"), "id"));
	assert_false(json_key_is(slice_of("ID"), "id"));
	assert_true(json_key_is(slice_of(""), ""));
}

static void a_string_is_unquoted(void **state)
{
	struct buf b = {0};

	(void)state;
	json_unquote(&b, slice_of("\"plain\""));
	assert_buf(&b, "plain");
	json_unquote(&b, slice_of("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""));
	assert_buf(&b, "\"\\/\b\f\n\r\t");
	json_unquote(&b, slice_of("\"x\\u00e9\\u20AC\\ud83d\\ude00y\""));
	assert_buf(&b, "x\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80y");
	json_unquote(&b, slice_of("\"\\ud83d\\ud83d\\ude00\\ude00\""));
	assert_buf(&b, "\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd");
	json_unquote(&b, slice_of("\"\\ude00\\ude00\\ud83d\\ue000\""));
	assert_buf(&b, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xee\x80\x80");
	json_unquote(&b, slice_of("\"\\ud83dx\""));
	assert_buf(&b, "\xef\xbf\xbdx");
	json_unquote(&b, slice_of("\"a\\u0000b\""));
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 3);
	buf_reset(&b, SIZE_MAX);
	json_unquote(&b, slice_of("12"));
	json_unquote(&b, slice_of("\"\""));
	assert_int_equal(b.len, 0);
	buf_finish(&b);
}

static void what_is_quoted_is_valid_and_comes_back(void **state)
{
	struct buf quoted = {0};
	struct buf back = {0};
	char text[256];

	(void)state;
	for (int i = 0; i < 128; i++)
		text[i] = (char)i;
	json_quote(&quoted, (struct slice){text, 128});
	assert_true(json_check(buf_slice(&quoted), NULL));
	json_unquote(&back, buf_slice(&quoted));
	assert_int_equal(back.len, 128);
	assert_memory_equal(back.data, text, 128);
	buf_reset(&quoted, SIZE_MAX);

	json_quote(&quoted, slice_of("a\"\\\n\x01\x7f\xc3\xa9"));
	assert_buf(&quoted, "\"a\\\"\\\\\\n\\u0001\x7f\xc3\xa9\"");
	json_quote(&quoted, slice_of("\xff"
				     "a\xc3\xed\xa0\x80"));
	assert_buf(&quoted, "\"\xef\xbf\xbd"
			    "a\xef\xbf\xbd\xef\xbf\xbd"
			    "\xef\xbf\xbd\xef\xbf\xbd\"");
	json_quote(&quoted, (struct slice){NULL, 0});
	assert_buf(&quoted, "\"\"");
	buf_finish(&quoted);
	buf_finish(&back);
}

static void string_is_compares_only_strings(void **state)
{
	(void)state;
	assert_true(json_string_is(slice_of("\"2.0\""), "2.0"));
	assert_true(json_string_is(slice_of("\"2\\u002e0\""), "2.0"));
	assert_false(json_string_is(slice_of("2.0"), "2.0"));
	assert_false(json_string_is((struct slice){NULL, 0}, ""));
	assert_true(json_string_is(slice_of("\"\""), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_to_mark_bytes_agree),
		cmocka_unit_test(plain_bytes_end_where_one_is_marked),
		cmocka_unit_test(a_key_is_compared_by_its_characters),
		cmocka_unit_test(a_string_is_unquoted),
		cmocka_unit_test(what_is_quoted_is_valid_and_comes_back),
		cmocka_unit_test(string_is_compares_only_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
