/* What a daemon that is about to stop does, and what it leaves to the next. */
#include "tests/support/hub_room.h"

#define CALL(tool, arguments)                                                  \
	"{\"name\":\"" tool "\",\"arguments\":" arguments "}"

/* With clients that keep what is left to the next daemon, or not. */
static void start(struct hub *h, bool keeps)
{
	h->a.keeps_untaken = keeps;
	h->b.keeps_untaken = keeps;
	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
}

static void say_goodbye(struct hub *h)
{
	sessions_drain(h->sessions);
	sessions_end(h->sessions);
}

/* The goodbye to that client names exactly this sequence. */
static void assert_left(struct client *c, uint64_t sequence)
{
	assert_int_equal(c->untaken.len, sizeof(sequence));
	assert_memory_equal(c->untaken.data, &sequence, sizeof(sequence));
}

static void what_a_source_has_to_do_is_left_to_the_next(void **state)
{
	struct hub *h = *state;

	start(h, true);
	router_drain(h->router);
	client_ask(&h->a, "1", "ping", "");
	client_ask(&h->a, "2", "tools/call", CALL("fake__echo", "{}"));
	client_ask(&h->a, "3", "tools/list", "");
	assert_non_null(client_find(&h->a, "\"id\":1,\"result\""));
	assert_non_null(client_find(&h->a, "\"id\":3,\"result\""));
	assert_null(client_find(&h->a, "\"id\":2"));
	assert_int_equal(sessions_in_flight(h->sessions), 0);
	say_goodbye(h);
	assert_left(&h->a, 2);
	assert_false(file_holds(h->effects, "echo"));
	hub_end(h);
}

static void a_client_that_cannot_keep_it_is_served(void **state)
{
	struct hub *h = *state;

	start(h, false);
	router_drain(h->router);
	client_ask(&h->a, "1", "tools/call", CALL("fake__echo", "{}"));
	client_await(h, &h->a, "\"id\":1,\"result\"");
	hub_end(h);
}

static void what_runs_goes_on(void **state)
{
	struct hub *h = *state;

	start(h, true);
	client_ask(&h->a, "1", "tools/call",
		   CALL("fake__slow", "{\"ms\":200}"));
	hub_await_file(h, h->effects, "slow");
	router_drain(h->router);
	client_await(h, &h->a, "\"id\":1,\"result\"");
	say_goodbye(h);
	assert_int_equal(h->a.untaken.len, 0);
	hub_end(h);
}

static void what_waits_for_a_start_is_left_to_the_next(void **state)
{
	struct hub *h = *state;

	start(h, true);
	source_stop(router_source(h->router, "fake"));
	while (source_state(router_source(h->router, "fake")) != SOURCE_STOPPED)
		hub_turn(h);
	client_ask(&h->a, "1", "tools/call", CALL("fake__echo", "{}"));
	assert_int_equal(sessions_in_flight(h->sessions), 1);
	router_drain(h->router);
	assert_int_equal(sessions_in_flight(h->sessions), 0);
	say_goodbye(h);
	assert_left(&h->a, 1);
	assert_false(file_holds(h->effects, "echo"));
	hub_end(h);
}

static void who_waits_for_a_turn_is_left_to_the_next(void **state)
{
	const struct stored_change always = {
		.enabled = -1,
		.interactive = "always",
	};
	struct hub *h = *state;
	struct answer set = {0};

	start(h, true);
	router_source_set(h->router, "fake", &always, on_done, &set);
	hub_await_answer(h, &set);
	client_ask(&h->a, "1", "tools/call",
		   CALL("fake__slow", "{\"ms\":200}"));
	client_ask(&h->b, "1", "tools/call", CALL("fake__echo", "{}"));
	hub_await_file(h, h->effects, "slow");
	router_drain(h->router);
	assert_int_equal(sessions_in_flight(h->sessions), 1);
	client_await(h, &h->a, "\"id\":1,\"result\"");
	say_goodbye(h);
	assert_left(&h->b, 1);
	assert_false(file_holds(h->effects, "echo"));
	hub_end(h);
}

static void a_list_that_waits_is_left_to_the_next(void **state)
{
	struct hub *h = *state;

	start(h, true);
	hub_add(h, "silent", "mute");
	client_ask(&h->a, "1", "tools/list", "");
	assert_int_equal(sessions_in_flight(h->sessions), 1);
	router_drain(h->router);
	say_goodbye(h);
	assert_left(&h->a, 1);
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(what_a_source_has_to_do_is_left_to_the_next),
		hub_test(a_client_that_cannot_keep_it_is_served),
		hub_test(what_runs_goes_on),
		hub_test(what_waits_for_a_start_is_left_to_the_next),
		hub_test(who_waits_for_a_turn_is_left_to_the_next),
		hub_test(a_list_that_waits_is_left_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
