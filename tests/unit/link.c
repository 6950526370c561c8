/* link: what overtakes what, what is acknowledged, what a pause stops. */
#include "proto/seqset.h"
#include "tests/unit/link_ends.h"

static void messages_arrive_byte_for_byte_both_ways(void **state)
{
	(void)state;
	client.deliver = true;
	for (uint64_t n = 1; n <= 100; n++) {
		post(&client, n, n * 37 % 5000);
		post(&server, n, n * 51 % 5000);
	}
	run_until(client.messages == 100 && server.messages == 100);
	assert_false(client.corrupt || server.corrupt);
	assert_int_equal(link_received_all(client.link), 100);
	assert_int_equal(link_received_all(server.link), 100);
	run_until(client.acked == 100 && server.acked == 100);
}

static void a_small_message_overtakes_a_large_one(void **state)
{
	(void)state;
	post(&client, 1, 6 * MIB);
	post(&client, 2, 10);
	post(&client, 3, 256 * KIB);
	run_until(server.messages == 3);
	assert_order(&server, (const uint64_t[]){2, 3, 1}, 3);
	assert_int_equal(server.bytes, 6 * MIB + 10 + 256 * KIB);
	assert_in_range(client.most_queued_bytes, 1, 1 * MIB);
	run_until(client.acked == 3);
	assert_true(client.drains > 0);
	assert_int_equal(link_queued(client.link), 0);
}

static void a_message_never_overtakes_what_it_follows(void **state)
{
	(void)state;
	post(&client, 1, 3 * MIB);
	post(&client, 2, 9 * MIB);
	post_after(&client, 3, 10, 1);
	post_after(&client, 4, 10, 3);
	post_after(&client, 5, 300 * KIB, 2);
	post(&client, 6, 10);
	run_until(server.messages == 6);
	assert_order(&server, (const uint64_t[]){6, 1, 3, 4, 2, 5}, 6);
}

static void what_follows_a_message_long_gone_goes_at_once(void **state)
{
	(void)state;
	post(&client, 1, 10);
	run_until(server.messages == 1);
	post(&client, 2, 3 * MIB);
	post_after(&client, 3, 10, 1);
	/* 5 waits for 4, which is queued only behind it: too late. */
	post_after(&client, 5, 1 * MIB, 4);
	post(&client, 4, 1 * MIB);
	run_until(server.messages == 5);
	assert_int_equal(server.order[1], 3);
	assert_false(server.corrupt);
}

static void large_messages_take_turns(void **state)
{
	(void)state;
	post(&client, 1, 6 * MIB);
	post(&client, 2, 1 * MIB);
	post(&client, 3, 1 * MIB);
	run_until(server.messages == 3);
	assert_order(&server, (const uint64_t[]){2, 3, 1}, 3);
}

static void all_that_waits_is_counted(void **state)
{
	(void)state;
	settle();
	post(&client, 1, 5 * MIB);
	post(&client, 2, 5 * MIB);
	assert_in_range(link_queued(client.link), 10 * MIB, 10 * MIB + 1000);
	run_until(server.messages == 2);
	assert_int_equal(link_queued(client.link), 0);
}

static void only_what_has_no_gap_is_acknowledged(void **state)
{
	(void)state;
	server.deliver = false;
	for (uint64_t n = 1; n <= 4; n++)
		post(&client, n, 10);
	run_until(server.messages == 4);
	link_received(server.link, 4);
	link_received(server.link, 2);
	assert_int_equal(link_received_all(server.link), 0);
	link_received(server.link, 1);
	link_received(server.link, 1);
	assert_int_equal(link_received_all(server.link), 2);
	run_until(client.acked); /* by the timer */
	assert_int_equal(client.acked, 2);
	link_received(server.link, 3);
	run_until(client.acked == 4);
}

static void many_messages_or_bytes_are_acknowledged_at_once(void **state)
{
	(void)state;
	server.deliver = false;
	for (uint64_t n = 1; n <= 64; n++)
		post(&client, n, 10);
	run_until(server.messages == 64);
	for (uint64_t n = 1; n <= 64; n++)
		link_received(server.link, n);
	assert_true(h2_queued(server.s) > 0); /* without the timer */
	run_until(client.acked == 64);
	post(&client, 65, 256 * KIB);
	run_until(server.messages == 65);
	link_received(server.link, 65);
	assert_true(h2_queued(server.s) > 0);
	run_until(client.acked == 65);
}

