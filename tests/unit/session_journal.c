/* What a session writes down, and what the next daemon makes of it. */
#include "tests/support/journal_room.h"

/* --- one daemon ----------------------------------------------------------- */

static void a_call_is_written_down_before_it_is_passed_on(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);

	say(s, 1, CALL("1", "pay"));
	assert_int_equal(router.requests, 0);
	assert_int_equal(desk_state(d, 1), JOURNALING_RUNNING);
	desk_run(d);
	assert_int_equal(router.requests, 1);
	assert_int_equal(d->room.a.sends, 0);
}

static void an_answer_is_written_down_before_it_leaves(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);

	desk_call(d, s, 1, CALL("1", "pay"));
	answer(s, "1", "{}");
	assert_int_equal(d->room.a.sends, 0);
	desk_run(d);
	assert_sent(&d->room.a, "1 " RESULT("1") "\n");
	assert_int_equal(desk_state(d, 1), JOURNALING_DONE);
}

static void what_has_no_effect_waits_for_nothing(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);

	say(s, 1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	assert_int_equal(router.requests, 1);
	answer(s, "1", "{}");
	assert_int_equal(d->room.a.sends, 1);
	assert_int_equal(desk_state(d, 1), JOURNALING_NONE);
}

static void what_was_delivered_is_forgotten(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);
	uint64_t pending[] = {1};

	desk_call(d, s, 1, CALL("1", "pay"));
	answer(s, "1", "{}");
	desk_run(d);
	session_acked(s, 1);
	assert_int_equal(desk_state(d, 1), JOURNALING_NONE);
	desk_run(d);
	desk_reopen(d);
	/* Nobody asks for it again; whoever does sees that it is gone. */
	resume(&d->room, &d->room.a, 0, pending, 1);
	assert_int_equal(verdict(&d->room, 0), VERDICT(UNKNOWN));
}

static void a_call_cancelled_at_once_never_runs(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);

	say(s, 1, CALL("1", "pay"));
	say(s, 2,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":1}}");
	desk_run(d);
	assert_int_equal(router.requests, 0);
	assert_int_equal(desk_state(d, 1), JOURNALING_NONE);
	assert_int_equal(d->room.a.sends, 0);
}

static void an_answer_that_is_not_wanted_any_more_is_kept_back(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);

	desk_call(d, s, 1, CALL("1", "pay"));
	answer(s, "1", "{}");
	say(s, 2,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":1}}");
	desk_run(d);
	assert_int_equal(d->room.a.sends, 0);
	assert_int_equal(desk_state(d, 1), JOURNALING_NONE);
}

static void who_leaves_leaves_no_rows(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);

	desk_call(d, s, 1, CALL("1", "pay"));
	say(s, 2, CALL("2", "pay"));
	session_detach(s, true);
	desk_run(d);
	assert_int_equal(router.requests, 1);
	assert_int_equal(desk_state(d, 1), JOURNALING_NONE);
	desk_reopen(d);
	assert_int_equal(desk_state(d, 1), JOURNALING_NONE);
	assert_int_equal(desk_state(d, 2), JOURNALING_NONE);
}

static void what_a_slow_reader_missed_is_in_the_journal(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);
	uint64_t pending[] = {1};
	char *large = mem_zalloc(5000);

	desk_call(d, s, 1, CALL("1", "pay"));
	session_detach(s, false);
	memset(large, ' ', 4999);
	session_deliver(s, slice_of(large), false); /* it is full */
	answer(s, "1", "{}");
	desk_run(d);
	resume(&d->room, &d->room.b, 1, pending, 1);
	assert_int_equal(verdict(&d->room, 0), VERDICT(DONE));
	session_attached(s);
	desk_run(d);
	assert_sent(&d->room.b, "2 " RESULT("1") "\n");
	free(large);
}

/* --- one key -------------------------------------------------------------- */

static void another_request_by_the_same_key_ends_the_stream(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);

	desk_call(d, s, 1, CALL("1", "pay"));
	desk_reopen(d);
	s = open_session(&d->room, &d->room.a);
	desk_call(d, s, 1, CALL("1", "pay more"));
	assert_int_equal(d->room.a.ended, GOODBYE(PROTOCOL_ERROR));
	assert_int_equal(router.requests, 0);
}

static void the_same_key_runs_once(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);

	desk_call(d, s, 1, CALL("1", "pay"));
	desk_call(d, s, 2, CALL("2", "pay"));
	answer(s, "2", "{}");
	desk_run(d);
	desk_reopen(d);
	/* A caller that asks for no verdicts. */
	s = open_session(&d->room, &d->room.a);
	desk_call(d, s, 1, CALL("1", "pay"));
	assert_refusal(&d->room.a, "1", -32603);
	desk_call(d, s, 2, CALL("2", "pay"));
	assert_sent(&d->room.a, "2 " RESULT("2") "\n");
	assert_int_equal(router.requests, 0);
}

