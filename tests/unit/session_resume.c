/* How a session outlives its stream, and where its bounds are. */
#include "server/mcp/session.h"

#include "proto/seqset.h"
#include "tests/support/session_room.h"

/* --- resuming ------------------------------------------------------------- */

static void a_resumed_session_goes_on_where_it_stood(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	session_deliver(s, slice_of("\"one\""), false);
	session_deliver(s, slice_of("\"two\""), false);
	session_acked(s, 1);
	session_detach(s, false);
	session_deliver(s, slice_of("\"three\""), false);
	assert_int_equal(room.a.sends, 2);
	struct session *again = resume(&room, &room.b, 0, NULL, 0);
	assert_ptr_equal(again, s);
	assert_true(room.welcome.resumed);
	assert_int_equal(room.b.sends, 0); /* not before the Welcome */
	session_attached(s);
	assert_sent(&room.b, "2 \"two\"\n3 \"three\"\n");
	session_detach(s, false);
	room.b.sends = 0;
	resume(&room, &room.b, 3, NULL, 0);
	session_attached(s);
	assert_int_equal(room.b.sends, 0);
	session_deliver(s, slice_of("\"four\""), false);
	assert_sent(&room.b, "4 \"four\"\n");
	session_detach(s, true);
	leave(&room);
}

/* 2 was answered on its way out, 3 never left, 4 came through. */
static void what_does_not_come_any_more_leaves_no_gap(void **state)
{
	struct session_limits limits = small_limits();
	uint64_t pending[] = {3};
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	say(s, 1, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}");
	say(s, 4, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}");
	session_detach(s, false);
	room.last = 5;
	resume(&room, &room.b, 0, pending, 1);
	assert_int_equal(verdict(&room, 0), VERDICT(UNKNOWN));
	assert_int_equal(room.welcome.received, 2);
	session_attached(s);
	assert_false(seqset_has(session_received(s), 3));
	say(s, 3, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}");
	assert_int_equal(session_received(s)->all, 5);
	session_detach(s, true);
	leave(&room);
}

static void a_new_session_counts_on_behind_the_last_number(void **state)
{
	struct session_limits limits = small_limits();
	uint64_t pending[] = {7};
	struct room room;

	(void)state;
	enter(&room, &limits);
	mem_random(room.id, sizeof(room.id)); /* nobody knows that one */
	room.last = 1ull << 40;
	struct session *s = resume(&room, &room.a, 0, pending, 1);
	assert_false(room.welcome.resumed);
	assert_int_equal(verdict(&room, 0), VERDICT(INDETERMINATE));
	assert_true(room.welcome.received == room.last);
	session_attached(s);
	say(s, room.last + 1, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}");
	assert_true(session_received(s)->all == room.last + 1);
	session_detach(s, true);
	leave(&room);
}

static void a_vast_last_number_costs_nothing(void **state)
{
	struct session_limits limits = small_limits();
	uint64_t pending[] = {UINT64_MAX};
	struct room room;

	(void)state;
	enter(&room, &limits);
	open_session(&room, &room.a);
	room.last = UINT64_MAX;
	struct session *s = resume(&room, &room.b, 0, pending, 1);
	assert_int_equal(verdict(&room, 0), VERDICT(UNKNOWN));
	assert_true(room.welcome.received == UINT64_MAX - 1);
	session_detach(s, true);
	leave(&room);
}

static void each_pending_request_gets_its_verdict(void **state)
{
	struct session_limits limits = small_limits();
	uint64_t pending[] = {1, 2, 3, 4, 9};
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1"); /* stays in flight */
	ask(s, 2, "2"); /* answered, not acknowledged */
	answer(s, "2", "{}");
	ask(s, 3, "1"); /* refused, not acknowledged */
	ask(s, 4, "4"); /* cancelled: forgotten */
	say(s, 5,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":4}}");
	session_detach(s, false);
	resume(&room, &room.b, 0, pending, 5);
	assert_int_equal(room.welcome.received, 5);
	assert_int_equal(room.welcome.n_verdicts, 5);
	assert_int_equal(verdict(&room, 0), VERDICT(RUNNING));
	assert_int_equal(verdict(&room, 1), VERDICT(DONE));
	assert_int_equal(verdict(&room, 2), VERDICT(DONE));
	assert_int_equal(verdict(&room, 3), VERDICT(INDETERMINATE));
	assert_int_equal(verdict(&room, 4), VERDICT(UNKNOWN));
	assert_int_equal(room.welcome.verdicts[4]->sequence, 9);
	session_attached(s);
	assert_int_equal(room.b.sends, 2);
	answer(s, "1", "{}");
	assert_int_equal(room.b.sends, 3);
	session_detach(s, true);
	leave(&room);
}

