/* door, port: who may call over TCP, with real connections. */
#include "server/face/port.h"

#include "server/face/door.h"
#include "server/face/health_service.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "server/face/tcp.h"
#include "tests/support/rpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"

#define OLD	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO-_"
#define NEW	"bbcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO-_"
#define CHECK	"/grpc.health.v1.Health/Check"
#define SECRETS "/test.Admin/Do"

static struct fate *nobody_comes_here(void *service, struct call *c,
				      struct slice request)
{
	(void)service;
	(void)c;
	(void)request;
	abort();
}

static const struct method admin_methods[] = {
	{.name = "Do", .unary = nobody_comes_here},
};

struct place {
	struct ev_loop *loop;
	struct services services;
	struct health *health;
	struct port *port;
	struct sockaddr_in name;
	char authority[32];
	struct rpc_client client;
	struct rpc rpc;
};

static void open_port(struct place *p, bool admin)
{
	const struct h2_limits limits = h2_limits_tcp();
	struct tcp_address address;
	struct bearer token;
	struct err e;

	assert_true(bearer_parse(&token, slice_of(OLD)));
	assert_true(tcp_parse(&address, "localhost:0", &e));
	p->port = port_new(&address, admin, &e);
	assert_non_null(p->port);
	assert_true(port_open(p->port, p->loop, &p->services, &token, &limits,
			      8, &e));
	const char *url = port_url(p->port);
	assert_int_equal(strncmp(url, "http://127.0.0.1:", 17), 0);
	snprintf(p->authority, sizeof(p->authority), "%s", url + 7);
	p->name = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)atoi(url + 17)),
	};
}

static int begin(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, LOG_OFF);
	p->loop = ev_loop_new(EVFLAG_AUTO);
	p->health = health_new(&p->services);
	services_add(&p->services, &(struct service){.name = "test.Admin",
						     .methods = admin_methods,
						     .method_count = 1,
						     .admin = true});
	*state = p;
	return 0;
}

static int end(void **state)
{
	struct place *p = *state;

	rpc_disconnect(&p->client);
	rpc_finish(&p->rpc);
	port_free(p->port);
	health_free(p->health);
	ev_loop_destroy(p->loop);
	free(p);
	return 0;
}

static void dial(struct place *p)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	rpc_disconnect(&p->client);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&p->name, sizeof(p->name)), 0);
	rpc_connect(&p->client, p->loop, fd);
}

/* A good call, but for what a test changes. */
static struct rpc_ask good(const struct place *p, const char *path)
{
	struct rpc_ask ask = rpc_good(path);

	ask.authority = p->authority;
	ask.authorization = "Bearer " OLD;
	return ask;
}

static void expect(struct place *p, const struct rpc_ask *ask, int status,
		   const char *text)
{
	rpc_finish(&p->rpc);
	rpc_ask(&p->client, &p->rpc, ask);
	rpc_message(&p->rpc, "", 0);
	h2_end(p->rpc.stream);
	rpc_ended(&p->client, &p->rpc, status);
	if (!rpc_has(&p->rpc, text))
		print_error("%.*s\n", (int)p->rpc.headers.len,
			    p->rpc.headers.data);
	assert_true(rpc_has(&p->rpc, text));
	assert_int_equal(rpc_has(&p->rpc, "grpc-status-details-bin: "),
			 status != GRPC_OK);
	assert_false(rpc_has(&p->rpc, "abcdefgh")); /* of any token */
}

/* --- who may call --------------------------------------------------------- */

static void the_token_lets_in(void **state)
{
	struct place *p = *state;

	open_port(p, false);
	dial(p);
	struct rpc_ask ask = good(p, CHECK);
	expect(p, &ask, GRPC_OK, "");
	ask.authorization = "bearer " OLD;
	expect(p, &ask, GRPC_OK, "");
	assert_int_equal(p->services.calls, 2);
}

static void without_it_nothing_is_begun(void **state)
{
	static const char *const bad[] = {
		NULL,
		"",
		OLD,
		"Basic " OLD,
		"Bearer",
		"Bearer " NEW,
		"Bearer " OLD "x",
		"Bearer x",
	};
	struct place *p = *state;

	open_port(p, false);
	dial(p);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rpc_ask ask = good(p, CHECK);

		ask.authorization = bad[i];
		expect(p, &ask, GRPC_UNAUTHENTICATED, "grpc-message: ");
		/* Not even what there is can be found out. */
		ask.path = "/no.such/Method";
		expect(p, &ask, GRPC_UNAUTHENTICATED, "grpc-message: ");
		ask.content_type = "text/html";
		expect(p, &ask, GRPC_UNAUTHENTICATED, "grpc-message: ");
	}
	assert_int_equal(p->services.calls, 0);
	/* The connection is as good as before. */
	struct rpc_ask ask = good(p, CHECK);
	expect(p, &ask, GRPC_OK, "");
}

