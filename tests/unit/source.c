/* source: its life, from the first request to its end, with real children. */
#include "tests/support/source_den.h"

static void the_first_request_starts_it(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};
	struct source_info info;

	open_source(d, &e, "", &usual_limits);
	assert_int_equal(source_state(e.source), SOURCE_STOPPED);
	assert_true(ask(&e, &r, "add", "{\"a\":20,\"b\":22}"));
	assert_int_equal(r.answers, 0);
	DEN_UNTIL(d, r.answers);
	assert_non_null(strstr(r.answer.data, "\"42\""));
	assert_int_equal(source_state(e.source), SOURCE_READY);
	source_info(e.source, &info);
	assert_string_equal(info.server_name, "fake");
	assert_string_equal(info.server_version, "1.2");
	assert_string_equal(info.revision, "2025-11-25");
	assert_string_equal(info.last_error, "");
	assert_string_equal(info.env_names[0], "EFFECTS");
	assert_true(info.pid > 0);
	assert_false(info.builtin);
	DEN_UNTIL(d, e.tools);
	finish_reply(&r);
	close_source(&e);
}

static void what_comes_before_it_is_ready_waits_for_one_start(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r[3] = {{0}};
	struct source_info info;
	struct buf effects = {0};

	open_source(d, &e, "", &usual_limits);
	source_refresh(e.source);
	assert_true(ask(&e, &r[0], "echo", "{\"n\":0}"));
	assert_true(ask(&e, &r[1], "echo", "{\"n\":1}"));
	assert_true(ask(&e, &r[2], "echo", "{\"n\":2}"));
	DEN_UNTIL(d, r[0].answers && r[1].answers && r[2].answers && e.tools);
	for (int i = 0; i < 3; i++) {
		char mine[16];

		snprintf(mine, sizeof(mine), "{\"n\":%d}", i);
		assert_non_null(strstr(r[i].answer.data, mine));
		finish_reply(&r[i]);
	}
	source_info(e.source, &info);
	assert_int_equal(info.restarts, 0);
	den_read(d, "effects", &effects);
	assert_string_equal(effects.data,
			    "echo {\"n\":0}\necho {\"n\":1}\necho {\"n\":2}\n");
	buf_finish(&effects);
	close_source(&e);
}

static void the_queue_for_a_start_is_bounded(void **state)
{
	struct den *d = *state;
	struct source_limits limits = usual_limits;
	struct ears e = {0};
	struct reply r[3] = {{0}};

	limits.queued = 2;
	open_source(d, &e, "mute", &limits);
	assert_true(ask(&e, &r[0], "echo", "{}"));
	assert_true(ask(&e, &r[1], "echo", "{}"));
	assert_false(ask(&e, &r[2], "echo", "{}"));
	assert_int_equal(r[2].why.reason, ERR_OVERLOADED);
	/* Whoever takes a request back makes room. */
	source_cancel(e.source, r[0].number, (struct slice){NULL, 0});
	assert_true(ask(&e, &r[2], "echo", "{}"));
	close_source(&e);
	assert_int_equal(r[0].fails + r[1].fails + r[2].fails, 0);
}

static void one_that_cannot_be_found_says_where_it_was_sought(void **state)
{
	struct den *d = *state;
	const char *const command[] = {"no-such-command", NULL};
	const struct stored_env env[] = {{"PATH", "/a:/b", false}};
	struct stored_source stored = {.name = "gone",
				       .command = command,
				       .cwd = d->dir,
				       .env = env,
				       .env_count = 1};
	struct ears e = {0};
	struct reply r = {0};
	struct source_info info;

	e.source = source_new(d->loop, &stored, d->dir, &usual_limits,
			      &source_events, &e);
	source_refresh(e.source);
	assert_true(ask(&e, &r, "echo", "{}"));
	DEN_UNTIL(d, r.fails && e.failed);
	assert_int_equal(r.why.reason, ERR_SOURCE_DOWN);
	assert_non_null(strstr(r.why.text, "'no-such-command' not found"));
	assert_non_null(strstr(r.why.text, "/a:/b"));
	assert_int_equal(source_state(e.source), SOURCE_RESTING);
	source_info(e.source, &info);
	assert_string_equal(info.last_error, r.why.text);
	close_source(&e);
}

