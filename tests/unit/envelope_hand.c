/* What reads and writes envelopes without protobuf-c agrees with it. */
#include "proto/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/mem.h"
#include "tests/support/unframed.h"

static char sixteen[] = "0123456789abcdef";

/* Numbers at which a varint grows, and the ends. */
static const uint64_t numbers[] = {
	0,	    1,	     127,     128,	  16383,
	16384,	    2097151, 2097152, UINT32_MAX, UINT64_MAX / 2,
	UINT64_MAX,
};

enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static void assert_same(struct buf *ours, struct buf *theirs)
{
	assert_int_equal(ours->len, theirs->len);
	assert_memory_equal(ours->data, theirs->data, ours->len);
	buf_reset(ours, SIZE_MAX);
	buf_reset(theirs, SIZE_MAX);
}

static void a_message_by_hand_is_the_same_bytes(void **state)
{
	static const size_t lengths[] = {0, 1, 127, 128, 16384, 300000};
	Executor__Mcp__V1__Message m;
	envelope_t envelope;
	char *json = mem_zalloc(300000);
	struct buf ours = {0};
	struct buf theirs = {0};

	(void)state;
	executor__mcp__v1__message__init(&m);
	executor__mcp__v1__envelope__init(&envelope);
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE;
	envelope.message = &m;
	for (size_t i = 0; i < NUMBERS * NUMBERS * 2; i++) {
		m.sequence = numbers[i / 2 % NUMBERS];
		m.received = numbers[i / 2 / NUMBERS];
		m.effect = i % 2;
		struct slice text = {json, lengths[i % 6]};
		m.json = protobuf_bytes(text);
		envelope_encode(&theirs, &envelope);
		envelope_encode_message(&ours, m.sequence, m.effect, m.received,
					text);
		assert_same(&ours, &theirs);
	}
	buf_finish(&ours);
	buf_finish(&theirs);
	free(json);
}

static void a_chunk_by_hand_is_the_same_bytes(void **state)
{
	Executor__Mcp__V1__Chunk c;
	envelope_t envelope;
	struct buf ours = {0};
	struct buf theirs = {0};

	(void)state;
	executor__mcp__v1__chunk__init(&c);
	executor__mcp__v1__envelope__init(&envelope);
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_CHUNK;
	envelope.chunk = &c;
	for (size_t i = 0; i < NUMBERS * NUMBERS * 2; i++) {
		c.sequence = numbers[i % NUMBERS];
		c.total = numbers[i / 2 % NUMBERS];
		c.offset = numbers[i / 2 / NUMBERS];
		c.effect = i % 2;
		struct slice data = {sixteen, i % 17};
		c.data = protobuf_bytes(data);
		envelope_encode(&theirs, &envelope);
		envelope_encode_chunk(&ours, c.sequence, c.effect, c.total,
				      c.offset, data);
		assert_same(&ours, &theirs);
	}
	buf_finish(&ours);
	buf_finish(&theirs);
}

static void an_ack_by_hand_is_the_same_bytes(void **state)
{
	Executor__Mcp__V1__Ack ack;
	envelope_t envelope;
	struct buf ours = {0};
	struct buf theirs = {0};

	(void)state;
	executor__mcp__v1__ack__init(&ack);
	executor__mcp__v1__envelope__init(&envelope);
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_ACK;
	envelope.ack = &ack;
	for (size_t i = 0; i < NUMBERS; i++) {
		ack.received = numbers[i];
		envelope_encode(&theirs, &envelope);
		envelope_encode_ack(&ours, numbers[i]);
		assert_same(&ours, &theirs);
	}
	buf_finish(&ours);
	buf_finish(&theirs);
}

/* As protobuf-c decodes it, with or without an error. */
static bool agrees(struct slice bytes)
{
	struct envelope_room room;
	struct arena arenas[2] = {{0}, {0}};
	struct buf by_hand = {0};
	struct buf theirs = {0};
	envelope_t *read = envelope_decode(&arenas[0], &room, bytes, NULL);
	envelope_t *want = envelope_decode(&arenas[1], NULL, bytes, NULL);
	bool same = !read == !want;

	if (read && want) {
		envelope_encode(&by_hand, read);
		envelope_encode(&theirs, want);
		same = slice_equal(buf_slice(&by_hand), buf_slice(&theirs));
	}
	buf_finish(&by_hand);
	buf_finish(&theirs);
	arena_finish(&arenas[0]);
	arena_finish(&arenas[1]);
	return same;
}

