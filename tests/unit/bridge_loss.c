/* What becomes of requests when the daemon is lost, late, or never there. */
#include "bridge_fake.h"

#include <stdio.h>

#include "adapter/ledger.h"

#define CALL(id)                                                               \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\","        \
	"\"params\":{\"name\":\"pay\"}}"
#define LIST(id)   "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/list\"}"
#define NOTE	   "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}"
#define RESULT(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{}}"

enum {
	UNKNOWN = EXECUTOR__MCP__V1__VERDICT__STATE__STATE_UNKNOWN,
	RUNNING = EXECUTOR__MCP__V1__VERDICT__STATE__STATE_RUNNING,
	DONE = EXECUTOR__MCP__V1__VERDICT__STATE__STATE_DONE,
	INDETERMINATE = EXECUTOR__MCP__V1__VERDICT__STATE__STATE_INDETERMINATE,
};

static void lose(struct fake *f)
{
	struct err why;

	err_set(&why, ERR_LOST, "lost");
	bridge_lost(f->bridge, &why, f->now_ms);
}

/* Attached, with these lines sent; nothing of it in the log. */
static void send_lines(struct fake *f, const char *a, const char *b,
		       const char *c)
{
	attach_new_session(f);
	host_says(f, a);
	if (b)
		host_says(f, b);
	if (c)
		host_says(f, c);
	buf_reset(&f->log, 0);
}

static void a_call_that_nobody_knows_of_is_not_run_again(void **state)
{
	struct fake *f = *state;
	const int verdicts[] = {INDETERMINATE};

	send_lines(f, CALL("1"), NULL, NULL);
	lose(f);
	attach_to(f, 'b', false, 0, verdicts);
	buf_append(&f->log, "", 1);
	assert_null(strstr(f->log.data, "daemon 1"));
	assert_non_null(strstr(f->log.data,
			       "host {\"jsonrpc\":\"2.0\",\"id\":1,"
			       "\"error\":{\"code\":-32603,"));
	assert_non_null(strstr(f->log.data, "\"reason\":\"outcome_unknown\","
					    "\"method\":\"tools/call\","
					    "\"tool\":\"pay\""));
}

static void what_is_known_of_a_call_is_told(void **state)
{
	struct fake *f = *state;
	char source[] = "bank \"x\"";
	envelope_known_t known = EXECUTOR__MCP__V1__KNOWN__INIT;
	envelope_known_t *list[] = {&known};

	send_lines(f, CALL("1"), NULL, NULL);
	lose(f);
	known.sequence = 1;
	known.source = source;
	known.accepted_ms = 1700000000123;
	f->known = list;
	attach_to(f, 'b', false, 0, (const int[]){INDETERMINATE});
	saw_part(f, "\"tool\":\"pay\",\"source\":\"bank \\\"x\\\"\","
		    "\"acceptedAt\":\"2023-11-14T22:13:20Z\","
		    "\"ended\":false}}}");
	host_says(f, CALL("2"));
	lose(f);
	known.sequence = 2;
	known.ended = true;
	known.source = source + sizeof(source) - 1;
	attach_to(f, 'c', false, 0, (const int[]){INDETERMINATE});
	saw_part(f, "ran to its end");
	f->known = NULL;
}

static void a_call_without_a_verdict_is_not_run_again(void **state)
{
	struct fake *f = *state;

	send_lines(f, CALL("1"), NULL, NULL);
	lose(f);
	attach_to(f, 'b', false, 0, NULL);
	saw_part(f, "outcome_unknown");
}

static void a_call_that_never_arrived_is_sent_again_by_its_number(void **state)
{
	struct fake *f = *state;
	const int verdicts[] = {RUNNING, UNKNOWN};

	send_lines(f, CALL("1"), CALL("2"), NULL);
	lose(f);
	saw(f, "seek\n");
	attach_to(f, 'a', true, 1, verdicts);
	saw(f, "daemon 2 " CALL("2") "\n");
	daemon_says(f, 1, RESULT("1"));
	daemon_says(f, 2, RESULT("2"));
	saw(f, "host " RESULT("1") "\nhost " RESULT("2") "\n");
}

