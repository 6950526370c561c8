/* h2: streams: what flows, in which order, and what stops it. */
#include "tests/unit/h2_sides.h"

static void a_call_goes_and_its_answer_comes(void **state)
{
	(void)state;
	set_up(serve_echo);
	struct end *e = request();
	say(e, "hello ");
	say(e, "there");
	h2_end(e->s);
	run_until(e->closed && server.ends[0].closed);
	assert_text(&e->headers, ":status: 200\n"
				 "content-type: application/grpc\n\n"
				 "grpc-status: 0\n\n");
	assert_text(&e->body, "hello there");
	assert_int_equal(e->ends, 1);
	assert_int_equal(e->error, H2_NO_ERROR);
	assert_text(&server.ends[0].headers,
		    ":method: POST\n:scheme: http\n"
		    ":path: /test.Service/Method\n:authority: localhost\n"
		    "te: trailers\n\n");
	assert_int_equal(server.ends[0].ends, 1);
	assert_int_equal(server.ends[0].error, H2_NO_ERROR);
	assert_int_equal(h2_streams(server.h), 0);
	assert_int_equal(h2_streams(client.h), 0);
	tear_down();
}

static void both_directions_flow_while_the_stream_is_open(void **state)
{
	(void)state;
	set_up(serve_echo);
	struct end *e = request();
	run_until(e->headers.len > 0); /* before the first message */
	for (int i = 0; i < 5; i++) {
		size_t before = e->body.len;

		say(e, "ping");
		run_until(e->body.len == before + 4);
	}
	assert_int_equal(e->ends, 0);
	h2_end(e->s);
	run_until(e->closed);
	assert_text(&e->body, "pingpingpingpingping");
	tear_down();
}

static void trailers_alone_are_a_whole_response(void **state)
{
	(void)state;
	set_up(serve_trailers_only);
	struct end *e = request();
	h2_end(e->s);
	run_until(e->closed);
	assert_text(&e->headers, ":status: 200\n"
				 "content-type: application/grpc\n"
				 "grpc-status: 12\n\n");
	assert_int_equal(e->error, H2_NO_ERROR);
	tear_down();
}

static void an_early_end_tells_the_client_to_stop(void **state)
{
	(void)state;
	set_up(serve_early_end);
	struct end *e = request(); /* never half-closed */
	say(e, "and so on");
	run_until(e->closed && server.ends[0].closed);
	assert_text(&e->body, "enough");
	assert_int_equal(e->ends, 1);
	assert_int_equal(e->error, H2_NO_ERROR);
	assert_int_equal(server.ends[0].error, H2_NO_ERROR);
	tear_down();
}

static void twenty_mebibytes_pass_each_way_through_bounded_queues(void **state)
{
	const size_t bound = h2_limits_local().queue_high_bytes + 100000;

	(void)state;
	set_up(serve_much);
	struct end *e = request();
	e->to_send_bytes = 20 * MIB;
	produce(e);
	run_until(e->body.len == 20 * MIB && server.count == 1 &&
		  server.ends[0].body.len == 20 * MIB);
	assert_pattern(&e->body, 20 * MIB);
	assert_pattern(&server.ends[0].body, 20 * MIB);
	assert_in_range(e->most_queued_bytes, 1, bound);
	assert_in_range(server.ends[0].most_queued_bytes, 1, bound);
	h2_end(e->s);
	run_until(server.ends[0].ends);
	finish(&server.ends[0]);
	run_until(e->closed);
	tear_down();
}

