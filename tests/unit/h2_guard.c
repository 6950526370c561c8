/* h2_guard: what a peer may not do, done by hand. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/unit/h2_raw.h"

static struct ev_loop *loop;
static struct raw peer;

static struct h2_limits limits;

static int set_up(void **state)
{
	(void)state;
	limits = h2_limits_local();
	limits.resets_burst = 50;
	limits.resets_per_s = 1;
	limits.idle_frames_per_s = 100;
	limits.settings_per_s = 50;
	limits.pings_per_s = 50;
	limits.faults = 50;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	raw_close(&peer);
	return 0;
}

static void greet(void)
{
	raw_open(&peer, loop, &limits);
	raw_hello(&peer);
	raw_talk(&peer);
	assert_int_equal(peer.downs, 0);
}

static void assert_ended(enum reason reason, uint32_t error)
{
	uint32_t sent = UINT32_MAX;

	raw_talk(&peer);
	assert_int_equal(peer.downs, 1);
	assert_int_equal(peer.why.reason, reason);
	assert_int_equal(raw_count(&peer, RAW_GOAWAY, 0, &sent), 1);
	assert_int_equal(sent, error);
	assert_int_equal(peer.closed, peer.requests);
}

static void request(uint32_t stream, unsigned flags)
{
	raw_headers(&peer, stream, flags | RAW_END_HEADERS, RAW_REQUEST);
}

static void rapid_reset_is_stopped(void **state)
{
	(void)state;
	greet();
	for (uint32_t id = 1; id < 400; id += 2) {
		request(id, 0);
		raw_frame(&peer, RAW_RST_STREAM, 0, id, "\0\0\0\x8", 4);
	}
	assert_ended(ERR_OVERLOADED, H2_ENHANCE_YOUR_CALM);
	assert_in_range(peer.requests, 1, 60);
}

/* CVE-2025-8671: the peer makes us reset its streams. */
static void made_you_reset_is_stopped(void **state)
{
	(void)state;
	greet();
	for (uint32_t id = 1; id < 400; id += 2) {
		request(id, 0);
		raw_frame(&peer, RAW_WINDOW_UPDATE, 0, id, "\x7f\xff\xff\xff",
			  4);
		if (id % 20 == 1)
			raw_talk(&peer);
	}
	assert_ended(ERR_OVERLOADED, H2_ENHANCE_YOUR_CALM);
	assert_in_range(peer.requests, 1, 70);
}

static void a_flood_of_pings_is_stopped(void **state)
{
	(void)state;
	greet();
	for (int i = 0; i < 200; i++)
		raw_frame(&peer, RAW_PING, 0, 0, "01234567", 8);
	assert_ended(ERR_OVERLOADED, H2_ENHANCE_YOUR_CALM);
}

static void a_few_pings_are_answered(void **state)
{
	(void)state;
	greet();
	for (int i = 0; i < 20; i++)
		raw_frame(&peer, RAW_PING, 0, 0, "01234567", 8);
	raw_talk(&peer);
	assert_int_equal(raw_count(&peer, RAW_PING, 0, NULL), 20);
	assert_int_equal(peer.downs, 0);
}

static void a_flood_of_settings_is_stopped(void **state)
{
	(void)state;
	greet();
	for (int i = 0; i < 200; i++)
		raw_frame(&peer, RAW_SETTINGS, 0, 0, NULL, 0);
	assert_ended(ERR_OVERLOADED, H2_ENHANCE_YOUR_CALM);
}

static void a_flood_of_empty_data_is_stopped(void **state)
{
	(void)state;
	greet();
	request(1, 0);
	for (int i = 0; i < 400; i++)
		raw_frame(&peer, RAW_DATA, i % 2 ? RAW_PADDED : 0, 1,
			  "\3\0\0\0", i % 2 ? 4 : 0);
	assert_ended(ERR_OVERLOADED, H2_ENHANCE_YOUR_CALM);
}

static void a_flood_of_idle_frames_is_stopped(void **state)
{
	static const struct {
		enum frame_type type;
		const char *bytes;
		size_t len;
	} floods[] = {
		{RAW_UNKNOWN, "x", 1},
		{RAW_PRIORITY, "\0\0\0\0\1", 5},
		{RAW_WINDOW_UPDATE, "\0\0\0\1", 4},
	};

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		greet();
		request(1, 0);
		for (int i = 0; i < 400; i++)
			raw_frame(&peer, floods[k].type, 0, 1, floods[k].bytes,
				  floods[k].len);
		assert_ended(ERR_OVERLOADED, H2_ENHANCE_YOUR_CALM);
		if (k < 2)
			raw_close(&peer);
	}
}

