/* source: what passes between its callers and the server, with real children.
 */
#include "tests/support/source_den.h"

/* A call whose token is the caller's. */
#define WITH_TOKEN(tool)                                                       \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":"  \
	"{\"_meta\":{\"progressToken\":\"t\"},\"name\":\"" tool "\"}}"

static const struct slice nothing;

static void arguments_pass_byte_for_byte(void **state)
{
	/* What parsers and printers like to change. */
	static const char evil[] =
		"{\"n\":[9007199254740993,1.0,1e400,-0,12345678901234567890],"
		"\"s\":\"\\u0000\\ud800\\/\xe2\x80\xa8 \\\"\",\"\":{},"
		"\"a\":1,\"a\":2 , \"id\":\"mine\",\"name\":\"echo\"}";
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};
	char expected[512];

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &r, "echo", evil));
	DEN_UNTIL(d, r.answers);
	assert_non_null(strstr(r.answer.data, evil));
	snprintf(expected, sizeof(expected),
		 "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\","
		 "\"params\":{\"name\":\"echo\",\"arguments\":%s}}\n",
		 (unsigned long long)r.number, evil);
	assert_true(den_holds(d, "transcript", expected));
	finish_reply(&r);
	close_source(&e);
}

static void the_name_is_the_sources_own(void **state)
{
	static const char text[] =
		"{\"params\":{\"arguments\":{\"name\":\"fake__echo\"},"
		"\"_meta\":{\"progressToken\":\"t\",\"name\":1},\n\t"
		"\"name\":\"fake__echo\"},\r\n\"method\":\"tools/call\","
		"\"id\":\"x\",\"jsonrpc\":\"2.0\"}";
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {.ears = &e};
	struct jsonrpc m;
	struct source_request request = {.m = &m};
	char expected[256];

	assert_true(jsonrpc_slice(slice_of(text), &m, &r.why));
	request.name_old = json_get(m.params, "name");
	request.name_new = slice_of("echo");
	request.token_old = json_path(m.params, "_meta", "progressToken", NULL);
	open_source(d, &e, "", &usual_limits);
	r.number = source_request(e.source, &request, &source_reply, &r, NULL);
	DEN_UNTIL(d, r.answers);
	snprintf(expected, sizeof(expected),
		 "{\"params\":{\"arguments\":{\"name\":\"fake__echo\"},"
		 "\"_meta\":{\"progressToken\":%llu,\"name\":1}, \t"
		 "\"name\":\"echo\"},  \"method\":\"tools/call\","
		 "\"id\":%llu,\"jsonrpc\":\"2.0\"}\n",
		 (unsigned long long)r.number, (unsigned long long)r.number);
	assert_true(den_holds(d, "transcript", expected));
	finish_reply(&r);
	close_source(&e);
}

static void progress_comes_before_the_answer_and_only_rises(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply with = {0}, without = {0};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &without, "progress", "{}"));
	assert_true(ask_text(&e, &with, WITH_TOKEN("progress")));
	DEN_UNTIL(d, with.progresses == 3);
	DEN_UNTIL(d, with.answers && without.answers);
	buf_append(&with.progress, "", 1);
	assert_string_equal(with.progress.data, "1 3 4 ");
	assert_int_equal(without.progresses, 0);
	/* Nobody else hears of it. */
	assert_int_equal(e.notifications, 0);
	finish_reply(&with);
	finish_reply(&without);
	close_source(&e);
}

static void what_is_cancelled_is_told_and_never_answered(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply held = {0}, other = {0}, after = {0};
	char expected[128];

	open_source(d, &e, "late", &usual_limits);
	assert_true(ask(&e, &held, "hold", "{}"));
	assert_true(ask(&e, &other, "hold", "{}"));
	DEN_UNTIL(d, e.tools);
	source_cancel(e.source, held.number, slice_of("\"changed my mind\""));
	source_cancel(e.source, held.number, nothing);
	source_cancel(e.source, 999, nothing);
	assert_true(ask(&e, &after, "echo", "{}"));
	DEN_UNTIL(d, after.answers);
	assert_int_equal(held.answers + held.fails, 0);
	assert_int_equal(other.answers + other.fails, 0);
	snprintf(expected, sizeof(expected),
		 "{\"requestId\":%llu,\"reason\":\"changed my mind\"}}\n",
		 (unsigned long long)held.number);
	assert_true(den_holds(d, "transcript", expected));
	assert_false(den_holds(d, "transcript", "999"));
	finish_reply(&after);
	close_source(&e);
}

