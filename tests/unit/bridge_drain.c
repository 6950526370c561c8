/* What becomes of requests when a daemon is about to stop and says so. */
#include "bridge_fake.h"

#include "adapter/ledger.h"

#define CALL(id)                                                               \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\","        \
	"\"params\":{\"name\":\"pay\"}}"
#define NOTE	   "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}"
#define RESULT(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{}}"
#define CANCEL(id)                                                             \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","         \
	"\"params\":{\"requestId\":" id "}}"

/* The daemon says goodbye: it took over what is not above, but for that one
 * (0 for none); then the stream ends. */
static void drain(struct fake *f, uint64_t above, uint64_t but)
{
	envelope_goodbye_t goodbye = EXECUTOR__MCP__V1__GOODBYE__INIT;
	envelope_untaken_t untaken = EXECUTOR__MCP__V1__UNTAKEN__INIT;

	goodbye.reason = EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING;
	goodbye.untaken = &untaken;
	untaken.above = above;
	untaken.sequences = &but;
	untaken.n_sequences = but != 0;
	bridge_goodbye(f->bridge, &goodbye);
}

static void lose(struct fake *f)
{
	struct err why;

	err_set(&why, ERR_DRAINING, "the daemon is about to stop");
	bridge_lost(f->bridge, &why, f->now_ms);
}

static void a_call_that_was_not_taken_over_goes_to_the_next_daemon(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, CALL("1"));
	host_says(f, CALL("2"));
	host_says(f, CALL("3"));
	daemon_says(f, 1, RESULT("2"));
	buf_reset(&f->log, 0);
	drain(f, 2, 1);
	lose(f);
	saw(f, "seek\n");
	attach_to(f, 'b', false, 0, NULL);
	saw(f, "daemon 4 " CALL("1") "\ndaemon 5 " CALL("3") "\n");
	daemon_says(f, 1, RESULT("3"));
	daemon_says(f, 2, RESULT("1"));
	saw(f, "host " RESULT("3") "\nhost " RESULT("1") "\n");
}

static void a_call_that_was_taken_over_is_not_run_again(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, CALL("1"));
	host_says(f, CALL("2"));
	buf_reset(&f->log, 0);
	drain(f, 1, 0);
	lose(f);
	attach_to(f, 'b', false, 0, NULL);
	buf_append(&f->log, "", 1);
	assert_null(strstr(f->log.data, "daemon 3 " CALL("1")));
	assert_non_null(strstr(f->log.data, "\"id\":1,\"error\""));
	assert_non_null(strstr(f->log.data, "outcome_unknown"));
	assert_non_null(strstr(f->log.data, "daemon 3 " CALL("2")));
}

static void a_goodbye_that_does_not_say_leaves_it_open(void **state)
{
	struct fake *f = *state;
	envelope_goodbye_t goodbye = EXECUTOR__MCP__V1__GOODBYE__INIT;

	attach_new_session(f);
	host_says(f, CALL("1"));
	bridge_goodbye(f->bridge, &goodbye);
	lose(f);
	attach_to(f, 'b', false, 0, NULL);
	saw_part(f, "outcome_unknown");
}

static void what_comes_after_the_goodbye_waits_for_the_next_daemon(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	drain(f, 0, 0);
	host_says(f, CALL("1"));
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
	saw(f, "seek\nhost " RESULT("2") "\n");
	lose(f);
	saw(f, "seek\n");
	attach_to(f, 'b', false, 0, NULL);
	saw(f, "daemon 1 " CALL("1") "\n");
}

static void notes_that_were_not_taken_over_follow_in_order(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, NOTE);
	host_says(f, CALL("1"));
	host_says(f, NOTE);
	drain(f, 1, 0);
	host_says(f, CALL("2"));
	lose(f);
	buf_reset(&f->log, 0);
	attach_to(f, 'b', false, 0, NULL);
	saw(f, "daemon 4 " CALL("1") "\ndaemon 5 " NOTE
				     "\ndaemon 6 " CALL("2") "\n");
}

/* It is not the request that makes daemons stop. */
static void any_number_of_daemons_may_leave_it_to_the_next(void **state)
{
	struct fake *f = *state;
	uint64_t last = 0;

	attach_new_session(f);
	host_says(f, CALL("1"));
	for (int i = 0; i < 3 * LEDGER_SENDINGS; i++) {
		drain(f, last++, 0);
		lose(f);
		buf_reset(&f->log, 0);
		attach_to(f, (char)('b' + i), false, 0, NULL);
		saw_part(f, CALL("1"));
	}
	daemon_says(f, 1, RESULT("1"));
	saw(f, "host " RESULT("1") "\n");
}

static void it_waits_no_longer_than_anything_else(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, CALL("1"));
	drain(f, 0, 0);
	lose(f);
	buf_reset(&f->log, 0);
	turn(f, LEDGER_WAIT_MS - 1);
	saw(f, "");
	assert_int_equal(turn(f, 1), -1);
	saw_part(f, "\"reason\":\"draining\"");
}

static void it_may_be_cancelled_on_its_way_to_the_next(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, CALL("1"));
	drain(f, 0, 0);
	lose(f);
	buf_reset(&f->log, 0);
	host_says(f, CANCEL("1"));
	attach_to(f, 'b', false, 0, NULL);
	saw(f, "");
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_call_that_was_not_taken_over_goes_to_the_next_daemon),
		TEST(a_call_that_was_taken_over_is_not_run_again),
		TEST(a_goodbye_that_does_not_say_leaves_it_open),
		TEST(what_comes_after_the_goodbye_waits_for_the_next_daemon),
		TEST(notes_that_were_not_taken_over_follow_in_order),
		TEST(any_number_of_daemons_may_leave_it_to_the_next),
		TEST(it_waits_no_longer_than_anything_else),
		TEST(it_may_be_cancelled_on_its_way_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