static void a_web_page_is_refused(void **state)
{
	struct place *p = *state;

	open_port(p, false);
	dial(p);
	struct rpc_ask ask = good(p, CHECK);
	ask.origin = "http://localhost";
	expect(p, &ask, GRPC_PERMISSION_DENIED, "origin");
	ask.origin = "null";
	expect(p, &ask, GRPC_PERMISSION_DENIED, "origin");
	assert_int_equal(p->services.calls, 0);
}

static void any_other_name_is_refused(void **state)
{
	struct place *p = *state;
	unsigned port;
	static const char *const names[] = {
		"127.0.0.1",	     "127.0.0.1:1",	"localhost",
		"evil.example:%u",   "127.0.0.1.x:%u",	"10.0.0.1:%u",
		"localhost.evil:%u", "[::1]",		"[::2]:%u",
		"x@127.0.0.1:%u",    "127.0.0.1:%u:%u", "[127.0.0.1]:%u",
		"xlocalhost:%u",     "2130706433:%u",
	};
	static const char *const ours[] = {
		"127.0.0.1:%u", "localhost:%u", "[::1]:%u",
		"LOCALHOST:%u", "127.9.9.9:%u",
	};

	open_port(p, false);
	port = ntohs(p->name.sin_port);
	dial(p);
	struct rpc_ask ask = good(p, CHECK);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(name, sizeof(name), names[i], port, port);
#pragma GCC diagnostic pop
		ask.authority = name;
		expect(p, &ask, GRPC_PERMISSION_DENIED, "no name of this");
	}
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		char name[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(name, sizeof(name), ours[i], port);
#pragma GCC diagnostic pop
		ask.authority = name;
		expect(p, &ask, GRPC_OK, "");
	}
}

static void beyond_loopback_any_address_is_ours_and_no_name(void **state)
{
	const struct door d = {.token = {OLD}, .port = 7, .anywhere = true};
	struct place *p = *state;
	struct h2_header list[] = {
		{slice_of(":path"), slice_of(CHECK)},
		{slice_of(":authority"), slice_of("10.1.2.3:7")},
		{slice_of("authorization"), slice_of("Bearer " OLD)},
		{slice_of("host"), slice_of("10.1.2.3:7")},
	};
	const struct h2_headers headers = {.list = list, .count = 4};
	struct err e;

	assert_true(door_admit(&d, &p->services, &headers, &e));
	list[1].value = slice_of("[fe80::1]:7");
	assert_true(door_admit(&d, &p->services, &headers, &e));
	list[1].value = slice_of("evil.example:7");
	assert_false(door_admit(&d, &p->services, &headers, &e));
	/* Either of the two names is looked at. */
	list[1].value = slice_of("10.1.2.3:7");
	list[3].value = slice_of("evil.example:7");
	assert_false(door_admit(&d, &p->services, &headers, &e));
	assert_int_equal(e.reason, ERR_PERMISSION);
	list[3].name = slice_of(":authority"); /* twice */
	list[3].value = list[1].value;
	assert_false(door_admit(&d, &p->services, &headers, &e));
	list[3].name = slice_of("authorization");
	list[3].value = list[2].value;
	assert_false(door_admit(&d, &p->services, &headers, &e));
	assert_int_equal(e.reason, ERR_UNAUTHENTICATED);
	list[1].name = list[3].name = slice_of("x"); /* none */
	assert_false(door_admit(&d, &p->services, &headers, &e));
	assert_int_equal(e.reason, ERR_PERMISSION);
	const struct h2_headers cut = {list, 0, .too_large = true};
	assert_false(door_admit(&d, &p->services, &cut, &e));
	assert_int_equal(e.reason, ERR_TOO_LARGE);
}

static void the_admin_service_must_be_granted(void **state)
{
	const struct door granted = {.token = {OLD}, .port = 7, .admin = true};
	struct place *p = *state;
	struct h2_header list[] = {
		{slice_of(":path"), slice_of(SECRETS)},
		{slice_of(":authority"), slice_of("localhost:7")},
		{slice_of("authorization"), slice_of("Bearer " OLD)},
	};
	const struct h2_headers headers = {.list = list, .count = 3};
	struct err e;

	open_port(p, false);
	dial(p);
	struct rpc_ask ask = good(p, SECRETS);
	expect(p, &ask, GRPC_PERMISSION_DENIED, "test.Admin is not served");
	ask.path = "/test.Admin/Nothing";
	expect(p, &ask, GRPC_UNIMPLEMENTED, "no such method");
	assert_true(door_admit(&granted, &p->services, &headers, &e));
	list[2].value = slice_of("Bearer " NEW);
	assert_false(door_admit(&granted, &p->services, &headers, &e));
}

static void a_port_that_is_taken_is_said(void **state)
{
	struct place *p = *state;
	struct tcp_address a;
	char text[32];
	struct err e;

	open_port(p, false);
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(p->name.sin_port));
	assert_true(tcp_parse(&a, text, &e));
	assert_null(port_new(&a, false, &e));
	assert_int_equal(e.reason, ERR_ALREADY_EXISTS);
	assert_non_null(strstr(e.text, text));
	assert_non_null(strstr(e.text, "another program listens"));
	/* Once it is free it can be had, whoever is still connected. */
	dial(p);
	struct rpc_ask ask = good(p, CHECK);
	expect(p, &ask, GRPC_OK, "");
	port_free(p->port);
	p->port = port_new(&a, false, &e);
	assert_non_null(p->port);
}

