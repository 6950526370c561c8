/* line_stream: a client's lines against a session of the test's own, whose
 * functions stand here instead of those of server/mcp. */
#include "server/face/line_stream.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mcp/transport/v1/mcp.pb-c.h"
#include "proto/log.h"
#include "proto/message.h"
#include "proto/protobuf.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "server/mcp/session.h"
#include "tests/support/rpc.h"

#define SESSION "/mcp.transport.v1.Mcp/Session"

enum { MESSAGE_BYTES = 4000000, LARGE_BYTES = 300000, LARGE = 12 };

/* What the session was told, and what it shall do. */
struct session {
	const struct session_stream *functions;
	void *stream;
	struct buf accepted; /* "sequence:json " */
	enum reason refuse;
	unsigned opened, attached, left, drained, in_flight;
	uint64_t said, acked;
};

static struct session session;

struct session *session_open(struct sessions *all,
			     const envelope_hello_t *hello,
			     const struct session_stream *functions,
			     void *stream, envelope_welcome_t *welcome,
			     struct err *e)
{
	(void)all;
	(void)welcome;
	if (session.refuse != ERR_NONE) {
		err_set(e, session.refuse, "not now");
		return NULL;
	}
	assert_int_equal(hello->adapter_instance.len, ENVELOPE_ID_BYTES);
	session.opened++;
	session.functions = functions;
	session.stream = stream;
	return &session;
}

void session_attached(struct session *s)
{
	s->attached++;
}

void session_accept(struct session *s, uint64_t sequence, bool effect,
		    struct slice json)
{
	(void)effect;
	buf_printf(&s->accepted, "%d:%.*s ", (int)sequence, (int)json.len,
		   json.ptr);
}

void session_acked(struct session *s, uint64_t received)
{
	s->acked = received;
}

void session_drained(struct session *s)
{
	s->drained++;
}

void session_detach(struct session *s, bool goodbye)
{
	assert_true(goodbye);
	s->stream = NULL;
	s->left++;
}

void session_describe(const struct session *s, struct session_info *info)
{
	info->in_flight = s->in_flight;
}

static void deliver(struct slice json)
{
	struct message *m = message_new(json, false);

	m->sequence = ++session.said;
	session.functions->send(session.stream, m);
	message_unref(m);
}

/* --- the world --- */

struct world {
	struct ev_loop *loop;
	struct services services;
	struct line_streams *lines;
	struct peers *peers;
	struct rpc_client client;
	struct rpc rpc;
};

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct h2_limits limits = h2_limits_local();
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, LOG_OFF);
	session = (struct session){0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	w->loop = ev_loop_new(EVFLAG_AUTO);
	w->lines = line_streams_new(w->loop, &w->services, NULL, MESSAGE_BYTES);
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
	line_streams_free(w->lines);
	rpc_finish(&w->rpc);
	buf_finish(&session.accepted);
	ev_loop_destroy(w->loop);
	free(w);
	return 0;
}

static void wait_for(struct world *w, const unsigned *count)
{
	for (int i = 0; i < RPC_TURNS && *count == 0; i++)
		rpc_turn(&w->client);
	assert_int_equal(*count, 1);
}

static void settle_down(struct world *w)
{
	for (int i = 0; i < 20; i++)
		ev_run(w->loop, EVRUN_NOWAIT);
}

static void open_session(struct world *w)
{
	rpc_begin(&w->client, &w->rpc, SESSION);
	wait_for(w, &session.attached);
}

static void say(struct world *w, const char *text)
{
	Mcp__Transport__V1__JsonRpcLine line;
	struct buf bytes = {0};

	mcp__transport__v1__json_rpc_line__init(&line);
	line.line = (char *)(uintptr_t)text;
	protobuf_pack(&bytes, &line.base);
	rpc_message(&w->rpc, bytes.len ? bytes.data : "", bytes.len);
	buf_finish(&bytes);
}

static bool came(const struct world *w, const char *json)
{
	return w->rpc.body.len > 0 &&
	       memmem(w->rpc.body.data, w->rpc.body.len, json, strlen(json));
}

/* --- tests --- */

static void lines_go_both_ways(void **state)
{
	struct world *w = *state;

	open_session(w);
	say(w, "{\"a\":1}");
	say(w, "");
	say(w, "{\"b\":2}");
	settle_down(w);
	assert_true(slice_is(buf_slice(&session.accepted),
			     "1:{\"a\":1} 2:{\"b\":2} "));
	deliver(slice_of("{\"c\":3}"));
	settle_down(w);
	static const char want[] = "\0\0\0\0\x09\x0a\x07{\"c\":3}";
	assert_int_equal(w->rpc.body.len, sizeof(want) - 1);
	assert_memory_equal(w->rpc.body.data, want, sizeof(want) - 1);
	assert_int_equal(session.acked, 1);
}

