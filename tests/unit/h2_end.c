/* h2: how connections end, and that they are quiet until then. */
#include "tests/unit/h2_sides.h"

static void a_draining_server_finishes_what_is_open(void **state)
{
	struct err err;

	(void)state;
	set_up(serve_echo);
	struct end *e = request();
	run_until(e->headers.len > 0);
	h2_drain(server.h);
	h2_drain(server.h);
	run_until(client.goaways);
	assert_null(h2_request(client.h, ok, 1, &stream_events, NULL, &err));
	assert_int_equal(err.reason, ERR_DRAINING);
	say(e, "last words");
	run_until(e->body.len == 10);
	assert_int_equal(server.downs + client.downs, 0);
	h2_end(e->s);
	run_until(server.downs && client.downs);
	assert_int_equal(e->error, H2_NO_ERROR);
	assert_int_equal(e->ends, 1);
	assert_int_equal(server.why.reason, ERR_NONE);
	assert_int_equal(client.why.reason, ERR_NONE);
	assert_null(h2_request(client.h, ok, 1, &stream_events, NULL, &err));
	assert_int_equal(err.reason, ERR_LOST);
	assert_int_equal(h2_queued_all(client.h), 0);
	assert_true(h2_flush(client.h));
	tear_down();
}

static void an_idle_side_drains_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		set_up(serve_echo);
		settle();
		h2_drain(i == 0 ? server.h : client.h);
		run_until(server.downs && client.downs);
		assert_int_equal(server.why.reason, ERR_NONE);
		assert_int_equal(client.why.reason, ERR_NONE);
		tear_down();
	}
}

static void a_request_that_crosses_the_notice_is_served(void **state)
{
	(void)state;
	set_up(serve_echo);
	settle();
	h2_drain(server.h);
	struct end *e = request(); /* the notice has not been read */
	say(e, "x");
	h2_end(e->s);
	run_until(e->closed && client.downs);
	assert_int_equal(e->error, H2_NO_ERROR);
	assert_text(&e->body, "x");
	tear_down();
}

static void a_request_that_could_not_leave_is_refused(void **state)
{
	struct h2_limits limits = h2_limits_local();

	(void)state;
	limits.streams = 1;
	set_up_with(&limits, serve_echo);
	settle();
	struct end *open = request();
	struct end *waiting = request(); /* for a place among the streams */
	run_until(open->headers.len > 0);
	h2_drain(server.h);
	h2_end(open->s);
	run_until(waiting->closed);
	assert_int_equal(waiting->error, H2_REFUSED_STREAM);
	assert_int_equal(server.count, 1);
	tear_down();
}

static void a_lost_connection_closes_streams_then_itself(void **state)
{
	(void)state;
	set_up(serve_hold);
	struct end *e = request();
	run_until(e->headers.len > 0);
	h2_free(server.h);
	server.h = NULL;
	assert_int_equal(server.ends[0].closed, 1);
	assert_int_equal(server.ends[0].error, H2_LOST);
	assert_int_equal(server.downs, 0);
	run_until(client.downs);
	assert_int_equal(e->closed, 1);
	assert_int_equal(e->error, H2_LOST);
	assert_int_equal(client.why.reason, ERR_LOST);
	tear_down();
}

static void everything_leaves_in_a_flush_without_the_loop(void **state)
{
	(void)state;
	set_up(serve_early_end);
	struct end *e = request();
	run_until(server.count == 1);
	/* The server has answered, and would write at the end of the turn. */
	assert_true(h2_flush(server.h));
	assert_int_equal(h2_queued_all(server.h), 0);
	h2_free(server.h);
	server.h = NULL;
	run_until(client.downs);
	assert_text(&e->body, "enough");
	assert_int_equal(e->error, H2_NO_ERROR);
	tear_down();
}

static void on_timeout(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(l, EVBREAK_ALL);
}

static void a_quiet_connection_lets_the_loop_sleep(void **state)
{
	struct h2_limits limits = h2_limits_local();
	ev_timer timer;

	(void)state;
	limits.preface_ms = 200; /* all would be over before the timer */
	limits.stall_ms = 200;
	set_up_with(&limits, serve_hold);
	struct end *e = request();
	run_until(e->headers.len > 0);
	settle();
	unsigned before = ev_iteration(loop);
	ev_timer_init(&timer, on_timeout, 0.3, 0);
	ev_timer_start(loop, &timer);
	ev_run(loop, 0);
	assert_in_range(ev_iteration(loop) - before, 1, 2);
	assert_int_equal(client.downs + server.downs, 0);
	tear_down();
}

static void a_connection_may_be_freed_inside_any_event(void **state)
{
	(void)state;
	for (int at = REQUEST; at <= DOWN; at++) {
		for (int who = 0; who < 2; who++) {
			struct side *side = who ? &server : &client;

			if (at == REQUEST && side == &client)
				continue;
			set_up(at == DRAINED ? serve_much : serve_echo);
			side->free_in = (enum event)at;
			struct end *e = request();
			if (at == DRAINED) {
				e->to_send_bytes = 20 * MIB;
				produce(e);
			} else {
				say(e, "x");
				h2_end(e->s);
			}
			if (at == GOAWAY || at == DOWN)
				h2_drain(who ? client.h : server.h);
			run_until(!side->h);
			settle();
			tear_down();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_draining_server_finishes_what_is_open),
		cmocka_unit_test(an_idle_side_drains_at_once),
		cmocka_unit_test(a_request_that_crosses_the_notice_is_served),
		cmocka_unit_test(a_request_that_could_not_leave_is_refused),
		cmocka_unit_test(a_lost_connection_closes_streams_then_itself),
		cmocka_unit_test(everything_leaves_in_a_flush_without_the_loop),
		cmocka_unit_test(a_quiet_connection_lets_the_loop_sleep),
		cmocka_unit_test(a_connection_may_be_freed_inside_any_event),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
