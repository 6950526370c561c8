#include "proto/jsonrpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/mem.h"

static void assert_slice(struct slice got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	if (got.len > 0)
		assert_memory_equal(got.ptr, want, got.len);
}

static struct jsonrpc sliced(const char *text, enum jsonrpc_kind kind)
{
	struct err e = {0};
	struct jsonrpc m;

	if (!jsonrpc_slice(slice_of(text), &m, &e))
		fail_msg("refused: %s: %s", text, e.text);
	assert_int_equal(m.kind, kind);
	assert_slice(m.text, text);
	return m;
}

/* Refused for that reason, and naming that id ("" for none). */
static void refused(const char *text, enum reason reason, const char *id)
{
	struct err e = {0};
	struct jsonrpc m;

	if (jsonrpc_slice(slice_of(text), &m, &e))
		fail_msg("not refused: %s", text);
	if (e.reason != reason)
		fail_msg("%s: %s", text, e.text);
	assert_true(strlen(e.text) > 0);
	assert_slice(m.id, id);
	assert_int_equal(
		m.method.len + m.params.len + m.result.len + m.error.len, 0);
}

static void a_request_is_sliced(void **state)
{
	struct jsonrpc m = sliced(
		" {\"jsonrpc\" : \"2.0\", \"id\" :7 ,\"x\":[{}],"
		"\"method\":\"tools/call\",\"params\": {\"a\": 1.0 } }\n",
		JSONRPC_REQUEST);

	(void)state;
	assert_slice(m.id, "7");
	assert_slice(m.method, "\"tools/call\"");
	assert_slice(m.params, "{\"a\": 1.0 }");
	assert_int_equal(m.result.len + m.error.len, 0);
	assert_true(jsonrpc_method_is(&m, "tools/call"));
	assert_false(jsonrpc_method_is(&m, "tools/cal"));
}

static void members_come_in_any_order(void **state)
{
	struct jsonrpc m =
		sliced("{\"params\":[1],\"method\":\"m\",\"id\":\"a\","
		       "\"jsonrpc\":\"2.0\"}",
		       JSONRPC_REQUEST);

	(void)state;
	assert_slice(m.id, "\"a\"");
	assert_slice(m.params, "[1]");
}

static void a_notification_has_no_id(void **state)
{
	struct jsonrpc m =
		sliced("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}",
		       JSONRPC_NOTIFICATION);

	(void)state;
	assert_int_equal(m.id.len, 0);
	assert_int_equal(m.params.len, 0);
}

static void params_of_null_count_as_absent(void **state)
{
	struct jsonrpc m = sliced("{\"jsonrpc\":\"2.0\",\"method\":\"m\","
				  "\"params\":null}",
				  JSONRPC_NOTIFICATION);

	(void)state;
	assert_int_equal(m.params.len, 0);
}

static void answers_are_told_apart(void **state)
{
	struct jsonrpc m;

	(void)state;
	m = sliced("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}",
		   JSONRPC_RESULT);
	assert_slice(m.result, "null");
	m = sliced("{\"jsonrpc\":\"2.0\",\"id\":\"1\","
		   "\"error\":{\"code\":-1,\"message\":\"\"}}",
		   JSONRPC_ERROR);
	assert_slice(m.id, "\"1\"");
	assert_slice(m.error, "{\"code\":-1,\"message\":\"\"}");
	m = sliced("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}",
		   JSONRPC_ERROR);
	assert_slice(m.id, "null");
	m = sliced("{\"jsonrpc\":\"2.0\",\"error\":{}}", JSONRPC_ERROR);
	assert_int_equal(m.id.len, 0);
}

static void ids_stay_as_they_were_sent(void **state)
{
	static const char *const ids[] = {
		"1",	       "\"1\"",
		"1.0",	       "-0",
		"1e400",       "1E+3",
		"\"\"",	       "9007199254740993",
		"\"\\u0000\"", "-5",
		"\"\\ud800\"", "123456789012345678901234567890",
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		buf_printf(&b,
			   "{\"jsonrpc\":\"2.0\",\"id\":%s,"
			   "\"method\":\"m\"}%c",
			   ids[i], '\0');
		assert_slice(sliced(b.data, JSONRPC_REQUEST).id, ids[i]);
		buf_reset(&b, SIZE_MAX);
	}
	buf_finish(&b);
}

