/* call: a gRPC client against peer, call and services, in one loop. */
#include "server/face/call.h"

#include "server/face/health_service.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "tests/support/rpc.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "grpc/health/v1/health.pb-c.h"
#include "proto/log.h"

enum { LIMIT_BYTES = 100000 };

#define HEALTH "/grpc.health.v1.Health/Check"

/* What the test's own service was told. */
struct worker {
	struct call *call;
	struct buf request;
	unsigned calls, ends, closes;
};

struct world {
	struct ev_loop *loop;
	struct services services;
	struct health *health;
	struct worker worker;
	struct peers *peers;
	struct rpc_client client;
	struct rpc rpc;
};

/* --- a service that leaves its calls to the test ---------------------------
 */

static void on_data(void *owner, struct slice bytes)
{
	struct worker *w = owner;

	h2_consume(call_h2(w->call), bytes.len);
	buf_append_slice(&w->request, bytes);
	buf_append_slice(h2_output(call_h2(w->call)), bytes);
	h2_send(call_h2(w->call));
}

static void on_end(void *owner)
{
	struct worker *w = owner;

	w->ends++;
	call_end(w->call);
}

static void on_drained(void *owner)
{
	(void)owner;
}

static void on_closed(void *owner)
{
	struct worker *w = owner;

	w->closes++;
	w->call = NULL;
}

static const struct call_events events = {
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

static struct fate *later(void *service, struct call *c, struct slice request)
{
	struct worker *w = service;

	w->calls++;
	w->call = c;
	buf_append_slice(&w->request, request);
	return call_later(c, &events, w);
}

static struct fate *refuse(void *service, struct call *c, struct slice request)
{
	struct err e;

	(void)service;
	(void)request;
	err_set(&e, ERR_ALREADY_EXISTS, "50%% of it\nis \xc3\xa9");
	return call_fail(c, &e);
}

static struct fate *echo(void *service, struct call *c)
{
	struct worker *w = service;

	w->calls++;
	w->call = c;
	return call_stream(c, &events, w);
}

static struct fate *refuse_stream(void *service, struct call *c)
{
	return refuse(service, c, (struct slice){NULL, 0});
}

static const struct method methods[] = {
	{.name = "Later", .unary = later},
	{.name = "Refuse", .unary = refuse},
	{.name = "Echo", .raw = echo},
	{.name = "RefuseStream", .raw = refuse_stream},
};

/* --- the world ------------------------------------------------------------ */

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct h2_limits limits = h2_limits_local();
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, LOG_OFF);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	w->loop = ev_loop_new(EVFLAG_AUTO);
	w->health = health_new(&w->services);
	services_add(&w->services,
		     &(struct service){.name = "test.Work",
				       .methods = methods,
				       .method_count = sizeof(methods) /
						       sizeof(methods[0]),
				       .limit_bytes = LIMIT_BYTES,
				       .object = &w->worker});
	w->peers = peers_new(w->loop, &w->services, &limits);
	peers_add(w->peers, fds[0]);
	rpc_connect(&w->client, w->loop, fds[1]);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	rpc_disconnect(&w->client);
	peers_free(w->peers);
	health_free(w->health);
	rpc_finish(&w->rpc);
	buf_finish(&w->worker.request);
	ev_loop_destroy(w->loop);
	free(w);
	return 0;
}

/* Ask for this, send nothing, and keep our side open. */
static void refused_half_open(struct world *w, const struct rpc_ask *ask,
			      int status)
{
	rpc_finish(&w->rpc);
	rpc_ask(&w->client, &w->rpc, ask);
	rpc_ended(&w->client, &w->rpc, status);
	assert_int_equal(w->rpc.blocks, 1); /* Trailers-Only */
	assert_int_equal(w->rpc.body.len, 0);
	assert_int_equal(w->worker.calls, 0);
}

/* --- the request's headers ------------------------------------------------ */

static void another_content_type_is_answered_in_http(void **state)
{
	static const char *const types[] = {
		NULL,
		"application/json",
		"application/grpcfoo",
		"application/grpc-web",
		"",
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct rpc_ask ask = rpc_good(HEALTH);

		ask.content_type = types[i];
		rpc_finish(&w->rpc);
		rpc_ask(&w->client, &w->rpc, &ask);
		rpc_ended(&w->client, &w->rpc, -1);
		assert_true(rpc_has(&w->rpc, ":status: 415\n"));
		assert_true(w->rpc.body.len > 0);
	}
}