/* --- the next daemon ------------------------------------------------------ */

static void the_next_daemon_judges_each_pending_request(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);
	uint64_t pending[] = {1, 2, 3};

	desk_call(d, s, 1, CALL("1", "pay"));
	desk_call(d, s, 2, CALL("2", "pay"));
	answer(s, "2", "{}");
	desk_run(d);
	d->room.last = 3; /* never arrived */
	desk_reopen(d);
	s = resume(&d->room, &d->room.a, 0, pending, 3);
	assert_false(d->room.welcome.resumed);
	assert_int_equal(verdict(&d->room, 0), VERDICT(INDETERMINATE));
	assert_int_equal(verdict(&d->room, 1), VERDICT(DONE));
	assert_int_equal(verdict(&d->room, 2), VERDICT(UNKNOWN));
	assert_int_equal(d->room.welcome.n_known, 1);
	assert_int_equal(d->room.welcome.known[0]->sequence, 1);
	assert_string_equal(d->room.welcome.known[0]->source, "src");
	assert_true(d->room.welcome.known[0]->accepted_ms > 0);
	assert_false(d->room.welcome.known[0]->ended);
	session_attached(s);
	desk_run(d);
	assert_sent(&d->room.a, "1 " RESULT("2") "\n");
	desk_call(d, s, 3, CALL("3", "pay"));
	assert_int_equal(router.requests, 1);
}

/* Its Welcome, or the adapter, may be lost again and again. */
static void judgement_is_the_same_however_often_it_is_asked(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);
	unsigned char first[ENVELOPE_ID_BYTES];
	uint64_t pending[] = {1, 2, 3};

	desk_call(d, s, 1, CALL("1", "pay"));
	desk_call(d, s, 2, CALL("2", "pay"));
	answer(s, "2", "{}");
	desk_run(d);
	d->room.last = 3;
	memcpy(first, d->room.id, sizeof(first));
	for (int i = 0; i < 3; i++) {
		desk_reopen(d);
		memcpy(d->room.id, first, sizeof(first));
		resume(&d->room, &d->room.a, 0, pending, 3);
		assert_int_equal(verdict(&d->room, 0), VERDICT(INDETERMINATE));
		assert_int_equal(verdict(&d->room, 1), VERDICT(DONE));
		assert_int_equal(verdict(&d->room, 2), VERDICT(UNKNOWN));
	}
	/* And in the same daemon, before and after the result was read. */
	for (int i = 0; i < 2; i++) {
		s = resume(&d->room, &d->room.b, 0, pending, 3);
		assert_true(d->room.welcome.resumed);
		assert_int_equal(verdict(&d->room, 1), VERDICT(DONE));
		assert_int_equal(verdict(&d->room, 2), VERDICT(UNKNOWN));
		session_attached(s);
		desk_run(d);
		assert_sent(&d->room.b, "1 " RESULT("2") "\n");
	}
}

static void what_the_adapter_does_not_wait_for_is_forgotten(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);
	uint64_t pending[] = {2};

	desk_call(d, s, 1, CALL("1", "pay"));
	desk_call(d, s, 2, CALL("2", "pay"));
	desk_reopen(d);
	resume(&d->room, &d->room.a, 0, pending, 1);
	assert_int_equal(desk_state(d, 1), JOURNALING_NONE);
	assert_int_equal(desk_state(d, 2), JOURNALING_LEFT);
}

static void nothing_is_known_of_a_session_without_a_journal(void **state)
{
	struct desk *d = *state;
	uint64_t pending[] = {1};

	desk_close(d);
	desk_open(d, false);
	struct session *s = open_session(&d->room, &d->room.a);
	say(s, 1, CALL("1", "pay"));
	assert_int_equal(router.requests, 1); /* and at once */
	d->room.last = 1;
	desk_reopen(d);
	resume(&d->room, &d->room.a, 0, pending, 1);
	assert_int_equal(verdict(&d->room, 0), VERDICT(INDETERMINATE));
}

static void nothing_is_known_to_a_daemon_without_a_journal(void **state)
{
	struct desk *d = *state;
	uint64_t pending[] = {1, 2};
	struct session *s = open_session(&d->room, &d->room.a);

	desk_call(d, s, 1, CALL("1", "pay"));
	d->room.last = 2;
	desk_close(d);
	desk_open(d, false);
	resume(&d->room, &d->room.a, 0, pending, 2);
	assert_int_equal(verdict(&d->room, 0), VERDICT(INDETERMINATE));
	assert_int_equal(verdict(&d->room, 1), VERDICT(INDETERMINATE));
}