static void an_id_is_a_string_or_an_integer(void **state)
{
	static const char *const ids[] = {
		"null", "true", "1.5", "1.50", "0.01", "1e-1", "{}", "[1]",
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		buf_printf(&b,
			   "{\"jsonrpc\":\"2.0\",\"id\":%s,"
			   "\"method\":\"m\"}%c",
			   ids[i], '\0');
		refused(b.data, ERR_INVALID_REQUEST, "");
		buf_reset(&b, SIZE_MAX);
		buf_printf(&b,
			   "{\"jsonrpc\":\"2.0\",\"id\":%s,"
			   "\"result\":{}}%c",
			   ids[i], '\0');
		refused(b.data, ERR_INVALID_REQUEST, "");
		buf_reset(&b, SIZE_MAX);
	}
	refused("{\"jsonrpc\":\"2.0\",\"result\":{}}", ERR_INVALID_REQUEST, "");
	refused("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"error\":{}}",
		ERR_INVALID_REQUEST, "");
	buf_finish(&b);
}

static void what_is_no_message_is_refused_by_its_id(void **state)
{
	static const char *const bodies[] = {
		"\"jsonrpc\":\"2.0\"",
		"\"jsonrpc\":\"2.0\",\"params\":{}",
		"\"jsonrpc\":\"1.0\",\"method\":\"m\"",
		"\"jsonrpc\":2.0,\"method\":\"m\"",
		"\"JSONRPC\":\"2.0\",\"method\":\"m\"",
		"\"method\":\"m\"",
		"\"jsonrpc\":\"2.0\",\"method\":1",
		"\"jsonrpc\":\"2.0\",\"method\":null",
		"\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":1",
		"\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":\"x\"",
		"\"jsonrpc\":\"2.0\",\"method\":\"m\",\"result\":1",
		"\"jsonrpc\":\"2.0\",\"method\":\"m\",\"error\":{}",
		"\"jsonrpc\":\"2.0\",\"result\":1,\"error\":{}",
		"\"jsonrpc\":\"2.0\",\"result\":1,\"error\":null",
		"\"jsonrpc\":\"2.0\",\"error\":\"x\"",
		"\"jsonrpc\":\"2.0\",\"error\":null",
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		buf_printf(&b, "{%s,\"id\":\"me\"}%c", bodies[i], '\0');
		refused(b.data, ERR_INVALID_REQUEST, "\"me\"");
		buf_reset(&b, SIZE_MAX);
		buf_printf(&b, "{%s}%c", bodies[i], '\0');
		if (!strstr(bodies[i], "\"error\""))
			refused(b.data, ERR_INVALID_REQUEST, "");
		buf_reset(&b, SIZE_MAX);
	}
	refused("{}", ERR_INVALID_REQUEST, "");
	refused("[]", ERR_INVALID_REQUEST, "");
	refused("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}]",
		ERR_INVALID_REQUEST, "");
	refused("null", ERR_INVALID_REQUEST, "");
	refused("\"id\"", ERR_INVALID_REQUEST, "");
	buf_finish(&b);
}

static void a_member_that_we_read_may_not_come_twice(void **state)
{
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,"
				   "\"method\":\"m\",\"params\":{}";
	static const char *const again[] = {
		"\"jsonrpc\":\"2.0\"",	 "\"method\":\"m\"",
		"\"params\":{}",	 "\"m\\u0065thod\":\"n\"",
		"\"\\u0070arams\":null",
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
		buf_printf(&b, "%s,%s}%c", head, again[i], '\0');
		refused(b.data, ERR_INVALID_REQUEST, "1");
		buf_reset(&b, SIZE_MAX);
	}
	buf_printf(&b, "%s,\"id\":1}%c", head, '\0');
	refused(b.data, ERR_INVALID_REQUEST, "");
	buf_reset(&b, SIZE_MAX);
	buf_printf(&b, "%s,\"i\\u0064\":2}%c", head, '\0');
	refused(b.data, ERR_INVALID_REQUEST, "");
	refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"result\":1}",
		ERR_INVALID_REQUEST, "1");
	refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{},\"error\":{}}",
		ERR_INVALID_REQUEST, "1");
	buf_finish(&b);
}