static void nothing_is_promised_for_an_unknown_session(void **state)
{
	struct session_limits limits = small_limits();
	uint64_t pending[] = {1, 2};
	struct room room;

	(void)state;
	enter(&room, &limits);
	mem_random(room.id, sizeof(room.id));
	struct session *s = resume(&room, &room.a, 17, pending, 2);
	assert_false(room.welcome.resumed);
	assert_int_equal(room.welcome.received, 0);
	assert_int_equal(verdict(&room, 0), VERDICT(INDETERMINATE));
	assert_int_equal(verdict(&room, 1), VERDICT(INDETERMINATE));
	session_attached(s);
	session_deliver(s, slice_of("1"), false);
	assert_sent(&room.a, "1 1\n");
	session_detach(s, true);
	leave(&room);
}

static void another_adapter_cannot_resume_it(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	room.adapter[0] ^= 1;
	struct session *other = resume(&room, &room.b, 0, NULL, 0);
	assert_ptr_not_equal(other, s);
	assert_false(room.welcome.resumed);
	assert_int_equal(room.a.ended, -1);
	session_attached(other);
	session_detach(other, true);
	session_detach(s, true);
	leave(&room);
}

static void resuming_supersedes_the_older_stream(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1");
	resume(&room, &room.b, 0, NULL, 0);
	assert_int_equal(room.a.ended, GOODBYE(SUPERSEDED));
	session_attached(s);
	answer(s, "1", "{}");
	assert_int_equal(room.a.sends, 0);
	assert_int_equal(room.b.sends, 1);
	assert_int_equal(sessions_count(room.all), 1);
	session_detach(s, true);
	leave(&room);
}

static void a_session_that_nobody_resumes_is_gone(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	limits.detached_ms = 1;
	enter(&room, &limits);
	struct session *a = open_session(&room, &room.a);
	struct session *b = open_session(&room, &room.b);
	uint64_t number = session_number(a);
	ask(a, 1, "1");
	ask(b, 1, "1");
	session_detach(a, false);
	session_detach(b, false);
	ev_run(room.loop, 0); /* until no timer is left */
	assert_int_equal(sessions_count(room.all), 0);
	assert_int_equal(sessions_in_flight(room.all), 0);
	assert_int_equal(router.left, 2);
	assert_null(sessions_find(room.all, number));
	leave(&room);
}

static void a_resumed_session_does_not_expire(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	limits.detached_ms = 1;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	session_detach(s, false);
	resume(&room, &room.b, 0, NULL, 0);
	session_attached(s);
	ev_run(room.loop, 0);
	assert_int_equal(sessions_count(room.all), 1);
	session_detach(s, true);
	assert_int_equal(sessions_count(room.all), 0);
	leave(&room);
}

/* --- bounds --------------------------------------------------------------- */

static void past_its_bound_it_loses_what_is_droppable(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	fill(s, 20000); /* one message may exceed */
	session_deliver(s, slice_of("1"), true);
	assert_int_equal(room.a.sends, 1);
	fill(s, 20000); /* large results side by side */
	assert_int_equal(room.a.sends, 2);
	assert_int_equal(room.a.ended, -1);
	session_acked(s, 2);
	session_deliver(s, slice_of("1"), true);
	assert_int_equal(room.a.sends, 3);
	session_detach(s, true);
	leave(&room);
}

static void a_slow_reader_is_ended_and_told_what_it_lost(void **state)
{
	struct session_limits limits = small_limits();
	uint64_t pending[] = {1};
	struct room room;

	(void)state;
	limits.all_bytes = 4096;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1");
	fill(s, 20000);
	answer(s, "1", "{}");
	assert_int_equal(room.a.ended, GOODBYE(SLOW_READER));
	assert_int_equal(sessions_count(room.all), 1);
	/* Without a gap in the numbers. */
	resume(&room, &room.b, 1, pending, 1);
	assert_true(room.welcome.resumed);
	assert_int_equal(verdict(&room, 0), VERDICT(INDETERMINATE));
	session_attached(s);
	session_deliver(s, slice_of("\"next\""), false);
	assert_sent(&room.b, "2 \"next\"\n");
	session_detach(s, true);
	leave(&room);
}

