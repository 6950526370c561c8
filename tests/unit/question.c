/* What sources ask, and what clients say they can be asked. */
#include "server/mcp/question.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/jsonrpc.h"

static unsigned can(const char *capabilities)
{
	struct buf params = {0};
	unsigned abilities;

	buf_printf(&params, "{\"capabilities\":%s}", capabilities);
	abilities = question_abilities(buf_slice(&params));
	buf_finish(&params);
	return abilities;
}

static void abilities_are_what_initialize_declares(void **state)
{
	(void)state;
	assert_int_equal(question_abilities(slice_of("")), 0);
	assert_int_equal(question_abilities(slice_of("{}")), 0);
	assert_int_equal(can("{\"tools\":{}}"), 0);
	assert_int_equal(can("{\"elicitation\":true}"), 0);
	assert_int_equal(can("{\"elicitation\":{}}"), QUESTION_CAN_FORM);
	assert_int_equal(can("{\"elicitation\":{\"form\":{}}}"),
			 QUESTION_CAN_FORM);
	assert_int_equal(can("{\"elicitation\":{\"url\":{}}}"),
			 QUESTION_CAN_URL);
	assert_int_equal(can("{\"elicitation\":{\"url\":{},\"form\":{}}}"),
			 QUESTION_CAN_URL | QUESTION_CAN_FORM);
	assert_int_equal(can("{\"sampling\":{},\"roots\":{}}"),
			 QUESTION_CAN_SAMPLE | QUESTION_CAN_ROOTS);
	assert_int_equal(can("{\"sampling\":{\"tools\":{}}}"),
			 QUESTION_CAN_SAMPLE | QUESTION_CAN_SAMPLE_TOOLS);
}

/* What the client gets for that, from a source that is called fake. */
static void written(const char *text, const char *want)
{
	struct buf to = {0};
	struct question q;
	struct jsonrpc m;
	struct err e;

	assert_true(jsonrpc_slice(slice_of(text), &m, &e));
	if (!question_read(&m, &q, &e))
		fail_msg("%s: %s", text, e.text);
	question_write(&to, &q, 7, "fake");
	buf_append(&to, "", 1);
	assert_string_equal(to.data, want);
	buf_finish(&to);
}

#define FROM "{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":"
#define TO   "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":"
#define NAME "\"executor/source\":\"fake\""

static void the_client_gets_the_bytes_of_the_source(void **state)
{
	(void)state;
	written(FROM
		"\"elicitation/create\",\"params\":{\"message\":\"a\\u0000\","
		"\"future\":1.0}}",
		TO "\"elicitation/create\",\"params\":{\"_meta\":{" NAME
		   "},\"message\":\"a\\u0000\",\"future\":1.0}}");
	written(FROM "\"elicitation/create\",\"params\":{}}",
		TO "\"elicitation/create\",\"params\":{\"_meta\":{" NAME "}}}");
	written(FROM "\"sampling/createMessage\",\"params\":{\"x\":[ ],"
		     "\"_meta\":{ \"progressToken\" : \"t\"}}}",
		TO "\"sampling/createMessage\",\"params\":{\"x\":[ ],"
		   "\"_meta\":{" NAME ", \"progressToken\" : 7}}}");
	written(FROM "\"sampling/createMessage\",\"params\":{\"_meta\":{}}}",
		TO "\"sampling/createMessage\",\"params\":{\"_meta\":{" NAME
		   "}}}");
	written("{\"params\":{\"_meta\":{\"a\":0}},\"method\":"
		"\"sampling/createMessage\",\"id\":1e3,\"jsonrpc\":\"2.0\"}",
		"{\"params\":{\"_meta\":{" NAME ",\"a\":0}},\"method\":"
		"\"sampling/createMessage\",\"id\":7,\"jsonrpc\":\"2.0\"}");
	written(FROM "\"roots/list\"}",
		TO "\"roots/list\",\"params\":{\"_meta\":{" NAME "}}}");
	written(FROM "\"roots/list\",\"params\":{}}",
		TO "\"roots/list\",\"params\":{\"_meta\":{" NAME "}}}");
}

