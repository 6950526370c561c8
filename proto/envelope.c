#include "proto/envelope.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/err.h"
#include "proto/grpc.h"

static bool is_id(ProtobufCBinaryData id)
{
	return id.len == ENVELOPE_ID_BYTES;
}

static bool is_id_or_empty(ProtobufCBinaryData id)
{
	return id.len == 0 || is_id(id);
}

static bool check_hello(const envelope_hello_t *h, struct err *e)
{
	if (h->protocol_min == 0 || h->protocol_min > h->protocol_max)
		return err_set(e, ERR_PROTOCOL,
			       "a hello speaks the protocols %u to %u",
			       h->protocol_min, h->protocol_max);
	if (!is_id(h->adapter_instance) || !is_id_or_empty(h->session) ||
	    !is_id_or_empty(h->daemon_instance))
		return err_set(e, ERR_PROTOCOL,
			       "an id in a hello is not %d bytes",
			       ENVELOPE_ID_BYTES);
	if (h->n_pending > ENVELOPE_PENDING_MAX)
		return err_set(e, ERR_TOO_LARGE,
			       "a hello with %zu pending requests; the limit "
			       "is %d",
			       h->n_pending, ENVELOPE_PENDING_MAX);
	if (h->n_subscriptions > ENVELOPE_SUBSCRIPTIONS_MAX)
		return err_set(e, ERR_TOO_LARGE,
			       "a hello with %zu subscriptions; the limit "
			       "is %d",
			       h->n_subscriptions, ENVELOPE_SUBSCRIPTIONS_MAX);
	for (size_t i = 0; i < h->n_pending; i++)
		if (h->pending[i] == 0)
			return err_set(e, ERR_PROTOCOL,
				       "a pending request is numbered 0");
	return true;
}

static bool check_welcome(const envelope_welcome_t *w, struct err *e)
{
	if (w->protocol == 0)
		return err_set(e, ERR_PROTOCOL, "a welcome without a protocol");
	if (!is_id(w->daemon_instance) || !is_id(w->session))
		return err_set(e, ERR_PROTOCOL,
			       "an id in a welcome is not %d bytes",
			       ENVELOPE_ID_BYTES);
	if (w->n_verdicts > ENVELOPE_PENDING_MAX)
		return err_set(e, ERR_TOO_LARGE,
			       "a welcome with %zu verdicts; the limit is %d",
			       w->n_verdicts, ENVELOPE_PENDING_MAX);
	for (size_t i = 0; i < w->n_verdicts; i++)
		if (w->verdicts[i]->sequence == 0)
			return err_set(e, ERR_PROTOCOL,
				       "a verdict on a request numbered 0");
	return true;
}

static bool check_chunk(const Executor__Mcp__V1__Chunk *c, struct err *e)
{
	if (c->sequence == 0)
		return err_set(e, ERR_PROTOCOL, "a chunk numbered 0");
	if (c->data.len == 0)
		return err_set(e, ERR_PROTOCOL, "an empty chunk");
	if (c->data.len > c->total || c->offset > c->total - c->data.len)
		return err_set(e, ERR_PROTOCOL,
			       "a chunk outside of its message");
	return true;
}

static bool check_goodbye(const envelope_goodbye_t *g, struct err *e)
{
	size_t count = g->untaken ? g->untaken->n_sequences : 0;

	if (count > ENVELOPE_PENDING_MAX)
		return err_set(e, ERR_TOO_LARGE,
			       "a goodbye with %zu sequences; the limit is %d",
			       count, ENVELOPE_PENDING_MAX);
	return true;
}

static bool check_body(const envelope_t *envelope, struct err *e)
{
	switch (envelope->body_case) {
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_HELLO:
		return check_hello(envelope->hello, e);
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME:
		return check_welcome(envelope->welcome, e);
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE:
		if (envelope->message->sequence == 0)
			return err_set(e, ERR_PROTOCOL, "a message numbered 0");
		return true;
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_CHUNK:
		return check_chunk(envelope->chunk, e);
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE:
		return check_goodbye(envelope->goodbye, e);
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_ACK:
		return true;
	case EXECUTOR__MCP__V1__ENVELOPE__BODY__NOT_SET:
	case _EXECUTOR__MCP__V1__ENVELOPE__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return err_set(e, ERR_PROTOCOL, "an envelope without a body");
}

/* --- the wire format by hand ----------------------------------------------
 *
 * protobuf.dev, Encoding: a field is a varint of number << 3 | wire type, then
 * its value; a field that has its default is not written.  Fields go out by
 * their numbers, as protobuf-c does.
 */
enum wire_type { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* Numbers in executor/mcp/v1/mcp.proto. */
enum {
	ENVELOPE_MESSAGE = 3,
	ENVELOPE_ACK = 4,
	ENVELOPE_CHUNK = 6,
	MESSAGE_SEQUENCE = 1,
	MESSAGE_EFFECT = 2,
	MESSAGE_JSON = 3,
	MESSAGE_RECEIVED = 4,
	ACK_RECEIVED = 1,
	CHUNK_SEQUENCE = 1,
	CHUNK_EFFECT = 2,
	CHUNK_TOTAL = 3,
	CHUNK_OFFSET = 4,
	CHUNK_DATA = 5,
};

/* What is left of a message. */
struct cursor {
	const unsigned char *at;
	const unsigned char *end;
};

/* protobuf-c takes a length of five bytes and a number of ten; what comes near
 * that is left to it. */
enum { LENGTH_BYTES = 4, NUMBER_BYTES = 9 };

static bool take_varint(struct cursor *c, unsigned most_bytes, uint64_t *value)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < most_bytes && c->at < c->end; i++) {
		unsigned char byte = *c->at++;

		sum |= (uint64_t)(byte & 0x7f) << 7 * i;
		if (byte < 0x80) {
			*value = sum;
			return true;
		}
	}
	return false;
}

