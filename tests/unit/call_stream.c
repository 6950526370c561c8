/* call: messages of the four kinds, both ways, and what holds them back. */
#include "server/face/call.h"

#include "tests/support/call_room.h"

#include "grpc/health/v1/health.pb-c.h"
#include "proto/base64.h"

enum { LIMIT_BYTES = 300000 };

/* What the test's own service was told, and does. */
struct worker {
	struct call *call;
	struct buf heard; /* the messages, a line each */
	unsigned opens, messages, ends, drains, closes;
	bool pause_each;
	unsigned fail_at; /* at that message; 0: never */
};

struct world {
	struct call_room room;
	struct worker worker;
};

/* --- a service ------------------------------------------------------------ */

static void text_init(Grpc__Health__V1__HealthCheckRequest *m, const char *text)
{
	grpc__health__v1__health_check_request__init(m);
	m->service = (char *)(uintptr_t)text;
}

static bool say(struct call *c, const char *text, struct err *e)
{
	Grpc__Health__V1__HealthCheckRequest m;

	text_init(&m, text);
	return call_send(c, &m.base, e);
}

static void on_message(void *owner, struct slice message)
{
	struct worker *w = owner;
	struct err e;

	w->messages++;
	buf_append_slice(&w->heard, message);
	buf_append_text(&w->heard, "\n");
	if (w->fail_at == w->messages) {
		err_set(&e, ERR_ALREADY_EXISTS, "message %u", w->messages);
		call_fail_source(w->call, "notes", &e);
		w->call = NULL;
	} else if (w->pause_each) {
		call_pause(w->call);
	}
}

static void on_end(void *owner)
{
	struct worker *w = owner;

	w->ends++;
}

static void on_drained(void *owner)
{
	struct worker *w = owner;

	w->drains++;
}

static void on_closed(void *owner)
{
	struct worker *w = owner;

	w->closes++;
	w->call = NULL;
}

static const struct call_events events = {
	.message = on_message,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

static struct fate *gather(void *service, struct call *c)
{
	struct worker *w = service;

	w->opens++;
	w->call = c;
	return call_stream(c, &events, w);
}

static struct fate *spread(void *service, struct call *c, struct slice request)
{
	struct worker *w = service;

	buf_append_slice(&w->heard, request);
	return gather(service, c);
}

static struct fate *tell(void *service, struct call *c)
{
	struct slice plain = metadata_get(call_metadata(c), "plain");
	struct slice bytes = metadata_get(call_metadata(c), "bytes-bin");

	(void)service;
	call_initial(c, "plain", plain);
	call_trailing(c, "bytes-bin", bytes);
	call_trailing(c, "left-ms",
		      slice_of(call_time_left_ms(c) > 0 ? "some" : "none"));
	return call_status(c, GRPC_DATA_LOSS, "100% of \xc3\xa9");
}

static const struct method methods[] = {
	{.name = "Gather", .client_stream = gather},
	{.name = "Spread", .server_stream = spread},
	{.name = "Talk", .bidi = gather},
	{.name = "Tell", .bidi = tell},
};

/* --- the world ------------------------------------------------------------ */

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	call_room_open(&w->room, false,
		       &(struct service){.name = "test.Work",
					 .methods = methods,
					 .method_count = sizeof(methods) /
							 sizeof(methods[0]),
					 .limit_bytes = LIMIT_BYTES,
					 .object = &w->worker});
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	call_room_close(&w->room);
	buf_finish(&w->worker.heard);
	free(w);
	return 0;
}

/* --- client streams ------------------------------------------------------- */

static void many_requests_have_one_answer(void **state)
{
	struct world *w = *state;
	Grpc__Health__V1__HealthCheckRequest m;

	call_room_ask(&w->room, "/test.Work/Gather");
	rpc_message(&w->room.rpc, "one", 3);
	rpc_message(&w->room.rpc, "", 0);
	rpc_message(&w->room.rpc, "three", 5);
	h2_end(w->room.rpc.stream);
	call_room_wait(&w->room, &w->worker.ends, 1);
	assert_true(slice_is(buf_slice(&w->worker.heard), "one\n\nthree\n"));
	text_init(&m, "all");
	call_reply(w->worker.call, &m.base);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_OK);
	assert_int_equal(w->room.rpc.body.len, GRPC_PREFIX_BYTES + 5);
	assert_int_equal(w->worker.closes, 0);
}