static void the_content_type_may_name_a_format(void **state)
{
	static const char *const types[] = {
		"application/grpc+proto",
		"application/grpc;charset=utf-8",
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct rpc_ask ask = rpc_good(HEALTH);

		ask.content_type = types[i];
		rpc_finish(&w->rpc);
		rpc_ask(&w->client, &w->rpc, &ask);
		rpc_message(&w->rpc, "", 0);
		h2_end(w->rpc.stream);
		rpc_ended(&w->client, &w->rpc, GRPC_OK);
	}
}

static void te_may_be_missing(void **state)
{
	struct world *w = *state;
	struct rpc_ask ask = rpc_good(HEALTH);

	ask.te = NULL;
	rpc_ask(&w->client, &w->rpc, &ask);
	rpc_message(&w->rpc, "", 0);
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
}

static void only_post_is_a_call(void **state)
{
	struct world *w = *state;
	struct rpc_ask ask = rpc_good(HEALTH);

	ask.method = "GET";
	refused_half_open(w, &ask, GRPC_INTERNAL);
	assert_true(rpc_has(&w->rpc, ":status: 405\n"));
}

static void an_unknown_method_is_unimplemented(void **state)
{
	static const char *const paths[] = {
		"/grpc.health.v1.Health/Nothing",
		"/grpc.health.v1.Health/check",
		"/grpc.health.v1.Healt/Check",
		"/grpc.health.v1.Health",
		"/grpc.health.v1.Health/",
		"/grpc.health.v1.Health/Check/",
		"//Check",
		"/",
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct rpc_ask ask = rpc_good(paths[i]);

		refused_half_open(w, &ask, GRPC_UNIMPLEMENTED);
		assert_true(rpc_has(&w->rpc, ":status: 200\n"));
		assert_true(
			rpc_has(&w->rpc, "content-type: application/grpc\n"));
	}
}

static void too_many_headers_are_refused_as_a_call(void **state)
{
	struct world *w = *state;
	struct rpc_ask ask = rpc_good(HEALTH);

	ask.ballast_bytes = 40000;
	refused_half_open(w, &ask, GRPC_RESOURCE_EXHAUSTED);
}

static void a_malformed_timeout_is_refused(void **state)
{
	static const char *const timeouts[] = {"5x", "123456789S", "S", "-1S",
					       "1"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		struct rpc_ask ask = rpc_good("/test.Work/Later");

		ask.timeout = timeouts[i];
		refused_half_open(w, &ask, GRPC_INTERNAL);
	}
}

/* --- deadlines ------------------------------------------------------------ */

static void a_timeout_of_nothing_has_passed(void **state)
{
	struct world *w = *state;
	struct rpc_ask ask = rpc_good("/test.Work/Later");

	ask.timeout = "0n";
	refused_half_open(w, &ask, GRPC_DEADLINE_EXCEEDED);
}

static void the_longest_timeout_is_no_short_one(void **state)
{
	struct world *w = *state;
	struct rpc_ask ask = rpc_good(HEALTH);

	ask.timeout = "99999999H";
	rpc_ask(&w->client, &w->rpc, &ask);
	rpc_message(&w->rpc, "", 0);
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
}

static void a_deadline_ends_the_work(void **state)
{
	struct world *w = *state;
	struct rpc_ask ask = rpc_good("/test.Work/Later");

	ask.timeout = "1m";
	rpc_ask(&w->client, &w->rpc, &ask);
	rpc_message(&w->rpc, "x", 1);
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_DEADLINE_EXCEEDED);
	assert_int_equal(w->worker.closes, w->worker.calls);
}

static void a_deadline_ends_a_stream(void **state)
{
	struct world *w = *state;
	struct rpc_ask ask = rpc_good("/test.Work/Echo");

	ask.timeout = "50m";
	rpc_ask(&w->client, &w->rpc, &ask);
	rpc_ended(&w->client, &w->rpc, GRPC_DEADLINE_EXCEEDED);
	assert_int_equal(w->worker.calls, 1);
	assert_int_equal(w->worker.closes, 1);
}