static bool take_number(struct cursor *c, uint64_t *value)
{
	return take_varint(c, NUMBER_BYTES, value);
}

static bool take_bool(struct cursor *c, protobuf_c_boolean *value)
{
	uint64_t number;

	if (!take_number(c, &number))
		return false;
	*value = number != 0;
	return true;
}

static bool take_bytes(struct cursor *c, ProtobufCBinaryData *value)
{
	uint64_t len;

	if (!take_varint(c, LENGTH_BYTES, &len) ||
	    len > (size_t)(c->end - c->at))
		return false;
	*value = protobuf_bytes((struct slice){(const char *)c->at, len});
	c->at += len;
	return true;
}

static bool read_message(struct cursor *c, Executor__Mcp__V1__Message *m)
{
	bool ok = true;

	executor__mcp__v1__message__init(m);
	while (ok && c->at < c->end) {
		switch (*c->at++) {
		case MESSAGE_SEQUENCE << 3 | WIRE_VARINT:
			ok = take_number(c, &m->sequence);
			break;
		case MESSAGE_EFFECT << 3 | WIRE_VARINT:
			ok = take_bool(c, &m->effect);
			break;
		case MESSAGE_JSON << 3 | WIRE_BYTES:
			ok = take_bytes(c, &m->json);
			break;
		case MESSAGE_RECEIVED << 3 | WIRE_VARINT:
			ok = take_number(c, &m->received);
			break;
		default:
			ok = false;
		}
	}
	return ok;
}

static bool read_chunk(struct cursor *c, Executor__Mcp__V1__Chunk *chunk)
{
	bool ok = true;

	executor__mcp__v1__chunk__init(chunk);
	while (ok && c->at < c->end) {
		switch (*c->at++) {
		case CHUNK_SEQUENCE << 3 | WIRE_VARINT:
			ok = take_number(c, &chunk->sequence);
			break;
		case CHUNK_EFFECT << 3 | WIRE_VARINT:
			ok = take_bool(c, &chunk->effect);
			break;
		case CHUNK_TOTAL << 3 | WIRE_VARINT:
			ok = take_number(c, &chunk->total);
			break;
		case CHUNK_OFFSET << 3 | WIRE_VARINT:
			ok = take_number(c, &chunk->offset);
			break;
		case CHUNK_DATA << 3 | WIRE_BYTES:
			ok = take_bytes(c, &chunk->data);
			break;
		default:
			ok = false;
		}
	}
	return ok;
}

static bool read_ack(struct cursor *c, Executor__Mcp__V1__Ack *ack)
{
	executor__mcp__v1__ack__init(ack);
	return c->at < c->end &&
	       *c->at++ == (ACK_RECEIVED << 3 | WIRE_VARINT) &&
	       take_number(c, &ack->received) && c->at == c->end;
}

/* NULL: it is another envelope, or written in another way. */
static envelope_t *read_envelope(struct envelope_room *room, struct slice bytes)
{
	const unsigned char *start = (const unsigned char *)bytes.ptr;
	struct cursor c = {start + 1, start + bytes.len};
	envelope_t *envelope = &room->envelope;
	bool ok = false;
	uint64_t len;

	if (bytes.len == 0 || !take_varint(&c, LENGTH_BYTES, &len) ||
	    len != (size_t)(c.end - c.at))
		return NULL;
	executor__mcp__v1__envelope__init(envelope);
	switch (*start) {
	case ENVELOPE_MESSAGE << 3 | WIRE_BYTES:
		envelope->body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE;
		envelope->message = &room->message;
		ok = read_message(&c, envelope->message);
		break;
	case ENVELOPE_CHUNK << 3 | WIRE_BYTES:
		envelope->body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_CHUNK;
		envelope->chunk = &room->chunk;
		ok = read_chunk(&c, envelope->chunk);
		break;
	case ENVELOPE_ACK << 3 | WIRE_BYTES:
		envelope->body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_ACK;
		envelope->ack = &room->ack;
		ok = read_ack(&c, envelope->ack);
		break;
	default:
		break;
	}
	return ok ? envelope : NULL;
}

