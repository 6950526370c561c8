/* call: whatever happens at whatever point of a call, nothing is left of it,
 * and whoever worked on it knows. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "grpc/health/v1/health.pb-c.h"
#include "proto/log.h"
#include "server/face/call.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "tests/unit/h2_raw.h"

enum { KINDS = 5, FRAMES_MAX = 16 };

static struct ev_loop *loop;
static struct services services;
static struct peers *peers;
static struct raw client;

/* What the test's own service was told. */
static struct call *at_work;
static unsigned opens, settled, closes;
static struct buf heard;

/* --- a service: it works until it is told to stop ------------------------- */

static void say(struct call *c)
{
	Grpc__Health__V1__HealthCheckRequest m;
	char text[] = "something";

	grpc__health__v1__health_check_request__init(&m);
	m.service = text;
	assert_true(call_send(c, &m.base, NULL));
}

static void on_message(void *owner, struct slice message)
{
	(void)owner;
	buf_append_slice(&heard, message);
	buf_append_text(&heard, ";");
	/* What is held back must be let go of, too. */
	call_pause(at_work);
	call_resume(at_work);
}

static void on_data(void *owner, struct slice bytes)
{
	(void)owner;
	buf_append_slice(&heard, bytes);
	h2_consume(call_h2(at_work), bytes.len);
}

static void on_end(void *owner)
{
	struct err e;

	(void)owner;
	buf_append_text(&heard, "|");
	settled++;
	err_set(&e, ERR_NOT_FOUND, "nothing");
	call_fail(at_work, &e);
	at_work = NULL;
}

static void on_closed(void *owner)
{
	(void)owner;
	closes++;
	at_work = NULL;
}

static const struct call_events events = {
	.message = on_message,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
};

static struct fate *open_stream(void *service, struct call *c)
{
	(void)service;
	opens++;
	at_work = c;
	return call_stream(c, &events, NULL);
}

static struct fate *open_talk(void *service, struct call *c)
{
	struct fate *fate = open_stream(service, c);

	say(c);
	return fate;
}

static struct fate *begin_work(void *service, struct call *c,
			       struct slice request)
{
	(void)service;
	buf_append_slice(&heard, request);
	opens++;
	at_work = c;
	return call_later(c, &events, NULL);
}

static struct fate *begin_list(void *service, struct call *c,
			       struct slice request)
{
	buf_append_slice(&heard, request);
	return open_talk(service, c);
}

static const struct method methods[KINDS] = {
	{.name = "Unary", .unary = begin_work},
	{.name = "List", .server_stream = begin_list},
	{.name = "Gather", .client_stream = open_stream},
	{.name = "Talk", .bidi = open_talk},
	{.name = "Raw", .raw = open_stream},
};

/* --- the world ------------------------------------------------------------ */

static void open_world(void)
{
	const struct h2_limits limits = h2_limits_local();
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	opens = settled = closes = 0;
	at_work = NULL;
	buf_reset(&heard, 4096);
	client = (struct raw){.loop = loop, .fd = fds[1]};
	fcntl(client.fd, F_SETFL, O_NONBLOCK);
	peers = peers_new(loop, &services, &limits);
	peers_add(peers, fds[0]);
}

/* Nothing is open, and each worker was told the end, once. */
static void is_quiet(void)
{
	assert_int_equal(services.open, 0);
	assert_int_equal(opens, settled + closes);
	assert_null(at_work);
}

static void close_world(void)
{
	raw_close(&client);
	for (int i = 0; i < 10; i++)
		ev_run(loop, EVRUN_NOWAIT);
	is_quiet();
	assert_int_equal(peers_count(peers), 0);
	peers_free(peers);
}

/* --- a conversation ------------------------------------------------------- */

/* Of one call: two messages for a stream of the client, else one, torn across
 * its frames.  ends gets where each frame ends. */
static void converse(const struct method *m, const char *timeout,
		     size_t ends[FRAMES_MAX], size_t *frames)
{
	char lines[256];
	bool one = m->unary || m->server_stream;

	*frames = 0;
	snprintf(lines, sizeof(lines),
		 ":method POST\n:scheme http\n:path /test.Points/%s\n"
		 ":authority localhost\nte trailers\n"
		 "content-type application/grpc\n%s",
		 m->name, timeout);
	raw_hello(&client);
	ends[(*frames)++] = client.out.len;
	raw_headers(&client, 1, RAW_END_HEADERS, lines);
	ends[(*frames)++] = client.out.len;
	raw_frame(&client, RAW_DATA, 0, 1, "\0\0", 2);
	ends[(*frames)++] = client.out.len;
	raw_frame(&client, RAW_DATA, 0, 1,
		  "\0\0\5"
		  "he",
		  5);
	ends[(*frames)++] = client.out.len;
	if (!one) {
		raw_frame(&client, RAW_DATA, 0, 1,
			  "llo"
			  "\0\0\0\0\0"
			  "\0\0",
			  10);
		ends[(*frames)++] = client.out.len;
		raw_frame(&client, RAW_DATA, 0, 1,
			  "\0\0\1"
			  "x",
			  4);
	} else {
		raw_frame(&client, RAW_DATA, 0, 1, "llo", 3);
	}
	ends[(*frames)++] = client.out.len;
	raw_frame(&client, RAW_DATA, RAW_END_STREAM, 1, NULL, 0);
	ends[(*frames)++] = client.out.len;
}