static void one_that_ends_at_once_says_how(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};

	open_source(d, &e, "exit", &usual_limits);
	assert_true(ask(&e, &r, "echo", "{}"));
	DEN_UNTIL(d, r.fails);
	assert_int_equal(r.why.reason, ERR_SOURCE_DOWN);
	assert_non_null(strstr(r.why.text, "exit status 3"));
	assert_int_equal(e.failed, 1);
	assert_int_equal(source_state(e.source), SOURCE_RESTING);
	close_source(&e);
}

static void one_that_does_not_answer_initialize_is_given_up(void **state)
{
	struct den *d = *state;
	struct source_limits limits = usual_limits;
	struct ears e = {0};
	struct reply r = {0};

	limits.start_ms = 50;
	open_source(d, &e, "mute", &limits);
	assert_true(ask(&e, &r, "echo", "{}"));
	DEN_UNTIL(d, r.fails);
	assert_int_equal(r.why.reason, ERR_SOURCE_DOWN);
	assert_non_null(strstr(r.why.text, "did not answer initialize"));
	close_source(&e);
}

static void one_that_closes_its_stdout_is_given_up(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};

	open_source(d, &e, "close-stdout", &usual_limits);
	assert_true(ask(&e, &r, "echo", "{}"));
	DEN_UNTIL(d, r.fails);
	assert_non_null(strstr(r.why.text, "closed its standard output"));
	close_source(&e);
}

static void another_revision_is_refused(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};

	open_source(d, &e, "wrong-version", &usual_limits);
	assert_true(ask(&e, &r, "echo", "{}"));
	DEN_UNTIL(d, r.fails);
	assert_int_equal(r.why.reason, ERR_SOURCE_PROTOCOL);
	assert_non_null(strstr(r.why.text, "2099-01-01"));
	assert_false(den_holds(d, "transcript", "tools/call"));
	close_source(&e);
}

/* Its end is told as it was: nobody can know what the call did. */
static void a_crash_leaves_the_outcome_unknown(void **state)
{
	static const struct {
		const char *arguments, *told;
	} ends[] = {
		{"{}", "exit status 1"},
		{"{\"how\":\"signal\"}", "signal 9"},
	};
	struct den *d = *state;
	struct ears e = {0};
	struct source_info info;

	open_source(d, &e, "", &usual_limits);
	for (int i = 0; i < 2; i++) {
		struct reply held = {0}, crash = {0};

		assert_true(ask(&e, &held, "hold", "{}"));
		assert_true(ask(&e, &crash, "crash", ends[i].arguments));
		DEN_UNTIL(d, held.fails && crash.fails);
		assert_int_equal(held.why.reason, ERR_OUTCOME_UNKNOWN);
		assert_int_equal(crash.why.reason, ERR_OUTCOME_UNKNOWN);
		assert_non_null(strstr(crash.why.text, ends[i].told));
		assert_int_equal(source_state(e.source), SOURCE_RESTING);
	}
	/* A short rest is waited for. */
	struct reply r = {0};
	assert_true(ask(&e, &r, "echo", "{}"));
	DEN_UNTIL(d, r.answers);
	source_info(e.source, &info);
	assert_int_equal(info.restarts, 2);
	finish_reply(&r);
	close_source(&e);
}

static void one_that_keeps_failing_refuses_at_once(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};

	open_source(d, &e, "exit", &usual_limits);
	for (unsigned i = 1; ask(&e, &r, "echo", "{}"); i++)
		DEN_UNTIL(d, r.fails == i);
	assert_int_equal(r.fails, 4); /* 0.25, 0.5, 1, 2 s */
	assert_int_equal(r.why.reason, ERR_SOURCE_DOWN);
	assert_non_null(strstr(r.why.text, "tried again in 2 s"));
	assert_non_null(strstr(r.why.text, "exit status 3"));
	close_source(&e);
}