static void a_call_that_is_done_or_running_is_waited_for(void **state)
{
	struct fake *f = *state;
	const int verdicts[] = {DONE, RUNNING};

	send_lines(f, CALL("1"), CALL("2"), NULL);
	lose(f);
	saw(f, "seek\n");
	attach_to(f, 'a', true, 2, verdicts);
	assert_int_equal(turn(f, 10 * LEDGER_WAIT_MAX_MS), -1);
	saw(f, "");
	daemon_says(f, 1, RESULT("2"));
	saw(f, "host " RESULT("2") "\n");
}

static void what_has_no_effect_is_sent_again_to_a_new_daemon(void **state)
{
	struct fake *f = *state;
	const int verdicts[] = {INDETERMINATE, INDETERMINATE, INDETERMINATE};

	send_lines(f, NOTE, LIST("1"), LIST("2"));
	lose(f);
	host_says(f, CALL("3"));
	buf_reset(&f->log, 0);
	attach_to(f, 'b', false, 0, verdicts);
	/* What is sent anew has a new number; old notes are of no use. */
	saw(f, "daemon 4 " LIST("1") "\ndaemon 5 " LIST("2") "\ndaemon 6 " CALL(
		       "3") "\n");
}

/* Another daemon has no use for what belonged to the old session. */
static void a_note_that_nobody_knows_of_is_not_sent_to_another(void **state)
{
	struct fake *f = *state;
	const int verdicts[] = {UNKNOWN, UNKNOWN};

	send_lines(f, NOTE, LIST("1"), NULL);
	lose(f);
	saw(f, "seek\n");
	attach_to(f, 'b', false, 0, verdicts);
	saw(f, "daemon 2 " LIST("1") "\n");
}

static void a_request_that_kills_daemons_is_given_up(void **state)
{
	struct fake *f = *state;

	send_lines(f, LIST("1"), NULL, NULL);
	for (int i = 1; i < LEDGER_SENDINGS; i++) {
		lose(f);
		attach_to(f, (char)('a' + i), false, 0, NULL);
		saw_part(f, LIST("1"));
	}
	lose(f);
	attach_to(f, 'z', false, 0, NULL);
	saw_part(f, "\"id\":1,\"error\":{\"code\":-32603,");
}

static void a_call_that_no_daemon_takes_over_is_given_up_at_last(void **state)
{
	struct fake *f = *state;

	send_lines(f, CALL("1"), NULL, NULL);
	for (int i = 1; i < LEDGER_SENDINGS_UNSEEN; i++) {
		lose(f);
		attach_to(f, (char)('a' + i), false, 0, (const int[]){UNKNOWN});
		saw_part(f, "daemon 1 " CALL("1"));
	}
	lose(f);
	attach_to(f, 'z', false, 0, (const int[]){UNKNOWN});
	saw_part(f, "\"reason\":\"connection_lost\"");
}

static void a_resumed_session_gets_what_it_missed(void **state)
{
	struct fake *f = *state;
	const int verdicts[] = {RUNNING, UNKNOWN, UNKNOWN, DONE};

	send_lines(f, CALL("1"), NOTE, CALL("9"));
	host_says(f, CALL("4"));
	daemon_says(f, 1, RESULT("9"));
	host_says(f, NOTE);
	lose(f);
	buf_reset(&f->log, 0);
	/* It has 1, and 3 behind a gap, as its answer shows. */
	attach_to(f, 'a', true, 1, verdicts);
	saw(f, "daemon 2 " NOTE "\n"
	       "daemon 4 " CALL("4") "\n");
}

static void what_was_acknowledged_is_not_sent_again(void **state)
{
	struct fake *f = *state;

	send_lines(f, NOTE, NOTE, NULL);
	bridge_acked(f->bridge, 1);
	lose(f);
	attach_to(f, 'a', true, 1, (const int[]){UNKNOWN});
	saw(f, "daemon 2 " NOTE "\n");
}

