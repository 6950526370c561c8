/* mcp_stream: a client's envelopes against a session of the test's
 * own, whose functions stand here instead of those of server/mcp. */
#include "server/face/mcp_stream.h"

#include "proto/version.h"
#include "server/face/mcp_service.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "tests/support/rpc.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/message.h"
#include "proto/seqset.h"
#include "server/mcp/session.h"

#define SESSION "/executor.mcp.v1.McpService/Session"

enum { HELLO_MS = 5000, IMPATIENT_MS = 20, LARGE_BYTES = 3 * 1024 * 1024 };

static unsigned char instance[] = "daemon-instance!";
static unsigned char adapter[] = "adapter-instance";
static unsigned char session_id[] = "the-session's-id";

/* What the session was told, and what it shall do. */
struct session {
	const struct session_stream *functions;
	void *stream;
	struct buf accepted; /* "sequence:json " */
	enum reason refuse;
	bool end_when_accepting;
	unsigned opened, attached, detached, left;
	uint64_t acked;
};

static struct session session;

/* --- the session -----------------------------------------------------------
 */

struct session *session_open(struct sessions *all,
			     const envelope_hello_t *hello,
			     const struct session_stream *functions,
			     void *stream, envelope_welcome_t *welcome,
			     struct err *e)
{
	(void)all;
	(void)hello;
	if (session.refuse != ERR_NONE) {
		err_set(e, session.refuse, "not now");
		return NULL;
	}
	session.opened++;
	session.functions = functions;
	session.stream = stream;
	welcome->session.data = session_id;
	welcome->session.len = ENVELOPE_ID_BYTES;
	return &session;
}

const struct seqset *session_received(const struct session *s)
{
	static const struct seqset none;

	(void)s;
	return &none;
}

void session_attached(struct session *s)
{
	s->attached++;
}

static void end_stream(struct session *s,
		       Executor__Mcp__V1__Goodbye__Reason reason)
{
	void *stream = s->stream;
	envelope_untaken_t untaken = EXECUTOR__MCP__V1__UNTAKEN__INIT;
	uint64_t sequences[] = {3, 4};

	untaken.above = 6;
	untaken.sequences = sequences;
	untaken.n_sequences = 2;
	s->stream = NULL;
	s->functions->end(stream, reason, "it is over", &untaken);
}

void session_accept(struct session *s, uint64_t sequence, bool effect,
		    struct slice json)
{
	buf_printf(&s->accepted, "%llu%s:%.*s ", (unsigned long long)sequence,
		   effect ? "!" : "", (int)json.len, json.ptr);
	s->functions->accepted(s->stream, sequence);
	if (s->end_when_accepting)
		end_stream(
			s,
			EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_SLOW_READER);
}

void session_acked(struct session *s, uint64_t received)
{
	s->acked = received;
}

void session_drained(struct session *s)
{
	(void)s;
}

void session_detach(struct session *s, bool goodbye)
{
	s->stream = NULL;
	s->detached++;
	s->left += goodbye;
}

/* Calls without a session are the business of tests/unit/mcp_service.c. */
struct session *session_single(struct sessions *all, struct slice json,
			       const char *source, enum mcp_level level,
			       const struct session_single *events, void *owner,
			       struct err *e)
{
	(void)all;
	(void)json;
	(void)source;
	(void)level;
	(void)events;
	(void)owner;
	err_set(e, ERR_INTERNAL, "no test calls this");
	return NULL;
}

void session_abandon(struct session *s)
{
	(void)s;
}

/* --- the world -------------------------------------------------------------
 */

struct world {
	struct ev_loop *loop;
	struct services services;
	struct mcp_service *mcp;
	struct peers *peers;
	struct rpc_client client;
	struct rpc rpc;
	struct arena arena;
	size_t taken_bytes; /* of rpc.body */
};

