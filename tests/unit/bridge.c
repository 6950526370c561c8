/* What the bridge does while nothing goes wrong, and with what is wrong with
 * the host's lines; bridge_loss.c loses the daemon. */
#include "bridge_fake.h"

#include "proto/mcp.h"

#define INITIALIZE(revision)                                                   \
	"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{" \
	"\"protocolVersion\":\"" revision "\"}}"

static void initialize_is_answered_before_there_is_a_daemon(void **state)
{
	struct fake *f = *state;
	struct buf want = {0};

	buf_append_text(&want,
			"host {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":");
	mcp_initialize_result(&want,
			      slice_of("{\"protocolVersion\":\"2025-06-18\"}"),
			      (struct slice){NULL, 0});
	buf_append_text(&want, "}\nseek\n");
	buf_append(&want, "", 1);
	host_says(f, INITIALIZE("2025-06-18"));
	saw(f, want.data);
	buf_finish(&want);
}

static void discover_is_refused_at_once_and_needs_no_daemon(void **state)
{
	struct fake *f = *state;

	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":\"server-discover-probe-1\","
		     "\"method\":\"server/discover\",\"params\":{}}");
	buf_append(&f->log, "", 1);
	assert_non_null(strstr(
		f->log.data, "host {\"jsonrpc\":\"2.0\",\"id\":"
			     "\"server-discover-probe-1\",\"error\":{\"code\":"
			     "-32601,"));
	assert_null(strstr(f->log.data, "seek"));
}

static void a_hello_carries_what_the_client_set_up(void **state)
{
	struct fake *f = *state;
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;

	host_says(f, INITIALIZE("2025-03-26"));
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"logging/setLevel\",\"params\":{\"level\":\"error\"}}");
	bridge_hello(f->bridge, &hello);
	assert_string_equal(hello.revision, "2025-03-26");
	assert_string_equal(hello.log_level, "error");
	assert_int_equal(hello.adapter_instance.len, ENVELOPE_ID_BYTES);
	assert_int_equal(hello.session.len, 0);
	assert_int_equal(hello.n_pending, 0);
	assert_true(slice_is(protobuf_slice(hello.cwd), "/of/the/host"));
	assert_true(slice_is(protobuf_slice(hello.initialize_params),
			     "{\"protocolVersion\":\"2025-03-26\"}"));
}

static void initialize_after_the_hello_makes_a_new_hello(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, INITIALIZE("2025-11-25"));
	saw_part(f, "\nrenew\n");
}

static void a_ping_is_answered_here_only_while_there_is_no_daemon(void **state)
{
	struct fake *f = *state;

	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}");
	saw(f, "host {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n");
	attach_new_session(f);
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}");
	saw(f, "daemon 1 {\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}\n");
}

static void what_came_before_the_daemon_is_sent_to_it_in_order(void **state)
{
	struct fake *f = *state;

	host_says(f,
		  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	host_says(f, "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}");
	saw(f, "seek\nseek\n");
	attach_new_session(f);
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"x\"}");
	saw(f, "daemon 1 "
	       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n"
	       "daemon 2 {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n"
	       "daemon 3 {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"x\"}\n");
}

