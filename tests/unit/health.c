/* health: who asks once, and who watches, also while the server stops. */
#include "server/face/health_service.h"

#include "server/face/peer.h"
#include "server/face/service.h"
#include "tests/support/rpc.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "grpc/health/v1/health.pb-c.h"
#include "proto/log.h"
#include "proto/protobuf.h"

#define CHECK "/grpc.health.v1.Health/Check"
#define LIST  "/grpc.health.v1.Health/List"
#define WATCH "/grpc.health.v1.Health/Watch"

/* A framed HealthCheckResponse: its second byte is the status, or it is empty
 * for UNKNOWN, which is never sent. */
enum { ANSWER_BYTES = GRPC_PREFIX_BYTES + 2 };

enum { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

struct world {
	struct ev_loop *loop;
	struct services services;
	struct health *health;
	struct peers *peers;
	struct rpc_client client;
	struct rpc rpc, other;
	struct arena arena;
};

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
	services_add(&w->services, &(struct service){.name = "test.Other"});
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
	assert_int_equal(w->services.open, 0);
	health_free(w->health);
	rpc_finish(&w->rpc);
	rpc_finish(&w->other);
	arena_finish(&w->arena);
	ev_loop_destroy(w->loop);
	free(w);
	return 0;
}

static void ask(struct world *w, struct rpc *r, const char *path,
		const char *service)
{
	Grpc__Health__V1__HealthCheckRequest m;
	struct buf bytes = {0};

	grpc__health__v1__health_check_request__init(&m);
	m.service = (char *)(uintptr_t)service;
	protobuf_pack(&bytes, &m.base);
	rpc_finish(r);
	rpc_begin(&w->client, r, path);
	rpc_message(r, bytes.data, bytes.len);
	h2_end(r->stream);
	buf_finish(&bytes);
}

/* Wait for that many answers; the last one's status. */
static int answer(struct world *w, struct rpc *r, size_t count)
{
	for (int i = 0; i < RPC_TURNS && r->body.len < count * ANSWER_BYTES;
	     i++)
		rpc_turn(&w->client);
	assert_int_equal(r->body.len, count * ANSWER_BYTES);
	return r->body.data[r->body.len - 1];
}

/* Turns enough for anything that could still come. */
static void settle_down(struct world *w)
{
	for (int i = 0; i < 50; i++)
		ev_run(w->loop, EVRUN_NOWAIT);
}

static void a_check_is_answered_per_service(void **state)
{
	static const char *const names[] = {"", "test.Other",
					    "grpc.health.v1.Health"};
	struct world *w = *state;

	for (int serving = 1; serving >= 0; serving--) {
		health_set_serving(w->health, serving);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			ask(w, &w->rpc, CHECK, names[i]);
			rpc_ended(&w->client, &w->rpc, GRPC_OK);
			assert_int_equal(answer(w, &w->rpc, 1),
					 serving ? SERVING : NOT_SERVING);
		}
	}
	ask(w, &w->rpc, CHECK, "test.Nothing");
	rpc_ended(&w->client, &w->rpc, GRPC_NOT_FOUND);
}

static void a_list_has_the_server_and_every_service(void **state)
{
	static const char *const names[] = {"", "grpc.health.v1.Health",
					    "test.Other"};
	struct world *w = *state;
	struct err e;

	health_set_serving(w->health, false);
	ask(w, &w->rpc, LIST, "");
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	struct slice body = {w->rpc.body.data + GRPC_PREFIX_BYTES,
			     w->rpc.body.len - GRPC_PREFIX_BYTES};
	const Grpc__Health__V1__HealthListResponse *list = protobuf_unpack(
		&w->arena, &grpc__health__v1__health_list_response__descriptor,
		body, &e);
	assert_non_null(list);
	assert_int_equal(list->n_statuses, 3);
	for (size_t i = 0; i < list->n_statuses; i++) {
		assert_string_equal(list->statuses[i]->key, names[i]);
		assert_int_equal(list->statuses[i]->value->status, NOT_SERVING);
	}
}

static void a_watch_hears_each_change_once(void **state)
{
	struct world *w = *state;

	ask(w, &w->rpc, WATCH, "test.Other");
	ask(w, &w->other, WATCH, "");
	assert_int_equal(answer(w, &w->rpc, 1), SERVING);
	assert_int_equal(answer(w, &w->other, 1), SERVING);
	health_set_serving(w->health, true);
	settle_down(w);
	assert_int_equal(answer(w, &w->rpc, 1), SERVING);
	health_set_serving(w->health, false);
	assert_int_equal(answer(w, &w->rpc, 2), NOT_SERVING);
	assert_int_equal(answer(w, &w->other, 2), NOT_SERVING);
	health_set_serving(w->health, true);
	assert_int_equal(answer(w, &w->rpc, 3), SERVING);
	assert_false(w->rpc.end);
}

static void a_watch_of_nothing_stays_open(void **state)
{
	struct world *w = *state;

	ask(w, &w->rpc, WATCH, "test.Nothing");
	assert_int_equal(answer(w, &w->rpc, 1), SERVICE_UNKNOWN);
	health_set_serving(w->health, false);
	settle_down(w);
	assert_int_equal(answer(w, &w->rpc, 1), SERVICE_UNKNOWN);
	assert_false(w->rpc.end);
	health_end(w->health);
	rpc_ended(&w->client, &w->rpc, GRPC_UNAVAILABLE);
}

static void a_watch_that_is_cancelled_is_forgotten(void **state)
{
	struct world *w = *state;

	ask(w, &w->rpc, WATCH, "");
	ask(w, &w->other, WATCH, "");
	assert_int_equal(answer(w, &w->rpc, 1), SERVING);
	h2_reset(w->rpc.stream, H2_CANCEL);
	rpc_wait_closed(&w->client, &w->rpc);
	settle_down(w);
	assert_int_equal(w->services.open, 1);
	health_set_serving(w->health, false);
	assert_int_equal(answer(w, &w->other, 2), NOT_SERVING);
}

static void a_watch_hears_of_the_end_before_the_goaway(void **state)
{
	struct world *w = *state;

	ask(w, &w->rpc, WATCH, "");
	assert_int_equal(answer(w, &w->rpc, 1), SERVING);
	/* As the hub does it, within one turn of the loop. */
	health_set_serving(w->health, false);
	peers_drain(w->peers);
	health_end(w->health);
	rpc_ended(&w->client, &w->rpc, GRPC_UNAVAILABLE);
	assert_int_equal(answer(w, &w->rpc, 2), NOT_SERVING);
	assert_false(w->rpc.late);
	for (int i = 0; i < RPC_TURNS && w->client.downs == 0; i++)
		rpc_turn(&w->client);
	assert_true(w->client.goaway);
	assert_int_equal(w->client.downs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_check_is_answered_per_service,
						begin, end),
		cmocka_unit_test_setup_teardown(
			a_list_has_the_server_and_every_service, begin, end),
		cmocka_unit_test_setup_teardown(a_watch_hears_each_change_once,
						begin, end),
		cmocka_unit_test_setup_teardown(a_watch_of_nothing_stays_open,
						begin, end),
		cmocka_unit_test_setup_teardown(
			a_watch_that_is_cancelled_is_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(
			a_watch_hears_of_the_end_before_the_goaway, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