static int begin_with(void **state, unsigned hello_ms)
{
	struct world *w = calloc(1, sizeof(*w));
	struct mcp_options options = {
		.epoch = 7,
		.message_bytes = ENVELOPE_MESSAGE_BYTES,
		.session_bytes = 1000000,
		.hello_ms = hello_ms,
	};
	const struct h2_limits limits = h2_limits_local();
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, LOG_OFF);
	session = (struct session){0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	memcpy(options.instance, instance, sizeof(options.instance));
	w->loop = ev_loop_new(EVFLAG_AUTO);
	w->mcp = mcp_service_new(w->loop, &w->services, NULL, &options);
	w->peers = peers_new(w->loop, &w->services, &limits);
	peers_add(w->peers, fds[0]);
	rpc_connect(&w->client, w->loop, fds[1]);
	*state = w;
	return 0;
}

static int begin(void **state)
{
	return begin_with(state, HELLO_MS);
}

static int begin_impatient(void **state)
{
	return begin_with(state, IMPATIENT_MS);
}

static int end(void **state)
{
	struct world *w = *state;

	rpc_disconnect(&w->client);
	peers_free(w->peers);
	mcp_service_free(w->mcp);
	rpc_finish(&w->rpc);
	arena_finish(&w->arena);
	buf_finish(&session.accepted);
	ev_loop_destroy(w->loop);
	free(w);
	return 0;
}

static envelope_hello_t good_hello(void)
{
	envelope_hello_t hello;

	executor__mcp__v1__hello__init(&hello);
	hello.protocol_min = version_protocol_min;
	hello.protocol_max = version_protocol_max;
	hello.adapter_instance.data = adapter;
	hello.adapter_instance.len = ENVELOPE_ID_BYTES;
	hello.epoch = 7;
	hello.daemon_instance.data = instance;
	hello.daemon_instance.len = ENVELOPE_ID_BYTES;
	return hello;
}

static void send_hello(struct world *w, envelope_hello_t *hello)
{
	envelope_t envelope;

	executor__mcp__v1__envelope__init(&envelope);
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_HELLO;
	envelope.hello = hello;
	envelope_encode(h2_output(w->rpc.stream), &envelope);
	h2_send(w->rpc.stream);
}

static void send_message(struct world *w, uint64_t sequence, const char *json)
{
	envelope_encode_message(h2_output(w->rpc.stream), sequence, true, 0,
				slice_of(json));
	h2_send(w->rpc.stream);
}

/* The next envelope that has come, or NULL. */
static envelope_t *take(struct world *w)
{
	const unsigned char *at = (unsigned char *)w->rpc.body.data;
	size_t left = w->rpc.body.len - w->taken_bytes;
	struct err e;

	if (left < GRPC_PREFIX_BYTES)
		return NULL;
	at += w->taken_bytes;
	size_t len = (size_t)at[1] << 24 | (size_t)at[2] << 16 |
		     (size_t)at[3] << 8 | at[4];
	if (left < GRPC_PREFIX_BYTES + len)
		return NULL;
	w->taken_bytes += GRPC_PREFIX_BYTES + len;
	arena_reset(&w->arena);
	envelope_t *envelope = envelope_decode(
		&w->arena, NULL,
		(struct slice){(const char *)at + GRPC_PREFIX_BYTES, len}, &e);
	assert_non_null(envelope);
	return envelope;
}

static envelope_t *wait_envelope(struct world *w)
{
	envelope_t *envelope = take(w);

	for (int i = 0; i < RPC_TURNS && !envelope && !w->rpc.closed; i++) {
		rpc_turn(&w->client);
		envelope = take(w);
	}
	assert_non_null(envelope);
	return envelope;
}

static void wait_for(struct world *w, const unsigned *count, unsigned value)
{
	for (int i = 0; i < RPC_TURNS && *count < value; i++)
		rpc_turn(&w->client);
	assert_int_equal(*count, value);
}

/* Open a session, as an adapter does. */
static void attach(struct world *w)
{
	envelope_hello_t hello = good_hello();

	rpc_begin(&w->client, &w->rpc, SESSION);
	send_hello(w, &hello);
	assert_int_equal(wait_envelope(w)->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME);
	assert_int_equal(session.attached, 1);
}

