/* At a source that asks, clients take turns. */
#include "server/mcp/turns.h"

#include "tests/support/hub_room.h"

#define CALL(tool, arguments)                                                  \
	"{\"name\":\"fake__" tool "\",\"arguments\":" arguments "}"
#define CANCEL(id)                                                             \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","         \
	"\"params\":{\"requestId\":" id "}}"

/* A source that works for one at a time, and a call of a's that stays. */
static void start(struct hub *h)
{
	const char *const command[] = {FAKE_SOURCE, "all-tools", NULL};
	const struct stored_settings settings = {.interactive = "always"};
	struct answer a = {0};

	hub_start(h, 60000);
	hub_order_command(h, "fake", command, settings, &a);
	hub_await_answer(h, &a);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call", CALL("hold", "{}"));
	hub_await_file(h, h->effects, "hold");
}

static void whoever_comes_second_waits(void **state)
{
	struct hub *h = *state;

	start(h);
	client_ask(&h->b, "1", "tools/call", CALL("echo", "{\"n\":1}"));
	client_ask(&h->b, "2", "tools/call", CALL("echo", "{\"n\":2}"));
	/* Who works there does not overtake those who wait. */
	client_ask(&h->a, "2", "tools/call", CALL("echo", "{\"n\":3}"));
	assert_int_equal(router_in_flight(h->router), 4);
	client_ask(&h->b, "3", "ping", "");
	client_await(h, &h->b, "\"id\":3");
	assert_false(file_holds(h->effects, "echo"));
	client_say(&h->a, CANCEL("1"));
	client_await(h, &h->a, "\"n\":3");
	assert_true(file_holds(h->effects,
			       "echo {\"n\":1}\necho {\"n\":2}\necho "
			       "{\"n\":3}\n"));
	client_await(h, &h->b, "\"n\":2");
	hub_end(h);
}

static void whoever_waits_may_give_up(void **state)
{
	struct hub *h = *state;

	start(h);
	client_ask(&h->b, "1", "tools/call", CALL("echo", "{\"n\":1}"));
	client_ask(&h->b, "2", "tools/call", CALL("echo", "{\"n\":2}"));
	client_say(&h->b, CANCEL("1"));
	assert_int_equal(router_in_flight(h->router), 2);
	client_say(&h->a, CANCEL("1"));
	client_await(h, &h->b, "\"n\":2");
	assert_false(file_holds(h->effects, "\"n\":1"));
	assert_null(client_find(&h->b, "\"id\":1"));
	hub_end(h);
}

static void whoever_waits_may_leave(void **state)
{
	struct hub *h = *state;

	start(h);
	client_ask(&h->b, "1", "tools/call", CALL("echo", "{\"n\":1}"));
	client_close(&h->b);
	assert_int_equal(router_in_flight(h->router), 1);
	hub_end(h);
}

static void a_source_that_goes_is_not_waited_for(void **state)
{
	struct hub *h = *state;
	struct answer gone = {0};

	start(h);
	client_ask(&h->b, "1", "tools/call", CALL("echo", "{}"));
	router_source_remove(h->router, "fake", on_done, &gone);
	hub_await_answer(h, &gone);
	client_await(h, &h->b, "\"id\":1,\"error\"");
	assert_non_null(client_find(&h->b, "\"source_down\""));
	hub_end(h);
}

static void a_source_that_ends_lets_the_next_in(void **state)
{
	struct hub *h = *state;

	start(h);
	client_ask(&h->a, "2", "tools/call", CALL("crash", "{}"));
	client_ask(&h->b, "1", "tools/call", CALL("echo", "{\"n\":1}"));
	client_await(h, &h->b, "\"n\":1");
	client_await(h, &h->a, "\"id\":2,\"error\"");
	hub_end(h);
}

static void a_changed_mind_lets_everybody_in(void **state)
{
	const struct stored_change change = {.enabled = -1,
					     .interactive = "auto"};
	struct hub *h = *state;
	struct answer set = {0};

	start(h);
	client_ask(&h->b, "1", "tools/call", CALL("echo", "{\"n\":1}"));
	router_source_set(h->router, "fake", &change, on_done, &set);
	hub_await_answer(h, &set);
	client_ask(&h->b, "2", "tools/call", CALL("echo", "{\"n\":2}"));
	client_await(h, &h->b, "\"n\":2");
	client_await(h, &h->b, "\"n\":1");
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(whoever_comes_second_waits),
		hub_test(whoever_waits_may_give_up),
		hub_test(whoever_waits_may_leave),
		hub_test(a_source_that_goes_is_not_waited_for),
		hub_test(a_source_that_ends_lets_the_next_in),
		hub_test(a_changed_mind_lets_everybody_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
