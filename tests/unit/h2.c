/* h2: the two roles against each other over a socket pair, in one loop. */
#include "proto/h2.h"

#include <ev.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/err.h"

enum { ENDS = 8, MIB = 1024 * 1024 };

enum event {
	NOTHING,
	REQUEST,
	HEADERS,
	DATA,
	END,
	DRAINED,
	CLOSED,
	GOAWAY,
	DOWN
};

/* One side's use of one stream. */
struct end {
	struct side *side;
	struct h2_stream *s;
	struct buf headers; /* "name: value\n", blocks end with an empty line */
	struct buf body;
	bool too_large;
	unsigned ends, closed;
	uint32_t error;
	bool echo; /* send back what comes, finish when it ends */
	bool hold; /* do not consume */
	size_t held_bytes;
	size_t to_send_bytes; /* of the pattern */
	size_t sent_bytes;
	size_t most_queued_bytes;
};

struct side {
	struct h2 *h;
	struct end ends[ENDS];
	unsigned count;
	unsigned goaways, downs;
	struct err why;
	enum event free_in;
	/* What the server does with a request. */
	void (*serve)(struct end *e);
};

static struct ev_loop *loop;
static struct side client, server;

static bool maybe_free(struct side *side, enum event now)
{
	if (side->free_in != now)
		return false;
	h2_free(side->h);
	side->h = NULL;
	return true;
}

static char pattern(size_t i)
{
	return (char)(i * 2654435761u >> 21);
}

/* Fill the queue up to its high mark. */
static void produce(struct end *e)
{
	while (e->sent_bytes < e->to_send_bytes && !h2_full(e->s)) {
		size_t len = e->to_send_bytes - e->sent_bytes;
		if (len > 100000)
			len = 100000;
		char *to = buf_reserve(h2_output(e->s), len);
		for (size_t i = 0; i < len; i++)
			to[i] = pattern(e->sent_bytes + i);
		buf_added(h2_output(e->s), len);
		e->sent_bytes += len;
		h2_send(e->s);
		if (h2_queued(e->s) > e->most_queued_bytes)
			e->most_queued_bytes = h2_queued(e->s);
	}
}

static const struct h2_header trailers[] = {{{"grpc-status", 11}, {"0", 1}}};

static void finish(struct end *e)
{
	h2_finish(e->s, trailers, 1);
}

static void on_headers(void *owner, const struct h2_headers *h)
{
	struct end *e = owner;

	e->too_large |= h->too_large;
	for (size_t i = 0; i < h->count; i++) {
		buf_append_slice(&e->headers, h->list[i].name);
		buf_append_text(&e->headers, ": ");
		buf_append_slice(&e->headers, h->list[i].value);
		buf_append_text(&e->headers, "\n");
	}
	buf_append_text(&e->headers, "\n");
	maybe_free(e->side, HEADERS);
}

static void on_data(void *owner, struct slice bytes)
{
	struct end *e = owner;

	if (maybe_free(e->side, DATA))
		return;
	buf_append_slice(&e->body, bytes);
	if (e->hold)
		e->held_bytes += bytes.len;
	else
		h2_consume(e->s, bytes.len);
	if (e->echo) {
		buf_append_slice(h2_output(e->s), bytes);
		h2_send(e->s);
	}
}

static void on_end(void *owner)
{
	struct end *e = owner;

	e->ends++;
	if (maybe_free(e->side, END))
		return;
	if (e->echo)
		finish(e);
}

static void on_drained(void *owner)
{
	struct end *e = owner;

	if (!maybe_free(e->side, DRAINED))
		produce(e);
}

static void on_closed(void *owner, uint32_t error)
{
	struct end *e = owner;

	e->closed++;
	e->error = error;
	e->s = NULL;
	maybe_free(e->side, CLOSED);
}

