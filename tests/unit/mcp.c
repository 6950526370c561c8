#include "proto/mcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"

static void answers(const char *params, const char *revision)
{
	struct buf result = {0};
	struct err e;

	assert_string_equal(mcp_revision(slice_of(params)), revision);
	mcp_initialize_result(&result, slice_of(params),
			      (struct slice){NULL, 0});
	assert_true(json_check(buf_slice(&result), &e));
	assert_true(json_string_is(
		json_get(buf_slice(&result), "protocolVersion"), revision));
	buf_finish(&result);
}

static void a_known_revision_comes_back(void **state)
{
	(void)state;
	answers("{\"protocolVersion\":\"2024-11-05\"}", "2024-11-05");
	answers("{\"protocolVersion\":\"2025-03-26\"}", "2025-03-26");
	answers("{\"protocolVersion\":\"2025-06-18\"}", "2025-06-18");
	answers("{\"protocolVersion\":\"2025-11-25\"}", "2025-11-25");
	answers("{\"protocolVersion\":\"2025\\u002d06-18\"}", "2025-06-18");
}

static void any_other_revision_gets_the_newest(void **state)
{
	(void)state;
	answers("{\"protocolVersion\":\"2099-01-01\"}", "2025-11-25");
	answers("{\"protocolVersion\":\"2026-07-28\"}", "2025-11-25");
	answers("{\"protocolVersion\":\"2025-06-180\"}", "2025-11-25");
	answers("{\"protocolVersion\":20250618}", "2025-11-25");
	answers("{\"protocolVersion\":null}", "2025-11-25");
	answers("{}", "2025-11-25");
	answers("[\"protocolVersion\"]", "2025-11-25");
	answers("", "2025-11-25");
}

static void the_result_declares_what_is_served(void **state)
{
	struct buf result = {0};

	(void)state;
	mcp_initialize_result(&result, slice_of("{}"), slice_of("say \"hi\""));
	assert_true(slice_is(json_get(buf_slice(&result), "instructions"),
			     "\"say \\\"hi\\\"\""));
	struct slice all = buf_slice(&result);
	struct slice capabilities = json_get(all, "capabilities");
	assert_true(slice_is(
		json_path(capabilities, "tools", "listChanged", NULL), "true"));
	assert_true(slice_is(json_get(capabilities, "logging"), "{}"));
	assert_true(slice_is(json_get(capabilities, "completions"), "{}"));
	assert_true(slice_is(json_get(capabilities, "prompts"),
			     "{\"listChanged\":true}"));
	assert_true(slice_is(json_get(capabilities, "resources"),
			     "{\"subscribe\":true,\"listChanged\":true}"));
	assert_true(json_string_is(json_path(all, "serverInfo", "name", NULL),
				   "executor"));
	assert_true(
		json_string_is(json_path(all, "serverInfo", "version", NULL),
			       EXECUTOR_VERSION));
	buf_finish(&result);
}

static bool effect_of(const char *text)
{
	struct jsonrpc m;
	struct err e;

	assert_true(jsonrpc_slice(slice_of(text), &m, &e));
	return mcp_has_effect(&m);
}

static bool method_has_effect(const char *method)
{
	struct buf text = {0};

	jsonrpc_request(&text, slice_of("1"), method, slice_of("{}"));
	buf_append(&text, "", 1);
	bool effect = effect_of(text.data);
	buf_finish(&text);
	return effect;
}

static void calls_and_unknown_methods_have_an_effect(void **state)
{
	(void)state;
	assert_true(method_has_effect("tools/call"));
	assert_true(method_has_effect("tasks/cancel"));
	assert_true(method_has_effect(""));
	assert_true(method_has_effect("tools/list "));
}

static void what_reads_or_sets_has_none(void **state)
{
	static const char *const methods[] = {
		"initialize",
		"ping",
		"tools/list",
		"prompts/list",
		"prompts/get",
		"resources/list",
		"resources/templates/list",
		"resources/read",
		"resources/subscribe",
		"resources/unsubscribe",
		"completion/complete",
		"logging/setLevel",
		"server/discover",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		assert_false(method_has_effect(methods[i]));
	assert_false(effect_of("{\"jsonrpc\":\"2.0\",\"id\":1,"
			       "\"method\":\"tools\\/list\"}"));
}

static void what_is_no_request_has_none(void **state)
{
	(void)state;
	assert_false(effect_of("{\"jsonrpc\":\"2.0\",\"method\":\"x\"}"));
	assert_false(effect_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"));
}

static void levels_have_names_both_ways(void **state)
{
	enum mcp_level level = MCP_LEVEL_COUNT;

	(void)state;
	for (int i = 0; i < MCP_LEVEL_COUNT; i++) {
		const char *name = mcp_level_name((enum mcp_level)i);

		assert_true(mcp_level_parse(slice_of(name), &level));
		assert_int_equal(level, i);
	}
	assert_string_equal(mcp_level_name(MCP_LEVEL_DEBUG), "debug");
	assert_string_equal(mcp_level_name(MCP_LEVEL_EMERGENCY), "emergency");
	level = MCP_LEVEL_ALERT;
	assert_false(mcp_level_parse(slice_of("warn"), &level));
	assert_false(mcp_level_parse(slice_of(""), &level));
	assert_int_equal(level, MCP_LEVEL_ALERT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_revision_comes_back),
		cmocka_unit_test(any_other_revision_gets_the_newest),
		cmocka_unit_test(the_result_declares_what_is_served),
		cmocka_unit_test(calls_and_unknown_methods_have_an_effect),
		cmocka_unit_test(what_reads_or_sets_has_none),
		cmocka_unit_test(what_is_no_request_has_none),
		cmocka_unit_test(levels_have_names_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
