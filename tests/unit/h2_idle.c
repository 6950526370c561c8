/* h2_idle: a reset of a call that was never begun harms nobody. */
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
	raw_open(&peer, loop, &limits);
	raw_hello(&peer);
	raw_talk(&peer);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	raw_close(&peer);
	return 0;
}

static void request(uint32_t stream)
{
	raw_headers(&peer, stream, RAW_END_STREAM | RAW_END_HEADERS,
		    RAW_REQUEST);
}

static void reset(uint32_t stream)
{
	raw_frame(&peer, RAW_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
}

/* One byte at a time: what is whole is known only when it is. */
static void trickle(void)
{
	struct buf all = {0};

	buf_move(&all, &peer.out);
	for (size_t i = 0; i < all.len; i++) {
		buf_append(&peer.out, all.data + i, 1);
		raw_talk(&peer);
	}
	buf_finish(&all);
}

static void conversation(void)
{
	request(1);
	reset(3); /* never begun */
	reset(5);
	request(7);
	reset(1);
	reset(3); /* older than the newest: closed, not idle */
	reset(9);
	request(11);
}

static void it_is_left_out_wherever_the_bytes_are_torn(void **state)
{
	(void)state;
	conversation();
	raw_talk(&peer);
	assert_int_equal(peer.downs, 0);
	assert_int_equal(peer.requests, 3);
	assert_int_equal(peer.closed, 1);
	raw_close(&peer);
	set_up(state);
	conversation();
	trickle();
	assert_int_equal(peer.downs, 0);
	assert_int_equal(peer.requests, 3);
	assert_int_equal(peer.closed, 1);
}

static void any_other_frame_there_breaks_the_connection(void **state)
{
	static const struct {
		enum frame_type type;
		uint32_t stream;
		size_t len;
	} rows[] = {
		{RAW_DATA, 3, 4},
		{RAW_WINDOW_UPDATE, 3, 4},
		{RAW_RST_STREAM, 3, 5}, /* the wrong length */
		{RAW_RST_STREAM, 0, 4},
		{RAW_RST_STREAM, 2, 4}, /* the server's own */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i > 0)
			set_up(state);
		request(1);
		raw_frame(&peer, rows[i].type, 0, rows[i].stream,
			  "\0\0\0\x08\0", rows[i].len);
		raw_talk(&peer);
		assert_int_equal(peer.downs, 1);
		if (i + 1 < sizeof(rows) / sizeof(rows[0]))
			raw_close(&peer);
	}
}

#define IDLE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IDLE(it_is_left_out_wherever_the_bytes_are_torn),
		IDLE(any_other_frame_there_breaks_the_connection),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
