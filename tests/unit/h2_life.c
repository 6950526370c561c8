/* h2_life, h2_guard: how long a connection is kept, and how it is left. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/h2_raw.h"

static struct ev_loop *loop;
static struct raw peer;
static struct h2_limits limits;

static int set_up(void **state)
{
	(void)state;
	limits = h2_limits_local();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	raw_close(&peer);
	return 0;
}

#define run_until(condition)                                                   \
	while (!(condition))                                                   \
	ev_run(loop, EVRUN_ONCE)

static void greet(void)
{
	raw_open(&peer, loop, &limits);
	raw_hello(&peer);
	raw_talk(&peer);
	assert_int_equal(peer.downs, 0);
}

static void request(uint32_t stream)
{
	raw_headers(&peer, stream, RAW_END_STREAM | RAW_END_HEADERS,
		    RAW_REQUEST);
	raw_talk(&peer);
}

static void respond(size_t len)
{
	const struct h2_header ok = {slice_of(":status"), slice_of("200")};

	h2_respond(peer.stream, &ok, 1);
	memset(buf_reserve(h2_output(peer.stream), len), 'x', len);
	buf_added(h2_output(peer.stream), len);
	h2_send(peer.stream);
	h2_finish(peer.stream, NULL, 0);
}

/* How many PINGs the peer got; the payload of the last. */
static unsigned pings(unsigned char payload[8])
{
	const char *at = peer.in.data;
	unsigned count = 0;

	for (size_t left = peer.in.len; left >= 9;) {
		size_t len = 9 + ((size_t)(unsigned char)at[1] << 8) +
			     (unsigned char)at[2];

		if (at[3] == RAW_PING && at[4] == 0) {
			count++;
			memcpy(payload, at + 9, 8);
		}
		at += len;
		left -= len;
	}
	return count;
}

/* The GOAWAY frames' last stream ids and debug data, in a line. */
static const char *goaways(void)
{
	static char line[256];
	size_t used = 0;

	raw_read(&peer);
	const unsigned char *at = (const unsigned char *)peer.in.data;
	line[0] = '\0';
	for (size_t left = peer.in.len; left >= 9;) {
		size_t len = (size_t)at[1] << 8 | at[2];
		const unsigned char *body = at + 9;

		if (at[3] == RAW_GOAWAY)
			used += (size_t)snprintf(
				line + used, sizeof(line) - used, "%x/%u %.*s;",
				(unsigned)body[0] << 24 |
					(unsigned)body[1] << 16 |
					(unsigned)body[2] << 8 | body[3],
				(unsigned)body[7], (int)len - 8, body + 8);
		at += 9 + len;
		left -= 9 + len;
	}
	return line;
}

/* --- draining --- */

static void the_second_goaway_waits_for_the_answer_to_a_ping(void **state)
{
	unsigned char payload[8];

	(void)state;
	greet();
	request(1);
	h2_drain(peer.h);
	raw_talk(&peer);
	assert_string_equal(goaways(), "7fffffff/0 ;");
	assert_int_equal(pings(payload), 1);
	/* Another ping's answer is not the one. */
	raw_frame(&peer, RAW_PING, RAW_ACK, 0, "whatever", 8);
	request(3);
	assert_int_equal(peer.requests, 2);
	assert_string_equal(goaways(), "7fffffff/0 ;");
	raw_frame(&peer, RAW_PING, RAW_ACK, 0, payload, 8);
	request(5);
	assert_string_equal(goaways(), "7fffffff/0 ;3/0 ;");
	assert_int_equal(peer.requests, 2); /* the other one is none of ours */
	assert_int_equal(h2_streams(peer.h), 2);
}

static void who_does_not_answer_the_ping_is_told_all_the_same(void **state)
{
	(void)state;
	greet();
	request(1);
	limits.preface_ms = 100;
	raw_close(&peer);
	greet();
	request(1);
	h2_drain(peer.h);
	while (!strstr(goaways(), ";1/0 ;"))
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(peer.downs, 0);
}

/* --- idleness and age --- */

