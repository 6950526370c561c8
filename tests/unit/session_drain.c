/* What a session leaves to the next daemon. */
#include "server/mcp/session.h"

#include <stdio.h>

#include "tests/support/session_room.h"

/* 2 came, 3 to 5 are on their way in parts, 6 overtook them. */
static void a_goodbye_names_what_did_not_arrive(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1");
	say(s, 2, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}");
	ask(s, 6, "6");
	sessions_drain(room.all);
	sessions_end(room.all);
	assert_int_equal(room.a.ended, GOODBYE(DRAINING));
	assert_string_equal(room.a.untaken.data, "6: 3 4 5");
	leave(&room);
}

static void other_goodbyes_name_nothing(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	open_session(&room, &room.a);
	struct session *s = resume(&room, &room.b, 0, NULL, 0);
	assert_int_equal(room.a.ended, GOODBYE(SUPERSEDED));
	assert_string_equal(room.a.untaken.data, "");
	session_detach(s, true);
	leave(&room);
}

static struct session *open_keeper(struct room *room, struct stream *t)
{
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;

	hello.keeps_untaken = true;
	struct session *s = open_with(room, t, &hello);
	session_attached(s);
	return s;
}

static void what_is_declined_is_left_to_the_next_daemon(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_keeper(&room, &room.a);
	ask(s, 1, "1");
	ask(s, 2, "2");
	assert_true(session_decline(s, slice_of("1")));
	/* Cancelled, or answered: nobody waits for it. */
	assert_true(session_decline(s, slice_of("9")));
	answer(s, "1", "{}");
	assert_int_equal(room.a.sends, 0);
	assert_int_equal(sessions_in_flight(room.all), 1);
	answer(s, "2", "{}");
	sessions_drain(room.all);
	sessions_end(room.all);
	assert_string_equal(room.a.untaken.data, "2: 1");
	leave(&room);
}

static void a_caller_that_would_not_keep_it_is_not_declined(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1");
	assert_false(session_decline(s, slice_of("1")));
	answer(s, "1", "{}");
	assert_int_equal(room.a.sends, 1);
	session_detach(s, true);
	leave(&room);
}

static void no_more_is_declined_than_may_be_in_flight(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;
	char id[8];

	(void)state;
	enter(&room, &limits);
	struct session *s = open_keeper(&room, &room.a);
	for (unsigned i = 1; i <= limits.in_flight; i++) {
		snprintf(id, sizeof(id), "%u", i);
		ask(s, i, id);
		assert_true(session_decline(s, slice_of(id)));
	}
	ask(s, limits.in_flight + 1, "0");
	assert_false(session_decline(s, slice_of("0")));
	session_detach(s, true);
	leave(&room);
}

/* Its goodbye has been said, or will be: there it is settled. */
static void what_was_declined_is_not_judged_anew(void **state)
{
	struct session_limits limits = small_limits();
	uint64_t pending[] = {1};
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_keeper(&room, &room.a);
	ask(s, 1, "1");
	session_decline(s, slice_of("1"));
	session_detach(s, false);
	resume(&room, &room.b, 0, pending, 1);
	assert_int_equal(verdict(&room, 0), VERDICT(RUNNING));
	session_attached(s);
	sessions_end(room.all);
	assert_string_equal(room.b.untaken.data, "1: 1");
	leave(&room);
}

static void no_session_is_resumed_after_its_goodbye(void **state)
{
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;
	envelope_welcome_t welcome = EXECUTOR__MCP__V1__WELCOME__INIT;
	struct session_limits limits = small_limits();
	struct room room;
	struct err e;

	(void)state;
	enter(&room, &limits);
	open_session(&room, &room.a);
	sessions_drain(room.all);
	sessions_end(room.all);
	hello.adapter_instance = bytes_of(room.adapter);
	hello.session = bytes_of(room.id);
	assert_null(session_open(room.all, &hello, &functions, &room.b,
				 &welcome, &e));
	assert_int_equal(e.reason, ERR_DRAINING);
	leave(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_goodbye_names_what_did_not_arrive),
		cmocka_unit_test(other_goodbyes_name_nothing),
		cmocka_unit_test(what_is_declined_is_left_to_the_next_daemon),
		cmocka_unit_test(
			a_caller_that_would_not_keep_it_is_not_declined),
		cmocka_unit_test(no_more_is_declined_than_may_be_in_flight),
		cmocka_unit_test(what_was_declined_is_not_judged_anew),
		cmocka_unit_test(no_session_is_resumed_after_its_goodbye),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