static void a_source_cannot_say_that_it_is_another(void **state)
{
	(void)state;
	written(FROM "\"elicitation/create\",\"params\":{\"_meta\":{"
		     "\"x\":1,\"executor\\u002fsource\":{\"a\":\"bank\"},"
		     "\"progressToken\":1}}}",
		TO "\"elicitation/create\",\"params\":{\"_meta\":{"
		   "\"x\":1,\"executor\\u002fsource\":\"fake\","
		   "\"progressToken\":7}}}");
}

static void refused(const char *text, enum reason reason)
{
	struct question q;
	struct jsonrpc m;
	struct err e;

	assert_true(jsonrpc_slice(slice_of(text), &m, &e));
	assert_false(question_read(&m, &q, &e));
	assert_int_equal(e.reason, reason);
}

static void what_can_be_read_two_ways_is_refused(void **state)
{
	(void)state;
	refused(FROM "\"elicitation/create\"}", ERR_INVALID_PARAMS);
	refused(FROM "\"elicitation/create\",\"params\":[]}",
		ERR_INVALID_PARAMS);
	refused(FROM "\"roots/list\",\"params\":[]}", ERR_INVALID_PARAMS);
	refused(FROM "\"elicitation/create\",\"params\":{\"_meta\":7}}",
		ERR_INVALID_PARAMS);
	refused(FROM "\"elicitation/create\",\"params\":{\"_meta\":{},"
		     "\"_meta\":{}}}",
		ERR_INVALID_REQUEST);
	refused(FROM "\"elicitation/create\",\"params\":{\"_meta\":{"
		     "\"executor/source\":1,\"executor/\\u0073ource\":2}}}",
		ERR_INVALID_REQUEST);
	refused(FROM "\"elicitation/create\",\"params\":{\"mode\":\"form\","
		     "\"mode\":\"url\"}}",
		ERR_INVALID_REQUEST);
}

static enum reason checked(const char *text, unsigned abilities)
{
	struct err e = {0};
	struct question q;
	struct jsonrpc m;

	assert_true(jsonrpc_slice(slice_of(text), &m, &e));
	assert_true(question_read(&m, &q, &e));
	return question_check(&q, abilities, &e) ? ERR_NONE : e.reason;
}

static void a_client_is_asked_only_what_it_can(void **state)
{
	static const char form[] =
		FROM "\"elicitation/create\",\"params\":{\"mode\":\"form\"}}";
	static const char url[] =
		FROM "\"elicitation/create\",\"params\":{\"mode\":\"url\"}}";
	static const char sample[] =
		FROM "\"sampling/createMessage\",\"params\":{}}";
	static const char tools[] =
		FROM "\"sampling/createMessage\",\"params\":{\"tools\":[]}}";

	(void)state;
	assert_int_equal(checked(form, QUESTION_CAN_FORM), ERR_NONE);
	assert_int_equal(checked(form, QUESTION_CAN_URL), ERR_INVALID_PARAMS);
	assert_int_equal(checked(form, 0), ERR_METHOD_NOT_FOUND);
	assert_int_equal(checked(url, QUESTION_CAN_URL), ERR_NONE);
	assert_int_equal(checked(url, QUESTION_CAN_FORM), ERR_INVALID_PARAMS);
	assert_int_equal(checked(sample, QUESTION_CAN_SAMPLE), ERR_NONE);
	assert_int_equal(checked(sample, 0), ERR_METHOD_NOT_FOUND);
	assert_int_equal(checked(tools, QUESTION_CAN_SAMPLE),
			 ERR_INVALID_PARAMS);
	assert_int_equal(
		checked(tools, QUESTION_CAN_SAMPLE | QUESTION_CAN_SAMPLE_TOOLS),
		ERR_NONE);
	assert_int_equal(checked(FROM "\"roots/list\"}", 0),
			 ERR_METHOD_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abilities_are_what_initialize_declares),
		cmocka_unit_test(the_client_gets_the_bytes_of_the_source),
		cmocka_unit_test(a_source_cannot_say_that_it_is_another),
		cmocka_unit_test(what_can_be_read_two_ways_is_refused),
		cmocka_unit_test(a_client_is_asked_only_what_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
