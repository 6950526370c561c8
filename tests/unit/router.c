/* Requests on their way through the hub, to real sources and back. */
#include "server/mcp/router.h"

#include "tests/support/hub_room.h"

#define CALL(tool, arguments)                                                  \
	"{\"name\":\"fake__" tool "\",\"arguments\":" arguments "}"

/* --- what the hub answers ------------------------------------------------- */

static void the_hub_speaks_for_itself(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	client_ask(&h->a, "0", "initialize",
		   "{\"protocolVersion\":\"2024-11-05\",\"clientInfo\":"
		   "{\"name\":\"me\",\"version\":\"1\"}}");
	assert_non_null(client_find(&h->a,
				    "\"id\":0,\"result\":{"
				    "\"protocolVersion\":\"2024-11-05\""));
	client_say(&h->a, "{\"jsonrpc\":\"2.0\","
			  "\"method\":\"notifications/initialized\"}");
	client_say(&h->a, "{\"jsonrpc\":\"2.0\","
			  "\"method\":\"notifications/roots/list_changed\"}");
	client_forget(&h->a);
	client_ask(&h->a, "\"p\"", "ping", "");
	assert_string_equal(client_find(&h->a, "{"),
			    "{\"jsonrpc\":\"2.0\",\"id\":\"p\","
			    "\"result\":{}}\n");
	hub_end(h);
}

static void what_is_not_served_is_named(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	client_ask(&h->a, "1", "no/such", "");
	assert_non_null(client_find(&h->a, "-32601"));
	assert_non_null(client_find(&h->a, "no/such"));
	assert_non_null(client_find(&h->a, "\"method_not_found\""));
	client_forget(&h->a);
	client_ask(&h->a, "2", "server/discover", "{}");
	assert_non_null(client_find(&h->a, "-32601"));
	assert_int_equal(router_requests(h->router), 2);
	assert_int_equal(router_errors(h->router), 2);
	hub_end(h);
}

static void an_empty_hub_lists_its_own_tools(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	client_ask(&h->a, "1", "tools/list", "{}");
	client_await(h, &h->a, "\"id\":1,\"result\":{\"tools\":[{");
	assert_non_null(client_find(&h->a, "\"executor__"));
	hub_end(h);
}

static void the_first_list_waits_for_every_source(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	client_ask(&h->a, "1", "tools/list", "");
	client_ask(&h->b, "1", "tools/list", "{}");
	client_await(h, &h->a, "\"fake__echo\"");
	client_await(h, &h->b, "\"fake__echo\"");
	/* From now on it is there at once. */
	client_forget(&h->a);
	client_ask(&h->a, "2", "tools/list", "");
	assert_non_null(client_find(&h->a, "\"fake__echo\""));
	client_ask(&h->a, "3", "tools/list", "{\"cursor\":\"\"}");
	assert_non_null(client_find(&h->a, "-32602"));
	hub_end(h);
}

static void a_mute_source_holds_up_the_first_list_only_so_long(void **state)
{
	struct hub *h = *state;

	hub_start(h, 20);
	hub_add(h, "fake", "mute");
	client_ask(&h->a, "1", "tools/list", "");
	client_await(h, &h->a, "\"id\":1,\"result\"");
	assert_null(client_find(&h->a, "fake__"));
	hub_end(h);
}

static void a_waiting_list_can_be_cancelled(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	client_ask(&h->a, "1", "tools/list", "");
	client_ask(&h->b, "1", "tools/list", "");
	assert_int_equal(router_in_flight(h->router), 2);
	client_say(
		&h->a,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
		"\"params\":{\"requestId\":1}}");
	assert_int_equal(router_in_flight(h->router), 1);
	client_close(&h->b);
	assert_int_equal(router_in_flight(h->router), 0);
	hub_await_listed(h);
	assert_null(client_find(&h->a, "\"id\":1"));
	hub_end(h);
}

/* --- calls ---------------------------------------------------------------- */