static void without_streams_it_is_left_after_a_while(void **state)
{
	(void)state;
	limits.idle_ms = 200;
	limits.preface_ms = 1000;
	greet();
	request(1);
	ev_tstamp began = ev_time();
	while (ev_time() < began + 0.3) {
		ev_run(loop, EVRUN_NOWAIT);
		assert_string_equal(goaways(), "");
	}
	respond(10);
	raw_talk(&peer);
	assert_int_equal(peer.closed, 1);
	while (goaways()[0] == '\0')
		ev_run(loop, EVRUN_ONCE);
	run_until(peer.downs);
	assert_int_equal(peer.why.reason, ERR_NONE);
	assert_string_equal(goaways(), "7fffffff/0 ;1/0 ;");
}

static void an_old_connection_is_drained_and_then_ended(void **state)
{
	(void)state;
	limits.age_ms = 200;
	limits.age_grace_ms = 100;
	limits.preface_ms = 50;
	greet();
	request(1);
	run_until(peer.downs);
	assert_int_equal(peer.why.reason, ERR_DRAINING);
	assert_int_equal(peer.closed, 1);
	assert_string_equal(goaways(),
			    "7fffffff/0 ;1/0 ;1/0 calls were still open when "
			    "its time was over;");
}

static void an_old_connection_waits_for_its_calls(void **state)
{
	(void)state;
	limits.age_ms = 200;
	limits.preface_ms = 100;
	greet();
	request(1);
	while (!strstr(goaways(), ";1/0 ;"))
		ev_run(loop, EVRUN_ONCE);
	respond(10);
	run_until(peer.downs);
	assert_int_equal(peer.why.reason, ERR_NONE);
	raw_read(&peer);
	assert_int_equal(raw_count(&peer, RAW_DATA, 1, NULL), 1);
}

/* --- pings --- */

static void a_silent_peer_is_asked(void **state)
{
	unsigned char payload[8];

	(void)state;
	limits.keepalive_ms = 5;
	limits.keepalive_timeout_ms = 60000; /* is not waited for */
	greet();
	for (unsigned i = 1; i < 4; i++) {
		while (pings(payload) < i) {
			ev_run(loop, EVRUN_ONCE);
			raw_read(&peer);
		}
		raw_frame(&peer, RAW_PING, RAW_ACK, 0, payload, 8);
		raw_talk(&peer);
	}
	assert_int_equal(peer.downs, 0);
}

static void who_does_not_answer_is_gone(void **state)
{
	(void)state;
	limits.keepalive_ms = 100;
	limits.keepalive_timeout_ms = 50;
	greet();
	request(1);
	run_until(peer.downs);
	assert_int_equal(peer.why.reason, ERR_LOST);
	assert_int_equal(peer.closed, 1);
}

static void ping(unsigned count)
{
	while (count-- > 0)
		raw_frame(&peer, RAW_PING, 0, 0, "01234567", 8);
	raw_talk(&peer);
}

static void too_many_pings_have_a_word_of_their_own(void **state)
{
	uint32_t error = 0;

	(void)state;
	limits = h2_limits_tcp();
	greet();
	ping(3); /* the first is none too early, then two strikes */
	assert_int_equal(peer.downs, 0);
	ping(1);
	assert_int_equal(peer.downs, 1);
	assert_int_equal(peer.why.reason, ERR_OVERLOADED);
	assert_string_equal(goaways(), "0/11 too_many_pings;");
	assert_int_equal(raw_count(&peer, RAW_GOAWAY, 0, &error), 1);
	assert_int_equal(error, H2_ENHANCE_YOUR_CALM);
}

static void a_response_forgives_the_pings_before(void **state)
{
	(void)state;
	limits = h2_limits_tcp();
	greet();
	for (uint32_t id = 1; id < 400; id += 2) {
		ping(3);
		request(id);
		respond(10);
		raw_talk(&peer);
	}
	assert_int_equal(peer.downs, 0);
	assert_int_equal(peer.closed, 200);
	ping(4);
	assert_int_equal(peer.downs, 1);
}

