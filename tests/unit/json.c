#include "proto/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/mem.h"

/* A text of which no byte beyond the end may be read: the allocation is
 * exact, so a sanitizer sees it. */
static enum reason check_exact(const char *text, size_t len)
{
	char *copy = mem_copy(text, len);
	struct err e = {0};
	bool ok = json_check((struct slice){copy, len}, &e);

	assert_int_equal(ok, e.reason == ERR_NONE);
	free(copy);
	return e.reason;
}

static void accepts(const char *text)
{
	if (check_exact(text, strlen(text)) != ERR_NONE)
		fail_msg("refused: %s", text);
}

static void refuses(const char *text)
{
	if (check_exact(text, strlen(text)) != ERR_PARSE)
		fail_msg("not refused: %s", text);
}

static void assert_slice(struct slice got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.ptr, want, got.len);
}

static void assert_buf(struct buf *b, const char *want)
{
	assert_slice(buf_slice(b), want);
	buf_reset(b, SIZE_MAX);
}

/* "[[[...]]]", or objects, n deep. */
static struct buf nested(size_t n, bool objects)
{
	struct buf b = {0};

	for (size_t i = 0; i < n; i++)
		buf_append_text(&b, objects ? "{\"a\":" : "[");
	if (objects)
		buf_append_text(&b, "0");
	for (size_t i = 0; i < n; i++)
		buf_append_text(&b, objects ? "}" : "]");
	return b;
}

static void every_kind_of_value_is_accepted(void **state)
{
	static const char *const texts[] = {
		"null",
		"true",
		"false",
		"0",
		"-0",
		"1.0",
		"1e400",
		"-1.5E-7",
		"9007199254740993",
		"123456789012345678901234567890",
		"\"\"",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"\\udc00\\ud800\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Af\"",
		"\"\xe2\x80\xa8\xe2\x80\xa9\"",
		"\"\xc3\xa9\xf0\x9f\x98\x80 z\xef\xbf\xbf\"",
		"\"\x7f\"",
		"[]",
		"{}",
		" \t\r\n[ ] ",
		"{ \"a\" : [ 1 , { } , \"x\" ] , \"a\" : { \"b\" : null } } ",
		"[[],[[]],{\"a\":[{}]}]",
		"\"a string of more than thirty-two bytes, with a \\n\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		accepts(texts[i]);
}

static void what_is_not_json_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"\xef\xbb\xbf{}", /* a byte order mark */
		"nul",
		"nulL",
		"truefalse",
		"True",
		"NaN",
		"Infinity",
		"-",
		"+1",
		"01",
		"-01",
		"1.",
		".5",
		"1e",
		"1e+",
		"1.e1",
		"0x10",
		"1 2",
		"\"",
		"\"abc",
		"\"\\\"",
		"\"\\x41\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\\u123g\"",
		"\"\\",
		"\"\\u",
		"\"a\nb\"",
		"\"a\x1f\"",
		"\"sixteen bytes..\t.\"",
		"'a'",
		"[",
		"]",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[1}",
		"{",
		"}",
		"{,}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{\"a\":1 \"b\":2}",
		"{a:1}",
		"{1:1}",
		"{\"a\":1]",
		"{\"a\" 1}",
		"{\"a\\:1}",
		"{\"a\n:1}",
		"{\"a\xff:1}",
		"{} x",
		"[1]]",
		"// comment\n1",
		"1\f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refuses(texts[i]);
	assert_int_equal(check_exact("1\0", 2), ERR_PARSE);
	assert_int_equal(check_exact("\"a\0b\"", 5), ERR_PARSE);
}

static void every_prefix_of_a_message_is_refused(void **state)
{
	static const char text[] =
		"{\"a\":[1.5e-3,true,null,\"x\\u00e9\\n\",{}],"
		"\"b\":\"\xf0\x9f\x98\x80 and sixteen more "
		"\xe2\x82\xac\xc3\xa9\"}";

	(void)state;
	accepts(text);
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(check_exact(text, len), ERR_PARSE);
}