static void every_id_gets_its_own_answer(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call", CALL("echo", "{\"n\":1}"));
	client_ask(&h->a, "\"1\"", "tools/call", CALL("echo", "{\"n\":2}"));
	client_ask(&h->a, "9007199254740993", "tools/call",
		   CALL("echo", "{\"n\":3}"));
	client_ask(&h->b, "1", "tools/call", CALL("echo", "{\"n\":4}"));
	client_await(h, &h->a,
		     "\"id\":1,\"result\":{\"content\":[],"
		     "\"structuredContent\":{\"n\":1}}");
	client_await(h, &h->a,
		     "\"id\":\"1\",\"result\":{\"content\":[],"
		     "\"structuredContent\":{\"n\":2}}");
	client_await(h, &h->a,
		     "\"id\":9007199254740993,\"result\":{\"content\":[],"
		     "\"structuredContent\":{\"n\":3}}");
	client_await(h, &h->b,
		     "\"id\":1,\"result\":{\"content\":[],"
		     "\"structuredContent\":{\"n\":4}}");
	assert_int_equal(router_errors(h->router), 0);
	hub_end(h);
}

static void arguments_and_results_keep_their_bytes(void **state)
{
	static const char odd[] =
		"{ \"a\":9007199254740993, \"b\":1.0,\"c\":1e400,\"d\":-0,"
		"\"e\":\"\\ud800\\u0000\xe2\x80\xa8\",\"name\":\"x\","
		"\"id\":[ ],\"e\":null}";
	struct hub *h = *state;
	struct buf params = {0};
	struct buf want = {0};

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	buf_printf(&params,
		   "{\"arguments\":%s,\"_meta\":{\"x\":1.0},\"future\":1E5,"
		   "\"name\":\"fake__\\u0065cho\"}",
		   odd);
	buf_append(&params, "", 1);
	buf_printf(&want, "\"structuredContent\":%s}}\n", odd);
	buf_append(&want, "", 1);
	client_ask(&h->a, "1", "tools/call", params.data);
	client_await(h, &h->a, want.data);
	assert_true(file_holds(h->transcript,
			       "\"_meta\":{\"x\":1.0},\"future\":1E5,"
			       "\"name\":\"echo\"}"));
	buf_finish(&params);
	buf_finish(&want);
	hub_end(h);
}

static void a_call_may_come_before_the_first_list(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	client_ask(&h->a, "1", "tools/call", CALL("echo", "{\"n\":1}"));
	client_await(h, &h->a, "\"structuredContent\":{\"n\":1}");
	hub_end(h);
}

static void refused(struct hub *h, const char *params, const char *code,
		    const char *reason)
{
	client_forget(&h->a);
	client_ask(&h->a, "1", "tools/call", params);
	assert_non_null(client_find(&h->a, "\"id\":1"));
	if (!client_find(&h->a, code) || !client_find(&h->a, reason))
		fail_msg("%s: %s", params, client_find(&h->a, "{"));
}

static void a_bad_call_reaches_no_source(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	refused(h, "{\"name\":\"fake__nothing\"}", "-32602", "unknown_tool");
	refused(h, "{\"name\":\"echo\"}", "-32602", "unknown_tool");
	refused(h, "{\"name\":7}", "-32602", "invalid_params");
	refused(h, "{}", "-32602", "invalid_params");
	refused(h, "[]", "-32602", "invalid_params");
	refused(h, "", "-32602", "invalid_params");
	refused(h, "{\"name\":\"fake__echo\",\"n\\u0061me\":\"fake__add\"}",
		"-32600", "invalid_request");
	refused(h, "{\"name\":\"fake__echo\",\"_meta\":{},\"_meta\":{}}",
		"-32600", "invalid_request");
	refused(h,
		"{\"name\":\"fake__echo\",\"_meta\":"
		"{\"progressToken\":1,\"progressToken\":2}}",
		"-32600", "invalid_request");
	refused(h, "{\"name\":\"fake__echo\",\"_meta\":1}", "-32602",
		"invalid_params");
	refused(h, "{\"name\":\"fake__echo\",\"_meta\":{\"progressToken\":[]}}",
		"-32602", "invalid_params");
	assert_false(file_holds(h->transcript, "tools/call"));
	hub_end(h);
}