static void a_hello_names_the_session_and_what_is_pending(void **state)
{
	struct fake *f = *state;
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;

	send_lines(f, CALL("1"), NOTE, LIST("2"));
	daemon_says(f, 1, NOTE);
	bridge_written(f->bridge, f->offset);
	daemon_says(f, 2, NOTE);
	lose(f);
	host_says(f, LIST("3"));
	bridge_hello(f->bridge, &hello);
	assert_int_equal(hello.session.len, ENVELOPE_ID_BYTES);
	assert_int_equal(hello.session.data[0], 'a');
	assert_int_equal(hello.received, 1); /* 2 is not written yet */
	assert_int_equal(hello.n_pending, 3);
	assert_int_equal(hello.pending[0], 1);
	assert_int_equal(hello.pending[1], 2);
	assert_int_equal(hello.pending[2], 3);
	assert_int_equal(hello.last, 3);
}

static void what_is_sent_again_is_written_once(void **state)
{
	struct fake *f = *state;

	send_lines(f, LIST("1"), NULL, NULL);
	daemon_says(f, 1, NOTE);
	daemon_says(f, 2, NOTE);
	bridge_written(f->bridge, f->offset);
	daemon_says(f, 3, NOTE);
	lose(f);
	buf_reset(&f->log, 0);
	attach_to(f, 'a', true, 1, (const int[]){RUNNING});
	daemon_says(f, 2, NOTE);
	saw(f, "ack 2\n");
	daemon_says(f, 3, NOTE);
	saw(f, "");
	bridge_written(f->bridge, f->offset);
	saw(f, "ack 3\n");
}

static void an_idle_client_needs_no_other_daemon(void **state)
{
	struct fake *f = *state;

	send_lines(f, LIST("1"), NULL, NULL);
	daemon_says(f, 1, RESULT("1"));
	buf_reset(&f->log, 0);
	lose(f);
	saw(f, "");
	host_says(f, LIST("2"));
	saw(f, "seek\n");
}

static void a_late_write_is_not_acknowledged_to_another_session(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	daemon_says(f, 1, NOTE);
	lose(f);
	attach_to(f, 'b', false, 0, NULL);
	buf_reset(&f->log, 0);
	bridge_written(f->bridge, f->offset);
	saw(f, "");
	daemon_says(f, 1, NOTE);
	saw(f, "host " NOTE "\n");
}

static void a_new_daemon_means_that_the_tools_may_have_changed(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	lose(f);
	attach_to(f, 'b', false, 0, NULL);
	saw(f, ""); /* the client has not even initialized */
	host_says(f, "{\"jsonrpc\":\"2.0\","
		     "\"method\":\"notifications/initialized\"}");
	lose(f);
	attach_to(f, 'b', true, 1, NULL);
	buf_reset(&f->log, 0);
	lose(f);
	attach_to(f, 'c', false, 0, NULL);
	saw(f, "host {\"jsonrpc\":\"2.0\","
	       "\"method\":\"notifications/tools/list_changed\"}\n"
	       "host {\"jsonrpc\":\"2.0\","
	       "\"method\":\"notifications/prompts/list_changed\"}\n"
	       "host {\"jsonrpc\":\"2.0\","
	       "\"method\":\"notifications/resources/list_changed\"}\n");
}

