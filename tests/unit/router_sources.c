/* Sources are added, removed, loaded again, and ended. */
#include "server/mcp/router.h"

#include "tests/support/hub_room.h"

static void refused(struct hub *h, const struct stored_source *source,
		    enum reason reason, const char *text)
{
	struct answer a = {0};

	router_source_add(h->router, source, on_done, &a);
	hub_await_answer(h, &a);
	if (a.reason != reason || !strstr(a.text, text))
		fail_msg("%s: %s", err_name(a.reason), a.text);
}

static void a_source_is_checked_before_it_is_kept(void **state)
{
	static const char *const names[] = {
		"",    "Upper", "-x", "_x",
		"a b", "a.b",	"é",  "a234567890123456789012345",
	};
	static const char *const command[] = {"true", NULL};
	static const char *const none[] = {NULL};
	static const struct stored_env odd = {"A=B", "x", true};
	struct hub *h = *state;
	struct stored_source source = {.command = command, .cwd = "/"};

	hub_start(h, 60000);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		source.name = names[i];
		refused(h, &source, ERR_INVALID_ARGUMENT, "name");
	}
	source.name = "executor";
	refused(h, &source, ERR_INVALID_ARGUMENT, "built-in");
	source.name = "x";
	source.cwd = "tmp";
	refused(h, &source, ERR_INVALID_ARGUMENT, "\"tmp\"");
	source.cwd = "/";
	source.command = none;
	refused(h, &source, ERR_INVALID_ARGUMENT, "no command");
	source.command = command;
	source.env = &odd;
	source.env_count = 1;
	refused(h, &source, ERR_INVALID_ARGUMENT, "\"A=B\"");
	assert_null(router_source(h->router, "x"));
	hub_end(h);
}

/* Those on their way to the store count; nobody waits for them here. */
static void there_is_a_most_of_sources(void **state)
{
	enum { KEPT = 1024 };
	static const char *const command[] = {"true", NULL};
	static struct answer answers[KEPT];
	struct hub *h = *state;
	char name[16];
	struct stored_source source = {
		.name = name, .command = command, .cwd = "/"};

	hub_start(h, 60000);
	for (int i = 0; i < KEPT; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		answers[i] = (struct answer){0};
		router_source_add(h->router, &source, on_done, &answers[i]);
		assert_int_equal(answers[i].reason, ERR_NONE);
	}
	snprintf(name, sizeof(name), "more");
	refused(h, &source, ERR_OVERLOADED, "there are 1024 sources already");
	client_close(&h->a);
	client_close(&h->b);
	router_free(h->router);
	sessions_free(h->sessions);
	room_close(h->room);
}

static void there_is_one_source_of_a_name(void **state)
{
	struct hub *h = *state;
	struct answer first = {0};
	struct answer second = {0};
	struct answer third = {0};
	size_t at = 0;

	hub_start(h, 60000);
	hub_order(h, "fake", NULL, &first);
	hub_order(h, "fake", NULL, &second); /* the first is on its way */
	hub_await_answer(h, &first);
	hub_await_answer(h, &second);
	assert_int_equal(first.reason, ERR_NONE);
	assert_int_equal(second.reason, ERR_ALREADY_EXISTS);
	hub_order(h, "fake", NULL, &third);
	hub_await_answer(h, &third);
	assert_int_equal(third.reason, ERR_ALREADY_EXISTS);
	assert_string_equal(source_name(router_next_source(h->router, &at)),
			    "executor");
	assert_string_equal(source_name(router_next_source(h->router, &at)),
			    "fake");
	assert_null(router_next_source(h->router, &at));
	hub_end(h);
}

static void its_tools_are_announced(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	client_await(h, &h->a, "notifications/tools/list_changed");
	client_await(h, &h->b, "notifications/tools/list_changed");
	client_forget(&h->a);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__change\",\"arguments\":{}}");
	client_await(h, &h->a, "notifications/tools/list_changed");
	client_ask(&h->a, "2", "tools/list", ""); /* it is known by then */
	assert_non_null(client_find(&h->a, "\"fake__extra\""));
	hub_end(h);
}

