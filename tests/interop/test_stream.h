/*
 * test_stream: the streams of grpc.testing.TestService, and what its requests
 * have in common.
 *
 * A stream is freed when its call is settled or closed.
 */
#ifndef TESTS_INTEROP_TEST_STREAM_H
#define TESTS_INTEROP_TEST_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "grpc/testing/messages.pb-c.h"
#include "server/face/call.h"

/* Did the request at hand come as it says it did?  ERR_INVALID_ARGUMENT.  NULL
 * says nothing. */
bool test_expected(const Grpc__Testing__BoolValue *compressed,
		   const struct call *c, struct err *e);

/* Can there be a payload of that type and size?  ERR_INVALID_ARGUMENT. */
bool test_can_make(Grpc__Testing__PayloadType type, int32_t size,
		   struct err *e);

enum call_compression
test_compression(const Grpc__Testing__BoolValue *compressed);

/* StreamingOutputCall */
struct fate *test_stream_output(struct ev_loop *loop, struct call *c,
				struct slice request);

/* StreamingInputCall */
struct fate *test_stream_input(struct call *c);

/* FullDuplexCall, at_once: a request is answered when it has come; or
 * HalfDuplexCall: when all have. */
struct fate *test_stream_duplex(struct ev_loop *loop, struct call *c,
				bool at_once);

#endif
