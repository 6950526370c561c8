/* reflection: one stream, many questions, an answer to each in its order. */
#include "server/face/reflection_service.h"

#include "server/face/call.h"
#include "server/face/descriptors.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "tests/support/rpc.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "grpc/reflection/v1/reflection.pb-c.h"
#include "proto/log.h"
#include "proto/protobuf.h"

#define V1	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define V1ALPHA "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

#define REQUEST(kind)                                                          \
	GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##kind
#define RESPONSE(kind)                                                         \
	GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##kind

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

enum { ANSWERS_MAX = 400 };

struct world {
	struct ev_loop *loop;
	struct services services;
	struct reflection *reflection;
	struct peers *peers;
	struct rpc_client client;
	struct rpc rpc;
	/* The answers, read out of rpc.body. */
	struct arena arenas[ANSWERS_MAX];
	const Response *answers[ANSWERS_MAX];
	size_t count;
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
	services_add(&w->services, &(struct service){.name = "test.Other"});
	w->reflection = reflection_new(&w->services);
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
	reflection_free(w->reflection);
	rpc_finish(&w->rpc);
	for (size_t i = 0; i < ANSWERS_MAX; i++)
		arena_finish(&w->arenas[i]);
	ev_loop_destroy(w->loop);
	free(w);
	return 0;
}

/* --- asking --------------------------------------------------------------- */

static void ask(struct world *w, const Request *m)
{
	struct buf bytes = {0};

	protobuf_pack(&bytes, &m->base);
	rpc_message(&w->rpc, bytes.data, bytes.len);
	buf_finish(&bytes);
}

static Request about(const char *host)
{
	Request m;

	grpc__reflection__v1__server_reflection_request__init(&m);
	m.host = (char *)(uintptr_t)host;
	return m;
}

static void ask_symbol(struct world *w, const char *name)
{
	Request m = about("here");

	m.message_request_case = REQUEST(FILE_CONTAINING_SYMBOL);
	m.file_containing_symbol = (char *)(uintptr_t)name;
	ask(w, &m);
}

static void ask_file(struct world *w, const char *name)
{
	Request m = about("here");

	m.message_request_case = REQUEST(FILE_BY_FILENAME);
	m.file_by_filename = (char *)(uintptr_t)name;
	ask(w, &m);
}

static bool on_answer(void *owner, struct slice message)
{
	struct world *w = owner;
	struct err e;

	assert_true(w->count < ANSWERS_MAX);
	w->answers[w->count] = protobuf_unpack(
		&w->arenas[w->count],
		&grpc__reflection__v1__server_reflection_response__descriptor,
		message, &e);
	assert_non_null(w->answers[w->count]);
	w->count++;
	return true;
}

static const struct grpc_reader_events reader_events = {
	.message = on_answer,
};

/* The client has no more questions: read all the answers. */
static void hear(struct world *w, size_t count)
{
	struct grpc_reader reader;
	struct err e;

	h2_end(w->rpc.stream);
	rpc_ended(&w->client, &w->rpc, GRPC_OK);
	grpc_reader_init(&reader, SIZE_MAX);
	assert_true(grpc_reader_feed(&reader, buf_slice(&w->rpc.body),
				     &reader_events, w, &e));
	assert_true(grpc_reader_end(&reader, &e));
	grpc_reader_finish(&reader);
	assert_int_equal(w->count, count);
}

static void is_error(const Response *r, enum grpc_code code, const char *name)
{
	assert_int_equal(r->message_response_case, RESPONSE(ERROR_RESPONSE));
	assert_int_equal(r->error_response->error_code, code);
	assert_non_null(strstr(r->error_response->error_message, name));
}

/* --- tests ---------------------------------------------------------------- */

