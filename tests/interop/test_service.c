#include "tests/interop/test_service.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "grpc/testing/empty.pb-c.h"
#include "grpc/testing/messages.pb-c.h"
#include "proto/mem.h"
#include "proto/protobuf.h"
#include "server/face/call.h"
#include "server/face/metadata.h"
#include "server/face/service.h"
#include "tests/interop/test_stream.h"

enum {
	/* What every stock server takes unless it is told otherwise. */
	REQUEST_BYTES = 4 * 1024 * 1024,
};

struct test_service {
	struct ev_loop *loop;
	struct arena arena;
};

/* A request of that type, until the next one; NULL with *e set. */
static const void *unpack(struct test_service *t,
			  const ProtobufCMessageDescriptor *type,
			  struct slice request, struct err *e)
{
	arena_reset(&t->arena);
	return protobuf_unpack(&t->arena, type, request, e);
}

/* "When the client sends metadata with the key "x-grpc-test-echo-initial" with
 * its request, the server sends back exactly this key and the corresponding
 * value back to the client as part of initial metadata"; the other one as
 * trailing metadata. */
static void echo_metadata(struct call *c)
{
	static const char initial[] = "x-grpc-test-echo-initial";
	static const char trailing[] = "x-grpc-test-echo-trailing-bin";
	struct slice value = metadata_get(call_metadata(c), initial);

	if (value.ptr)
		call_initial(c, initial, value);
	value = metadata_get(call_metadata(c), trailing);
	if (value.ptr)
		call_trailing(c, trailing, value);
}

static struct fate *on_empty(void *service, struct call *c,
			     struct slice request)
{
	struct test_service *t = service;
	Grpc__Testing__Empty answer;
	struct err e;

	if (!unpack(t, &grpc__testing__empty__descriptor, request, &e))
		return call_fail(c, &e);
	grpc__testing__empty__init(&answer);
	echo_metadata(c);
	return call_reply(c, &answer.base);
}

static struct fate *answer_zeroes(struct call *c, size_t len)
{
	Grpc__Testing__SimpleResponse answer;
	Grpc__Testing__Payload payload;
	char *zeroes = mem_zalloc(len + 1);

	grpc__testing__simple_response__init(&answer);
	grpc__testing__payload__init(&payload);
	payload.body = protobuf_bytes((struct slice){zeroes, len});
	answer.payload = &payload;
	struct fate *fate = call_reply(c, &answer.base);
	free(zeroes);
	return fate;
}

static struct fate *on_unary(void *service, struct call *c,
			     struct slice request)
{
	struct test_service *t = service;
	const Grpc__Testing__SimpleRequest *asked;
	struct err e;

	asked = unpack(t, &grpc__testing__simple_request__descriptor, request,
		       &e);
	if (!asked)
		return call_fail(c, &e);
	echo_metadata(c);
	if (!test_expected(asked->expect_compressed, c, &e) ||
	    !test_can_make(asked->response_type, asked->response_size, &e))
		return call_fail(c, &e);
	if (asked->response_status)
		return call_status(c,
				   (enum grpc_code)asked->response_status->code,
				   asked->response_status->message);
	call_compress(c, test_compression(asked->response_compressed));
	return answer_zeroes(c, (size_t)asked->response_size);
}

/* "It returns the SimpleResponse proto with the payload set to current
 * timestamp [...] In addition it adds cache control headers". */
static struct fate *on_cacheable_unary(void *service, struct call *c,
				       struct slice request)
{
	struct test_service *t = service;
	Grpc__Testing__SimpleResponse answer;
	Grpc__Testing__Payload payload;
	struct timespec now;
	char text[32];
	struct err e;

	if (!unpack(t, &grpc__testing__simple_request__descriptor, request, &e))
		return call_fail(c, &e);
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, sizeof(text), "%lld%09ld", (long long)now.tv_sec,
		 now.tv_nsec);
	grpc__testing__simple_response__init(&answer);
	grpc__testing__payload__init(&payload);
	payload.body = protobuf_bytes(slice_of(text));
	answer.payload = &payload;
	echo_metadata(c);
	call_initial(c, "cache-control", slice_of("max-age=60, public"));
	return call_reply(c, &answer.base);
}

static struct fate *on_streaming_output(void *service, struct call *c,
					struct slice request)
{
	struct test_service *t = service;

	echo_metadata(c);
	return test_stream_output(t->loop, c, request);
}

static struct fate *on_streaming_input(void *service, struct call *c)
{
	(void)service;
	echo_metadata(c);
	return test_stream_input(c);
}

static struct fate *on_full_duplex(void *service, struct call *c)
{
	struct test_service *t = service;

	echo_metadata(c);
	return test_stream_duplex(t->loop, c, true);
}

static struct fate *on_half_duplex(void *service, struct call *c)
{
	struct test_service *t = service;

	echo_metadata(c);
	return test_stream_duplex(t->loop, c, false);
}

static const struct method methods[] = {
	{.name = "EmptyCall", .unary = on_empty},
	{.name = "UnaryCall", .unary = on_unary},
	{.name = "CacheableUnaryCall", .unary = on_cacheable_unary},
	{.name = "StreamingOutputCall", .server_stream = on_streaming_output},
	{.name = "StreamingInputCall", .client_stream = on_streaming_input},
	{.name = "FullDuplexCall", .bidi = on_full_duplex},
	{.name = "HalfDuplexCall", .bidi = on_half_duplex},
};

struct test_service *test_service_new(struct ev_loop *loop,
				      struct services *services)
{
	struct test_service *t = mem_zalloc(sizeof(*t));

	t->loop = loop;
	services_add(services, &(struct service){
				       .name = "grpc.testing.TestService",
				       .methods = methods,
				       .method_count = sizeof(methods) /
						       sizeof(methods[0]),
				       .limit_bytes = REQUEST_BYTES,
				       .object = t,
			       });
	return t;
}

void test_service_free(struct test_service *t)
{
	arena_finish(&t->arena);
	free(t);
}