static void what_is_cancelled_before_the_start_is_never_sent(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply gone = {0}, r = {0};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &gone, "add", "{}"));
	assert_true(ask(&e, &r, "echo", "{}"));
	source_cancel(e.source, gone.number, nothing);
	DEN_UNTIL(d, r.answers);
	assert_int_equal(gone.answers + gone.fails, 0);
	assert_false(den_holds(d, "transcript", "\"add\""));
	assert_false(den_holds(d, "transcript", "cancelled"));
	finish_reply(&r);
	close_source(&e);
}

static void a_request_without_answer_is_given_up(void **state)
{
	struct den *d = *state;
	struct source_limits limits = usual_limits;
	struct ears e = {0};
	struct reply held = {0}, quick = {0};
	char expected[64];

	limits.request_ms = 100;
	open_source(d, &e, "", &limits);
	assert_true(ask(&e, &held, "hold", "{}"));
	assert_true(ask(&e, &quick, "echo", "{}"));
	DEN_UNTIL(d, held.fails);
	assert_int_equal(held.why.reason, ERR_DEADLINE);
	assert_int_equal(quick.answers, 1);
	snprintf(expected, sizeof(expected), "{\"requestId\":%llu,",
		 (unsigned long long)held.number);
	DEN_UNTIL(d, den_holds(d, "transcript", expected));
	assert_int_equal(source_state(e.source), SOURCE_READY);
	finish_reply(&quick);
	close_source(&e);
}

static void rubbish_between_messages_is_survived(void **state)
{
	static const char *const modes[] = {"garbage", "batch", "flood"};
	struct den *d = *state;

	for (int i = 0; i < 3; i++) {
		struct ears e = {0};
		struct reply r = {0};

		open_source(d, &e, modes[i], &usual_limits);
		assert_true(ask(&e, &r, "add", "{\"a\":1,\"b\":1}"));
		DEN_UNTIL(d, r.answers && e.tools);
		assert_non_null(strstr(r.answer.data, "\"2\""));
		finish_reply(&r);
		close_source(&e);
	}
}

static void an_answer_that_is_none_fails_its_request(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &r, "misfit", "{}"));
	DEN_UNTIL(d, r.fails);
	assert_int_equal(r.why.reason, ERR_SOURCE_PROTOCOL);
	close_source(&e);
}

static void a_message_over_the_limit_is_dropped(void **state)
{
	struct den *d = *state;
	struct source_limits limits = usual_limits;
	struct ears e = {0};
	struct reply big = {0}, fits = {0};

	limits.message_bytes = 4096;
	open_source(d, &e, "", &limits);
	assert_true(ask(&e, &big, "big", "{\"bytes\":100000}"));
	assert_true(ask(&e, &fits, "big", "{\"bytes\":4000}"));
	DEN_UNTIL(d, fits.answers);
	assert_int_equal(big.answers, 0);
	finish_reply(&fits);
	close_source(&e);
}

static void a_large_answer_comes_whole(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &r, "big", "{\"bytes\":3000000}"));
	DEN_UNTIL(d, r.answers);
	assert_in_range(r.answer.len, 3000000, 3000200);
	finish_reply(&r);
	close_source(&e);
}

static void what_it_asks_is_answered_or_refused(void **state)
{
	struct den *d = *state;
	struct ears e = {0};

	open_source(d, &e, "asks", &usual_limits);
	source_refresh(e.source);
	DEN_UNTIL(d, den_holds(d, "transcript", "\"id\":2,\"error\""));
	assert_true(den_holds(d, "transcript", "\"id\":\"p-1\",\"result\":{}"));
	assert_true(den_holds(d, "transcript",
			      "\"id\":1,\"error\":{\"code\":-32601"));
	assert_true(den_holds(d, "transcript",
			      "\"capabilities\":{\"elicitation\":{\"form\":{},"
			      "\"url\":{}},\"sampling\":{}},"));
	close_source(&e);
}

static void its_notifications_go_up(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &r, "log", "{}"));
	DEN_UNTIL(d, r.answers);
	assert_int_equal(e.notifications, 1);
	assert_non_null(strstr(e.notification.data, "\"hello\""));
	finish_reply(&r);
	close_source(&e);
}