static void a_refused_session_is_a_failed_call(void **state)
{
	struct world *w = *state;

	session.refuse = ERR_DRAINING;
	rpc_begin(&w->client, &w->rpc, SESSION);
	rpc_ended(&w->client, &w->rpc, GRPC_UNAVAILABLE);
}

static void who_has_said_all_still_gets_its_answers(void **state)
{
	struct world *w = *state;

	open_session(w);
	session.in_flight = 1;
	say(w, "{}");
	h2_end(w->rpc.stream);
	settle_down(w);
	assert_int_equal(session.left, 0);
	assert_false(w->rpc.closed);
	session.in_flight = 0;
	deliver(slice_of("{\"late\":1}"));
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	assert_true(came(w, "{\"late\":1}"));
	assert_int_equal(session.left, 1);
}

static void a_cancelled_call_ends_the_session(void **state)
{
	struct world *w = *state;

	open_session(w);
	h2_reset(w->rpc.stream, H2_CANCEL);
	wait_for(w, &session.left);
}

static void what_is_no_line_ends_the_session(void **state)
{
	struct world *w = *state;

	open_session(w);
	rpc_message(&w->rpc, "\x0a\x7f", 2);
	rpc_ended(&w->client, &w->rpc, GRPC_INTERNAL);
	assert_int_equal(session.left, 1);
}

static void deliver_large(char *text)
{
	memset(text, 'x', LARGE_BYTES);
	for (int i = 0; i < LARGE; i++)
		deliver((struct slice){text, LARGE_BYTES});
}

static void what_the_client_does_not_read_waits(void **state)
{
	struct world *w = *state;
	char *text = malloc(LARGE_BYTES);

	open_session(w);
	w->rpc.unread = true;
	deliver_large(text);
	settle_down(w);
	assert_in_range(session.functions->queued(session.stream),
			(LARGE - 1) * LARGE_BYTES, LARGE * (LARGE_BYTES + 100));
	assert_in_range(session.acked, 1, 3);
	w->rpc.unread = false;
	h2_consume(w->rpc.stream, w->rpc.body.len);
	for (int i = 0; i < RPC_TURNS && session.acked < LARGE; i++)
		rpc_turn(&w->client);
	assert_int_equal(session.acked, LARGE);
	assert_true(session.drained > 0);
	free(text);
}

static void end_it(Executor__Mcp__V1__Goodbye__Reason reason)
{
	session.functions->end(session.stream, reason, "because", NULL);
}

static void a_draining_daemon_lets_out_what_is_queued(void **state)
{
	struct world *w = *state;
	char *text = malloc(LARGE_BYTES);

	open_session(w);
	deliver_large(text);
	end_it(EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING);
	rpc_ended(&w->client, &w->rpc, GRPC_UNAVAILABLE);
	assert_true(w->rpc.body.len > (size_t)LARGE * LARGE_BYTES);
	assert_int_equal(session.left, 0);
	free(text);
}

static void a_slow_reader_gets_no_more(void **state)
{
	struct world *w = *state;
	char *text = malloc(LARGE_BYTES);

	open_session(w);
	w->rpc.unread = true;
	deliver_large(text);
	end_it(EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_SLOW_READER);
	settle_down(w);
	w->rpc.unread = false;
	h2_consume(w->rpc.stream, w->rpc.body.len);
	rpc_ended(&w->client, &w->rpc, GRPC_RESOURCE_EXHAUSTED);
	assert_true(w->rpc.body.len < (size_t)LARGE / 2 * LARGE_BYTES);
	free(text);
}

static void a_session_may_end_with_its_call_gone(void **state)
{
	struct world *w = *state;

	open_session(w);
	end_it(EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING);
	h2_reset(w->rpc.stream, H2_CANCEL);
	settle_down(w);
	assert_int_equal(session.left, 0);
}

#define WORLD(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(lines_go_both_ways),
		WORLD(a_refused_session_is_a_failed_call),
		WORLD(who_has_said_all_still_gets_its_answers),
		WORLD(a_cancelled_call_ends_the_session),
		WORLD(what_is_no_line_ends_the_session),
		WORLD(what_the_client_does_not_read_waits),
		WORLD(a_draining_daemon_lets_out_what_is_queued),
		WORLD(a_slow_reader_gets_no_more),
		WORLD(a_session_may_end_with_its_call_gone),
	};

	alarm(100); /* a test that hangs fails */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