static void a_deadline_ends_a_request_that_never_comes(void **state)
{
	struct world *w = *state;
	struct rpc_ask ask = rpc_good("/test.Work/Later");

	ask.timeout = "1m";
	refused_half_open(w, &ask, GRPC_DEADLINE_EXCEEDED);
}

/* --- messages ------------------------------------------------------------- */

static void one_request_is_one_message(void **state)
{
	struct world *w = *state;

	for (int messages = 0; messages <= 3; messages++) {
		rpc_finish(&w->rpc);
		rpc_begin(&w->client, &w->rpc, HEALTH);
		for (int i = 0; i < messages; i++)
			rpc_message(&w->rpc, "", 0);
		h2_end(w->rpc.stream);
		rpc_ended(&w->client, &w->rpc,
			  messages == 1 ? GRPC_OK : GRPC_UNIMPLEMENTED);
	}
}

static void a_torn_request_is_refused(void **state)
{
	static const char whole[] = "\0\0\0\0\x03"
				    "abc";
	struct world *w = *state;

	for (size_t len = 1; len < sizeof(whole) - 1; len++) {
		rpc_finish(&w->rpc);
		rpc_begin(&w->client, &w->rpc, "/test.Work/Later");
		rpc_send(&w->rpc, whole, len);
		h2_end(w->rpc.stream);
		rpc_ended(&w->client, &w->rpc, GRPC_INTERNAL);
		assert_int_equal(w->worker.calls, 0);
	}
}

static void a_request_survives_any_split(void **state)
{
	static const char whole[] = "\0\0\0\0\x05"
				    "abcde";
	struct world *w = *state;

	for (size_t at = 0; at < sizeof(whole); at++) {
		struct err e;

		rpc_finish(&w->rpc);
		buf_reset(&w->worker.request, 0);
		rpc_begin(&w->client, &w->rpc, "/test.Work/Later");
		rpc_send(&w->rpc, whole, at);
		for (int i = 0; i < 4; i++)
			ev_run(w->loop, EVRUN_NOWAIT);
		rpc_send(&w->rpc, whole + at, sizeof(whole) - 1 - at);
		h2_end(w->rpc.stream);
		while (!w->worker.call)
			rpc_turn(&w->client);
		assert_true(slice_is(buf_slice(&w->worker.request), "abcde"));
		err_set(&e, ERR_NOT_FOUND, "nothing");
		call_fail(w->worker.call, &e);
		w->worker.call = NULL;
		rpc_ended(&w->client, &w->rpc, GRPC_NOT_FOUND);
	}
}

static void a_compressed_flag_needs_an_encoding(void **state)
{
	static const struct {
		const char *encoding;
		unsigned char flag;
		int status;
	} rows[] = {
		{NULL, 1, GRPC_INTERNAL},
		{NULL, 2, GRPC_INTERNAL},
		{"identity", 1, GRPC_INTERNAL},
		{"identity", 0, GRPC_OK},
		{"gzip", 1, GRPC_INTERNAL}, /* nothing is no gzip */
		{"gzip", 0, GRPC_OK},
		{"snappy", 1, GRPC_UNIMPLEMENTED},
		{"snappy", 2, GRPC_INTERNAL},
		{"snappy", 0, GRPC_OK},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rpc_ask ask = rpc_good(HEALTH);

		ask.encoding = rows[i].encoding;
		rpc_finish(&w->rpc);
		rpc_ask(&w->client, &w->rpc, &ask);
		rpc_flagged(&w->rpc, rows[i].flag, "", 0);
		h2_end(w->rpc.stream);
		rpc_ended(&w->client, &w->rpc, rows[i].status);
		assert_true(rpc_has(&w->rpc,
				    "grpc-accept-encoding: identity,gzip\n"));
	}
}