static void an_answer_may_come_before_the_end(void **state)
{
	struct world *w = *state;
	Grpc__Health__V1__HealthCheckRequest m;

	call_room_ask(&w->room, "/test.Work/Gather");
	rpc_message(&w->room.rpc, "one", 3);
	call_room_wait(&w->room, &w->worker.messages, 1);
	text_init(&m, "enough");
	call_reply(w->worker.call, &m.base);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_OK);
}

static void no_request_at_all_is_a_client_stream_too(void **state)
{
	struct world *w = *state;
	struct err e;

	call_room_ask(&w->room, "/test.Work/Gather");
	h2_end(w->room.rpc.stream);
	call_room_wait(&w->room, &w->worker.ends, 1);
	assert_int_equal(w->worker.messages, 0);
	err_set(&e, ERR_INVALID_ARGUMENT, "nothing came");
	call_fail(w->worker.call, &e);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_INVALID_ARGUMENT);
}

static void a_torn_message_ends_the_stream(void **state)
{
	struct world *w = *state;

	call_room_ask(&w->room, "/test.Work/Talk");
	rpc_message(&w->room.rpc, "one", 3);
	rpc_send(&w->room.rpc, "\0\0\0\0\x03x", 6);
	h2_end(w->room.rpc.stream);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_INTERNAL);
	assert_int_equal(w->worker.messages, 1);
	assert_int_equal(w->worker.ends, 0);
	assert_int_equal(w->worker.closes, 1);
}

static void a_message_over_the_limit_ends_the_stream_by_its_prefix(void **state)
{
	struct world *w = *state;
	unsigned char prefix[GRPC_PREFIX_BYTES];

	grpc_prefix(prefix, LIMIT_BYTES + 1);
	call_room_ask(&w->room, "/test.Work/Talk");
	rpc_message(&w->room.rpc, "one", 3);
	rpc_send(&w->room.rpc, prefix, sizeof(prefix));
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(w->worker.closes, 1);
}

static void it_may_be_settled_from_inside_a_message(void **state)
{
	struct world *w = *state;

	w->worker.fail_at = 2;
	call_room_ask(&w->room, "/test.Work/Talk");
	for (int i = 0; i < 4; i++)
		rpc_message(&w->room.rpc, "abc", 3);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_ALREADY_EXISTS);
	assert_int_equal(w->worker.messages, 2);
	assert_int_equal(w->worker.closes, 0);
}

/* --- server streams ------------------------------------------------------- */

static void one_request_has_many_answers(void **state)
{
	struct world *w = *state;
	struct err e;

	call_room_ask(&w->room, "/test.Work/Spread");
	rpc_message(&w->room.rpc, "one", 3);
	call_room_settle(&w->room);
	assert_int_equal(w->worker.opens, 0); /* a second may follow */
	h2_end(w->room.rpc.stream);
	call_room_wait(&w->room, &w->worker.opens, 1);
	assert_true(slice_is(buf_slice(&w->worker.heard), "one"));
	assert_true(say(w->worker.call, "a", &e));
	assert_true(say(w->worker.call, "bc", &e));
	call_end(w->worker.call);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_OK);
	assert_true(slice_equal(buf_slice(&w->room.rpc.body),
				(struct slice){"\0\0\0\0\x03\x0a\x01"
					       "a"
					       "\0\0\0\0\x04\x0a\x02"
					       "bc",
					       17}));
}

static void a_server_stream_wants_exactly_one_request(void **state)
{
	struct world *w = *state;

	for (int messages = 0; messages <= 2; messages += 2) {
		call_room_ask(&w->room, "/test.Work/Spread");
		for (int i = 0; i < messages; i++)
			rpc_message(&w->room.rpc, "x", 1);
		h2_end(w->room.rpc.stream);
		rpc_ended(&w->room.client, &w->room.rpc, GRPC_UNIMPLEMENTED);
		assert_int_equal(w->worker.opens, 0);
	}
}