static void the_level_is_told_now_and_at_each_start(void **state)
{
	struct den *d = *state;
	struct ears e = {0};

	open_source(d, &e, "", &usual_limits);
	source_set_level(e.source, "warning");
	source_refresh(e.source);
	DEN_UNTIL(d, den_holds(d, "transcript", "{\"level\":\"warning\"}"));
	source_set_level(e.source, "debug");
	DEN_UNTIL(d, den_holds(d, "transcript", "{\"level\":\"debug\"}"));
	source_stop(e.source);
	DEN_UNTIL(d, source_state(e.source) == SOURCE_STOPPED);
	unlink(den_path(d, "transcript"));
	source_refresh(e.source);
	DEN_UNTIL(d, den_holds(d, "transcript", "{\"level\":\"debug\"}"));
	close_source(&e);
}

static void the_level_is_not_told_to_one_that_takes_none(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r = {0};
	size_t count;

	open_source(d, &e, "no-tools", &usual_limits);
	source_set_level(e.source, "debug");
	assert_true(ask(&e, &r, "echo", "{}"));
	DEN_UNTIL(d, r.answers && e.tools);
	assert_false(den_holds(d, "transcript", "setLevel"));
	/* Nor is it asked for tools that it does not declare. */
	assert_false(den_holds(d, "transcript", "tools/list"));
	source_items(e.source, KIND_TOOL, &count);
	assert_int_equal(count, 0);
	finish_reply(&r);
	close_source(&e);
}

static void tools_are_read_page_by_page(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	size_t count;

	open_source(d, &e, "paging", &usual_limits);
	source_refresh(e.source);
	source_refresh(e.source);
	DEN_UNTIL(d, e.tools);
	const struct source_item *tools =
		source_items(e.source, KIND_TOOL, &count);
	assert_int_equal(count, 10);
	assert_true(slice_is(tools[0].key, "echo"));
	assert_true(slice_is(tools[9].key, "misfit"));
	assert_true(den_holds(d, "transcript", "{\"cursor\":\"\"}"));
	assert_int_equal(e.tools, 1);
	close_source(&e);
}

static void a_list_without_end_is_refused(void **state)
{
	static const struct {
		const char *mode, *told;
	} cases[] = {
		{"same-cursor", "the same cursor"},
		{"many-tools", "more than 10000 tools"},
	};
	struct den *d = *state;

	for (int i = 0; i < 2; i++) {
		struct ears e = {0};
		struct reply r = {0};

		open_source(d, &e, cases[i].mode, &usual_limits);
		source_refresh(e.source);
		DEN_UNTIL(d, e.failed);
		assert_non_null(strstr(e.why.text, cases[i].told));
		/* Its calls go on. */
		assert_true(ask(&e, &r, "echo", "{}"));
		DEN_UNTIL(d, r.answers);
		assert_int_equal(source_state(e.source), SOURCE_READY);
		finish_reply(&r);
		close_source(&e);
	}
}

static void tools_that_would_break_a_client_are_left_out(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	size_t count;

	open_source(d, &e, "odd-names", &usual_limits);
	source_refresh(e.source);
	DEN_UNTIL(d, e.tools);
	const struct source_item *tools =
		source_items(e.source, KIND_TOOL, &count);
	assert_int_equal(count, 3);
	assert_true(slice_is(tools[0].key, "a b/c"));
	assert_true(slice_is(tools[1].key, "a.b.c"));
	assert_true(slice_is(tools[2].key, "good"));
	assert_true(slice_is(tools[2].json,
			     "{\"name\":\"good\",\"future\":[1.0,1e400],"
			     "\"inputSchema\":{\"type\":\"object\"}}"));
	close_source(&e);
}

static void a_changed_list_is_read_again(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r[2] = {{0}};
	size_t count;

	open_source(d, &e, "", &usual_limits);
	source_refresh(e.source);
	DEN_UNTIL(d, e.tools == 1);
	assert_true(ask(&e, &r[0], "change", "{}"));
	DEN_UNTIL(d, e.tools == 2);
	source_items(e.source, KIND_TOOL, &count);
	assert_int_equal(count, 11);
	/* Told again when it turns out the same. */
	assert_true(ask(&e, &r[1], "change", "{}"));
	DEN_UNTIL(d, e.tools == 3);
	assert_int_equal(r[0].answers + r[1].answers, 2);
	finish_reply(&r[0]);
	finish_reply(&r[1]);
	close_source(&e);
}

/* --- the built-in one --------------------------------------------------------
 */

static void tell_sources(void *hub, struct buf *json)
{
	assert_non_null(hub);
	buf_append_text(json, "[{\"name\":\"x\"}]");
}