static void an_answer_is_acknowledged_when_it_is_written(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}");
	buf_reset(&f->log, 0);
	daemon_says(f, 1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	saw(f, "host {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
	bridge_written(f->bridge, f->offset - 1);
	saw(f, "");
	bridge_written(f->bridge, f->offset);
	saw(f, "ack 1\n");
}

static void a_message_with_line_breaks_becomes_one_line(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	daemon_says(f, 1, "{\"jsonrpc\":\"2.0\",\n\"method\":\r\n\"m\"}");
	saw(f, "host {\"jsonrpc\":\"2.0\", \"method\":  \"m\"}\n");
}

static void a_message_may_be_taken_where_it_lies(void **state)
{
	struct fake *f = *state;
	struct buf text = {0};

	attach_new_session(f);
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}");
	buf_reset(&f->log, 0);
	buf_append_text(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	bridge_from_daemon(f->bridge, 1, buf_slice(&text), &text);
	saw(f, "host {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
	assert_int_equal(f->taken, 1);
	assert_null(text.data);
	buf_append_text(&text, "{\"jsonrpc\":\"2.0\",\n\"method\":\"m\"}");
	bridge_from_daemon(f->bridge, 2, buf_slice(&text), &text);
	saw(f, "host {\"jsonrpc\":\"2.0\", \"method\":\"m\"}\n");
	bridge_written(f->bridge, f->offset);
	saw(f, "ack 1\nack 2\n");
	buf_finish(&text);
}

static void an_answer_to_nothing_is_swallowed(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	daemon_says(f, 1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	daemon_says(f, 2, "no json");
	saw(f, "ack 1\nack 2\n");
}

static void ids_are_told_apart_by_type(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}");
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"b\"}");
	buf_reset(&f->log, 0);
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"c\"}");
	saw_part(f, "host {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":"
		    "-32600,");
	daemon_says(f, 1, "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}");
	daemon_says(f, 2, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	saw(f, "host {\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}\n"
	       "host {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"c\"}");
	saw(f, "daemon 3 {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"c\"}\n");
}

static void what_is_no_message_is_refused_by_its_id_if_it_has_one(void **state)
{
	struct fake *f = *state;

	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,");
	saw_part(f, "\"id\":null,\"error\":{\"code\":-32700,");
	host_says(f, "{\"id\":3,\"method\":\"x\"}");
	saw_part(f, "\"id\":3,\"error\":{\"code\":-32600,");
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}");
	saw_part(f, "\"id\":null,\"error\":{\"code\":-32600,");
}

static void an_overlong_line_is_refused_by_its_id_if_that_is_whole(void **state)
{
	struct fake *f = *state;

	bridge_overlong(f->bridge, slice_of("{\"id\":\"q\",\"params\":{\"a"));
	saw_part(f, "\"id\":\"q\",\"error\":{\"code\":-32603,");
	bridge_overlong(f->bridge, slice_of("{\"jsonrpc\":\"2.0\",\"id\":12"));
	saw_part(f, "\"id\":null,\"error\"");
	bridge_overlong(f->bridge, slice_of("{\"params\":{\"id\":4,\"a"));
	saw_part(f, "\"id\":null,\"error\"");
}

static void a_cancelled_request_gets_no_answer(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}");
	buf_reset(&f->log, 0);
	host_says(f,
		  "{\"jsonrpc\":\"2.0\",\"method\":"
		  "\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	saw(f, "daemon 2 after 1 {\"jsonrpc\":\"2.0\",\"method\":"
	       "\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n");
	daemon_says(f, 1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	saw(f, "ack 1\n");
}

static void a_cancellation_of_what_was_never_sent_drops_both(void **state)
{
	struct fake *f = *state;

	host_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}");
	host_says(f,
		  "{\"jsonrpc\":\"2.0\",\"method\":"
		  "\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	host_says(f,
		  "{\"jsonrpc\":\"2.0\",\"method\":"
		  "\"notifications/cancelled\",\"params\":{\"requestId\":9}}");
	saw(f, "seek\n");
	attach_new_session(f);
	saw(f, "");
}

/* --- batches -------------------------------------------------------------- */