static void broken_utf8_is_refused_wherever_it_stands(void **state)
{
	static const char *const broken[] = {
		"\x80",
		"\xbf",
		"\xc0\x80", /* overlong NUL */
		"\xc1\xbf",
		"\xc3",
		"\xc3\x28",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf", /* overlong */
		"\xe2\x82",
		"\xe2\x28\xa1",
		"\xed\xa0\x80", /* a surrogate */
		"\xed\xbf\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf", /* overlong */
		"\xf0\x9f\x98",
		"\xf4\x90\x80\x80", /* above U+10FFFF */
		"\xf5\x80\x80\x80",
		"\xff",
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		for (int before = 0; before < 20; before++) {
			buf_printf(&b, "\"%.*s%s after\"", before,
				   "abcdefghijklmnopqrst", broken[i]);
			assert_int_equal(check_exact(b.data, b.len), ERR_PARSE);
			buf_reset(&b, SIZE_MAX);
		}
	}
	/* Outside a string no such byte can stand at all. */
	refuses("\xc3\xa9");
	refuses("[\xc2\xa0"
		"1]");
	buf_finish(&b);
}

/* What is looked at together has 64 bytes, or 16 where the text is short. */
static void a_string_is_read_wherever_its_bytes_lie(void **state)
{
	static const struct {
		const char *bytes;
		enum reason reason;
	} rows[] = {
		{"", ERR_NONE},		{"\\\"", ERR_NONE},
		{"\\u00e9", ERR_NONE},	{"\xc3\xa9", ERR_NONE},
		{"\"", ERR_PARSE},	{"\\x", ERR_PARSE},
		{"\n", ERR_PARSE},	{"\xff", ERR_PARSE},
		{"\\u00g9", ERR_PARSE},
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int before = 0; before < 150; before++) {
			for (int behind = 0; behind < 150; behind += 49) {
				buf_printf(&b, "[\"%0*d%s%0*d\"]", before + 1,
					   0, rows[i].bytes, behind + 1, 0);
				if (check_exact(b.data, b.len) !=
				    rows[i].reason)
					fail_msg("%.*s", (int)b.len, b.data);
				buf_reset(&b, SIZE_MAX);
			}
		}
	}
	buf_finish(&b);
}

static void the_error_tells_where(void **state)
{
	struct err e;

	(void)state;
	assert_false(json_check(slice_of("{\"a\":tru}"), &e));
	assert_int_equal(e.reason, ERR_PARSE);
	assert_non_null(strstr(e.text, "byte 5"));
	assert_false(json_check(slice_of("[1] x"), &e));
	assert_non_null(strstr(e.text, "byte 4"));
	assert_false(json_check(slice_of("\"ab\xff\""), &e));
	assert_non_null(strstr(e.text, "byte 3"));
	assert_false(json_check(slice_of("]"), NULL));
}

static void depth_is_bounded_exactly(void **state)
{
	(void)state;
	for (int objects = 0; objects < 2; objects++) {
		struct buf b = nested(JSON_DEPTH, objects);
		struct err e;

		assert_true(json_check(buf_slice(&b), &e));
		buf_finish(&b);
		b = nested(JSON_DEPTH + 1, objects);
		assert_false(json_check(buf_slice(&b), &e));
		assert_int_equal(e.reason, ERR_TOO_LARGE);
		buf_finish(&b);
	}
	struct buf bomb = nested(1000000, false);
	assert_int_equal(check_exact(bomb.data, bomb.len), ERR_TOO_LARGE);
	buf_finish(&bomb);
}

static void kinds_of_brackets_are_told_apart_at_every_level(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 200; i++)
		buf_append_text(&b, i % 3 ? "[" : "{\"k\":");
	buf_append_text(&b, "1");
	for (int i = 199; i >= 0; i--)
		buf_append_text(&b, i % 3 ? "]" : "}");
	assert_int_equal(check_exact(b.data, b.len), ERR_NONE);
	for (size_t i = b.len - 200; i < b.len; i++) {
		char was = b.data[i];

		b.data[i] = was == ']' ? '}' : ']';
		assert_int_equal(check_exact(b.data, b.len), ERR_PARSE);
		b.data[i] = was;
	}
	buf_finish(&b);
}

