/* call: a client that begins a message and does not go on with it. */
#include "server/face/call.h"

#include "server/face/health_service.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "tests/support/rpc.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"

enum { STALL_MS = 500 };

#define CHECK "/grpc.health.v1.Health/Check"

struct world {
	struct ev_loop *loop;
	struct services services;
	struct health *health;
	struct peers *peers;
	struct rpc_client client;
	struct rpc rpc;
};

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct h2_limits limits = h2_limits_local();
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, LOG_OFF);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	limits.stall_ms = STALL_MS;
	w->loop = ev_loop_new(EVFLAG_AUTO);
	w->health = health_new(&w->services);
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
	ev_loop_destroy(w->loop);
	free(w);
	return 0;
}

static void put(struct world *w, const char *bytes, size_t len)
{
	buf_append(h2_output(w->rpc.stream), bytes, len);
	h2_send(w->rpc.stream);
}

static void a_request_that_never_comes_is_given_up(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, CHECK);
	rpc_ended(&w->client, &w->rpc, GRPC_DEADLINE_EXCEEDED);
	assert_int_equal(peers_streams(w->peers), 0);
}

static void half_a_message_is_not_waited_for(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, CHECK);
	put(w, "\0\0\0\0\5\x0a\3", 7);
	rpc_ended(&w->client, &w->rpc, GRPC_DEADLINE_EXCEEDED);
}

static void each_piece_gives_it_more_time(void **state)
{
	static const char message[] = "\0\0\0\0\x16\x0a\x14"
				      "01234567890123456789";
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, CHECK);
	for (size_t i = 0; i < sizeof(message) - 1; i++) {
		ev_tstamp until = ev_time() + 0.025;

		put(w, &message[i], 1);
		while (ev_time() < until)
			ev_run(w->loop, EVRUN_NOWAIT);
		assert_int_equal(rpc_status(&w->rpc), -1);
	}
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_NOT_FOUND); /* of a service */
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_request_that_never_comes_is_given_up),
		world_test(half_a_message_is_not_waited_for),
		world_test(each_piece_gives_it_more_time),
	};

	alarm(100); /* a test that hangs fails */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