static void other_members_may_be_anything(void **state)
{
	struct jsonrpc m =
		sliced("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"x\":1,\"x\":2,"
		       "\"ID\":3,\"id \":4,\"_meta\":{\"id\":5,\"id\":6}}",
		       JSONRPC_NOTIFICATION);

	(void)state;
	assert_int_equal(m.id.len, 0);
}

static void escaped_names_are_the_names(void **state)
{
	struct jsonrpc m =
		sliced("{\"json\\u0072pc\":\"\\u0032.0\",\"\\u0069d\":3,"
		       "\"method\":\"to\\u006fls\\/list\"}",
		       JSONRPC_REQUEST);

	(void)state;
	assert_slice(m.id, "3");
	assert_slice(m.method, "\"to\\u006fls\\/list\"");
	assert_true(jsonrpc_method_is(&m, "tools/list"));
}

static void what_is_not_json_tells_no_id(void **state)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":1,"
				   "\"method\":\"m\",\"params\":{\"a\":[1]}}";
	struct err e;
	struct jsonrpc m;

	(void)state;
	sliced(text, JSONRPC_REQUEST);
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *copy = mem_copy(text, len);

		assert_false(jsonrpc_slice((struct slice){copy, len}, &m, &e));
		assert_int_equal(e.reason, ERR_PARSE);
		assert_int_equal(m.id.len, 0);
		free(copy);
	}
	refused("", ERR_PARSE, "");
	refused("\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"method\":\"m\"}", ERR_PARSE,
		"");
	refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"} {}", ERR_PARSE,
		"");
	refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",}", ERR_PARSE,
		"");
	refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\" 1}", ERR_PARSE,
		"");
	refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", ERR_PARSE,
		"");
	refused("{\"id\":1,\"id\":2,\"x\":nul}", ERR_PARSE, "");
	assert_false(jsonrpc_slice(slice_of("x"), &m, NULL));
}

static void depth_counts_from_the_message_itself(void **state)
{
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":\"deep\","
				   "\"method\":\"m\",\"params\":";
	struct buf b = {0};

	(void)state;
	for (int depth = JSON_DEPTH - 1; depth <= JSON_DEPTH; depth++) {
		buf_append_text(&b, head);
		for (int i = 0; i < depth; i++)
			buf_append(&b, "[", 1);
		for (int i = 0; i < depth; i++)
			buf_append(&b, "]", 1);
		buf_append(&b, "}", 2);
		if (depth < JSON_DEPTH)
			sliced(b.data, JSONRPC_REQUEST);
		else
			refused(b.data, ERR_TOO_LARGE, "\"deep\"");
		buf_reset(&b, SIZE_MAX);
	}
	buf_finish(&b);
}

static void evil_values_pass_and_leave_as_they_came(void **state)
{
	static const char params[] =
		"{\"n\":[9007199254740993,1.0,1e400,-0],\"s\":\"\\u0000\\ud83d"
		"\xe2\x80\xa8\",\"a\":1,\"\\u0061\":2,\"a\":3}";
	struct buf b = {0};
	struct buf back = {0};

	(void)state;
	buf_printf(&b,
		   "{ \"id\" : 1,\"params\":%s ,\"jsonrpc\":\"2.0\","
		   "\"method\":\"m\" }%c",
		   params, '\0');
	struct jsonrpc m = sliced(b.data, JSONRPC_REQUEST);
	assert_slice(m.params, params);
	/* There and back: our id in, the sender's in again. */
	struct json_edit there = {m.id, slice_of("18446744073709551615")};
	json_splice(&back, m.text, &there, 1);
	buf_append(&back, "", 1);
	struct jsonrpc far = sliced(back.data, JSONRPC_REQUEST);
	struct json_edit home = {far.id, m.id};
	struct buf again = {0};
	json_splice(&again, far.text, &home, 1);
	assert_slice(buf_slice(&again), b.data);
	buf_finish(&again);
	buf_finish(&back);
	buf_finish(&b);
}