static void members_are_walked_in_their_order(void **state)
{
	struct slice object = slice_of(
		" { \"a\" : 1.0 ,\"\\u0062\":[1, 2], \"\" : {\"a\":2} } ");
	struct json_member m;
	size_t at = 0;

	(void)state;
	assert_true(json_next_member(object, &at, &m));
	assert_slice(m.key, "a");
	assert_slice(m.value, "1.0");
	assert_true(json_next_member(object, &at, &m));
	assert_slice(m.key, "\\u0062");
	assert_true(json_key_is(m.key, "b"));
	assert_slice(m.value, "[1, 2]");
	assert_true(json_next_member(object, &at, &m));
	assert_slice(m.key, "");
	assert_slice(m.value, "{\"a\":2}");
	assert_false(json_next_member(object, &at, &m));
	assert_false(json_next_member(object, &at, &m));
}

static void elements_are_walked_in_their_order(void **state)
{
	struct slice array = slice_of(" [ \"x\" ,{}, [ ] ,null] ");
	static const char *const want[] = {"\"x\"", "{}", "[ ]", "null"};
	struct slice value;
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(json_next_element(array, &at, &value));
		assert_slice(value, want[i]);
	}
	assert_false(json_next_element(array, &at, &value));
	at = 0;
	assert_false(json_next_element(slice_of("[]"), &at, &value));
	assert_false(json_next_element(slice_of("{}"), &at, &value));
	assert_false(json_next_element((struct slice){NULL, 0}, &at, &value));
	at = 99;
	assert_false(json_next_element(slice_of("[1]"), &at, &value));
}

static void walking_broken_text_stays_inside_it(void **state)
{
	static const char text[] =
		"{\"a\":[1,{\"b\\u0062\":\"c\"}],\"d\":\"e\\ud83d\\ude00\"}";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = mem_copy(text, len);
		struct slice object = {copy, len};
		struct json_member m;
		struct buf b = {0};
		size_t at = 0;
		int n = 0;

		while (json_next_member(object, &at, &m)) {
			json_unquote(&b, m.value);
			n++;
		}
		assert_true(n <= 2);
		json_get(object, "d");
		json_unquote(&b, object);
		buf_finish(&b);
		free(copy);
	}
}

static void get_finds_the_last_of_a_name_and_twice_tells(void **state)
{
	struct slice object =
		slice_of("{\"a\":1,\"b\":{\"a\":5},\"\\u0061\":2,\"A\":3}");

	(void)state;
	assert_slice(json_get(object, "a"), "2");
	assert_slice(json_get(object, "A"), "3");
	assert_true(json_has_twice(object, "a"));
	assert_false(json_has_twice(object, "b"));
	assert_false(json_has_twice(object, "c"));
	assert_null(json_get(object, "c").ptr);
	assert_int_equal(json_get(object, "c").len, 0);
	assert_null(json_get(slice_of("[\"a\"]"), "a").ptr);
	assert_null(json_get((struct slice){NULL, 0}, "a").ptr);
}

static void a_path_goes_down_or_ends_in_nothing(void **state)
{
	struct slice object = slice_of(
		"{\"_meta\":{\"progressToken\":\"t\",\"n\":{\"x\":[]}}}");

	(void)state;
	assert_slice(json_path(object, "_meta", "progressToken", NULL),
		     "\"t\"");
	assert_slice(json_path(object, "_meta", "n", "x", NULL), "[]");
	assert_null(json_path(object, "_meta", "x", "y", NULL).ptr);
	assert_null(json_path(object, "_meta", "progressToken", "y", NULL).ptr);
}

static void a_kind_is_told_by_the_first_byte(void **state)
{
	(void)state;
	assert_int_equal(json_kind((struct slice){NULL, 0}), JSON_NONE);
	assert_int_equal(json_kind(slice_of("null")), JSON_NULL);
	assert_int_equal(json_kind(slice_of("true")), JSON_BOOL);
	assert_int_equal(json_kind(slice_of("false")), JSON_BOOL);
	assert_int_equal(json_kind(slice_of("-1")), JSON_NUMBER);
	assert_int_equal(json_kind(slice_of("0")), JSON_NUMBER);
	assert_int_equal(json_kind(slice_of("\"\"")), JSON_STRING);
	assert_int_equal(json_kind(slice_of("[]")), JSON_ARRAY);
	assert_int_equal(json_kind(slice_of("{}")), JSON_OBJECT);
}