static void progress_carries_the_token_of_its_caller(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__progress\",\"_meta\":"
		   "{\"progressToken\":\"\\u0074\"}}");
	client_ask(&h->b, "1", "tools/call",
		   "{\"name\":\"fake__progress\",\"_meta\":"
		   "{\"progressToken\":7}}");
	client_await(h, &h->a, "\"id\":1,\"result\"");
	client_await(h, &h->b, "\"id\":1,\"result\"");
	assert_int_equal(client_count(&h->a, "\"progressToken\":\"\\u0074\""),
			 3);
	assert_int_equal(client_count(&h->a, "progressToken"), 3);
	assert_int_equal(client_count(&h->b, "\"progressToken\":7,"), 3);
	/* The answer is the last of them. */
	assert_null(strstr(client_find(&h->a, "\"id\":1,\"result\""),
			   "progressToken"));
	client_forget(&h->a);
	client_ask(&h->a, "2", "tools/call", CALL("progress", "{}"));
	client_await(h, &h->a, "\"id\":2,\"result\"");
	assert_null(client_find(&h->a, "progress\""));
	hub_end(h);
}

static void only_the_caller_can_cancel(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "late");
	hub_await_listed(h);
	client_ask(&h->a, "\"x\"", "tools/call", CALL("hold", "{}"));
	client_ask(&h->b, "\"x\"", "tools/call", CALL("hold", "{\"b\":1}"));
	hub_await_file(h, h->effects, "hold {\"b\":1}");
	client_say(
		&h->b,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
		"\"params\":{\"requestId\":\"y\"}}");
	client_say(
		&h->a,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
		"\"params\":{\"requestId\":\"x\",\"reason\":\"no more\"}}");
	hub_await_file(h, h->transcript, "\"no more\"");
	/* The source answers it all the same, before this one. */
	client_ask(&h->a, "\"x\"", "tools/call", CALL("echo", "{\"n\":1}"));
	client_await(h, &h->a, "\"id\":\"x\"");
	assert_int_equal(client_count(&h->a, "\"id\""), 1);
	assert_int_equal(router_in_flight(h->router), 1);
	client_close(&h->b);
	hub_await_file(h, h->transcript, "the client has left");
	hub_end(h);
}

static void a_source_that_ends_fails_its_calls(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	client_ask(&h->b, "1", "tools/call", CALL("hold", "{}"));
	client_ask(&h->a, "1", "tools/call", CALL("crash", "{}"));
	client_await(h, &h->a, "\"outcome_unknown\",\"source\":\"fake\"");
	client_await(h, &h->b, "\"outcome_unknown\",\"source\":\"fake\"");
	assert_int_equal(router_errors(h->router), 2);
	client_ask(&h->a, "2", "tools/call", CALL("echo", "{\"n\":2}"));
	client_await(h, &h->a, "\"structuredContent\":{\"n\":2}");
	hub_end(h);
}

static void an_error_of_the_source_passes_as_it_is(void **state)
{
	struct hub *h = *state;
	static const struct source_item gone = {
		.key = {"gone", 4},
		.json = {"{\"name\":\"gone\"}", 15},
	};

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	/* The catalogue may know more than the source. */
	struct catalogue *c =
		(struct catalogue *)(uintptr_t)router_catalogue(h->router);
	catalogue_set(c, "fake", &gone, 1);
	client_ask(&h->a, "1", "tools/call", CALL("gone", "{}"));
	client_await(h, &h->a, "\"id\":1,\"error\":{");
	assert_non_null(client_find(&h->a, "\"unknown tool\""));
	assert_null(client_find(&h->a, "\"source\""));
	assert_int_equal(router_errors(h->router), 1);
	hub_end(h);
}

/* --- logs ----------------------------------------------------------------- */