static void a_detached_session_keeps_no_more_than_its_bound(void **state)
{
	struct session_limits limits = small_limits();
	uint64_t pending[] = {1, 2};
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1");
	ask(s, 2, "2");
	session_detach(s, false);
	fill(s, 20000);
	answer(s, "1", "{}");
	session_acked(s, 1);
	answer(s, "2", "{}");
	resume(&room, &room.b, 1, pending, 2);
	assert_int_equal(verdict(&room, 0), VERDICT(INDETERMINATE));
	assert_int_equal(verdict(&room, 1), VERDICT(DONE));
	session_attached(s);
	assert_int_equal(room.b.sends, 1);
	session_detach(s, true);
	leave(&room);
}

static void past_the_common_bound_each_keeps_its_share(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	limits.session_bytes = 1 << 20;
	limits.all_bytes = 10000;
	enter(&room, &limits);
	struct session *hog = open_session(&room, &room.a);
	struct session *reader = open_session(&room, &room.b);
	fill(hog, 12000);
	for (uint64_t i = 1; i <= 20; i++) {
		fill(reader, 1000);
		if (i > 2)
			session_acked(reader, i - 2);
	}
	assert_int_equal(room.b.sends, 20);
	assert_int_equal(room.b.ended, -1);
	fill(hog, 1);
	assert_int_equal(room.a.ended, GOODBYE(SLOW_READER));
	session_detach(reader, true);
	leave(&room);
}

static void a_full_stream_pauses_its_own_client(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *a = open_session(&room, &room.a);
	struct session *b = open_session(&room, &room.b);
	room.a.queued = limits.session_bytes;
	session_deliver(a, slice_of("1"), false);
	session_deliver(b, slice_of("1"), false);
	assert_true(room.a.paused);
	assert_false(room.b.paused);
	room.a.queued = 0;
	session_drained(a);
	assert_false(room.a.paused);
	room.a.queued = limits.session_bytes;
	session_deliver(a, slice_of("2"), false);
	assert_true(room.a.paused);
	session_acked(a, 1);
	assert_true(room.a.paused);
	room.a.queued = 0;
	session_acked(a, 2);
	assert_false(room.a.paused);
	session_detach(a, true);
	session_detach(b, true);
	leave(&room);
}

static void sessions_past_their_number_are_refused(void **state)
{
	struct session_limits limits = small_limits();
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;
	envelope_welcome_t welcome = EXECUTOR__MCP__V1__WELCOME__INIT;
	struct room room;
	struct err e;

	(void)state;
	limits.sessions = 1;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	assert_null(session_open(room.all, &hello, &functions, &room.b,
				 &welcome, &e));
	assert_int_equal(e.reason, ERR_OVERLOADED);
	session_detach(s, false);
	sessions_drain(room.all);
	assert_null(session_open(room.all, &hello, &functions, &room.b,
				 &welcome, &e));
	assert_int_equal(e.reason, ERR_DRAINING);
	/* One that is known may fetch what it has coming. */
	resume(&room, &room.b, 0, NULL, 0);
	session_attached(s);
	sessions_end(room.all);
	assert_int_equal(room.b.ended, GOODBYE(DRAINING));
	leave(&room);
}

static void a_sequence_far_ahead_breaks_the_protocol(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	say(s, SEQSET_AHEAD, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}");
	assert_int_equal(router.notifications, 1);
	say(s, SEQSET_AHEAD + 1, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}");
	assert_int_equal(router.notifications, 1);
	assert_int_equal(room.a.ended, GOODBYE(PROTOCOL_ERROR));
	leave(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_resumed_session_goes_on_where_it_stood),
		cmocka_unit_test(what_does_not_come_any_more_leaves_no_gap),
		cmocka_unit_test(
			a_new_session_counts_on_behind_the_last_number),
		cmocka_unit_test(a_vast_last_number_costs_nothing),
		cmocka_unit_test(each_pending_request_gets_its_verdict),
		cmocka_unit_test(nothing_is_promised_for_an_unknown_session),
		cmocka_unit_test(another_adapter_cannot_resume_it),
		cmocka_unit_test(resuming_supersedes_the_older_stream),
		cmocka_unit_test(a_session_that_nobody_resumes_is_gone),
		cmocka_unit_test(a_resumed_session_does_not_expire),
		cmocka_unit_test(past_its_bound_it_loses_what_is_droppable),
		cmocka_unit_test(a_slow_reader_is_ended_and_told_what_it_lost),
		cmocka_unit_test(
			a_detached_session_keeps_no_more_than_its_bound),
		cmocka_unit_test(past_the_common_bound_each_keeps_its_share),
		cmocka_unit_test(a_full_stream_pauses_its_own_client),
		cmocka_unit_test(sessions_past_their_number_are_refused),
		cmocka_unit_test(a_sequence_far_ahead_breaks_the_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