static void whole_numbers_are_read_up_to_the_last(void **state)
{
	unsigned long long n = 7;

	(void)state;
	assert_true(json_u64(slice_of("0"), &n));
	assert_int_equal(n, 0);
	assert_true(json_u64(slice_of("9007199254740993"), &n));
	assert_true(n == 9007199254740993ull);
	assert_true(json_u64(slice_of("18446744073709551615"), &n));
	assert_true(n == UINT64_MAX);
	n = 7;
	assert_false(json_u64(slice_of("18446744073709551616"), &n));
	assert_false(json_u64(slice_of("99999999999999999999"), &n));
	assert_false(json_u64(slice_of("-1"), &n));
	assert_false(json_u64(slice_of("-0"), &n));
	assert_false(json_u64(slice_of("1.0"), &n));
	assert_false(json_u64(slice_of("1e3"), &n));
	assert_false(json_u64(slice_of("01"), &n));
	assert_false(json_u64(slice_of("\"1\""), &n));
	assert_false(json_u64((struct slice){NULL, 0}, &n));
	assert_int_equal(n, 7);
}

static void a_splice_leaves_every_other_byte_alone(void **state)
{
	static const char text[] =
		"{\"id\":7 ,\"n\":[9007199254740993,1.0,1e400,-0,"
		"12345678901234567890],\"s\":\"\\u0000\\ud800\\/\xe2\x80\xa8\","
		"\"a\":1,\"a\":2,\"\\u0061\":3,\"name\":\"x\"}";
	static const char want[] =
		"{\"id\":\"new\" ,\"n\":[9007199254740993,1.0,1e400,-0,"
		"12345678901234567890],\"s\":\"\\u0000\\ud800\\/\xe2\x80\xa8\","
		"\"a\":1,\"a\":2,\"\\u0061\":3,\"name\":\"longer name\"}";
	struct slice object = slice_of(text);
	struct json_edit edits[] = {
		{json_get(object, "id"), slice_of("\"new\"")},
		{json_get(object, "name"), slice_of("\"longer name\"")},
	};
	struct buf b = {0};

	(void)state;
	json_splice(&b, object, edits, 2);
	assert_buf(&b, want);
	json_splice(&b, object, NULL, 0);
	assert_buf(&b, text);
	buf_append_text(&b, "kept");
	edits[0] = (struct json_edit){object, {NULL, 0}};
	json_splice(&b, object, edits, 1);
	assert_buf(&b, "kept");
	buf_finish(&b);
}

static void edits_may_touch_and_insert(void **state)
{
	struct slice text = slice_of("abcdef");
	struct json_edit edits[] = {
		{{text.ptr, 0}, slice_of("<")},
		{{text.ptr, 2}, slice_of("X")},
		{{text.ptr + 2, 1}, slice_of("")},
		{{text.ptr + 6, 0}, slice_of(">")},
	};
	struct buf b = {0};

	(void)state;
	json_splice(&b, text, edits, 4);
	assert_buf(&b, "<Xdef>");
	buf_finish(&b);
}

static void line_ends_between_tokens_become_spaces(void **state)
{
	struct buf b = {0};

	(void)state;
	json_one_line(&b, slice_of("{\r\n\t\"a\":\n\"\\n\\r\"\r}\n"));
	assert_buf(&b, "{  \t\"a\": \"\\n\\r\" } ");
	json_one_line(&b, (struct slice){NULL, 0});
	assert_int_equal(b.len, 0);
	buf_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_value_is_accepted),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(every_prefix_of_a_message_is_refused),
		cmocka_unit_test(broken_utf8_is_refused_wherever_it_stands),
		cmocka_unit_test(a_string_is_read_wherever_its_bytes_lie),
		cmocka_unit_test(the_error_tells_where),
		cmocka_unit_test(depth_is_bounded_exactly),
		cmocka_unit_test(
			kinds_of_brackets_are_told_apart_at_every_level),
		cmocka_unit_test(members_are_walked_in_their_order),
		cmocka_unit_test(elements_are_walked_in_their_order),
		cmocka_unit_test(walking_broken_text_stays_inside_it),
		cmocka_unit_test(get_finds_the_last_of_a_name_and_twice_tells),
		cmocka_unit_test(a_path_goes_down_or_ends_in_nothing),
		cmocka_unit_test(a_kind_is_told_by_the_first_byte),
		cmocka_unit_test(whole_numbers_are_read_up_to_the_last),
		cmocka_unit_test(a_splice_leaves_every_other_byte_alone),
		cmocka_unit_test(edits_may_touch_and_insert),
		cmocka_unit_test(line_ends_between_tokens_become_spaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