static void a_batch_is_split_and_its_answers_joined(void **state)
{
	struct fake *f = *state;

	host_says(f, INITIALIZE("2025-03-26"));
	attach_new_session(f);
	buf_reset(&f->log, 0);
	host_says(f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"},"
		     "{\"jsonrpc\":\"2.0\",\"method\":\"n\"},"
		     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"b\"}]");
	saw(f, "daemon 1 {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}\n"
	       "daemon 2 {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n"
	       "daemon 3 {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"b\"}\n");
	daemon_says(f, 1, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
	saw(f, "ack 1\n");
	daemon_says(f, 2, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	saw(f, "host [{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}},"
	       "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]\nack 2\n");
}

static void a_batch_of_notifications_is_not_answered(void **state)
{
	struct fake *f = *state;

	host_says(f, INITIALIZE("2025-03-26"));
	buf_reset(&f->log, 0);
	host_says(f, "[{\"jsonrpc\":\"2.0\",\"method\":\"n\"}]");
	saw(f, "seek\n");
}

static void what_is_wrong_in_a_batch_is_answered_in_it(void **state)
{
	struct fake *f = *state;

	host_says(f, INITIALIZE("2025-03-26"));
	buf_reset(&f->log, 0);
	host_says(f, "[1,{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"},"
		     "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":"
		     "\"initialize\",\"params\":{}}]");
	buf_append(&f->log, "", 1);
	assert_non_null(strstr(f->log.data, "host [{\"jsonrpc\":\"2.0\",\"id\":"
					    "null,\"error\":{\"code\":-32600"));
	assert_non_null(strstr(f->log.data, ",{\"jsonrpc\":\"2.0\",\"id\":5,"
					    "\"result\":{}},"));
	assert_non_null(strstr(f->log.data, "\"id\":6,\"error\":{\"code\":"
					    "-32600"));
	assert_null(strstr(f->log.data, "seek"));
}

static void a_batch_completes_without_the_cancelled_ones(void **state)
{
	struct fake *f = *state;

	host_says(f, INITIALIZE("2025-03-26"));
	host_says(f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"},"
		     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"b\"}]");
	attach_new_session(f);
	daemon_says(f, 1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	buf_reset(&f->log, 0);
	host_says(f,
		  "{\"jsonrpc\":\"2.0\",\"method\":"
		  "\"notifications/cancelled\",\"params\":{\"requestId\":2}}");
	saw_part(f, "host [{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]\n");
}

static void batches_belong_to_one_revision(void **state)
{
	struct fake *f = *state;

	host_says(f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]");
	saw_part(f, "\"id\":null,\"error\":{\"code\":-32600,");
	host_says(f, INITIALIZE("2025-06-18"));
	buf_reset(&f->log, 0);
	host_says(f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]");
	saw_part(f, "\"id\":null,\"error\":{\"code\":-32600,");
	host_says(f, INITIALIZE("2025-03-26"));
	buf_reset(&f->log, 0);
	host_says(f, "[]");
	saw_part(f, "\"id\":null,\"error\":{\"code\":-32600,");
	host_says(f, "[{]");
	saw_part(f, "\"id\":null,\"error\":{\"code\":-32700,");
}

/* --- back-pressure -------------------------------------------------------- */

static void a_host_that_does_not_read_stops_the_daemon(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	f->host_queued = BRIDGE_HOST_BYTES + 1;
	turn(f, 0);
	turn(f, 0);
	saw(f, "pause\n");
	f->host_queued = BRIDGE_HOST_MOST_BYTES + 1;
	turn(f, 0);
	saw(f, "hold\n");
	f->host_queued = 0;
	turn(f, 0);
	saw(f, "go on\nresume\n");
}

static void a_daemon_that_does_not_read_stops_the_host(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	f->daemon_queued = BRIDGE_DAEMON_BYTES + 1;
	turn(f, 0);
	saw(f, "hold\n");
	f->daemon_queued = 0;
	turn(f, 0);
	saw(f, "go on\n");
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(initialize_is_answered_before_there_is_a_daemon),
		TEST(discover_is_refused_at_once_and_needs_no_daemon),
		TEST(a_hello_carries_what_the_client_set_up),
		TEST(initialize_after_the_hello_makes_a_new_hello),
		TEST(a_ping_is_answered_here_only_while_there_is_no_daemon),
		TEST(what_came_before_the_daemon_is_sent_to_it_in_order),
		TEST(an_answer_is_acknowledged_when_it_is_written),
		TEST(a_message_with_line_breaks_becomes_one_line),
		TEST(a_message_may_be_taken_where_it_lies),
		TEST(an_answer_to_nothing_is_swallowed),
		TEST(ids_are_told_apart_by_type),
		TEST(what_is_no_message_is_refused_by_its_id_if_it_has_one),
		TEST(an_overlong_line_is_refused_by_its_id_if_that_is_whole),
		TEST(a_cancelled_request_gets_no_answer),
		TEST(a_cancellation_of_what_was_never_sent_drops_both),
		TEST(a_batch_is_split_and_its_answers_joined),
		TEST(a_batch_of_notifications_is_not_answered),
		TEST(what_is_wrong_in_a_batch_is_answered_in_it),
		TEST(a_batch_completes_without_the_cancelled_ones),
		TEST(batches_belong_to_one_revision),
		TEST(a_host_that_does_not_read_stops_the_daemon),
		TEST(a_daemon_that_does_not_read_stops_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