static void a_client_that_does_not_read_is_told_of(void **state)
{
	struct world *w = *state;
	char *text = calloc(1, 10001);
	struct rpc other = {0};
	unsigned sent = 0;
	struct err e;

	memset(text, 'x', 10000);
	call_room_ask(&w->room, "/test.Work/Talk");
	w->room.rpc.unread = true;
	call_room_wait(&w->room, &w->worker.opens, 1);
	while (say(w->worker.call, text, &e)) {
		assert_true(++sent <= CALL_QUEUE_BYTES / 10000 + 10);
		call_room_settle(&w->room);
	}
	assert_int_equal(e.reason, ERR_OVERLOADED);
	assert_true(call_full(w->worker.call));
	assert_int_equal(w->worker.drains, 0);
	/* Another call of the same connection goes through meanwhile. */
	rpc_begin(&w->room.client, &other, "/test.Work/Nothing");
	rpc_ended(&w->room.client, &other, GRPC_UNIMPLEMENTED);
	rpc_finish(&other);
	/* And as soon as it reads, more may be sent. */
	w->room.rpc.unread = false;
	h2_consume(w->room.rpc.stream, w->room.rpc.body.len);
	call_room_wait(&w->room, &w->worker.drains, 1);
	assert_false(call_full(w->worker.call));
	assert_true(say(w->worker.call, "again", &e));
	call_end(w->worker.call);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_OK);
	assert_int_equal(w->room.rpc.body.len, sent * 10008 + 12);
	free(text);
}

static void a_deadline_does_not_wait_for_the_reader(void **state)
{
	struct world *w = *state;
	struct rpc_ask ask = rpc_good("/test.Work/Talk");
	char *text = calloc(1, 100001);
	struct err e;

	memset(text, 'x', 100000);
	ask.timeout = "100m";
	rpc_ask(&w->room.client, &w->room.rpc, &ask);
	w->room.rpc.unread = true;
	call_room_wait(&w->room, &w->worker.opens, 1);
	assert_true(say(w->worker.call, text, &e));
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_DEADLINE_EXCEEDED);
	assert_int_equal(w->worker.closes, 1);
	free(text);
}

/* --- pausing -------------------------------------------------------------- */

static void a_paused_call_hears_one_message_at_a_time(void **state)
{
	struct world *w = *state;

	w->worker.pause_each = true;
	call_room_ask(&w->room, "/test.Work/Talk");
	for (int i = 0; i < 5; i++)
		rpc_message(&w->room.rpc, "abc", 3);
	h2_end(w->room.rpc.stream);
	for (unsigned i = 1; i <= 5; i++) {
		if (i == 1)
			call_room_wait(&w->room, &w->worker.messages, 1);
		call_room_settle(&w->room);
		assert_int_equal(w->worker.messages, i);
		assert_int_equal(w->worker.ends, 0);
		call_resume(w->worker.call);
		assert_int_equal(w->worker.messages, i); /* not from inside */
		call_room_settle(&w->room);
	}
	assert_int_equal(w->worker.ends, 1);
	assert_int_equal(w->worker.messages, 5);
	call_end(w->worker.call);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_OK);
}

/* The first window is 64 KiB, and doubles for who uses it up. */
static void a_paused_call_holds_no_more_than_a_window(void **state)
{
	enum { MESSAGE = 10000, MESSAGES = 200 };
	struct world *w = *state;
	char *text = calloc(1, MESSAGE);

	w->worker.pause_each = true;
	call_room_ask(&w->room, "/test.Work/Talk");
	for (int i = 0; i < MESSAGES; i++)
		rpc_message(&w->room.rpc, text, MESSAGE);
	call_room_wait(&w->room, &w->worker.messages, 1);
	call_room_settle(&w->room);
	assert_true(h2_queued(w->room.rpc.stream) >=
		    (MESSAGES - 1) * MESSAGE - 128 * 1024);
	w->worker.pause_each = false;
	call_resume(w->worker.call);
	call_room_wait(&w->room, &w->worker.messages, MESSAGES);
	free(text);
}

static void a_message_larger_than_the_window_comes_after_a_pause(void **state)
{
	struct world *w = *state;
	char *text = calloc(1, LIMIT_BYTES);

	w->worker.pause_each = true;
	call_room_ask(&w->room, "/test.Work/Talk");
	rpc_message(&w->room.rpc, "x", 1);
	rpc_message(&w->room.rpc, text, LIMIT_BYTES);
	call_room_wait(&w->room, &w->worker.messages, 1);
	call_room_settle(&w->room);
	call_resume(w->worker.call);
	call_room_wait(&w->room, &w->worker.messages, 2);
	assert_int_equal(w->worker.heard.len, LIMIT_BYTES + 3);
	free(text);
}