static void a_cancellation_while_the_daemon_is_lost_is_sent_later(void **state)
{
	struct fake *f = *state;

	send_lines(f, CALL("1"), NULL, NULL);
	lose(f);
	host_says(f,
		  "{\"jsonrpc\":\"2.0\",\"method\":"
		  "\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	saw(f, "seek\n"); /* for the call; the note waits */
	attach_to(f, 'a', true, 1, NULL);
	saw(f, "daemon 2 {\"jsonrpc\":\"2.0\",\"method\":"
	       "\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n");
}

/* --- no daemon ------------------------------------------------------------ */

static void tell_trouble(struct fake *f, enum reason reason, const char *text)
{
	struct err why;

	err_set(&why, reason, "%s", text);
	bridge_trouble(f->bridge, &why, f->now_ms);
}

static void a_request_is_answered_with_the_trouble_at_its_deadline(void **state)
{
	struct fake *f = *state;

	host_says(f, LIST("\"q\""));
	tell_trouble(f, ERR_DAEMON_UNREACHABLE, "it hangs");
	assert_int_equal(turn(f, 0), f->now_ms + LEDGER_WAIT_MS);
	turn(f, LEDGER_WAIT_MS - 1);
	saw(f, "seek\n");
	assert_int_equal(turn(f, 1), -1);
	saw(f, "host {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"error\":{\"code\":"
	       "-32603,\"message\":\"it hangs\",\"data\":{\"reason\":"
	       "\"daemon_unreachable\",\"method\":\"tools/list\"}}}\n");
	attach_new_session(f);
	saw(f, "");
}

static void what_waiting_does_not_mend_is_told_soon(void **state)
{
	struct fake *f = *state;

	tell_trouble(f, ERR_NO_SPACE, "the disk is full");
	host_says(f, LIST("1"));
	assert_int_equal(turn(f, 0), f->now_ms + LEDGER_WAIT_LEAST_MS);
	saw(f, "seek\n");
	turn(f, LEDGER_WAIT_LEAST_MS);
	saw_part(f, "\"reason\":\"no_space\"");
}

static void a_call_that_was_sent_and_waits_too_long_is_unknown(void **state)
{
	struct fake *f = *state;

	send_lines(f, CALL("1"), LIST("2"), NULL);
	lose(f);
	saw(f, "seek\n");
	tell_trouble(f, ERR_CRASH_LOOP, "it crashes");
	turn(f, LEDGER_WAIT_MS);
	buf_append(&f->log, "", 1);
	char *second = strchr(f->log.data, '\n');
	assert_non_null(second);
	*second++ = '\0';
	assert_non_null(strstr(f->log.data, "outcome_unknown"));
	assert_non_null(strstr(second, "crash_loop"));
}

static void progress_extends_the_deadline_but_not_for_ever(void **state)
{
	struct fake *f = *state;

	host_says(f, LIST("1"));
	buf_reset(&f->log, 0);
	for (int i = 0; i < 5; i++) {
		char text[32];

		snprintf(text, sizeof(text), "migrating %d", i);
		tell_trouble(f, ERR_DAEMON_STARTING, text);
		turn(f, LEDGER_WAIT_MAX_MS / 6);
	}
	saw(f, "");
	tell_trouble(f, ERR_DAEMON_STARTING, "still migrating");
	turn(f, LEDGER_WAIT_MAX_MS / 6);
	saw_part(f, "daemon_starting");
}

static void too_much_to_wait_for_a_daemon_is_refused(void **state)
{
	struct fake *f = *state;
	char line[64];

	for (int i = 0; i < LEDGER_REQUESTS; i++) {
		snprintf(line, sizeof(line),
			 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"x\"}", i);
		host_says(f, line);
	}
	buf_reset(&f->log, 0);
	host_says(f, LIST("\"more\""));
	saw_part(f, "\"id\":\"more\",\"error\":{\"code\":-32603,");
}

static void one_large_request_may_wait_but_not_two(void **state)
{
	struct fake *f = *state;
	struct buf line = {0};

	for (char id = '1'; id <= '2'; id++) {
		buf_reset(&line, SIZE_MAX);
		buf_printf(&line,
			   "{\"jsonrpc\":\"2.0\",\"id\":%c,\"method\":\"x\","
			   "\"params\":{\"a\":\"",
			   id);
		memset(buf_reserve(&line, LEDGER_QUEUED_BYTES), 'a',
		       LEDGER_QUEUED_BYTES);
		buf_added(&line, LEDGER_QUEUED_BYTES);
		buf_append_text(&line, "\"}}");
		bridge_from_host(f->bridge, buf_slice(&line), f->now_ms);
		if (id == '1')
			saw(f, "seek\n");
		else
			saw_part(f, "\"reason\":\"overloaded\"");
	}
	buf_finish(&line);
}

static void a_batch_gets_its_troubles_as_one_answer(void **state)
{
	struct fake *f = *state;

	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\","
		     "\"params\":{\"protocolVersion\":\"2025-03-26\"}}");
	host_says(f, "[" LIST("1") "," LIST("2") "]");
	buf_reset(&f->log, 0);
	turn(f, LEDGER_WAIT_MS);
	saw_part(f, "host [{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":");
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

/* --- what the daemon asks ------------------------------------------------- */

#define ASK(id)                                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":"                       \
	"\"elicitation/create\",\"params\":{}}"
#define WITHDRAWN(id)                                                          \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","         \
	"\"params\":{\"requestId\":" id                                        \
	",\"reason\":\"the daemon was lost\"}}"

static void a_question_is_answered_once(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	daemon_says(f, 1, ASK("7"));
	saw(f, "host " ASK("7") "\n");
	host_says(f, RESULT("8")); /* to nothing */
	host_says(f, RESULT("\"7\""));
	host_says(f, RESULT("7"));
	host_says(f, RESULT("7"));
	saw(f, "daemon 1 " RESULT("7") "\n");
	daemon_says(f, 2, ASK("9"));
	daemon_says(f, 3, WITHDRAWN("9"));
	buf_reset(&f->log, 0);
	host_says(f, RESULT("9"));
	saw(f, "");
}

static void an_answer_survives_a_resumed_session(void **state)
{
	struct fake *f = *state;
	const int verdicts[] = {UNKNOWN};

	attach_new_session(f);
	daemon_says(f, 1, ASK("7"));
	daemon_says(f, 2, ASK("8"));
	host_says(f, RESULT("7"));
	lose(f);
	host_says(f, RESULT("8"));
	buf_reset(&f->log, 0);
	attach_to(f, 'a', true, 0, verdicts);
	saw(f, "daemon 1 " RESULT("7") "\ndaemon 2 " RESULT("8") "\n");
}

static void another_daemon_gets_no_answer_to_what_it_did_not_ask(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	daemon_says(f, 1, ASK("7"));
	daemon_says(f, 2, ASK("8"));
	daemon_says(f, 3, ASK("\"s\""));
	lose(f);
	host_says(f, RESULT("7"));
	buf_reset(&f->log, 0);
	attach_to(f, 'b', false, 0, NULL);
	saw(f, "host " WITHDRAWN("8") "\nhost " WITHDRAWN("\"s\"") "\n");
	host_says(f, RESULT("8"));
	saw(f, "");
	/* Of so many, the latest are known. */
	for (uint64_t n = 1; n <= 65; n++) {
		char id[128];

		snprintf(id, sizeof(id),
			 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}",
			 (int)n);
		daemon_says(f, n, id);
	}
	buf_reset(&f->log, 0);
	host_says(f, RESULT("1"));
	saw(f, "");
	host_says(f, RESULT("65"));
	saw(f, "daemon 1 " RESULT("65") "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_call_that_nobody_knows_of_is_not_run_again),
		TEST(what_is_known_of_a_call_is_told),
		TEST(a_call_without_a_verdict_is_not_run_again),
		TEST(a_call_that_never_arrived_is_sent_again_by_its_number),
		TEST(a_call_that_is_done_or_running_is_waited_for),
		TEST(what_has_no_effect_is_sent_again_to_a_new_daemon),
		TEST(a_note_that_nobody_knows_of_is_not_sent_to_another),
		TEST(a_request_that_kills_daemons_is_given_up),
		TEST(a_call_that_no_daemon_takes_over_is_given_up_at_last),
		TEST(a_resumed_session_gets_what_it_missed),
		TEST(what_was_acknowledged_is_not_sent_again),
		TEST(a_hello_names_the_session_and_what_is_pending),
		TEST(what_is_sent_again_is_written_once),
		TEST(an_idle_client_needs_no_other_daemon),
		TEST(a_late_write_is_not_acknowledged_to_another_session),
		TEST(a_new_daemon_means_that_the_tools_may_have_changed),
		TEST(a_cancellation_while_the_daemon_is_lost_is_sent_later),
		TEST(a_request_is_answered_with_the_trouble_at_its_deadline),
		TEST(what_waiting_does_not_mend_is_told_soon),
		TEST(a_call_that_was_sent_and_waits_too_long_is_unknown),
		TEST(progress_extends_the_deadline_but_not_for_ever),
		TEST(too_much_to_wait_for_a_daemon_is_refused),
		TEST(one_large_request_may_wait_but_not_two),
		TEST(a_batch_gets_its_troubles_as_one_answer),
		TEST(a_question_is_answered_once),
		TEST(an_answer_survives_a_resumed_session),
		TEST(another_daemon_gets_no_answer_to_what_it_did_not_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