/* --- clients that do not take what they asked for --- */

static void a_stream_without_a_window_is_given_up_alone(void **state)
{
	uint32_t error = 0;

	(void)state;
	limits.stall_ms = 500;
	greet();
	request(1);
	respond(100000); /* the window is 65535 */
	raw_talk(&peer);
	raw_frame(&peer, RAW_WINDOW_UPDATE, 0, 0, "\1\0\0\0", 4);
	for (uint32_t id = 3; h2_streams(peer.h) > 0; id += 2) {
		request(id); /* others do not wait for it */
		respond(10);
		raw_talk(&peer);
		assert_in_range(h2_streams(peer.h), 0, 1);
	}
	raw_talk(&peer);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 0, &error), 1);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 1, &error), 1);
	assert_int_equal(error, H2_ENHANCE_YOUR_CALM);
	assert_int_equal(peer.downs, 0);
	assert_int_equal(h2_queued_all(peer.h), 0);
}

static void a_stream_that_moves_is_waited_for(void **state)
{
	(void)state;
	limits.stall_ms = 1000;
	greet();
	request(1);
	respond(65535 + 20);
	raw_talk(&peer);
	raw_frame(&peer, RAW_WINDOW_UPDATE, 0, 0, "\1\0\0\0", 4);
	for (int i = 0; i < 20; i++) {
		ev_tstamp until = ev_time() + 0.07;

		assert_int_equal(peer.closed, 0);
		raw_frame(&peer, RAW_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
		raw_talk(&peer);
		while (ev_time() < until)
			ev_run(loop, EVRUN_NOWAIT);
	}
	raw_talk(&peer);
	assert_int_equal(peer.closed, 1);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 1, NULL), 0);
}

static void what_was_begun_must_go_on(void **state)
{
	uint32_t error = 0;

	(void)state;
	limits.stall_ms = 30;
	greet();
	request(1);
	h2_expect(peer.stream, true);
	request(3);
	h2_expect(peer.stream, true);
	h2_expect(peer.stream, false);
	request(5);
	run_until(peer.closed);
	raw_talk(&peer);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 0, NULL), 1);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 1, &error), 1);
	assert_int_equal(error, H2_CANCEL);
	assert_int_equal(h2_streams(peer.h), 2);
}

static void what_waits_in_all_streams_is_bounded(void **state)
{
	uint32_t error = 0;

	(void)state;
	limits.queue_all_bytes = 1000000;
	greet();
	for (uint32_t id = 1; id < 40; id += 2) {
		request(id);
		respond(165535); /* the first takes the connection's window */
		raw_talk(&peer);
		assert_true(h2_queued_all(peer.h) <= limits.queue_all_bytes);
	}
	assert_int_equal(peer.downs, 0);
	assert_in_range(h2_streams(peer.h), 5, 7);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 39, &error), 1);
	assert_int_equal(error, H2_ENHANCE_YOUR_CALM);
	/* A single one is taken, however large. */
	raw_close(&peer);
	greet();
	request(1);
	respond(3000000);
	raw_talk(&peer);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 0, NULL), 0);
	assert_int_equal(h2_streams(peer.h), 1);
}

#define LIFE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(the_second_goaway_waits_for_the_answer_to_a_ping),
		LIFE(who_does_not_answer_the_ping_is_told_all_the_same),
		LIFE(without_streams_it_is_left_after_a_while),
		LIFE(an_old_connection_is_drained_and_then_ended),
		LIFE(an_old_connection_waits_for_its_calls),
		LIFE(a_silent_peer_is_asked),
		LIFE(who_does_not_answer_is_gone),
		LIFE(too_many_pings_have_a_word_of_their_own),
		LIFE(a_response_forgives_the_pings_before),
		LIFE(a_stream_without_a_window_is_given_up_alone),
		LIFE(a_stream_that_moves_is_waited_for),
		LIFE(what_was_begun_must_go_on),
		LIFE(what_waits_in_all_streams_is_bounded),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