static void a_paused_call_can_be_closed(void **state)
{
	struct world *w = *state;

	w->worker.pause_each = true;
	call_room_ask(&w->room, "/test.Work/Talk");
	for (int i = 0; i < 5; i++)
		rpc_message(&w->room.rpc, "abc", 3);
	call_room_wait(&w->room, &w->worker.messages, 1);
	call_resume(w->worker.call);
	h2_reset(w->room.rpc.stream, H2_CANCEL);
	call_room_wait(&w->room, &w->worker.closes, 1);
}

/* --- what is said beside the messages ------------------------------------- */

static void metadata_goes_both_ways(void **state)
{
	const struct h2_header more[] = {
		{slice_of("plain"), slice_of("as it is")},
		{slice_of("bytes-bin"), slice_of("not base64!")},
		{slice_of("bytes-bin"), slice_of("q6urq6s=")},
		{slice_of("grpc-unknown"), slice_of("reserved")},
	};
	struct world *w = *state;
	struct rpc_ask ask = rpc_good("/test.Work/Tell");

	ask.more = more;
	ask.more_count = sizeof(more) / sizeof(more[0]);
	ask.timeout = "1H";
	rpc_ask(&w->room.client, &w->room.rpc, &ask);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_DATA_LOSS);
	assert_int_equal(w->room.rpc.blocks, 1);
	assert_true(rpc_has(&w->room.rpc, "plain: as it is\n"));
	assert_true(rpc_has(&w->room.rpc, "bytes-bin: q6urq6s\n"));
	assert_true(rpc_has(&w->room.rpc, "left-ms: some\n"));
	assert_true(rpc_has(&w->room.rpc, "grpc-message: 100%25 of %C3%A9\n"));
	assert_false(rpc_has(&w->room.rpc, "reserved"));
	assert_false(rpc_has(&w->room.rpc, "grpc-status-details-bin"));
}

static void a_failure_has_details(void **state)
{
	static const char want[] = "\x08\x06" /* ALREADY_EXISTS */
				   "\x12\x09"
				   "message 1"
				   "\x1a\x57"
				   "\x0a\x28"
				   "type.googleapis.com/google.rpc.ErrorInfo"
				   "\x12\x2b"
				   "\x0a\x0e"
				   "ALREADY_EXISTS"
				   "\x12\x08"
				   "executor"
				   "\x1a\x0f\x0a\x06"
				   "source"
				   "\x12\x05"
				   "notes";
	struct world *w = *state;
	struct buf line = {0};

	w->worker.fail_at = 1;
	call_room_ask(&w->room, "/test.Work/Talk");
	rpc_message(&w->room.rpc, "x", 1);
	rpc_ended(&w->room.client, &w->room.rpc, GRPC_ALREADY_EXISTS);
	buf_append_text(&line, "grpc-status-details-bin: ");
	base64_encode(&line, (struct slice){want, sizeof(want) - 1});
	buf_append(&line, "\n", 2);
	if (!rpc_has(&w->room.rpc, line.data))
		print_error("%.*s\n%s\n", (int)w->room.rpc.headers.len,
			    w->room.rpc.headers.data, line.data);
	assert_true(rpc_has(&w->room.rpc, line.data));
	buf_finish(&line);
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(many_requests_have_one_answer),
		world_test(an_answer_may_come_before_the_end),
		world_test(no_request_at_all_is_a_client_stream_too),
		world_test(a_torn_message_ends_the_stream),
		world_test(
			a_message_over_the_limit_ends_the_stream_by_its_prefix),
		world_test(it_may_be_settled_from_inside_a_message),
		world_test(one_request_has_many_answers),
		world_test(a_server_stream_wants_exactly_one_request),
		world_test(a_client_that_does_not_read_is_told_of),
		world_test(a_deadline_does_not_wait_for_the_reader),
		world_test(a_paused_call_hears_one_message_at_a_time),
		world_test(a_paused_call_holds_no_more_than_a_window),
		world_test(
			a_message_larger_than_the_window_comes_after_a_pause),
		world_test(a_paused_call_can_be_closed),
		world_test(metadata_goes_both_ways),
		world_test(a_failure_has_details),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