/* Say only the first len bytes of it. */
static void say_first(size_t len)
{
	client.out.len = len;
	raw_talk(&client);
}

/* For every kind, and behind every frame: say so much, then do this. */
static void at_every_frame(const char *timeout,
			   void (*then)(bool was_open, bool had_ended))
{
	size_t ends[FRAMES_MAX];
	size_t frames = 1;

	for (size_t k = 0; k < KINDS; k++)
		for (size_t at = 0; at == 0 || at < frames; at++) {
			open_world();
			converse(&methods[k], timeout, ends, &frames);
			say_first(ends[at]);
			then(at > 0, at + 1 == frames);
			close_world();
		}
}

/* --- the ends ------------------------------------------------------------- */

static void a_lost_connection_at_every_byte(void **state)
{
	size_t ends[FRAMES_MAX];
	size_t frames;

	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		size_t len = 1;

		for (size_t at = 0; at < len; at++) {
			open_world();
			converse(&methods[k], "", ends, &frames);
			len = client.out.len;
			say_first(at + 1);
			close_world();
		}
	}
}

static void then_reset(bool was_open, bool had_ended)
{
	(void)had_ended;
	if (!was_open)
		return;
	raw_frame(&client, RAW_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
	raw_talk(&client);
	is_quiet(); /* while the connection lives */
	assert_int_equal(peers_count(peers), 1);
}

static void a_reset_behind_every_frame(void **state)
{
	(void)state;
	at_every_frame("", then_reset);
}

static void then_half_close(bool was_open, bool had_ended)
{
	if (!was_open || had_ended)
		return;
	raw_frame(&client, RAW_DATA, RAW_END_STREAM, 1, NULL, 0);
	raw_talk(&client);
	assert_int_equal(peers_count(peers), 1);
	/* Streams of the client are told; the others work on, or never
	 * began. */
	if (at_work)
		assert_int_equal(services.open, 1);
	else
		is_quiet();
}

static void a_half_close_behind_every_frame(void **state)
{
	(void)state;
	at_every_frame("", then_half_close);
}

static void then_wait(bool was_open, bool had_ended)
{
	(void)had_ended;
	(void)was_open;
	while (services.open > 0)
		ev_run(loop, EVRUN_ONCE);
	raw_talk(&client);
	is_quiet();
	assert_int_equal(peers_count(peers), 1);
}

static void a_deadline_behind_every_frame(void **state)
{
	(void)state;
	at_every_frame("grpc-timeout 2m\n", then_wait);
}

static void then_drain(bool was_open, bool had_ended)
{
	peers_drain(peers);
	raw_talk(&client);
	if (was_open)
		then_reset(true, had_ended);
}

static void a_drain_behind_every_frame(void **state)
{
	(void)state;
	at_every_frame("", then_drain);
}

/* --- the splitter --------------------------------------------------------- */

static void one_byte_at_a_time_it_is_the_same_conversation(void **state)
{
	size_t ends[FRAMES_MAX];
	size_t frames;

	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		struct buf whole = {0};
		struct buf out = {0};

		open_world();
		converse(&methods[k], "", ends, &frames);
		raw_talk(&client);
		buf_append_slice(&whole, buf_slice(&heard));
		assert_true(whole.len >= 5);
		close_world();

		open_world();
		converse(&methods[k], "", ends, &frames);
		buf_move(&out, &client.out);
		for (size_t i = 0; i < out.len; i++) {
			buf_append(&client.out, out.data + i, 1);
			raw_talk(&client);
		}
		assert_true(slice_equal(buf_slice(&whole), buf_slice(&heard)));
		close_world();
		buf_finish(&whole);
		buf_finish(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_connection_at_every_byte),
		cmocka_unit_test(a_reset_behind_every_frame),
		cmocka_unit_test(a_half_close_behind_every_frame),
		cmocka_unit_test(a_deadline_behind_every_frame),
		cmocka_unit_test(a_drain_behind_every_frame),
		cmocka_unit_test(
			one_byte_at_a_time_it_is_the_same_conversation),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	log_open(STDERR_FILENO, LOG_OFF);
	loop = ev_loop_new(EVFLAG_AUTO);
	services_add(&services, &(struct service){.name = "test.Points",
						  .methods = methods,
						  .method_count = KINDS,
						  .limit_bytes = 1000});
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_finish(&heard);
	ev_loop_destroy(loop);
	return failed;
}