/* Whatever one byte is, or is missing from the end. */
static void assert_agrees(const struct buf *framed)
{
	struct slice whole = unframed(framed);
	char *copy = mem_copy(whole.ptr, whole.len);
	size_t most = whole.len < 64 ? whole.len : 64;

	for (size_t len = 0; len <= most; len++)
		assert_true(agrees((struct slice){copy, len}));
	for (size_t at = 0; at < most; at++) {
		for (int value = 0; value < 256; value++) {
			copy[at] = (char)value;
			assert_true(agrees((struct slice){copy, whole.len}));
		}
		copy[at] = whole.ptr[at];
	}
	free(copy);
}

static void what_is_read_by_hand_is_what_protobuf_c_reads(void **state)
{
	struct slice json = slice_of("\x0a\x01 {\"x\":\"\xff\"}");
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < NUMBERS; i++) {
		uint64_t n = numbers[i];

		envelope_encode_message(&b, n, i % 2, numbers[NUMBERS - 1 - i],
					json);
		assert_agrees(&b);
		buf_reset(&b, SIZE_MAX);
		envelope_encode_chunk(&b, 7, i % 2, n, n / 2, json);
		assert_agrees(&b);
		buf_reset(&b, SIZE_MAX);
		envelope_encode_ack(&b, n);
		assert_agrees(&b);
		buf_reset(&b, SIZE_MAX);
	}
	buf_finish(&b);
}

/* A varint of that many bytes, more than it needs. */
static void append_padded(struct buf *to, uint64_t value, size_t bytes)
{
	for (; bytes > 1; bytes--, value >>= 7)
		buf_append(to, &(char){(char)(value | 0x80)}, 1);
	buf_append(to, &(char){(char)(value & 0x7f)}, 1);
}

/* A message in which the outer length, that of its json and a number take so
 * many bytes: protobuf-c has bounds. */
static void a_varint_may_be_written_long(void **state)
{
	enum { LONGEST = 12 };

	(void)state;
	for (size_t i = 0; i < LONGEST * LONGEST * LONGEST; i++) {
		size_t outer = 1 + i % LONGEST;
		size_t inner = 1 + i / LONGEST % LONGEST;
		size_t number = 1 + i / LONGEST / LONGEST;
		struct buf body = {0};
		struct buf b = {0};

		buf_append_text(&body, "\x08");
		append_padded(&body, 3, number);
		buf_append_text(&body, "\x10");
		append_padded(&body, i % 2, number);
		buf_append_text(&body, "\x1a");
		append_padded(&body, 2, inner);
		buf_append_text(&body, "{}");
		buf_append_text(&b, "\x1a");
		append_padded(&b, body.len, outer);
		buf_append_slice(&b, buf_slice(&body));
		assert_true(agrees(buf_slice(&b)));
		buf_finish(&body);
		buf_finish(&b);
	}
}

/* What our own end writes needs no memory, and its payload is not copied. */
static void what_is_read_by_hand_stays_where_it_is(void **state)
{
	struct envelope_room room;
	struct arena a = {0};
	struct buf b = {0};
	char *text = mem_zalloc(ENVELOPE_CHUNK_BYTES);
	struct slice data = {text, ENVELOPE_CHUNK_BYTES};

	(void)state;
	envelope_encode_message(&b, 1, true, 2, data);
	struct slice bytes = unframed(&b);
	envelope_t *m = envelope_decode(&a, &room, bytes, NULL);
	assert_int_equal(m->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE);
	assert_true((char *)m->message->json.data > bytes.ptr);
	assert_true((char *)m->message->json.data < bytes.ptr + 32);
	assert_int_equal(m->message->json.len, data.len);
	buf_reset(&b, SIZE_MAX);

	envelope_encode_chunk(&b, 1, true, 3 * data.len, data.len, data);
	bytes = unframed(&b);
	m = envelope_decode(&a, &room, bytes, NULL);
	assert_int_equal(m->body_case, EXECUTOR__MCP__V1__ENVELOPE__BODY_CHUNK);
	assert_true((char *)m->chunk->data.data > bytes.ptr);
	assert_true((char *)m->chunk->data.data < bytes.ptr + 32);
	buf_reset(&b, SIZE_MAX);

	envelope_encode_ack(&b, 5);
	m = envelope_decode(&a, &room, unframed(&b), NULL);
	assert_int_equal(m->ack->received, 5);
	assert_null(a.blocks);
	buf_finish(&b);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_by_hand_is_the_same_bytes),
		cmocka_unit_test(a_chunk_by_hand_is_the_same_bytes),
		cmocka_unit_test(an_ack_by_hand_is_the_same_bytes),
		cmocka_unit_test(what_is_read_by_hand_is_what_protobuf_c_reads),
		cmocka_unit_test(a_varint_may_be_written_long),
		cmocka_unit_test(what_is_read_by_hand_stays_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
