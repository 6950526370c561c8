/*
 * envelope: what decodes is encoded again and decodes to the same; what reads
 * and writes without protobuf-c agrees with it byte for byte.
 */
#include <assert.h>

#include "fuzz.h"
#include "proto/envelope.h"
#include "proto/grpc.h"

/* What is left when the gRPC prefix is taken off. */
static struct slice body_of(const struct buf *framed)
{
	assert(framed->len >= GRPC_PREFIX_BYTES);
	return (struct slice){framed->data + GRPC_PREFIX_BYTES,
			      framed->len - GRPC_PREFIX_BYTES};
}

/* The same envelope by the encoder that builds no struct, where there is
 * one. */
static bool encode_by_hand(struct buf *to, const envelope_t *e)
{
	switch ((unsigned)e->body_case) {
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE:
		envelope_encode_message(
			to, e->message->sequence, e->message->effect,
			e->message->received, protobuf_slice(e->message->json));
		return true;
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_CHUNK:
		envelope_encode_chunk(to, e->chunk->sequence, e->chunk->effect,
				      e->chunk->total, e->chunk->offset,
				      protobuf_slice(e->chunk->data));
		return true;
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_ACK:
		envelope_encode_ack(to, e->ack->received);
		return true;
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE:
		envelope_encode_goodbye(to, e->goodbye->reason,
					e->goodbye->text, e->goodbye->untaken);
		return true;
	default:
		return false;
	}
}

/* Unknown fields are kept by protobuf-c, which reads more than it writes, and
 * by nothing of ours. */
static void drop_unknown(envelope_t *e)
{
	ProtobufCMessage *body = (void *)e->message; /* of the union, any */

	e->base.n_unknown_fields = 0;
	body->n_unknown_fields = 0;
	if (e->body_case == EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE &&
	    e->goodbye->untaken)
		e->goodbye->untaken->base.n_unknown_fields = 0;
	if (e->body_case != EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME)
		return;
	if (e->welcome->limits)
		e->welcome->limits->base.n_unknown_fields = 0;
	for (size_t i = 0; i < e->welcome->n_verdicts; i++)
		e->welcome->verdicts[i]->base.n_unknown_fields = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {(const char *)data, size};
	struct arena arena = {0};
	struct arena second = {0};
	struct buf once = {0};
	struct buf twice = {0};
	struct buf by_hand = {0};
	struct envelope_room room;
	struct err e = {0};

	envelope_t *envelope = envelope_decode(&arena, NULL, bytes, &e);
	envelope_t *read = envelope_decode(&second, &room, bytes, &e);
	assert(!envelope == !read);
	if (!envelope) {
		assert(e.reason == ERR_PROTOCOL || e.reason == ERR_TOO_LARGE);
		goto out;
	}
	drop_unknown(envelope);
	envelope_encode(&once, envelope);
	drop_unknown(read);
	envelope_encode(&twice, read);
	assert(slice_equal(buf_slice(&once), buf_slice(&twice)));
	buf_reset(&twice, 0);
	arena_reset(&second);
	envelope_t *again = envelope_decode(&second, &room, body_of(&once), &e);
	assert(again);
	assert(again->body_case == envelope->body_case);
	envelope_encode(&twice, again);
	assert(slice_equal(buf_slice(&once), buf_slice(&twice)));
	if (encode_by_hand(&by_hand, envelope))
		assert(slice_equal(buf_slice(&once), buf_slice(&by_hand)));
out:
	buf_finish(&once);
	buf_finish(&twice);
	buf_finish(&by_hand);
	arena_finish(&arena);
	arena_finish(&second);
	return 0;
}
