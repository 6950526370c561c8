/*
 * call_room: a client and a server of gRPC in one loop, around a service of
 * the test.
 */
#ifndef TESTS_SUPPORT_CALL_ROOM_H
#define TESTS_SUPPORT_CALL_ROOM_H

#include "tests/support/rpc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"
#include "server/face/call.h"
#include "server/face/metadata.h"
#include "server/face/peer.h"
#include "server/face/service.h"

struct call_room {
	struct ev_loop *loop;
	struct services services;
	struct peers *peers;
	struct rpc_client client;
	struct rpc rpc;
};

/* Two connected sockets; of TCP, over loopback. */
static inline void call_room_sockets(bool tcp, int fds[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);

	if (!tcp) {
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
			0);
		return;
	}
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&a, &len),
			 0);
	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fds[1], (struct sockaddr *)&a, len), 0);
	fds[0] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fds[0] >= 0);
	close(listening);
}

static inline void call_room_open(struct call_room *r, bool tcp,
				  const struct service *s)
{
	const struct h2_limits limits = h2_limits_local();
	int fds[2];

	*r = (struct call_room){0};
	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, LOG_OFF);
	call_room_sockets(tcp, fds);
	r->loop = ev_loop_new(EVFLAG_AUTO);
	services_add(&r->services, s);
	r->peers = peers_new(r->loop, &r->services, &limits);
	peers_add(r->peers, fds[0]);
	rpc_connect(&r->client, r->loop, fds[1]);
}

/* Nothing is left of any call. */
static inline void call_room_close(struct call_room *r)
{
	rpc_disconnect(&r->client);
	peers_free(r->peers);
	assert_int_equal(r->services.open, 0);
	rpc_finish(&r->rpc);
	ev_loop_destroy(r->loop);
}

static inline void call_room_ask(struct call_room *r, const char *path)
{
	rpc_finish(&r->rpc);
	rpc_begin(&r->client, &r->rpc, path);
}

static inline void call_room_wait(struct call_room *r, const unsigned *counter,
				  unsigned value)
{
	for (int i = 0; i < RPC_TURNS && *counter < value; i++)
		rpc_turn(&r->client);
	assert_int_equal(*counter, value);
}

/* Turns enough for anything that could still come. */
static inline void call_room_settle(struct call_room *r)
{
	for (int i = 0; i < 50; i++)
		ev_run(r->loop, EVRUN_NOWAIT);
}

#endif