static void a_reader_that_stops_stops_its_own_stream_only(void **state)
{
	(void)state;
	set_up(serve_much_then_little);
	struct end *slow = request();
	slow->hold = true;
	run_until(slow->held_bytes >= 60000);
	settle();
	/* Nothing was used, so the window has not grown. */
	assert_int_equal(slow->held_bytes,
			 h2_limits_local().window_start_bytes);
	assert_true(h2_full(server.ends[0].s));
	assert_true(h2_queued_all(server.h) >= h2_queued(server.ends[0].s));
	struct end *other = request();
	run_until(other->closed);
	assert_text(&other->body, "enough");
	/* It reads again, and gets the rest. */
	slow->hold = false;
	h2_consume(slow->s, slow->held_bytes);
	run_until(slow->body.len == 20 * MIB);
	assert_pattern(&slow->body, 20 * MIB);
	tear_down();
}

static void streams_take_turns_on_the_way_out(void **state)
{
	(void)state;
	set_up(serve_much_then_little);
	struct end *much = request();
	struct end *little = request();
	run_until(little->closed);
	assert_true(much->body.len < 2 * MIB);
	tear_down();
}

static void a_reset_reaches_the_other_side(void **state)
{
	(void)state;
	set_up(serve_hold);
	struct end *e = request();
	run_until(e->headers.len > 0);
	say(e, "dropped with the stream");
	h2_reset(e->s, H2_CANCEL);
	assert_int_equal(h2_queued(e->s), 0);
	say(e, "too late");
	assert_int_equal(h2_queued(e->s), 0);
	assert_int_equal(e->closed, 0); /* never inside the call */
	run_until(e->closed && server.ends[0].closed);
	assert_int_equal(e->error, H2_CANCEL);
	assert_int_equal(server.ends[0].error, H2_CANCEL);
	assert_int_equal(server.ends[0].body.len, 0);
	tear_down();

	set_up(serve_reset);
	e = request();
	run_until(e->closed && server.ends[0].closed);
	assert_int_equal(e->error, H2_ENHANCE_YOUR_CALM);
	assert_int_equal(e->headers.len, 0);
	tear_down();
}

static void a_request_reset_before_it_left_is_closed_too(void **state)
{
	(void)state;
	set_up(serve_later);
	struct end *e = request();
	h2_reset(e->s, H2_CANCEL);
	run_until(e->closed);
	assert_int_equal(e->error, H2_CANCEL);
	tear_down();
}

static void a_list_over_the_limit_comes_cut_short(void **state)
{
	static const char big[20000];
	struct h2_header many[48];
	struct h2_header value = {slice_of("x-big"), {big, sizeof(big)}};
	struct h2_limits limits = h2_limits_local();

	(void)state;
	char *text = memset(malloc(sizeof(big)), 'x', sizeof(big));
	value.value.ptr = text;
	set_up(serve_trailers_only);
	struct end *e = request_with(&value, 1);
	run_until(e->closed);
	assert_true(server.ends[0].too_large);
	assert_true(server.ends[0].headers.len < 1000);
	tear_down();
	free(text);

	for (size_t i = 0; i < 48; i++)
		many[i] = (struct h2_header){slice_of("x"), slice_of("y")};
	limits.header_count = 20;
	set_up_with(&limits, serve_trailers_only);
	e = request_with(many, 48);
	run_until(e->closed);
	assert_true(server.ends[0].too_large);
	struct end *f = request_with(many, 15);
	run_until(f->closed);
	assert_false(server.ends[1].too_large);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_goes_and_its_answer_comes),
		cmocka_unit_test(both_directions_flow_while_the_stream_is_open),
		cmocka_unit_test(trailers_alone_are_a_whole_response),
		cmocka_unit_test(an_early_end_tells_the_client_to_stop),
		cmocka_unit_test(
			twenty_mebibytes_pass_each_way_through_bounded_queues),
		cmocka_unit_test(a_reader_that_stops_stops_its_own_stream_only),
		cmocka_unit_test(streams_take_turns_on_the_way_out),
		cmocka_unit_test(a_reset_reaches_the_other_side),
		cmocka_unit_test(a_request_reset_before_it_left_is_closed_too),
		cmocka_unit_test(a_list_over_the_limit_comes_cut_short),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