/* The stream ends with this goodbye and this status. */
static void ends_with(struct world *w,
		      Executor__Mcp__V1__Goodbye__Reason reason, int status)
{
	envelope_t *envelope = wait_envelope(w);

	assert_int_equal(envelope->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE);
	assert_int_equal(envelope->goodbye->reason, reason);
	assert_true(envelope->goodbye->text[0] != '\0');
	rpc_ended(&w->client, &w->rpc, status);
	assert_null(take(w));
}

/* --- hello -----------------------------------------------------------------
 */

static void a_hello_is_welcomed_at_once(void **state)
{
	struct world *w = *state;
	envelope_hello_t hello = good_hello();

	hello.protocol_max = 1000; /* of a later version */
	rpc_begin(&w->client, &w->rpc, SESSION);
	while (w->rpc.blocks == 0)
		rpc_turn(&w->client);
	send_hello(w, &hello);
	const envelope_welcome_t *welcome = wait_envelope(w)->welcome;
	assert_non_null(welcome);
	assert_int_equal(welcome->protocol, version_protocol_max);
	assert_string_equal(welcome->version, version_text);
	assert_int_equal(welcome->epoch, 7);
	assert_memory_equal(welcome->daemon_instance.data, instance,
			    ENVELOPE_ID_BYTES);
	assert_memory_equal(welcome->session.data, session_id,
			    ENVELOPE_ID_BYTES);
	assert_int_equal(welcome->limits->message_bytes,
			 ENVELOPE_MESSAGE_BYTES);
	assert_int_equal(welcome->limits->session_bytes, 1000000);
	assert_int_equal(welcome->limits->chunk_bytes, ENVELOPE_CHUNK_BYTES);
	assert_int_equal(session.attached, 1);
}

static void a_hello_for_somebody_else_is_refused(void **state)
{
	struct world *w = *state;
	unsigned char other[] = "another-instance";
	envelope_hello_t hello[3];

	for (int i = 0; i < 3; i++)
		hello[i] = good_hello();
	hello[0].protocol_min = hello[0].protocol_max =
		version_protocol_max + 1;
	hello[1].epoch = 8;
	hello[2].daemon_instance.data = other;
	for (int i = 0; i < 3; i++) {
		rpc_finish(&w->rpc);
		w->taken_bytes = 0;
		rpc_begin(&w->client, &w->rpc, SESSION);
		send_hello(w, &hello[i]);
		ends_with(w,
			  EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_MISMATCH,
			  GRPC_FAILED_PRECONDITION);
	}
	assert_int_equal(session.opened, 0);
}

static void a_hello_need_not_know_whom_it_meets(void **state)
{
	struct world *w = *state;
	envelope_hello_t hello = good_hello();

	hello.epoch = 0;
	hello.daemon_instance.len = 0;
	rpc_begin(&w->client, &w->rpc, SESSION);
	send_hello(w, &hello);
	assert_non_null(wait_envelope(w)->welcome);
}

static void silence_instead_of_a_hello_is_dropped(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, SESSION);
	rpc_send(&w->rpc, "\0\0", 2); /* half a prefix */
	rpc_ended(&w->client, &w->rpc, GRPC_DEADLINE_EXCEEDED);
	assert_int_equal(session.opened, 0);
}

static void something_else_than_a_hello_is_refused(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, SESSION);
	send_message(w, 1, "{}");
	send_message(w, 2, "{}");
	ends_with(w, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_PROTOCOL_ERROR,
		  GRPC_INTERNAL);
	assert_int_equal(session.opened, 0);
	assert_int_equal(session.accepted.len, 0);
}

static void a_draining_daemon_takes_no_session(void **state)
{
	struct world *w = *state;
	envelope_hello_t hello = good_hello();

	session.refuse = ERR_DRAINING;
	rpc_begin(&w->client, &w->rpc, SESSION);
	send_hello(w, &hello);
	ends_with(w, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING,
		  GRPC_UNAVAILABLE);
}