static const struct h2_stream_events stream_events = {
	.headers = on_headers,
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

static void on_request(void *owner, struct h2_stream *s,
		       const struct h2_headers *h)
{
	struct side *side = owner;
	struct end *e = &side->ends[side->count++];

	assert_true(side->count <= ENDS);
	e->side = side;
	e->s = s;
	h2_stream_listen(s, &stream_events, e);
	on_headers(e, h);
	if (side->h && !maybe_free(side, REQUEST))
		side->serve(e);
}

static void on_goaway(void *owner)
{
	struct side *side = owner;

	side->goaways++;
	maybe_free(side, GOAWAY);
}

static void on_down(void *owner, const struct err *why)
{
	struct side *side = owner;

	side->downs++;
	side->why = *why;
	maybe_free(side, DOWN);
}

static const struct h2_events events = {
	.request = on_request,
	.goaway = on_goaway,
	.down = on_down,
};

/* --- ways to serve --- */

static const struct h2_header ok[] = {
	{{":status", 7}, {"200", 3}},
	{{"content-type", 12}, {"application/grpc", 16}},
};

static void serve_echo(struct end *e)
{
	e->echo = true;
	h2_respond(e->s, ok, 2);
}

static void serve_trailers_only(struct end *e)
{
	const struct h2_header list[] = {
		ok[0], ok[1], {slice_of("grpc-status"), slice_of("12")}};

	h2_finish(e->s, list, 3);
}

static void serve_early_end(struct end *e)
{
	h2_respond(e->s, ok, 2);
	buf_append_text(h2_output(e->s), "enough");
	h2_send(e->s);
	finish(e);
}

static void serve_much(struct end *e)
{
	h2_respond(e->s, ok, 2);
	e->to_send_bytes = 20 * MIB;
	produce(e);
}

static void serve_much_then_little(struct end *e)
{
	if (server.count == 1)
		serve_much(e);
	else
		serve_early_end(e);
}

static void serve_later(struct end *e)
{
	(void)e;
}

static void serve_hold(struct end *e)
{
	e->hold = true;
	h2_respond(e->s, ok, 2);
}

static void serve_reset(struct end *e)
{
	h2_reset(e->s, H2_ENHANCE_YOUR_CALM);
}

/* --- set-up --- */

static void set_up_with(const struct h2_limits *limits,
			void (*serve)(struct end *))
{
	int fds[2];

	client = (struct side){0};
	server = (struct side){.serve = serve};
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server.h = h2_new_server(loop, fds[0], limits, &events, &server);
	client.h = h2_new_client(loop, fds[1], limits, &events, &client);
}

static void set_up(void (*serve)(struct end *))
{
	struct h2_limits limits = h2_limits_local();

	set_up_with(&limits, serve);
}

static void release_side(struct side *side)
{
	h2_free(side->h);
	for (unsigned i = 0; i < side->count; i++) {
		assert_int_equal(side->ends[i].closed, 1);
		buf_finish(&side->ends[i].headers);
		buf_finish(&side->ends[i].body);
	}
}

static void tear_down(void)
{
	release_side(&client);
	release_side(&server);
}

#define run_until(condition)                                                   \
	while (!(condition))                                                   \
	ev_run(loop, EVRUN_ONCE)

/* A few turns in which nothing has to happen. */
static void settle(void)
{
	for (int i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static struct end *request_with(const struct h2_header *more, size_t count)
{
	struct h2_header list[64] = {
		{slice_of(":method"), slice_of("POST")},
		{slice_of(":scheme"), slice_of("http")},
		{slice_of(":path"), slice_of("/test.Service/Method")},
		{slice_of(":authority"), slice_of("localhost")},
		{slice_of("te"), slice_of("trailers")},
	};
	struct end *e = &client.ends[client.count++];
	struct err err;

	assert_true(client.count <= ENDS);
	for (size_t i = 0; i < count; i++)
		list[5 + i] = more[i];
	*e = (struct end){.side = &client};
	e->s = h2_request(client.h, list, 5 + count, &stream_events, e, &err);
	assert_non_null(e->s);
	assert_ptr_equal(h2_of(e->s), client.h);
	return e;
}

static struct end *request(void)
{
	return request_with(NULL, 0);
}

static void say(struct end *e, const char *text)
{
	buf_append_text(h2_output(e->s), text);
	h2_send(e->s);
}

static void assert_text(const struct buf *b, const char *text)
{
	assert_int_equal(b->len, strlen(text));
	assert_memory_equal(b->data, text, b->len);
}

static void assert_pattern(const struct buf *b, size_t len)
{
	assert_int_equal(b->len, len);
	for (size_t i = 0; i < len; i++)
		if (b->data[i] != pattern(i))
			fail_msg("byte %zu differs", i);
}

/* --- the tests --- */

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
	limits.preface_ms = 1;
	limits.stall_ms = 1;
	set_up_with(&limits, serve_hold);
	struct end *e = request();
	run_until(e->headers.len > 0);
	settle();
	unsigned before = ev_iteration(loop);
	ev_timer_init(&timer, on_timeout, 0.05, 0);
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
		cmocka_unit_test(a_draining_server_finishes_what_is_open),
		cmocka_unit_test(an_idle_side_drains_at_once),
		cmocka_unit_test(a_request_that_crosses_the_notice_is_served),
		cmocka_unit_test(a_request_that_could_not_leave_is_refused),
		cmocka_unit_test(a_lost_connection_closes_streams_then_itself),
		cmocka_unit_test(a_list_over_the_limit_comes_cut_short),
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