static void an_idle_one_is_stopped_and_keeps_its_tools(void **state)
{
	struct den *d = *state;
	struct source_limits limits = usual_limits;
	struct ears e = {0};
	struct reply slow = {0}, again = {0};
	struct source_info info;
	size_t count;

	limits.idle_ms = 30;
	open_source(d, &e, "", &limits);
	/* Not while a request runs, however long that is. */
	assert_true(ask(&e, &slow, "slow", "{\"ms\":150}"));
	DEN_UNTIL(d, source_state(e.source) == SOURCE_STOPPING);
	assert_int_equal(slow.answers, 1);
	/* What comes while it ends waits, and starts it again. */
	assert_true(ask(&e, &again, "echo", "{}"));
	DEN_UNTIL(d, again.answers);
	DEN_UNTIL(d, source_state(e.source) == SOURCE_STOPPED);
	source_info(e.source, &info);
	assert_int_equal(info.restarts, 1);
	assert_int_equal(info.pid, 0);
	assert_string_equal(info.last_error, "");
	source_items(e.source, KIND_TOOL, &count);
	assert_int_equal(count, 10);
	finish_reply(&slow);
	finish_reply(&again);
	close_source(&e);
}

static void stopping_ends_what_came_before_and_nothing_else(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply held = {0}, later = {0};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &held, "hold", "{}"));
	DEN_UNTIL(d, e.tools);
	source_stop(e.source);
	assert_int_equal(source_state(e.source), SOURCE_STOPPING);
	assert_true(ask(&e, &later, "echo", "{}"));
	DEN_UNTIL(d, held.fails);
	assert_int_equal(held.why.reason, ERR_OUTCOME_UNKNOWN);
	assert_non_null(strstr(held.why.text, "was stopped"));
	DEN_UNTIL(d, later.answers);
	finish_reply(&later);
	close_source(&e);
}

static void stopping_ends_a_start(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r[2] = {{0}};

	open_source(d, &e, "mute", &usual_limits);
	/* Before it is started, and while it is. */
	for (int i = 0; i < 2; i++) {
		source_refresh(e.source);
		assert_true(ask(&e, &r[i], "echo", "{}"));
		if (i == 1)
			DEN_UNTIL(d, source_state(e.source) == SOURCE_STARTING);
		source_stop(e.source);
		DEN_UNTIL(d, r[i].fails);
		assert_int_equal(r[i].why.reason, ERR_SOURCE_DOWN);
		assert_non_null(strstr(r[i].why.text, "was stopped"));
		assert_int_equal(e.failed, i + 1);
		assert_int_equal(source_state(e.source), SOURCE_STOPPED);
	}
	close_source(&e);
}

static void its_owner_may_free_it_in_any_event(void **state)
{
	static const struct {
		enum event event;
		const char *mode, *tool;
	} cases[] = {
		{TOOLS, "", "echo"},	    {TOOLS, "no-tools", "echo"},
		{FAILED, "exit", "echo"},   {FAILED, "same-cursor", "echo"},
		{NOTIFICATION, "", "log"},  {ANSWER, "", "echo"},
		{FAIL, "", "crash"},	    {FAIL, "exit", "echo"},
		{PROGRESS, "", "progress"},
	};
	struct den *d = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ears e = {.free_in = cases[i].event};
		struct reply r[2] = {{0}};
		char text[256];

		snprintf(text, sizeof(text),
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
			 "\"tools/call\",\"params\":{\"_meta\":{"
			 "\"progressToken\":7},\"name\":\"%s\"}}",
			 cases[i].tool);
		open_source(d, &e, cases[i].mode, &usual_limits);
		assert_true(ask_text(&e, &r[0], text));
		assert_true(ask(&e, &r[1], "hold", "{}"));
		DEN_UNTIL(d, !e.source);
		finish_reply(&r[0]);
		close_source(&e);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, den_setup, den_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_first_request_starts_it),
		TEST(what_comes_before_it_is_ready_waits_for_one_start),
		TEST(the_queue_for_a_start_is_bounded),
		TEST(one_that_cannot_be_found_says_where_it_was_sought),
		TEST(one_that_ends_at_once_says_how),
		TEST(one_that_does_not_answer_initialize_is_given_up),
		TEST(one_that_closes_its_stdout_is_given_up),
		TEST(another_revision_is_refused),
		TEST(a_crash_leaves_the_outcome_unknown),
		TEST(one_that_keeps_failing_refuses_at_once),
		TEST(an_idle_one_is_stopped_and_keeps_its_tools),
		TEST(stopping_ends_what_came_before_and_nothing_else),
		TEST(stopping_ends_a_start),
		TEST(its_owner_may_free_it_in_any_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
