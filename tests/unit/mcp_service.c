/* mcp_service: one request without a session, against functions of the test's
 * own instead of server/mcp's. */
#include "server/face/mcp_service.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/protobuf.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "server/mcp/session.h"
#include "tests/support/rpc.h"

#define CALL   "/executor.mcp.v1.McpService/Call"
#define STREAM "/executor.mcp.v1.McpService/CallStream"

/* The one request, and what it shall do. */
struct session {
	const struct session_single *events;
	void *owner;
	struct buf asked; /* "source:json level" */
	enum reason refuse;
	unsigned opened, abandoned;
};

static struct session session;

struct session *session_single(struct sessions *all, struct slice json,
			       const char *source, enum mcp_level level,
			       const struct session_single *events, void *owner,
			       struct err *e)
{
	(void)all;
	if (session.refuse != ERR_NONE) {
		err_set(e, session.refuse, "not now");
		return NULL;
	}
	buf_printf(&session.asked, "%s:%.*s %s", source ? source : "-",
		   (int)json.len, json.ptr, mcp_level_name(level));
	session.opened++;
	session.events = events;
	session.owner = owner;
	return &session;
}

void session_abandon(struct session *s)
{
	s->abandoned++;
}

/* --- the world --- */

struct world {
	struct ev_loop *loop;
	struct services services;
	struct mcp_service *mcp;
	struct peers *peers;
	struct rpc_client client;
	struct rpc rpc;
};

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct mcp_options options = {.message_bytes = 1000000};
	const struct h2_limits limits = h2_limits_local();
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, LOG_OFF);
	session = (struct session){0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	w->loop = ev_loop_new(EVFLAG_AUTO);
	w->mcp = mcp_service_new(w->loop, &w->services, NULL, &options);
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
	mcp_service_free(w->mcp);
	rpc_finish(&w->rpc);
	buf_finish(&session.asked);
	ev_loop_destroy(w->loop);
	free(w);
	return 0;
}

static void ask(struct world *w, const char *path,
		const ProtobufCMessage *request)
{
	struct buf bytes = {0};

	protobuf_pack(&bytes, request);
	rpc_begin(&w->client, &w->rpc, path);
	rpc_message(&w->rpc, bytes.data, bytes.len);
	h2_end(w->rpc.stream);
	buf_finish(&bytes);
}

static void call(struct world *w, const char *json, const char *source)
{
	Executor__Mcp__V1__CallRequest request;

	executor__mcp__v1__call_request__init(&request);
	request.json = protobuf_bytes(slice_of(json));
	request.source = (char *)(uintptr_t)source;
	ask(w, CALL, &request.base);
}

static void call_stream(struct world *w, const char *json, const char *level)
{
	Executor__Mcp__V1__CallStreamRequest request;

	executor__mcp__v1__call_stream_request__init(&request);
	request.json = protobuf_bytes(slice_of(json));
	request.log_level = (char *)(uintptr_t)level;
	ask(w, STREAM, &request.base);
}

static void wait_for(struct world *w, const unsigned *count)
{
	for (int i = 0; i < RPC_TURNS && *count == 0; i++)
		rpc_turn(&w->client);
	assert_int_equal(*count, 1);
}

static bool came(const struct world *w, const char *json)
{
	return w->rpc.body.len > 0 &&
	       memmem(w->rpc.body.data, w->rpc.body.len, json, strlen(json));
}

/* --- Call --- */

static void a_call_is_answered(void **state)
{
	struct world *w = *state;

	call(w, "{}", "files");
	wait_for(w, &session.opened);
	assert_null(session.events->notify);
	session.events->answer(session.owner, slice_of("{\"late\":1}"));
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	assert_true(came(w, "{\"late\":1}"));
	assert_memory_equal(session.asked.data, "files:{} ", 9);
	assert_int_equal(session.abandoned, 0);
}

static void a_call_may_be_refused(void **state)
{
	struct world *w = *state;

	session.refuse = ERR_INVALID_REQUEST;
	call(w, "[]", "");
	rpc_ended(&w->client, &w->rpc, GRPC_INVALID_ARGUMENT);
}