static void an_overloaded_daemon_takes_no_session(void **state)
{
	struct world *w = *state;
	envelope_hello_t hello = good_hello();

	session.refuse = ERR_OVERLOADED;
	rpc_begin(&w->client, &w->rpc, SESSION);
	send_hello(w, &hello);
	rpc_ended(&w->client, &w->rpc, GRPC_RESOURCE_EXHAUSTED);
	assert_null(take(w));
}

/* --- while it is open -------------------------------------------------------
 */

static void messages_go_both_ways(void **state)
{
	struct world *w = *state;

	attach(w);
	send_message(w, 1, "{\"up\":1}");
	send_message(w, 2, "{\"up\":2}");
	while (session.accepted.len < strlen("1!:{\"up\":1} 2!:{\"up\":2} "))
		rpc_turn(&w->client);
	assert_true(slice_is(buf_slice(&session.accepted),
			     "1!:{\"up\":1} 2!:{\"up\":2} "));
	struct message *m = message_new(slice_of("{\"down\":1}"), false);
	m->sequence = 1;
	session.functions->send(session.stream, m);
	assert_true(session.functions->queued(session.stream) > 0);
	message_unref(m);
	envelope_t *envelope = wait_envelope(w);
	assert_int_equal(envelope->message->sequence, 1);
	assert_true(slice_is(protobuf_slice(envelope->message->json),
			     "{\"down\":1}"));
	/* Both were accepted, and a message went that way anyhow. */
	assert_int_equal(envelope->message->received, 2);
	envelope_encode_ack(h2_output(w->rpc.stream), 1);
	h2_send(w->rpc.stream);
	while (session.acked == 0)
		rpc_turn(&w->client);
	assert_int_equal(session.acked, 1);
}

static void a_paused_stream_takes_nothing_up(void **state)
{
	struct world *w = *state;

	attach(w);
	session.functions->pause(session.stream, true);
	send_message(w, 1, "{}");
	for (int i = 0; i < 10; i++)
		ev_run(w->loop, EVRUN_NOWAIT);
	assert_int_equal(session.accepted.len, 0);
	session.functions->pause(session.stream, false);
	while (session.accepted.len == 0)
		rpc_turn(&w->client);
	assert_true(slice_is(buf_slice(&session.accepted), "1!:{} "));
}

/* --- the end -----------------------------------------------------------------
 */