envelope_t *envelope_decode(struct arena *a, struct envelope_room *room,
			    struct slice bytes, struct err *e)
{
	envelope_t *envelope = room ? read_envelope(room, bytes) : NULL;

	if (!envelope)
		envelope = protobuf_unpack(
			a, &executor__mcp__v1__envelope__descriptor, bytes, e);
	if (!envelope || !check_body(envelope, e))
		return NULL;
	return envelope;
}

void envelope_encode(struct buf *to, const envelope_t *envelope)
{
	protobuf_pack_framed(to, &envelope->base);
}

/* The fields of one message but for its payload: at most five tags and
 * varints. */
struct fields {
	unsigned char bytes[64];
	size_t len;
};

static void put_varint(struct fields *f, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		f->bytes[f->len++] = (unsigned char)(value | 0x80);
	f->bytes[f->len++] = (unsigned char)value;
}

static void put_tag(struct fields *f, unsigned number, enum wire_type type)
{
	put_varint(f, number << 3 | type);
}

static void put_number(struct fields *f, unsigned number, uint64_t value)
{
	if (value == 0)
		return;
	put_tag(f, number, WIRE_VARINT);
	put_varint(f, value);
}

/* The beginning of a field of bytes; the bytes themselves are the payload. */
static void put_bytes(struct fields *f, unsigned number, size_t len)
{
	if (len == 0)
		return;
	put_tag(f, number, WIRE_BYTES);
	put_varint(f, len);
}

/* Append an envelope around a body made of these fields, with the payload
 * between them: the one copy there is of it. */
static void append_envelope(struct buf *to, unsigned body,
			    const struct fields *before, struct slice payload,
			    const struct fields *behind)
{
	size_t body_len = before->len + payload.len + behind->len;
	struct fields outer = {.len = 0};
	unsigned char prefix[GRPC_PREFIX_BYTES];

	put_tag(&outer, body, WIRE_BYTES);
	put_varint(&outer, body_len);
	size_t len = outer.len + body_len;
	assert(len <= UINT32_MAX);
	grpc_prefix(prefix, (uint32_t)len);
	buf_reserve(to, sizeof(prefix) + len);
	buf_append(to, prefix, sizeof(prefix));
	buf_append(to, outer.bytes, outer.len);
	buf_append(to, before->bytes, before->len);
	buf_append_slice(to, payload);
	buf_append(to, behind->bytes, behind->len);
}

void envelope_encode_message(struct buf *to, uint64_t sequence, bool effect,
			     uint64_t received, struct slice json)
{
	struct fields before = {.len = 0};
	struct fields behind = {.len = 0};

	put_number(&before, MESSAGE_SEQUENCE, sequence);
	put_number(&before, MESSAGE_EFFECT, effect);
	put_bytes(&before, MESSAGE_JSON, json.len);
	put_number(&behind, MESSAGE_RECEIVED, received);
	append_envelope(to, ENVELOPE_MESSAGE, &before, json, &behind);
}

void envelope_encode_chunk(struct buf *to, uint64_t sequence, bool effect,
			   uint64_t total, uint64_t offset, struct slice data)
{
	struct fields before = {.len = 0};
	struct fields behind = {.len = 0};

	put_number(&before, CHUNK_SEQUENCE, sequence);
	put_number(&before, CHUNK_EFFECT, effect);
	put_number(&before, CHUNK_TOTAL, total);
	put_number(&before, CHUNK_OFFSET, offset);
	put_bytes(&before, CHUNK_DATA, data.len);
	append_envelope(to, ENVELOPE_CHUNK, &before, data, &behind);
}

void envelope_encode_ack(struct buf *to, uint64_t received)
{
	struct fields before = {.len = 0};
	struct fields behind = {.len = 0};

	put_number(&before, ACK_RECEIVED, received);
	append_envelope(to, ENVELOPE_ACK, &before, (struct slice){NULL, 0},
			&behind);
}

void envelope_encode_goodbye(struct buf *to,
			     Executor__Mcp__V1__Goodbye__Reason reason,
			     const char *text,
			     const envelope_untaken_t *untaken)
{
	envelope_t envelope;
	envelope_goodbye_t goodbye;
	char *clean = protobuf_text(text);

	executor__mcp__v1__envelope__init(&envelope);
	executor__mcp__v1__goodbye__init(&goodbye);
	goodbye.reason = reason;
	goodbye.text = clean;
	/* protobuf-c knows no const; it only reads this. */
	goodbye.untaken = (envelope_untaken_t *)(uintptr_t)untaken;
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE;
	envelope.goodbye = &goodbye;
	envelope_encode(to, &envelope);
	free(clean);
}
