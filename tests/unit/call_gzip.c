/* call: compressed messages, both ways. */
#include "tests/support/call_room.h"

#include "grpc/health/v1/health.pb-c.h"
#include "server/face/gzip.h"

enum {
	LIMIT_BYTES = 100000,
	LARGE_BYTES = 5000, /* a message that is worth it */
	PLAIN_BYTES = GRPC_PREFIX_BYTES + 3 + LARGE_BYTES,
};

struct worker {
	struct call *call;
	struct buf heard;
	unsigned messages, compressed, ends, closes;
	enum call_compression how;
	size_t answer_bytes;
};

struct world {
	struct call_room room;
	struct worker worker;
};

/* --- a service ------------------------------------------------------------ */

static void note(struct worker *w, struct call *c, struct slice message)
{
	w->messages++;
	w->compressed += call_compressed(c);
	buf_reset(&w->heard, LIMIT_BYTES);
	buf_append_slice(&w->heard, message);
}

static char *answer_init(Grpc__Health__V1__HealthCheckRequest *m, size_t len)
{
	char *text = calloc(1, len + 1);

	memset(text, 'x', len);
	grpc__health__v1__health_check_request__init(m);
	m->service = text;
	return text;
}

static struct fate *one(void *service, struct call *c, struct slice request)
{
	struct worker *w = service;
	Grpc__Health__V1__HealthCheckRequest m;
	char *text = answer_init(&m, w->answer_bytes);

	note(w, c, request);
	call_compress(c, w->how);
	struct fate *fate = call_reply(c, &m.base);
	free(text);
	return fate;
}

static void on_message(void *owner, struct slice message)
{
	struct worker *w = owner;
	Grpc__Health__V1__HealthCheckRequest m;
	char *text = answer_init(&m, w->answer_bytes);

	note(w, w->call, message);
	assert_true(call_send(w->call, &m.base, NULL));
	free(text);
}

static void on_end(void *owner)
{
	struct worker *w = owner;

	w->ends++;
	call_end(w->call);
}

static void on_closed(void *owner)
{
	struct worker *w = owner;

	w->closes++;
}

static const struct call_events events = {
	.message = on_message,
	.end = on_end,
	.closed = on_closed,
};

static struct fate *many(void *service, struct call *c)
{
	struct worker *w = service;

	w->call = c;
	call_compress(c, w->how);
	return call_stream(c, &events, w);
}

static const struct method methods[] = {
	{.name = "One", .unary = one},
	{.name = "Many", .bidi = many},
};

/* --- the world ------------------------------------------------------------ */

static void open_room(struct world *w, bool tcp)
{
	call_room_open(&w->room, tcp,
		       &(struct service){.name = "test.Work",
					 .methods = methods,
					 .method_count = 2,
					 .limit_bytes = LIMIT_BYTES,
					 .object = &w->worker});
}

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	open_room(w, false);
	*state = w;
	return 0;
}

static int begin_tcp(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	open_room(w, true);
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

/* Ask; accept is the grpc-accept-encoding, or NULL. */
static void ask(struct world *w, const char *path, const char *accept)
{
	const struct h2_header more[] = {
		{slice_of("grpc-accept-encoding"),
		 slice_of(accept ? accept : "")},
	};
	struct rpc_ask a = rpc_good(path);

	a.encoding = "gzip";
	a.more = more;
	a.more_count = accept ? 1 : 0;
	rpc_finish(&w->room.rpc);
	rpc_ask(&w->room.client, &w->room.rpc, &a);
}

static void send_packed(struct world *w, const char *text)
{
	struct buf packed = {0};

	gzip_pack(&packed, slice_of(text));
	rpc_flagged(&w->room.rpc, 1, packed.data, packed.len);
	buf_finish(&packed);
}

static void ended(struct world *w, int status)
{
	rpc_ended(&w->room.client, &w->room.rpc, status);
}

/* One unary call whose answer is long; returns how long it was. */
static size_t answer_bytes(struct world *w, const char *accept)
{
	w->worker.answer_bytes = LARGE_BYTES;
	ask(w, "/test.Work/One", accept);
	send_packed(w, "x");
	h2_end(w->room.rpc.stream);
	ended(w, GRPC_OK);
	return w->room.rpc.body.len;
}

static bool said_gzip(const struct world *w)
{
	return rpc_has(&w->room.rpc, "\ngrpc-encoding: gzip\n");
}

/* --- requests ------------------------------------------------------------- */

static void a_compressed_request_is_heard_as_it_was_meant(void **state)
{
	struct world *w = *state;

	ask(w, "/test.Work/One", NULL);
	send_packed(w, "hello, hello, hello, hello");
	h2_end(w->room.rpc.stream);
	ended(w, GRPC_OK);
	assert_int_equal(w->worker.compressed, 1);
	assert_true(slice_is(buf_slice(&w->worker.heard),
			     "hello, hello, hello, hello"));
}

static void each_message_is_compressed_for_itself(void **state)
{
	struct world *w = *state;

	ask(w, "/test.Work/Many", NULL);
	send_packed(w, "one");
	rpc_message(&w->room.rpc, "two", 3);
	send_packed(w, "three");
	h2_end(w->room.rpc.stream);
	ended(w, GRPC_OK);
	assert_int_equal(w->worker.messages, 3);
	assert_int_equal(w->worker.compressed, 2);
	assert_true(slice_is(buf_slice(&w->worker.heard), "three"));
}

static void garbage_breaks_the_call(void **state)
{
	static const char *const paths[] = {"/test.Work/One",
					    "/test.Work/Many"};
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		ask(w, paths[i], NULL);
		rpc_flagged(&w->room.rpc, 1, "garbage", 7);
		ended(w, GRPC_INTERNAL);
		assert_int_equal(w->worker.messages, 0);
	}
	assert_int_equal(w->worker.closes, 1);
}