static void the_built_in_one_is_a_source_like_any_other(void **state)
{
	static const struct builtin_hub functions = {.sources = tell_sources};
	struct den *d = *state;
	struct source_limits limits = usual_limits;
	struct ears e = {0};
	struct reply r = {0};
	struct source_info info;
	size_t count;

	limits.idle_ms = 1; /* it does not stop for that */
	e.source = source_new_builtin(d->loop, &functions, d, &limits,
				      &source_events, &e);
	source_refresh(e.source);
	assert_true(ask(&e, &r, "list_sources", "{}"));
	assert_int_equal(r.answers + e.tools, 0);
	DEN_UNTIL(d, r.answers && e.tools);
	assert_non_null(strstr(r.answer.data,
			       "\"structuredContent\":{\"sources\":"
			       "[{\"name\":\"x\"}]}"));
	source_items(e.source, KIND_TOOL, &count);
	assert_int_equal(count, 5);
	source_info(e.source, &info);
	assert_true(info.builtin);
	assert_int_equal(info.pid, 0);
	assert_null(info.command[0]);
	assert_string_equal(source_name(e.source), "executor");
	for (int i = 0; i < 3; i++)
		den_turn(d);
	assert_int_equal(source_state(e.source), SOURCE_READY);
	source_stop(e.source);
	DEN_UNTIL(d, source_state(e.source) == SOURCE_STOPPED);
	finish_reply(&r);
	close_source(&e);
}

static void nobodys_time_runs_out_while_it_asks(void **state)
{
	struct den *d = *state;
	struct source_limits limits = usual_limits;
	struct ears e = {.takes = true};
	struct reply asking = {0}, held = {0}, echo[20] = {{0}};

	limits.request_ms = 500;
	open_source(d, &e, "", &limits);
	assert_true(ask(&e, &asking, "ask",
			"{\"method\":\"roots/list\",\"params\":{}}"));
	assert_true(ask(&e, &held, "hold", "{}"));
	DEN_UNTIL(d, e.requests == 1);
	/* Until well after that time. */
	for (int i = 0; i < 20; i++) {
		assert_true(ask(&e, &echo[i], "slow", "{\"ms\":50}"));
		DEN_UNTIL(d, echo[i].answers);
		finish_reply(&echo[i]);
	}
	assert_int_equal(held.fails + asking.fails, 0);
	source_answer(e.source, slice_of("{\"jsonrpc\":\"2.0\",\n\"id\":"
					 "\"q-0-1\",\"result\":{}}"));
	DEN_UNTIL(d, asking.answers);
	DEN_UNTIL(d, held.fails);
	assert_int_equal(held.why.reason, ERR_DEADLINE);
	assert_int_equal(e.ended, 0);
	finish_reply(&asking);
	finish_reply(&held);
	close_source(&e);
}

static void what_it_asked_ends_with_it(void **state)
{
	struct den *d = *state;
	struct ears e = {.takes = true};
	struct reply asking = {0}, crash = {0};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &asking, "ask",
			"{\"method\":\"roots/list\",\"parallel\":2}"));
	DEN_UNTIL(d, e.requests == 2);
	/* One it took back. */
	source_answer(e.source, slice_of(""));
	assert_true(ask(&e, &crash, "crash", "{}"));
	DEN_UNTIL(d, asking.fails && crash.fails);
	assert_int_equal(e.ended, 1);
	source_notify(e.source, slice_of("{}")); /* to nobody */
	finish_reply(&asking);
	finish_reply(&crash);
	close_source(&e);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, den_setup, den_teardown)
	const struct CMUnitTest tests[] = {
		TEST(arguments_pass_byte_for_byte),
		TEST(the_name_is_the_sources_own),
		TEST(progress_comes_before_the_answer_and_only_rises),
		TEST(what_is_cancelled_is_told_and_never_answered),
		TEST(what_is_cancelled_before_the_start_is_never_sent),
		TEST(a_request_without_answer_is_given_up),
		TEST(rubbish_between_messages_is_survived),
		TEST(an_answer_that_is_none_fails_its_request),
		TEST(a_message_over_the_limit_is_dropped),
		TEST(a_large_answer_comes_whole),
		TEST(what_it_asks_is_answered_or_refused),
		TEST(its_notifications_go_up),
		TEST(the_level_is_told_now_and_at_each_start),
		TEST(the_level_is_not_told_to_one_that_takes_none),
		TEST(tools_are_read_page_by_page),
		TEST(a_list_without_end_is_refused),
		TEST(tools_that_would_break_a_client_are_left_out),
		TEST(a_changed_list_is_read_again),
		TEST(the_built_in_one_is_a_source_like_any_other),
		TEST(nobodys_time_runs_out_while_it_asks),
		TEST(what_it_asked_ends_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