static void a_goodbye_ends_the_session(void **state)
{
	struct world *w = *state;

	attach(w);
	envelope_encode_goodbye(
		h2_output(w->rpc.stream),
		EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_CLIENT_LEFT, "bye",
		NULL);
	h2_send(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	assert_int_equal(session.detached, 1);
	assert_int_equal(session.left, 1);
	assert_null(take(w));
}

static void an_end_without_a_goodbye_keeps_the_session(void **state)
{
	struct world *w = *state;

	attach(w);
	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	assert_int_equal(session.detached, 1);
	assert_int_equal(session.left, 0);
}

static void an_end_inside_an_envelope_is_refused(void **state)
{
	struct world *w = *state;

	attach(w);
	rpc_send(&w->rpc, "\0\0\0\0\x09x", 6);
	h2_end(w->rpc.stream);
	ends_with(w, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_PROTOCOL_ERROR,
		  GRPC_INTERNAL);
	assert_int_equal(session.detached, 1);
}

static void a_second_hello_is_refused(void **state)
{
	struct world *w = *state;
	envelope_hello_t hello = good_hello();

	attach(w);
	send_hello(w, &hello);
	ends_with(w, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_PROTOCOL_ERROR,
		  GRPC_INTERNAL);
	assert_int_equal(session.opened, 1);
	assert_int_equal(session.detached, 1);
	assert_int_equal(session.left, 0);
}

static void garbage_is_refused(void **state)
{
	struct world *w = *state;

	attach(w);
	rpc_message(&w->rpc, "\x0a\x7f", 2);
	ends_with(w, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_PROTOCOL_ERROR,
		  GRPC_INTERNAL);
	assert_int_equal(session.detached, 1);
}

static void a_reset_keeps_the_session(void **state)
{
	struct world *w = *state;

	attach(w);
	h2_reset(w->rpc.stream, H2_CANCEL);
	wait_for(w, &session.detached, 1);
	assert_int_equal(session.left, 0);
}

static void a_lost_connection_keeps_the_session(void **state)
{
	struct world *w = *state;

	attach(w);
	rpc_disconnect(&w->client);
	wait_for(w, &session.detached, 1);
	assert_int_equal(session.left, 0);
}

static void a_session_may_end_its_stream_while_it_accepts(void **state)
{
	struct world *w = *state;

	attach(w);
	session.end_when_accepting = true;
	send_message(w, 1, "{}");
	send_message(w, 2, "{}");
	ends_with(w, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_SLOW_READER,
		  GRPC_OK);
	assert_true(slice_is(buf_slice(&session.accepted), "1!:{} "));
	assert_int_equal(session.detached, 0); /* it knew */
}

static void send_large(void)
{
	char *text = calloc(1, LARGE_BYTES);

	memset(text, ' ', LARGE_BYTES);
	struct message *m =
		message_new((struct slice){text, LARGE_BYTES}, false);
	m->sequence = 1;
	session.functions->send(session.stream, m);
	message_unref(m);
	free(text);
}

static void draining_lets_out_what_is_queued(void **state)
{
	struct world *w = *state;
	size_t bytes = 0;

	attach(w);
	send_large();
	end_stream(&session,
		   EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING);
	while (bytes < LARGE_BYTES) {
		envelope_t *envelope = wait_envelope(w);

		assert_int_equal(envelope->body_case,
				 EXECUTOR__MCP__V1__ENVELOPE__BODY_CHUNK);
		assert_int_equal(envelope->chunk->offset, bytes);
		bytes += envelope->chunk->data.len;
	}
	ends_with(w, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING,
		  GRPC_OK);
}

static void a_goodbye_carries_what_was_not_taken_over(void **state)
{
	struct world *w = *state;

	attach(w);
	end_stream(&session,
		   EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING);
	const envelope_untaken_t *untaken = wait_envelope(w)->goodbye->untaken;
	assert_non_null(untaken);
	assert_int_equal(untaken->above, 6);
	assert_int_equal(untaken->n_sequences, 2);
	assert_int_equal(untaken->sequences[1], 4);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
}

static void a_client_may_leave_while_it_is_let_out(void **state)
{
	struct world *w = *state;

	attach(w);
	send_large();
	end_stream(&session,
		   EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING);
	wait_envelope(w);
	rpc_disconnect(&w->client);
	while (peers_count(w->peers) > 0)
		rpc_turn(&w->client);
	assert_int_equal(session.detached, 0);
}

static void another_stream_took_over(void **state)
{
	struct world *w = *state;

	attach(w);
	end_stream(&session,
		   EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_SUPERSEDED);
	ends_with(w, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_SUPERSEDED,
		  GRPC_OK);
	assert_int_equal(session.detached, 0);
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_hello_is_welcomed_at_once),
		world_test(a_hello_for_somebody_else_is_refused),
		world_test(a_hello_need_not_know_whom_it_meets),
		cmocka_unit_test_setup_teardown(
			silence_instead_of_a_hello_is_dropped, begin_impatient,
			end),
		world_test(something_else_than_a_hello_is_refused),
		world_test(a_draining_daemon_takes_no_session),
		world_test(an_overloaded_daemon_takes_no_session),
		world_test(messages_go_both_ways),
		world_test(a_paused_stream_takes_nothing_up),
		world_test(a_goodbye_ends_the_session),
		world_test(an_end_without_a_goodbye_keeps_the_session),
		world_test(an_end_inside_an_envelope_is_refused),
		world_test(a_second_hello_is_refused),
		world_test(garbage_is_refused),
		world_test(a_reset_keeps_the_session),
		world_test(a_lost_connection_keeps_the_session),
		world_test(a_session_may_end_its_stream_while_it_accepts),
		world_test(draining_lets_out_what_is_queued),
		world_test(a_goodbye_carries_what_was_not_taken_over),
		world_test(a_client_may_leave_while_it_is_let_out),
		world_test(another_stream_took_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