static void a_removed_source_ends_and_is_forgotten(void **state)
{
	struct hub *h = *state;
	struct answer removed = {0};
	struct answer again = {0};
	struct answer own = {0};

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__hold\",\"arguments\":{}}");
	hub_await_file(h, h->effects, "hold");
	router_source_remove(h->router, "fake", on_done, &removed);
	client_await(h, &h->a, "\"id\":1,\"error\"");
	hub_await_answer(h, &removed);
	assert_int_equal(removed.reason, ERR_NONE);
	assert_null(router_source(h->router, "fake"));
	client_await(h, &h->b, "notifications/tools/list_changed");
	client_ask(&h->a, "2", "tools/list", "");
	client_await(h, &h->a, "\"id\":2,\"result\"");
	assert_null(client_find(&h->a, "fake__"));
	router_source_remove(h->router, "fake", on_done, &again);
	hub_await_answer(h, &again);
	assert_int_equal(again.reason, ERR_NOT_FOUND);
	router_source_remove(h->router, "executor", on_done, &own);
	hub_await_answer(h, &own);
	assert_int_equal(own.reason, ERR_INVALID_ARGUMENT);
	hub_add(h, "fake", NULL);
	hub_end(h);
}

static void tools_are_there_at_once_in_the_next_life(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	hub_end(h);
	hub_start(h, 60000);
	assert_int_equal(source_state(router_source(h->router, "fake")),
			 SOURCE_STOPPED);
	hub_await_listed(h); /* the built-in one has to speak first */
	client_ask(&h->a, "1", "tools/list", "");
	assert_non_null(client_find(&h->a, "\"fake__echo\""));
	client_ask(&h->a, "2", "tools/call",
		   "{\"name\":\"fake__echo\",\"arguments\":{\"n\":2}}");
	client_await(h, &h->a, "\"structuredContent\":{\"n\":2}");
	hub_end(h);
}

static void a_source_that_cannot_start_holds_up_nothing(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "exit");
	client_ask(&h->a, "1", "tools/list", "");
	client_await(h, &h->a, "\"id\":1,\"result\"");
	assert_non_null(client_find(&h->a, "executor__"));
	hub_end(h);
}

static void a_hub_may_be_freed_at_any_time(void **state)
{
	struct hub *h = *state;
	struct answer added = {0};
	struct answer listed = {0};

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	hub_add(h, "other", "mute");
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__hold\",\"arguments\":{}}");
	client_ask(&h->a, "2", "tools/list", "");
	hub_order(h, "third", NULL, &added);
	router_source_remove(h->router, "fake", on_done, &listed);
	router_free(h->router);
	sessions_set_router(h->sessions, NULL);
	client_close(&h->a);
	client_close(&h->b);
	sessions_free(h->sessions);
	room_close(h->room);
	assert_int_equal(added.calls, 0);
	assert_int_equal(listed.calls, 0);
}

static void a_stopped_hub_refuses(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__hold\",\"arguments\":{}}");
	hub_await_file(h, h->effects, "hold");
	h->flag = false;
	router_stop(h->router, hub_set_flag, h);
	client_ask(&h->a, "2", "ping", "");
	assert_non_null(client_find(&h->a, "\"draining\""));
	while (!h->flag)
		hub_turn(h);
	assert_non_null(client_find(&h->a, "\"id\":1,\"error\""));
	assert_int_equal(source_state(router_source(h->router, "fake")),
			 SOURCE_STOPPED);
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(a_source_is_checked_before_it_is_kept),
		hub_test(there_is_a_most_of_sources),
		hub_test(there_is_one_source_of_a_name),
		hub_test(its_tools_are_announced),
		hub_test(a_removed_source_ends_and_is_forgotten),
		hub_test(tools_are_there_at_once_in_the_next_life),
		hub_test(a_source_that_cannot_start_holds_up_nothing),
		hub_test(a_hub_may_be_freed_at_any_time),
		hub_test(a_stopped_hub_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