static void a_flood_on_a_closed_stream_is_stopped(void **state)
{
	(void)state;
	greet();
	request(1, 0);
	raw_frame(&peer, RAW_RST_STREAM, 0, 1, "\0\0\0\x8", 4);
	for (int i = 0; i < 400; i++)
		request(1, RAW_END_STREAM);
	assert_ended(ERR_OVERLOADED, H2_ENHANCE_YOUR_CALM);
	assert_int_equal(peer.requests, 1);
}

static void a_flood_of_continuations_is_stopped(void **state)
{
	(void)state;
	greet();
	raw_headers(&peer, 1, 0, RAW_REQUEST);
	for (int i = 0; i < 200; i++)
		raw_frame(&peer, RAW_CONTINUATION, 0, 1, NULL, 0);
	assert_ended(ERR_OVERLOADED, H2_ENHANCE_YOUR_CALM);
	assert_int_equal(peer.requests, 0);
}

/* A request with so many references to one value of 3000 bytes. */
static void bomb(uint32_t stream, size_t references)
{
	struct buf block = {0};
	unsigned char len[3] = {127, (3000 - 127) % 128 + 128,
				(3000 - 127) / 128}; /* an HPACK integer */

	raw_pack(&block, RAW_REQUEST);
	buf_append(&block, "\x40\1a", 3); /* indexed from now on, as 62 */
	buf_append(&block, len, 3);
	memset(buf_reserve(&block, 3000), 'x', 3000);
	buf_added(&block, 3000);
	memset(buf_reserve(&block, references), 0xbe, references);
	buf_added(&block, references);
	raw_frame(&peer, RAW_HEADERS, RAW_END_HEADERS, stream, block.data,
		  block.len);
	raw_talk(&peer);
	buf_finish(&block);
}

static void a_large_header_list_is_counted_and_not_kept(void **state)
{
	(void)state;
	greet();
	bomb(1, 50);
	assert_int_equal(peer.requests, 1);
	assert_true(peer.too_large);
	assert_true(peer.log.len < limits.header_list_bytes);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 1, NULL), 0);
}

static void a_header_bomb_is_defused(void **state)
{
	(void)state;
	greet();
	bomb(1, 10000);
	assert_int_equal(peer.requests, 0);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 1, NULL), 1);
	/* The table of names and values is still the same on both sides. */
	request(3, RAW_END_STREAM);
	raw_talk(&peer);
	assert_int_equal(peer.requests, 1);
	for (uint32_t id = 5; id < 200; id += 2)
		bomb(id, 10000);
	assert_ended(ERR_OVERLOADED, H2_ENHANCE_YOUR_CALM);
}

static void another_protocol_is_refused(void **state)
{
	(void)state;
	raw_open(&peer, loop, &limits);
	buf_append_text(&peer.out, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_ended(ERR_PROTOCOL, H2_PROTOCOL_ERROR);
}

static void a_broken_rule_ends_the_connection(void **state)
{
	(void)state;
	greet();
	raw_frame(&peer, RAW_DATA, 0, 7, "x", 1); /* of an idle stream */
	assert_ended(ERR_PROTOCOL, H2_PROTOCOL_ERROR);
}

#define run_until(condition)                                                   \
	while (!(condition))                                                   \
	ev_run(loop, EVRUN_ONCE)

static void a_silent_peer_is_not_waited_for(void **state)
{
	(void)state;
	limits.preface_ms = 1;
	raw_open(&peer, loop, &limits);
	run_until(peer.downs);
	assert_ended(ERR_PROTOCOL, 0x4 /* SETTINGS_TIMEOUT */);
}

static void half_a_header_block_is_not_waited_for(void **state)
{
	(void)state;
	limits.preface_ms = 1;
	greet();
	raw_headers(&peer, 1, 0, RAW_REQUEST);
	raw_write(&peer);
	run_until(peer.downs);
	assert_ended(ERR_PROTOCOL, H2_PROTOCOL_ERROR);
}

static void on_timeout(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(l, EVBREAK_ALL);
}

static void a_refused_header_block_is_over(void **state)
{
	ev_timer timer;

	(void)state;
	limits.preface_ms = 1;
	limits.any_authority = false; /* nghttp2 stops in the middle of it */
	greet();
	raw_headers(&peer, 1, RAW_END_HEADERS, ":method POST\n:method GET\n");
	raw_talk(&peer);
	assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 1, NULL), 1);
	ev_timer_init(&timer, on_timeout, 0.02, 0);
	ev_timer_start(loop, &timer);
	ev_run(loop, 0);
	assert_int_equal(peer.downs, 0);
}