static void a_call_that_is_cancelled_is_abandoned(void **state)
{
	struct world *w = *state;

	call(w, "{}", "");
	wait_for(w, &session.opened);
	h2_reset(w->rpc.stream, H2_CANCEL);
	wait_for(w, &session.abandoned);
}

/* --- CallStream --- */

static void what_is_said_meanwhile_comes_before_the_answer(void **state)
{
	struct world *w = *state;

	call_stream(w, "{\"a\":1}", "");
	wait_for(w, &session.opened);
	assert_memory_equal(session.asked.data, "-:{\"a\":1} info", 14);
	session.events->notify(session.owner, slice_of("{\"first\":1}"));
	session.events->notify(session.owner, slice_of("{\"second\":1}"));
	session.events->answer(session.owner, slice_of("{\"last\":1}"));
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	/* Prefix, tag and length; 1 is notification, 2 is response. */
	static const char want[] = "\0\0\0\0\x0d\x0a\x0b{\"first\":1}"
				   "\0\0\0\0\x0e\x0a\x0c{\"second\":1}"
				   "\0\0\0\0\x0c\x12\x0a{\"last\":1}";
	assert_int_equal(w->rpc.body.len, sizeof(want) - 1);
	assert_memory_equal(w->rpc.body.data, want, sizeof(want) - 1);
}

static void the_level_is_the_callers_choice(void **state)
{
	struct world *w = *state;

	call_stream(w, "{}", "warning");
	wait_for(w, &session.opened);
	assert_memory_equal(session.asked.data, "-:{} warning", 12);
	session.events->answer(session.owner, slice_of("{}"));
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
}

static void a_level_that_mcp_does_not_know_is_refused(void **state)
{
	struct world *w = *state;

	call_stream(w, "{}", "loud");
	rpc_ended(&w->client, &w->rpc, GRPC_INVALID_ARGUMENT);
	assert_int_equal(session.opened, 0);
}

static void a_stream_may_be_refused(void **state)
{
	struct world *w = *state;

	session.refuse = ERR_DRAINING;
	call_stream(w, "{}", "");
	rpc_ended(&w->client, &w->rpc, GRPC_UNAVAILABLE);
}

static void a_stream_that_is_cancelled_is_abandoned(void **state)
{
	struct world *w = *state;

	call_stream(w, "{}", "");
	wait_for(w, &session.opened);
	session.events->notify(session.owner, slice_of("{}"));
	h2_reset(w->rpc.stream, H2_CANCEL);
	wait_for(w, &session.abandoned);
}

/* Notifications are left out, the answer is not. */
static void a_slow_reader_misses_notifications_only(void **state)
{
	enum { NOTIFICATIONS = 400, BYTES = 10000 };
	struct world *w = *state;
	char *filler = malloc(BYTES);

	memset(filler, 'x', BYTES);
	call_stream(w, "{}", "");
	w->rpc.unread = true;
	wait_for(w, &session.opened);
	for (int i = 0; i < NOTIFICATIONS; i++) {
		session.events->notify(session.owner,
				       (struct slice){filler, BYTES});
		ev_run(w->loop, EVRUN_NOWAIT);
	}
	session.events->answer(session.owner, slice_of("{\"last\":1}"));
	w->rpc.unread = false;
	h2_consume(w->rpc.stream, w->rpc.body.len);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	assert_true(came(w, "{\"last\":1}"));
	assert_in_range(w->rpc.body.len, 10 * BYTES, NOTIFICATIONS / 2 * BYTES);
	free(filler);
}

#define WORLD(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(a_call_is_answered),
		WORLD(a_call_may_be_refused),
		WORLD(a_call_that_is_cancelled_is_abandoned),
		WORLD(what_is_said_meanwhile_comes_before_the_answer),
		WORLD(the_level_is_the_callers_choice),
		WORLD(a_level_that_mcp_does_not_know_is_refused),
		WORLD(a_stream_may_be_refused),
		WORLD(a_stream_that_is_cancelled_is_abandoned),
		WORLD(a_slow_reader_misses_notifications_only),
	};

	alarm(100); /* a test that hangs fails */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