static void only_services_that_are_there_are_listed(void **state)
{
	static const char *const names[] = {
		"test.Other",
		"grpc.reflection.v1.ServerReflection",
		"grpc.reflection.v1alpha.ServerReflection",
	};
	struct world *w = *state;
	Request m = about("");

	rpc_begin(&w->client, &w->rpc, V1);
	m.message_request_case = REQUEST(LIST_SERVICES);
	m.list_services = (char *)(uintptr_t) "*";
	ask(w, &m);
	hear(w, 1);
	const Response *r = w->answers[0];
	assert_int_equal(r->message_response_case,
			 RESPONSE(LIST_SERVICES_RESPONSE));
	assert_int_equal(r->list_services_response->n_service, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(r->list_services_response->service[i]->name,
				    names[i]);
}

static void a_file_is_found_by_name_and_by_symbol(void **state)
{
	static const char *const paths[] = {V1, V1ALPHA};
	struct slice file = descriptors_file(
		descriptors_own(), slice_of("executor/mcp/v1/mcp.proto"));
	struct world *w = *state;

	for (size_t p = 0; p < 2; p++) {
		rpc_finish(&w->rpc);
		rpc_begin(&w->client, &w->rpc, paths[p]);
		w->count = 0;
		ask_file(w, "executor/mcp/v1/mcp.proto");
		ask_symbol(w, "executor.mcp.v1.McpService.Call");
		hear(w, 2);
		for (size_t i = 0; i < 2; i++) {
			const Response *r = w->answers[i];

			assert_string_equal(r->valid_host, "here");
			assert_int_equal(r->message_response_case,
					 RESPONSE(FILE_DESCRIPTOR_RESPONSE));
			assert_int_equal(r->file_descriptor_response
						 ->n_file_descriptor_proto,
					 1);
			assert_true(slice_equal(
				protobuf_slice(
					r->file_descriptor_response
						->file_descriptor_proto[0]),
				file));
		}
		assert_string_equal(
			w->answers[1]->original_request->file_containing_symbol,
			"executor.mcp.v1.McpService.Call");
	}
}

static void what_cannot_be_answered_is_an_error_in_the_stream(void **state)
{
	Grpc__Reflection__V1__ExtensionRequest extension;
	struct world *w = *state;
	Request m;

	rpc_begin(&w->client, &w->rpc, V1);
	ask_file(w, "no/such.proto");
	ask_symbol(w, "no.such.Symbol");
	grpc__reflection__v1__extension_request__init(&extension);
	extension.containing_type = (char *)(uintptr_t) "executor.mcp.v1.Ack";
	extension.extension_number = 100;
	m = about("");
	m.message_request_case = REQUEST(FILE_CONTAINING_EXTENSION);
	m.file_containing_extension = &extension;
	ask(w, &m);
	m = about("");
	m.message_request_case = REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE);
	m.all_extension_numbers_of_type = (char *)(uintptr_t) "no.such.Message";
	ask(w, &m);
	m.all_extension_numbers_of_type = extension.containing_type;
	ask(w, &m);
	m = about("");
	ask(w, &m);
	ask_symbol(w, "executor.mcp.v1.Ack");
	hear(w, 7);
	is_error(w->answers[0], GRPC_NOT_FOUND, "no/such.proto");
	is_error(w->answers[1], GRPC_NOT_FOUND, "no.such.Symbol");
	is_error(w->answers[2], GRPC_NOT_FOUND, "executor.mcp.v1.Ack");
	is_error(w->answers[3], GRPC_NOT_FOUND, "no.such.Message");
	/* A message without extensions has none of them. */
	assert_int_equal(w->answers[4]->message_response_case,
			 RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE));
	assert_string_equal(
		w->answers[4]->all_extension_numbers_response->base_type_name,
		"executor.mcp.v1.Ack");
	assert_int_equal(
		w->answers[4]
			->all_extension_numbers_response->n_extension_number,
		0);
	is_error(w->answers[5], GRPC_UNIMPLEMENTED, "kind");
	assert_int_equal(w->answers[6]->message_response_case,
			 RESPONSE(FILE_DESCRIPTOR_RESPONSE));
}

static void bytes_that_are_no_request_end_the_stream(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, V1);
	rpc_message(&w->rpc, "\xff\xff", 2);
	rpc_ended(&w->client, &w->rpc, GRPC_INTERNAL);
}

static void who_does_not_read_is_not_read_either(void **state)
{
	enum { ASKED = 200, HOST_BYTES = 3000 };
	char host[HOST_BYTES + 1] = {0};
	struct world *w = *state;
	Request m = about(host);

	memset(host, 'h', HOST_BYTES);
	m.message_request_case = REQUEST(FILE_CONTAINING_SYMBOL);
	m.file_containing_symbol =
		(char *)(uintptr_t) "executor.admin.v1.AdminService";
	rpc_begin(&w->client, &w->rpc, V1);
	w->rpc.unread = true;
	for (int i = 0; i < ASKED; i++)
		ask(w, &m);
	for (int i = 0; i < 200; i++)
		ev_run(w->loop, EVRUN_NOWAIT);
	assert_false(w->rpc.end);
	assert_true(h2_queued(w->rpc.stream) > ASKED * HOST_BYTES / 2);
	/* It reads again, and misses nothing. */
	w->rpc.unread = false;
	h2_consume(w->rpc.stream, w->rpc.body.len);
	hear(w, ASKED);
	assert_true(w->rpc.body.len > 2 * CALL_QUEUE_BYTES);
}

static void a_stream_ends_when_the_server_does(void **state)
{
	struct world *w = *state;

	rpc_begin(&w->client, &w->rpc, V1);
	for (int i = 0; i < RPC_TURNS && w->rpc.blocks == 0; i++)
		rpc_turn(&w->client);
	assert_false(w->rpc.end);
	reflection_end(w->reflection);
	rpc_ended(&w->client, &w->rpc, GRPC_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			only_services_that_are_there_are_listed, begin, end),
		cmocka_unit_test_setup_teardown(
			a_file_is_found_by_name_and_by_symbol, begin, end),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_answered_is_an_error_in_the_stream,
			begin, end),
		cmocka_unit_test_setup_teardown(
			bytes_that_are_no_request_end_the_stream, begin, end),
		cmocka_unit_test_setup_teardown(
			who_does_not_read_is_not_read_either, begin, end),
		cmocka_unit_test_setup_teardown(
			a_stream_ends_when_the_server_does, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