/* Each acknowledgement that is owed waits for company as long as the first. */
static void a_lone_acknowledgement_waits_every_time(void **state)
{
	const ev_tstamp least_s = 0.1; /* docs/protocol.md */

	(void)state;
	for (uint64_t n = 1; n <= 4; n++) {
		post(&client, n, 10);
		run_until(server.messages == n);
		ev_tstamp owed_at = ev_now(loop);

		run_until(client.acked == n);
		assert_true(ev_now(loop) - owed_at > least_s / 2);
	}
}

static void a_resumed_session_counts_on(void **state)
{
	(void)state;
	link_start(server.link, &(struct seqset){.all = 1000});
	post(&client, 1001, 10);
	post(&client, 1002, 10);
	run_until(server.messages == 2);
	assert_int_equal(link_received_all(server.link), 1002);
	/* One that the stream before this one had brought. */
	link_received(server.link, 999);
	run_until(client.acked == 1002);
	post(&client, 1000, 10);
	run_until(server.broken);
	assert_int_equal(server.broken, ERR_PROTOCOL);
}

static void a_paused_link_stops_the_other_side(void **state)
{
	(void)state;
	link_pause(server.link);
	for (uint64_t n = 1; n <= 200; n++)
		post(&client, n, 10 * KIB);
	settle();
	assert_int_equal(server.messages, 0);
	assert_true(link_queued(client.link) > 1900 * KIB);
	link_resume(server.link);
	assert_int_equal(server.messages, 0); /* never inside the call */
	run_until(server.messages == 200);
	assert_false(server.corrupt);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(server.order[i], i + 1);
}

static void a_pause_holds_the_rest_of_what_came(void **state)
{
	(void)state;
	server.pause_in_message = true;
	for (uint64_t n = 1; n <= 10; n++)
		post(&client, n, 100);
	run_until(server.messages == 1);
	settle();
	assert_int_equal(server.messages, 1);
	for (unsigned n = 2; n <= 10; n++) {
		link_resume(server.link);
		run_until(server.messages == n);
		settle();
		assert_int_equal(server.messages, n);
	}
	assert_false(server.corrupt);
}

static void acknowledgements_are_heard_while_paused(void **state)
{
	(void)state;
	client.deliver = true;
	link_pause(client.link);
	post(&client, 1, 10);
	post(&server, 1, 10); /* carries the acknowledgement */
	run_until(client.acked == 1);
	assert_int_equal(client.messages, 0);
	link_resume(client.link);
	run_until(client.messages == 1);
}

static void a_goodbye_is_handed_up(void **state)
{
	envelope_t envelope = EXECUTOR__MCP__V1__ENVELOPE__INIT;
	envelope_goodbye_t goodbye;

	(void)state;
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE;
	executor__mcp__v1__goodbye__init(&goodbye);
	envelope.goodbye = &goodbye;
	link_send_envelope(client.link, &envelope);
	h2_end(client.s);
	run_until(server.envelopes == 1 && server.ends == 1);
	assert_true(server.ended_well);
}

static void a_link_may_be_freed_inside_any_event(void **state)
{
	(void)state;
	for (int at = ENVELOPE; at <= BROKEN; at++) {
		set_up_links(NULL);
		server.free_in = (enum event)at;
		client.deliver = true;
		if (at == ENVELOPE) {
			envelope_encode_goodbye(
				h2_output(client.s),
				EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_CLIENT_LEFT,
				"", NULL);
			h2_send(client.s);
		} else if (at == BROKEN) {
			buf_append(h2_output(client.s), "\0\0\0\0\1x", 6);
			h2_send(client.s);
		} else if (at == MESSAGE) {
			post(&client, 1, 10);
			post(&client, 2, 10);
		} else {
			post(&server, 1, 10 * MIB);
			post(&server, 2, 10);
		}
		run_until(!server.link);
		settle();
		tear_down(NULL);
	}
}

#define LINKS(f) cmocka_unit_test_setup_teardown(f, set_up_links, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINKS(messages_arrive_byte_for_byte_both_ways),
		LINKS(a_small_message_overtakes_a_large_one),
		LINKS(a_message_never_overtakes_what_it_follows),
		LINKS(what_follows_a_message_long_gone_goes_at_once),
		LINKS(large_messages_take_turns),
		LINKS(all_that_waits_is_counted),
		LINKS(only_what_has_no_gap_is_acknowledged),
		LINKS(many_messages_or_bytes_are_acknowledged_at_once),
		LINKS(a_lone_acknowledgement_waits_every_time),
		LINKS(a_resumed_session_counts_on),
		LINKS(a_paused_link_stops_the_other_side),
		LINKS(a_pause_holds_the_rest_of_what_came),
		LINKS(acknowledgements_are_heard_while_paused),
		LINKS(a_goodbye_is_handed_up),
		cmocka_unit_test(a_link_may_be_freed_inside_any_event),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