/* Streams whose end cannot be told stay open, and count. */
static void a_peer_that_does_not_read_costs_a_bounded_sum(void **state)
{
	(void)state;
	limits.faults = 1 << 30;
	greet();
	/* How soon it is ended depends on how fast this is: a rate. */
	for (uint32_t id = 1; !peer.downs && id < 400000; id += 2) {
		raw_headers(&peer, id, RAW_END_HEADERS, ":method POST\n");
		if (peer.out.len < 65536)
			continue;
		assert_true(raw_write(&peer));
		assert_true(h2_queued_all(peer.h) < 512 * 1024);
	}
	if (peer.downs)
		assert_int_equal(peer.why.reason, ERR_OVERLOADED);
}

static void a_peer_that_does_not_read_is_given_up(void **state)
{
	const struct h2_header ok = {slice_of(":status"), slice_of("200")};

	(void)state;
	limits.stall_ms = 1;
	greet();
	raw_frame(&peer, RAW_WINDOW_UPDATE, 0, 0, "\x7f\0\0\0", 4);
	request(1, RAW_END_STREAM);
	raw_frame(&peer, RAW_WINDOW_UPDATE, 0, 1, "\x7f\0\0\0", 4);
	raw_talk(&peer);
	h2_respond(peer.stream, &ok, 1);
	memset(buf_reserve(h2_output(peer.stream), 1 << 20), 'x', 1 << 20);
	buf_added(h2_output(peer.stream), 1 << 20);
	h2_send(peer.stream);
	run_until(peer.downs);
	assert_int_equal(peer.why.reason, ERR_LOST);
	assert_int_equal(peer.closed, 1);
}

/* --- splits --- */

static void converse(struct raw *r)
{
	struct buf block = {0};

	raw_hello(r);
	raw_headers(r, 1, RAW_END_HEADERS, RAW_REQUEST "te trailers\n");
	raw_frame(r, RAW_DATA, 0, 1, "hello ", 6);
	raw_frame(r, RAW_PING, 0, 0, "01234567", 8);
	raw_frame(r, RAW_DATA, RAW_PADDED | RAW_END_STREAM, 1, "\3there\0\0\0",
		  9);
	raw_pack(&block, RAW_REQUEST "x-a y\n");
	raw_frame(r, RAW_HEADERS, 0, 3, block.data, 20);
	raw_frame(r, RAW_CONTINUATION, RAW_END_HEADERS, 3, block.data + 20,
		  block.len - 20);
	raw_frame(r, RAW_DATA, 0, 3, "z", 1);
	raw_headers(r, 3, RAW_END_HEADERS | RAW_END_STREAM, "x-trailer w\n");
	buf_finish(&block);
}

static void a_conversation_survives_byte_by_byte(void **state)
{
	struct raw whole;
	struct buf all = {0};

	(void)state;
	raw_open(&whole, loop, &limits);
	converse(&whole);
	raw_talk(&whole);
	assert_int_equal(whole.requests, 2);
	assert_int_equal(whole.ends, 2);

	limits.idle_frames_per_s = 2; /* no frame counts as idle by its split */
	raw_open(&peer, loop, &limits);
	converse(&peer);
	buf_move(&all, &peer.out);
	for (size_t i = 0; i < all.len; i++) {
		buf_append(&peer.out, all.data + i, 1);
		assert_true(raw_write(&peer));
	}
	raw_talk(&peer);
	assert_int_equal(peer.log.len, whole.log.len);
	assert_memory_equal(peer.log.data, whole.log.data, whole.log.len);
	assert_int_equal(raw_count(&peer, RAW_PING, 0, NULL), 1);
	assert_int_equal(peer.downs, 0);
	buf_finish(&all);
	raw_close(&whole);
}

#define GUARD(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD(rapid_reset_is_stopped),
		GUARD(made_you_reset_is_stopped),
		GUARD(a_flood_of_pings_is_stopped),
		GUARD(a_few_pings_are_answered),
		GUARD(a_flood_of_settings_is_stopped),
		GUARD(a_flood_of_empty_data_is_stopped),
		GUARD(a_flood_of_idle_frames_is_stopped),
		GUARD(a_flood_on_a_closed_stream_is_stopped),
		GUARD(a_flood_of_continuations_is_stopped),
		GUARD(a_large_header_list_is_counted_and_not_kept),
		GUARD(a_header_bomb_is_defused),
		GUARD(another_protocol_is_refused),
		GUARD(a_broken_rule_ends_the_connection),
		GUARD(a_silent_peer_is_not_waited_for),
		GUARD(half_a_header_block_is_not_waited_for),
		GUARD(a_refused_header_block_is_over),
		GUARD(a_peer_that_does_not_read_costs_a_bounded_sum),
		GUARD(a_peer_that_does_not_read_is_given_up),
		GUARD(a_conversation_survives_byte_by_byte),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