static void what_does_no_harm_is_run_again(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);
	uint64_t pending[] = {1};

	desk_call(d, s, 1, CALL("1", "harmless"));
	desk_reopen(d);
	s = resume(&d->room, &d->room.a, 0, pending, 1);
	assert_int_equal(verdict(&d->room, 0), VERDICT(UNKNOWN));
	session_attached(s);
	desk_call(d, s, 1, CALL("1", "harmless"));
	assert_int_equal(router.requests, 1);
	assert_int_equal(desk_state(d, 1), JOURNALING_RUNNING);
	answer(s, "1", "{}");
	desk_run(d);
	assert_sent(&d->room.a, "1 " RESULT("1") "\n");
}

static void a_result_that_is_too_large_leaves_its_end(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);
	uint64_t pending[] = {1};
	char *large = mem_zalloc(5000);

	memset(large, ' ', 4999);
	memcpy(large, "{}", 2);
	desk_call(d, s, 1, CALL("1", "harmless"));
	answer(s, "1", large);
	desk_run(d);
	assert_int_equal(d->room.a.sends, 1);
	desk_reopen(d);
	resume(&d->room, &d->room.a, 0, pending, 1);
	assert_int_equal(verdict(&d->room, 0), VERDICT(INDETERMINATE));
	assert_true(d->room.welcome.known[0]->ended);
	free(large);
}

static void a_session_that_nobody_resumed_leaves_its_calls(void **state)
{
	struct desk *d = *state;
	uint64_t pending[] = {1, 2};

	d->limits.detached_ms = 1;
	desk_reopen(d);
	struct session *s = open_session(&d->room, &d->room.a);
	desk_call(d, s, 1, CALL("1", "pay"));
	session_detach(s, false);
	while (sessions_count(d->room.all) > 0)
		ev_run(d->room.loop, EVRUN_ONCE);
	d->room.last = 2;
	resume(&d->room, &d->room.b, 0, pending, 2);
	assert_false(d->room.welcome.resumed);
	assert_int_equal(verdict(&d->room, 0), VERDICT(INDETERMINATE));
	assert_int_equal(verdict(&d->room, 1), VERDICT(UNKNOWN));
}

/* --- the disk is full ----------------------------------------------------- */

static void a_call_that_cannot_be_written_down_does_not_run(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);
	uint64_t pending[] = {1};

	limit_files(100);
	desk_call(d, s, 1, CALL("1", "pay"));
	limit_files(0);
	assert_int_equal(router.requests, 0);
	buf_append(&d->room.a.sent, "", 1);
	assert_non_null(strstr(d->room.a.sent.data, "\"id\":1,\"error\":"));
	assert_non_null(strstr(d->room.a.sent.data, "\"reason\":\"no_space\""));
	assert_int_equal(desk_state(d, 1), JOURNALING_NONE);
	desk_reopen(d);
	resume(&d->room, &d->room.a, 0, pending, 1);
	assert_int_equal(verdict(&d->room, 0), VERDICT(UNKNOWN));
}

static void an_answer_that_cannot_be_written_down_is_delivered(void **state)
{
	struct desk *d = *state;
	struct session *s = open_session(&d->room, &d->room.a);
	uint64_t pending[] = {1};

	desk_call(d, s, 1, CALL("1", "pay"));
	limit_files(100);
	answer(s, "1", "{}");
	desk_run(d);
	limit_files(0);
	assert_sent(&d->room.a, "1 " RESULT("1") "\n");
	desk_reopen(d);
	resume(&d->room, &d->room.a, 0, pending, 1);
	assert_int_equal(verdict(&d->room, 0), VERDICT(INDETERMINATE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		desk_test(a_call_is_written_down_before_it_is_passed_on),
		desk_test(an_answer_is_written_down_before_it_leaves),
		desk_test(what_has_no_effect_waits_for_nothing),
		desk_test(what_was_delivered_is_forgotten),
		desk_test(a_call_cancelled_at_once_never_runs),
		desk_test(an_answer_that_is_not_wanted_any_more_is_kept_back),
		desk_test(who_leaves_leaves_no_rows),
		desk_test(what_a_slow_reader_missed_is_in_the_journal),
		desk_test(another_request_by_the_same_key_ends_the_stream),
		desk_test(the_same_key_runs_once),
		desk_test(the_next_daemon_judges_each_pending_request),
		desk_test(judgement_is_the_same_however_often_it_is_asked),
		desk_test(what_the_adapter_does_not_wait_for_is_forgotten),
		desk_test(nothing_is_known_of_a_session_without_a_journal),
		desk_test(nothing_is_known_to_a_daemon_without_a_journal),
		desk_test(what_does_no_harm_is_run_again),
		desk_test(a_result_that_is_too_large_leaves_its_end),
		desk_test(a_session_that_nobody_resumed_leaves_its_calls),
		desk_test(a_call_that_cannot_be_written_down_does_not_run),
		desk_test(an_answer_that_cannot_be_written_down_is_delivered),
	};

	return cmocka_run_group_tests_name("session_journal", tests, NULL,
					   NULL);
}