static void a_length_over_the_limit_is_refused_by_its_prefix(void **state)
{
	struct world *w = *state;
	unsigned char prefix[GRPC_PREFIX_BYTES];

	grpc_prefix(prefix, LIMIT_BYTES + 1);
	rpc_begin(&w->client, &w->rpc, "/test.Work/Later");
	rpc_send(&w->rpc, prefix, sizeof(prefix));
	rpc_ended(&w->client, &w->rpc, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(w->worker.calls, 0);
}

static void a_message_may_be_larger_than_the_window(void **state)
{
	struct world *w = *state;
	char *large = calloc(1, LIMIT_BYTES);

	rpc_begin(&w->client, &w->rpc, "/test.Work/Later");
	rpc_message(&w->rpc, large, LIMIT_BYTES);
	h2_end(w->rpc.stream);
	while (!w->worker.call)
		rpc_turn(&w->client);
	assert_int_equal(w->worker.request.len, LIMIT_BYTES);
	free(large);
}

static void what_is_no_protobuf_is_refused(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, HEALTH);
	rpc_message(&w->rpc, "\x0a\x7f", 2);
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_INTERNAL);
}

/* --- responses ------------------------------------------------------------ */

static void a_reply_is_headers_then_data_then_trailers(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, HEALTH);
	rpc_message(&w->rpc, "", 0);
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	assert_int_equal(w->rpc.blocks, 2);
	assert_true(rpc_has(&w->rpc, "content-type: application/grpc\n"));
	assert_false(rpc_has(&w->rpc, "grpc-message"));
	/* status = SERVING */
	assert_true(slice_equal(buf_slice(&w->rpc.body),
				(struct slice){"\0\0\0\0\x02\x08\x01", 7}));
}

static void a_failure_tells_why_percent_encoded(void **state)
{
	static const char *const paths[] = {"/test.Work/Refuse",
					    "/test.Work/RefuseStream"};
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		rpc_finish(&w->rpc);
		rpc_begin(&w->client, &w->rpc, paths[i]);
		rpc_message(&w->rpc, "", 0);
		h2_end(w->rpc.stream);
		rpc_ended(&w->client, &w->rpc, GRPC_ALREADY_EXISTS);
		assert_int_equal(w->rpc.blocks, 1);
		assert_true(rpc_has(&w->rpc, "grpc-message: 50%25 of "
					     "it%0Ais %C3%A9\n"));
	}
}

static void a_reply_may_come_later(void **state)
{
	struct world *w = *state;
	Grpc__Health__V1__HealthCheckResponse r;

	grpc__health__v1__health_check_response__init(&r);
	rpc_begin(&w->client, &w->rpc, "/test.Work/Later");
	rpc_message(&w->rpc, "x", 1);
	h2_end(w->rpc.stream);
	while (!w->worker.call)
		rpc_turn(&w->client);
	call_reply(w->worker.call, &r.base);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	assert_int_equal(w->rpc.body.len, GRPC_PREFIX_BYTES);
	assert_int_equal(w->worker.closes, 0);
}

/* --- the client changes its mind ------------------------------------------ */

static void a_reset_reaches_the_work(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, "/test.Work/Later");
	rpc_message(&w->rpc, "x", 1);
	h2_end(w->rpc.stream);
	while (!w->worker.call)
		rpc_turn(&w->client);
	h2_reset(w->rpc.stream, H2_CANCEL);
	while (w->worker.call)
		rpc_turn(&w->client);
	assert_int_equal(w->worker.closes, 1);
}

static void a_lost_connection_reaches_the_work(void **state)
{
	struct world *w = *state;
	struct rpc other = {0};

	rpc_begin(&w->client, &w->rpc, "/test.Work/Echo");
	rpc_begin(&w->client, &other, HEALTH); /* a request that never ends */
	while (!w->worker.call || peers_streams(w->peers) < 2)
		rpc_turn(&w->client);
	rpc_disconnect(&w->client);
	while (peers_count(w->peers) > 0)
		rpc_turn(&w->client);
	assert_int_equal(w->worker.closes, 1);
	rpc_finish(&other);
}

static void the_end_of_the_table_reaches_the_work(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, "/test.Work/Echo");
	while (!w->worker.call)
		rpc_turn(&w->client);
	peers_free(w->peers);
	w->peers = NULL;
	assert_int_equal(w->worker.closes, 1);
}

/* --- streams -------------------------------------------------------------- */

static void a_stream_answers_before_anything_is_sent(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, "/test.Work/Echo");
	while (w->rpc.blocks == 0)
		rpc_turn(&w->client);
	assert_true(rpc_has(&w->rpc, ":status: 200\n"));
	assert_int_equal(rpc_status(&w->rpc), -1);
	assert_false(w->rpc.closed);
}