static void a_batch_is_told_by_its_first_byte(void **state)
{
	(void)state;
	assert_true(jsonrpc_is_batch(slice_of("[")));
	assert_true(jsonrpc_is_batch(slice_of(" \t\r\n[{}]")));
	assert_false(jsonrpc_is_batch(slice_of("{}")));
	assert_false(jsonrpc_is_batch(slice_of(" ")));
	assert_false(jsonrpc_is_batch((struct slice){NULL, 0}));
}

static void what_is_written_can_be_sliced(void **state)
{
	struct err why = {0};
	struct buf b = {0};
	struct jsonrpc m;

	(void)state;
	err_set(&why, ERR_OUTCOME_UNKNOWN, "it \"may\" have\nrun \xff.");
	jsonrpc_error(&b, slice_of("1.0"), &why, NULL);
	assert_slice(buf_slice(&b),
		     "{\"jsonrpc\":\"2.0\",\"id\":1.0,\"error\":{\"code\":"
		     "-32603,\"message\":\"it \\\"may\\\" have\\nrun "
		     "\xef\xbf\xbd.\",\"data\":{\"reason\":"
		     "\"outcome_unknown\"}}}");
	assert_true(jsonrpc_slice(buf_slice(&b), &m, NULL));
	assert_int_equal(m.kind, JSONRPC_ERROR);
	buf_reset(&b, SIZE_MAX);

	jsonrpc_error(&b, (struct slice){NULL, 0}, &why, "\"source\":\"x\"");
	assert_true(jsonrpc_slice(buf_slice(&b), &m, NULL));
	assert_slice(m.id, "null");
	assert_slice(json_path(m.error, "data", "source", NULL), "\"x\"");
	assert_slice(json_path(m.error, "data", "reason", NULL),
		     "\"outcome_unknown\"");
	buf_reset(&b, SIZE_MAX);

	jsonrpc_result(&b, slice_of("\"i\""), slice_of("{\"a\":1e400}"));
	assert_slice(buf_slice(&b), "{\"jsonrpc\":\"2.0\",\"id\":\"i\","
				    "\"result\":{\"a\":1e400}}");
	buf_reset(&b, SIZE_MAX);

	jsonrpc_request(&b, slice_of("5"), "tools/list", slice_of("{}"));
	assert_slice(buf_slice(&b),
		     "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/list\","
		     "\"params\":{}}");
	assert_true(jsonrpc_slice(buf_slice(&b), &m, NULL));
	buf_reset(&b, SIZE_MAX);

	jsonrpc_request(&b, (struct slice){NULL, 0}, "a\"b",
			(struct slice){NULL, 0});
	assert_slice(buf_slice(&b),
		     "{\"jsonrpc\":\"2.0\",\"method\":\"a\\\"b\"}");
	buf_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_sliced),
		cmocka_unit_test(members_come_in_any_order),
		cmocka_unit_test(a_notification_has_no_id),
		cmocka_unit_test(params_of_null_count_as_absent),
		cmocka_unit_test(answers_are_told_apart),
		cmocka_unit_test(ids_stay_as_they_were_sent),
		cmocka_unit_test(an_id_is_a_string_or_an_integer),
		cmocka_unit_test(what_is_no_message_is_refused_by_its_id),
		cmocka_unit_test(a_member_that_we_read_may_not_come_twice),
		cmocka_unit_test(other_members_may_be_anything),
		cmocka_unit_test(escaped_names_are_the_names),
		cmocka_unit_test(what_is_not_json_tells_no_id),
		cmocka_unit_test(depth_counts_from_the_message_itself),
		cmocka_unit_test(evil_values_pass_and_leave_as_they_came),
		cmocka_unit_test(a_batch_is_told_by_its_first_byte),
		cmocka_unit_test(what_is_written_can_be_sliced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
