/* A source is tested: started now, and asked what it has. */
#include "server/mcp/trials.h"

#include "tests/support/hub_room.h"

static void try_one(struct hub *h, const char *name, struct answer *a)
{
	*a = (struct answer){0};
	router_source_test(h->router, name, on_done, a);
	hub_await_answer(h, a);
}

static void a_test_ends_when_its_tools_are_known(void **state)
{
	struct hub *h = *state;
	const struct source *s;
	struct answer a;
	size_t tools;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	for (int i = 0; i < 2; i++) { /* when it runs already, too */
		try_one(h, "fake", &a);
		assert_int_equal(a.reason, ERR_NONE);
		s = router_source(h->router, "fake");
		assert_int_equal(source_state(s), SOURCE_READY);
		source_items(s, KIND_TOOL, &tools);
		assert_true(tools > 0);
	}
	hub_end(h);
}

/* By the seventh time it rests for minutes: longer than the guard waits. */
/* Though its tools are known first. */
static void a_test_waits_for_every_kind(void **state)
{
	struct hub *h = *state;
	struct answer a;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	try_one(h, "fake", &a);
	assert_int_equal(a.reason, ERR_NONE);
	for (int k = 0; k < KIND_COUNT; k++) {
		size_t count;

		source_items(router_source(h->router, "fake"), (enum kind)k,
			     &count);
		assert_true(count > 0);
	}
	hub_end(h);
}

static void a_kind_that_cannot_be_read_fails_the_test(void **state)
{
	struct hub *h = *state;
	struct answer a;

	hub_start(h, 60000);
	hub_add(h, "fake", "no-prompts");
	try_one(h, "fake", &a);
	assert_int_equal(a.reason, ERR_SOURCE_PROTOCOL);
	assert_non_null(strstr(a.text, "prompts/list"));
	hub_end(h);
}

static void a_source_that_rests_is_started_at_once(void **state)
{
	struct hub *h = *state;
	struct answer a;

	hub_start(h, 60000);
	hub_add(h, "fake", "exit");
	for (int i = 0; i < 9; i++) {
		try_one(h, "fake", &a);
		assert_int_equal(a.reason, ERR_SOURCE_DOWN);
	}
	hub_end(h);
}

static void what_cannot_be_tested_is_told_at_once(void **state)
{
	struct hub *h = *state;
	struct answer none = {0};
	struct answer off = {0};
	struct answer disabled = {0};

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	router_source_test(h->router, "none", on_done, &none);
	assert_int_equal(none.reason, ERR_NOT_FOUND);
	router_source_set(h->router, "fake",
			  &(struct stored_change){.enabled = 0}, on_done, &off);
	hub_await_answer(h, &off);
	router_source_test(h->router, "fake", on_done, &disabled);
	assert_int_equal(disabled.reason, ERR_SOURCE_DISABLED);
	assert_non_null(strstr(disabled.text, "executor source enable fake"));
	hub_end(h);
}

static void a_test_ends_with_its_source(void **state)
{
	struct hub *h = *state;
	struct answer tested = {0};
	struct answer removed = {0};

	hub_start(h, 60000);
	hub_add(h, "fake", "mute");
	router_source_test(h->router, "fake", on_done, &tested);
	router_source_remove(h->router, "fake", on_done, &removed);
	hub_await_answer(h, &tested);
	assert_int_equal(tested.reason, ERR_CANCELLED);
	assert_non_null(strstr(tested.text, "removed"));
	hub_await_answer(h, &removed);
	hub_end(h);
}

static void who_has_gone_hears_nothing(void **state)
{
	struct hub *h = *state;
	struct answer gone = {0};
	struct answer a;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	router_source_test(h->router, "fake", on_done, &gone);
	router_forget_test(h->router, &gone);
	try_one(h, "fake", &a);
	assert_int_equal(a.reason, ERR_NONE);
	assert_int_equal(gone.calls, 0);
	hub_end(h);
}

static void a_check_starts_nothing(void **state)
{
	static const char *const missing[] = {"no-such-command", NULL};
	struct hub *h = *state;
	struct stored_source source = {
		.name = "gone", .command = missing, .cwd = "/"};
	struct answer off = {0};
	struct answer added = {0};
	struct answer away = {0};
	struct buf program = {0};
	struct err e;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	router_source_set(h->router, "fake",
			  &(struct stored_change){.enabled = 0}, on_done, &off);
	hub_await_answer(h, &off);
	const struct source *fake = router_source(h->router, "fake");
	assert_true(source_check(fake, &program, &e));
	assert_string_equal(program.data, FAKE_SOURCE);
	assert_int_equal(source_state(fake), SOURCE_STOPPED);
	router_source_add(h->router, &source, on_done, &added);
	hub_await_answer(h, &added);
	assert_false(
		source_check(router_source(h->router, "gone"), &program, &e));
	assert_non_null(strstr(e.text, "no-such-command"));
	source.name = "away";
	source.cwd = "/no/such/directory";
	router_source_add(h->router, &source, on_done, &away);
	hub_await_answer(h, &away);
	assert_false(
		source_check(router_source(h->router, "away"), &program, &e));
	assert_non_null(strstr(e.text, "/no/such/directory"));
	buf_finish(&program);
	hub_end(h);
}

/* --- calls ---------------------------------------------------------------- */

struct seen {
	char text[512];
	uint64_t session;
};

static void on_call(void *owner, const struct router_call *call)
{
	struct seen *seen = owner;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s %s %.*s,",
		 (int)call->method.len, call->method.ptr, call->source,
		 (int)call->name.len, call->name.ptr);
	seen->session = call->session;
}

static void calls_are_seen_while_they_last(void **state)
{
	struct hub *h = *state;
	struct seen seen = {0};
	struct seen after = {0};

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__hold\",\"arguments\":{}}");
	router_calls(h->router, on_call, &seen);
	assert_string_equal(seen.text, "\"tools/call\" fake hold,");
	assert_int_equal(seen.session, session_number(h->a.session));
	client_close(&h->a);
	router_calls(h->router, on_call, &after);
	assert_string_equal(after.text, "");
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(a_test_ends_when_its_tools_are_known),
		hub_test(a_test_waits_for_every_kind),
		hub_test(a_kind_that_cannot_be_read_fails_the_test),
		hub_test(a_source_that_rests_is_started_at_once),
		hub_test(what_cannot_be_tested_is_told_at_once),
		hub_test(a_test_ends_with_its_source),
		hub_test(who_has_gone_hears_nothing),
		hub_test(a_check_starts_nothing),
		hub_test(calls_are_seen_while_they_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
