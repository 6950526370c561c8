/* How long lists wait for sources that were never read. */
#include "tests/support/hub_room.h"

enum { PATIENCE_MS = 200 };

/* The answer to id is there: it was given at once. */
static void assert_answered(struct hub *h, const char *id)
{
	char text[32];

	snprintf(text, sizeof(text), "\"id\":%s,\"result\"", id);
	assert_non_null(client_find(&h->a, text));
}

static void a_silent_source_is_waited_for_once(void **state)
{
	struct hub *h = *state;

	hub_start(h, PATIENCE_MS);
	hub_add(h, "fake", "rich");
	hub_await_listed(h);
	hub_add(h, "silent", "mute");
	client_ask(&h->a, "1", "tools/list", "");
	assert_null(client_find(&h->a, "\"id\":1,"));
	client_await(h, &h->a, "\"id\":1,\"result\"");
	assert_non_null(client_find(&h->a, "fake__echo"));
	client_ask(&h->a, "2", "tools/list", "");
	assert_answered(h, "2");
	client_ask(&h->a, "3", "prompts/list", "");
	assert_answered(h, "3");
	client_ask(&h->a, "4", "resources/list", "");
	assert_answered(h, "4");
	client_ask(&h->a, "5", "resources/templates/list", "");
	assert_answered(h, "5");
	assert_int_equal(source_state(router_source(h->router, "silent")),
			 SOURCE_STARTING);
	hub_end(h);
}

static void it_holds_up_no_read_either(void **state)
{
	struct source_info info;
	struct hub *h = *state;

	hub_start(h, PATIENCE_MS);
	hub_add(h, "fake", "rich");
	hub_await_listed(h);
	hub_add(h, "silent", "mute");
	hub_await_listed(h);
	client_ask(&h->a, "1", "resources/read", "{\"uri\":\"no:such\"}");
	/* The only source that has resources is asked at once. */
	source_info(router_source(h->router, "fake"), &info);
	assert_int_equal(info.in_flight, 1);
	client_await(h, &h->a, "\"id\":1,");
	hub_end(h);
}

static void whoever_comes_later_waits_no_longer(void **state)
{
	struct hub *h = *state;

	hub_start(h, PATIENCE_MS);
	hub_add(h, "silent", "mute");
	client_ask(&h->a, "1", "tools/list", "");
	ev_sleep(PATIENCE_MS / 2000.0);
	hub_turn(h);
	client_ask(&h->a, "2", "prompts/list", "");
	client_await(h, &h->a, "\"id\":1,\"result\"");
	client_await(h, &h->a, "\"id\":2,\"result\"");
	client_ask(&h->a, "3", "prompts/list", "");
	assert_answered(h, "3");
	hub_end(h);
}

static void each_source_has_a_patience_of_its_own(void **state)
{
	struct hub *h = *state;

	hub_start(h, PATIENCE_MS);
	hub_add(h, "silent", "mute");
	hub_await_listed(h);
	hub_add(h, "another", "mute");
	client_ask(&h->a, "1", "tools/list", "");
	assert_null(client_find(&h->a, "\"id\":1,"));
	client_await(h, &h->a, "\"id\":1,\"result\"");
	client_ask(&h->a, "2", "tools/list", "");
	assert_answered(h, "2");
	hub_end(h);
}

static void what_comes_too_late_is_announced(void **state)
{
	struct hub *h = *state;

	hub_start(h, 1);
	hub_add(h, "late", "slow");
	client_ask(&h->a, "1", "tools/list", "");
	client_await(h, &h->a, "\"id\":1,\"result\"");
	assert_null(client_find(&h->a, "late__echo"));
	client_await(h, &h->a, "notifications/tools/list_changed");
	client_ask(&h->a, "2", "tools/list", "");
	assert_answered(h, "2");
	assert_non_null(client_find(&h->a, "late__echo"));
	hub_end(h);
}

static void on_single(void *owner, struct slice json)
{
	buf_append_slice(owner, json);
	buf_append(owner, "", 1);
}

static void a_source_that_is_starting_is_not_said_to_lack_a_tool(void **state)
{
	static const struct session_single single = {.answer = on_single};
	struct hub *h = *state;
	struct buf got = {0};
	struct err e;

	hub_start(h, PATIENCE_MS);
	hub_add(h, "silent", "mute");
	hub_await_listed(h);
	assert_non_null(session_single(
		h->sessions,
		slice_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
			 "\"tools/call\",\"params\":{\"name\":\"echo\"}}"),
		"silent", MCP_LEVEL_INFO, &single, &got, &e));
	while (got.len == 0)
		hub_turn(h);
	assert_non_null(strstr(got.data, "\"reason\":\"source_down\""));
	assert_non_null(strstr(got.data, "is still starting"));
	buf_finish(&got);
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(a_silent_source_is_waited_for_once),
		hub_test(it_holds_up_no_read_either),
		hub_test(whoever_comes_later_waits_no_longer),
		hub_test(each_source_has_a_patience_of_its_own),
		hub_test(what_comes_too_late_is_announced),
		hub_test(a_source_that_is_starting_is_not_said_to_lack_a_tool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