static void the_limit_is_for_what_was_meant(void **state)
{
	static const char *const paths[] = {"/test.Work/One",
					    "/test.Work/Many"};
	struct world *w = *state;
	struct buf packed = {0};
	char *text = calloc(1, LIMIT_BYTES + 1);

	gzip_pack(&packed, (struct slice){text, LIMIT_BYTES + 1});
	for (int i = 0; i < 2; i++) {
		ask(w, paths[i], NULL);
		rpc_flagged(&w->room.rpc, 1, packed.data, packed.len);
		ended(w, GRPC_RESOURCE_EXHAUSTED);
		assert_int_equal(w->worker.messages, 0);
	}
	buf_finish(&packed);
	free(text);
}

/* --- responses ------------------------------------------------------------ */

static void over_tcp_a_long_answer_is_compressed(void **state)
{
	struct world *w = *state;
	struct buf plain = {0};

	assert_true(answer_bytes(w, "deflate, gzip") < 500);
	assert_true(said_gzip(w));
	assert_int_equal(w->room.rpc.body.data[0], 1);
	buf_consume(&w->room.rpc.body, GRPC_PREFIX_BYTES);
	assert_true(gzip_unpack(&plain, buf_slice(&w->room.rpc.body),
				LIMIT_BYTES, NULL));
	assert_int_equal(plain.len, LARGE_BYTES + 3);
	buf_finish(&plain);
}

static void only_for_a_client_that_takes_it(void **state)
{
	static const char *const accepts[] = {NULL, "", "identity",
					      "identity,deflate,gzipped"};
	struct world *w = *state;

	w->worker.how = CALL_COMPRESS_ALWAYS;
	for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
		assert_int_equal(answer_bytes(w, accepts[i]), PLAIN_BYTES);
		assert_false(said_gzip(w));
	}
}

static void on_a_unix_socket_only_when_the_method_asks(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer_bytes(w, "gzip"), PLAIN_BYTES);
	assert_false(said_gzip(w));
	w->worker.how = CALL_COMPRESS_ALWAYS;
	assert_true(answer_bytes(w, "gzip") < 500);
	assert_true(said_gzip(w));
}

static void a_method_may_ask_for_none(void **state)
{
	struct world *w = *state;

	w->worker.how = CALL_COMPRESS_NEVER;
	assert_int_equal(answer_bytes(w, "gzip"), PLAIN_BYTES);
	assert_false(said_gzip(w));
}

static void a_short_message_of_a_stream_stays_as_it_is(void **state)
{
	struct world *w = *state;

	w->worker.answer_bytes = 10;
	ask(w, "/test.Work/Many", "gzip");
	send_packed(w, "x");
	call_room_wait(&w->room, &w->worker.messages, 1);
	w->worker.answer_bytes = LARGE_BYTES;
	send_packed(w, "x");
	h2_end(w->room.rpc.stream);
	ended(w, GRPC_OK);
	assert_true(said_gzip(w));
	assert_int_equal(w->room.rpc.body.data[0], 0);
	assert_int_equal(w->room.rpc.body.data[GRPC_PREFIX_BYTES + 12], 1);
	assert_true(w->room.rpc.body.len < 500);
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define tcp_test(name)	 cmocka_unit_test_setup_teardown(name, begin_tcp, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_compressed_request_is_heard_as_it_was_meant),
		world_test(each_message_is_compressed_for_itself),
		world_test(garbage_breaks_the_call),
		world_test(the_limit_is_for_what_was_meant),
		tcp_test(over_tcp_a_long_answer_is_compressed),
		tcp_test(only_for_a_client_that_takes_it),
		world_test(on_a_unix_socket_only_when_the_method_asks),
		tcp_test(a_method_may_ask_for_none),
		tcp_test(a_short_message_of_a_stream_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