/* --- rotation, and the end ------------------------------------------------ */

static void another_token_ends_what_the_old_one_opened(void **state)
{
	struct place *p = *state;
	struct bearer token;

	open_port(p, false);
	dial(p);
	struct rpc_ask ask = good(p, CHECK);
	expect(p, &ask, GRPC_OK, "");
	rpc_finish(&p->rpc);
	rpc_ask(&p->client, &p->rpc, &ask); /* and its request never ends */
	for (int i = 0; i < RPC_TURNS && p->services.calls < 2; i++)
		rpc_turn(&p->client);
	assert_int_equal(port_streams(p->port), 1);
	assert_true(bearer_parse(&token, slice_of(NEW)));
	port_rotate(p->port, &token);
	rpc_wait_closed(&p->client, &p->rpc);
	assert_int_equal(p->rpc.h2_error, H2_LOST);
	assert_int_equal(port_peers(p->port), 0);

	dial(p);
	expect(p, &ask, GRPC_UNAUTHENTICATED, "not any more");
	ask.authorization = "Bearer " NEW;
	expect(p, &ask, GRPC_OK, "");
}

/* The server's end of the connection. */
static int other_end(struct place *p)
{
	enum { FDS = 64 };

	for (int fd = 3; fd < FDS; fd++) {
		struct sockaddr_in name;
		socklen_t len = sizeof(name);

		if (getsockname(fd, (struct sockaddr *)&name, &len) != 0 ||
		    name.sin_family != AF_INET ||
		    name.sin_port != p->name.sin_port)
			continue;
		len = sizeof(name);
		if (getpeername(fd, (struct sockaddr *)&name, &len) == 0)
			return fd;
	}
	return -1;
}

static void nothing_waits_for_an_acknowledgement(void **state)
{
	struct place *p = *state;
	socklen_t len = sizeof(int);
	int on = 0;

	open_port(p, false);
	dial(p);
	struct rpc_ask ask = good(p, CHECK);
	expect(p, &ask, GRPC_OK, "");
	assert_int_equal(
		getsockopt(other_end(p), IPPROTO_TCP, TCP_NODELAY, &on, &len),
		0);
	assert_int_not_equal(on, 0);
}

static void who_brings_no_token_is_not_kept(void **state)
{
	const struct h2_limits limits = h2_limits_tcp();
	const struct door d = {.token = {OLD}, .port = 7};
	struct place *p = *state;
	struct rpc_client silent;
	int fds[2][2];

	struct peers *peers = peers_new(p->loop, &p->services, &limits);
	peers_guard(peers, &d, 0.05);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			socketpair(AF_UNIX,
				   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				   0, fds[i]),
			0);
		peers_add(peers, fds[i][0]);
	}
	rpc_connect(&p->client, p->loop, fds[0][1]);
	rpc_connect(&silent, p->loop, fds[1][1]);
	struct rpc_ask ask = good(p, CHECK);
	ask.authority = "127.0.0.1:7";
	expect(p, &ask, GRPC_OK, "");
	/* One that may not is no reason to stay. */
	struct rpc bad;
	ask.authorization = NULL;
	rpc_ask(&silent, &bad, &ask);
	h2_end(bad.stream);
	rpc_wait(&silent, &silent.goaway);
	for (int i = 0; i < RPC_TURNS && peers_count(peers) > 1; i++)
		rpc_turn(&silent);
	assert_int_equal(peers_count(peers), 1);
	ask.authorization = "Bearer " OLD;
	expect(p, &ask, GRPC_OK, "");
	rpc_disconnect(&silent);
	rpc_finish(&bad);
	peers_free(peers);
}

static void once_shut_it_is_found_no_more(void **state)
{
	struct place *p = *state;

	open_port(p, false);
	dial(p);
	struct rpc_ask ask = good(p, CHECK);
	expect(p, &ask, GRPC_OK, "");
	port_shut(p->port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&p->name, sizeof(p->name)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	expect(p, &ask, GRPC_OK, ""); /* who is connected stays */
	port_drain(p->port);
	rpc_wait(&p->client, &p->client.goaway);
	for (int i = 0; i < RPC_TURNS && port_peers(p->port) > 0; i++)
		rpc_turn(&p->client);
	assert_int_equal(port_peers(p->port), 0);
}

#define port_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		port_test(a_port_that_is_taken_is_said),
		port_test(the_token_lets_in),
		port_test(without_it_nothing_is_begun),
		port_test(a_web_page_is_refused),
		port_test(any_other_name_is_refused),
		port_test(beyond_loopback_any_address_is_ours_and_no_name),
		port_test(the_admin_service_must_be_granted),
		port_test(another_token_ends_what_the_old_one_opened),
		port_test(nothing_waits_for_an_acknowledgement),
		port_test(who_brings_no_token_is_not_kept),
		port_test(once_shut_it_is_found_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