static void a_stream_flows_both_ways_and_ends(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, "/test.Work/Echo");
	for (int i = 0; i < 100; i++)
		rpc_message(&w->rpc, "hello", 5);
	while (w->rpc.body.len < 1000)
		rpc_turn(&w->client);
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	assert_int_equal(w->worker.ends, 1);
	assert_int_equal(w->worker.closes, 0);
	assert_true(slice_equal(buf_slice(&w->rpc.body),
				buf_slice(&w->worker.request)));
}

static void what_comes_after_the_end_is_dropped(void **state)
{
	struct world *w = *state;
	struct err e;

	rpc_begin(&w->client, &w->rpc, "/test.Work/Echo");
	while (!w->worker.call)
		rpc_turn(&w->client);
	rpc_message(&w->rpc, "late", 4);
	err_set(&e, ERR_DRAINING, "the daemon is draining");
	call_fail(w->worker.call, &e);
	rpc_ended(&w->client, &w->rpc, GRPC_UNAVAILABLE);
	assert_int_equal(w->worker.request.len, 0);
}

static void draining_lets_a_stream_finish(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, "/test.Work/Echo");
	while (!w->worker.call)
		rpc_turn(&w->client);
	peers_drain(w->peers);
	rpc_wait(&w->client, &w->client.goaway);
	assert_int_equal(peers_count(w->peers), 1);
	rpc_message(&w->rpc, "hello", 5);
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	while (peers_count(w->peers) > 0)
		rpc_turn(&w->client);
}

/* --- health --------------------------------------------------------------- */

static void check_health(struct world *w, const char *service, int status,
			 char serving)
{
	Grpc__Health__V1__HealthCheckRequest asked;
	uint8_t bytes[128];

	grpc__health__v1__health_check_request__init(&asked);
	asked.service = (char *)(uintptr_t)service;
	size_t len =
		grpc__health__v1__health_check_request__pack(&asked, bytes);
	rpc_finish(&w->rpc);
	rpc_begin(&w->client, &w->rpc, HEALTH);
	rpc_message(&w->rpc, bytes, len);
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, status);
	if (status == GRPC_OK)
		assert_int_equal(w->rpc.body.data[w->rpc.body.len - 1],
				 serving);
}

static void health_knows_its_services(void **state)
{
	struct world *w = *state;

	check_health(w, "", GRPC_OK, 1);
	check_health(w, "grpc.health.v1.Health", GRPC_OK, 1);
	check_health(w, "test.Work", GRPC_OK, 1);
	check_health(w, "test.Works", GRPC_NOT_FOUND, 0);
	health_set_serving(w->health, false);
	check_health(w, "", GRPC_OK, 2);
	check_health(w, "test.Work", GRPC_OK, 2);
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(another_content_type_is_answered_in_http),
		world_test(the_content_type_may_name_a_format),
		world_test(te_may_be_missing),
		world_test(only_post_is_a_call),
		world_test(an_unknown_method_is_unimplemented),
		world_test(too_many_headers_are_refused_as_a_call),
		world_test(a_malformed_timeout_is_refused),
		world_test(a_timeout_of_nothing_has_passed),
		world_test(the_longest_timeout_is_no_short_one),
		world_test(a_deadline_ends_the_work),
		world_test(a_deadline_ends_a_stream),
		world_test(a_deadline_ends_a_request_that_never_comes),
		world_test(one_request_is_one_message),
		world_test(a_torn_request_is_refused),
		world_test(a_request_survives_any_split),
		world_test(a_compressed_flag_needs_an_encoding),
		world_test(a_length_over_the_limit_is_refused_by_its_prefix),
		world_test(a_message_may_be_larger_than_the_window),
		world_test(what_is_no_protobuf_is_refused),
		world_test(a_reply_is_headers_then_data_then_trailers),
		world_test(a_failure_tells_why_percent_encoded),
		world_test(a_reply_may_come_later),
		world_test(a_reset_reaches_the_work),
		world_test(a_lost_connection_reaches_the_work),
		world_test(the_end_of_the_table_reaches_the_work),
		world_test(a_stream_answers_before_anything_is_sent),
		world_test(a_stream_flows_both_ways_and_ends),
		world_test(what_comes_after_the_end_is_dropped),
		world_test(draining_lets_a_stream_finish),
		world_test(health_knows_its_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