static void a_log_goes_to_the_only_caller(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call", CALL("log", "{}"));
	client_await(h, &h->a, "\"id\":1,\"result\"");
	assert_non_null(client_find(&h->a, "\"data\":\"hello\""));
	assert_null(client_find(&h->b, "hello"));
	/* At its own level. */
	client_forget(&h->a);
	client_ask(&h->a, "2", "logging/setLevel", "{\"level\":\"warning\"}");
	client_ask(&h->a, "3", "tools/call", CALL("log", "{}"));
	client_await(h, &h->a, "\"id\":3,\"result\"");
	assert_null(client_find(&h->a, "hello"));
	/* With two callers it is nobody's. */
	client_ask(&h->b, "1", "tools/call", CALL("hold", "{}"));
	client_ask(&h->a, "4", "logging/setLevel", "{\"level\":\"debug\"}");
	client_ask(&h->a, "5", "tools/call", CALL("log", "{}"));
	client_await(h, &h->a, "\"id\":5,\"result\"");
	assert_null(client_find(&h->a, "hello"));
	assert_null(client_find(&h->b, "hello"));
	hub_await_file(h, h->transcript, "\"level\":\"debug\"");
	client_ask(&h->a, "6", "logging/setLevel", "{\"level\":\"loud\"}");
	assert_non_null(client_find(&h->a, "-32602"));
	hub_end(h);
}

/* --- single requests ------------------------------------------------------ */

static void on_single(void *owner, struct slice json)
{
	struct buf *to = owner;

	buf_append_slice(to, json);
	buf_append(to, "", 1);
}

static const struct session_single single = {.answer = on_single};

static void a_single_call_names_the_tool_as_its_source_does(void **state)
{
	struct hub *h = *state;
	struct buf got = {0};
	struct err e;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	for (int known = 0; known < 2; known++) {
		assert_non_null(session_single(
			h->sessions,
			slice_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
				 "\"tools/call\",\"params\":{\"name\":\"add\","
				 "\"arguments\":{\"a\":2,\"b\":40}}}"),
			"fake", MCP_LEVEL_INFO, &single, &got, &e));
		while (got.len == 0)
			hub_turn(h);
		assert_non_null(strstr(got.data, "\"text\":\"42\""));
		buf_reset(&got, 0);
	}
	assert_non_null(session_single(
		h->sessions,
		slice_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
			 "\"tools/call\",\"params\":{\"name\":\"no\"}}"),
		"fake", MCP_LEVEL_INFO, &single, &got, &e));
	while (got.len == 0)
		hub_turn(h);
	assert_non_null(
		strstr(got.data, "\"unknown_tool\",\"source\":\"fake\""));
	buf_finish(&got);
	hub_end(h);
}

static void the_built_in_source_sees_the_hub(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"executor__status\",\"arguments\":{}}");
	client_await(h, &h->a, "\"id\":1,\"result\"");
	assert_non_null(client_find(&h->a, "uptime_s"));
	assert_null(client_find(&h->a, "\"isError\":true"));
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(the_hub_speaks_for_itself),
		hub_test(what_is_not_served_is_named),
		hub_test(an_empty_hub_lists_its_own_tools),
		hub_test(the_first_list_waits_for_every_source),
		hub_test(a_mute_source_holds_up_the_first_list_only_so_long),
		hub_test(a_waiting_list_can_be_cancelled),
		hub_test(every_id_gets_its_own_answer),
		hub_test(arguments_and_results_keep_their_bytes),
		hub_test(a_call_may_come_before_the_first_list),
		hub_test(a_bad_call_reaches_no_source),
		hub_test(progress_carries_the_token_of_its_caller),
		hub_test(only_the_caller_can_cancel),
		hub_test(a_source_that_ends_fails_its_calls),
		hub_test(an_error_of_the_source_passes_as_it_is),
		hub_test(a_log_goes_to_the_only_caller),
		hub_test(a_single_call_names_the_tool_as_its_source_does),
		hub_test(the_built_in_source_sees_the_hub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
