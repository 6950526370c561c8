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

static ProtobufCBinaryData id(void)
{
	return protobuf_bytes((struct slice){sixteen, ENVELOPE_ID_BYTES});
}

static void what_is_encoded_stands_behind_what_was_there(void **state)
{
	struct buf b = {0};

	(void)state;
	envelope_encode_ack(&b, 1);
	size_t first = b.len;
	envelope_encode_ack(&b, 1);
	assert_int_equal(b.len, 2 * first);
	assert_memory_equal(b.data, b.data + first, first);
	buf_finish(&b);
}

static void a_message_keeps_every_byte(void **state)
{
	static const char json[] = "{\"id\":1.0,\"\\u0000\":\"\xff\0\n\"}";
	struct arena a = {0};
	struct buf b = {0};
	struct err e;

	(void)state;
	envelope_encode_message(&b, 7, true, 3,
				(struct slice){json, sizeof(json)});
	envelope_t *back = envelope_decode(&a, NULL, unframed(&b), &e);
	assert_non_null(back);
	assert_int_equal(back->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE);
	assert_int_equal(back->message->sequence, 7);
	assert_int_equal(back->message->received, 3);
	assert_true(back->message->effect);
	assert_int_equal(back->message->json.len, sizeof(json));
	assert_memory_equal(back->message->json.data, json, sizeof(json));
	buf_finish(&b);
	arena_finish(&a);
}

static void a_goodbye_takes_any_text(void **state)
{
	struct arena a = {0};
	struct buf b = {0};
	struct err e;

	(void)state;
	envelope_encode_goodbye(
		&b, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING,
		"bye \xff", NULL);
	envelope_t *back = envelope_decode(&a, NULL, unframed(&b), &e);
	assert_non_null(back);
	assert_int_equal(back->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE);
	assert_int_equal(back->goodbye->reason,
			 EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING);
	assert_string_equal(back->goodbye->text, "bye \xef\xbf\xbd");
	buf_finish(&b);
	arena_finish(&a);
}

/* Does it pass through encoding and decoding? */
static enum reason verdict_on(const envelope_t *envelope)
{
	struct arena a = {0};
	struct buf b = {0};
	struct err e = {0};

	envelope_encode(&b, envelope);
	const envelope_t *back = envelope_decode(&a, NULL, unframed(&b), &e);
	assert_int_equal(back != NULL, e.reason == ERR_NONE);
	buf_finish(&b);
	arena_finish(&a);
	return e.reason;
}

static void a_hello_is_checked(void **state)
{
	envelope_hello_t good;
	envelope_t envelope;
	uint64_t pending[] = {5, 0};
	envelope_hello_t h;

	(void)state;
	executor__mcp__v1__hello__init(&good);
	executor__mcp__v1__envelope__init(&envelope);
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_HELLO;
	envelope.hello = &h;
	good.protocol_min = 1;
	good.protocol_max = 2;
	good.adapter_instance = id();
	good.cwd = protobuf_bytes(slice_of("/\xff"));
	good.n_pending = 1;
	good.pending = pending;

	h = good;
	assert_int_equal(verdict_on(&envelope), ERR_NONE);
	h.session = id();
	h.daemon_instance = id();
	assert_int_equal(verdict_on(&envelope), ERR_NONE);
	h.session.len = 15;
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
	h = good;
	h.daemon_instance = (ProtobufCBinaryData){1, (uint8_t *)sixteen};
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
	h = good;
	h.adapter_instance.len = 0;
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
	h = good;
	h.protocol_min = 0;
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
	h.protocol_min = 3;
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
	h = good;
	h.n_pending = 2;
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
}

static void a_hello_holds_so_many_pending_and_no_more(void **state)
{
	envelope_hello_t h;
	envelope_t envelope;
	uint64_t *pending =
		mem_alloc((ENVELOPE_PENDING_MAX + 1) * sizeof(*pending));

	(void)state;
	executor__mcp__v1__hello__init(&h);
	executor__mcp__v1__envelope__init(&envelope);
	for (uint64_t i = 0; i <= ENVELOPE_PENDING_MAX; i++)
		pending[i] = i + 1;
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_HELLO;
	envelope.hello = &h;
	h.protocol_min = 1;
	h.protocol_max = 1;
	h.adapter_instance = id();
	h.pending = pending;
	h.n_pending = ENVELOPE_PENDING_MAX;
	assert_int_equal(verdict_on(&envelope), ERR_NONE);
	h.n_pending++;
	assert_int_equal(verdict_on(&envelope), ERR_TOO_LARGE);
	free(pending);
}

static void a_welcome_is_checked(void **state)
{
	envelope_welcome_t good;
	envelope_t envelope;
	envelope_verdict_t verdict;
	envelope_verdict_t *verdicts[] = {&verdict};
	envelope_welcome_t w;

	(void)state;
	executor__mcp__v1__welcome__init(&good);
	executor__mcp__v1__envelope__init(&envelope);
	executor__mcp__v1__verdict__init(&verdict);
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME;
	envelope.welcome = &w;
	good.protocol = 1;
	good.daemon_instance = id();
	good.session = id();

	w = good;
	assert_int_equal(verdict_on(&envelope), ERR_NONE);
	w.protocol = 0;
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
	w = good;
	w.session.len = 0;
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
	w = good;
	w.daemon_instance.len = 8;
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
	w = good;
	w.n_verdicts = 1;
	w.verdicts = verdicts;
	assert_int_equal(verdict_on(&envelope), ERR_PROTOCOL);
	verdict.sequence = 1;
	assert_int_equal(verdict_on(&envelope), ERR_NONE);
}

/* From few to as many as there may be: the arena must have room for each. */
static void a_welcome_with_any_number_of_verdicts_fits(void **state)
{
	envelope_welcome_t w;
	envelope_t envelope;
	envelope_verdict_t *verdict =
		mem_alloc(ENVELOPE_PENDING_MAX * sizeof(*verdict));
	envelope_verdict_t **verdicts =
		mem_alloc(ENVELOPE_PENDING_MAX * sizeof(*verdicts));

	(void)state;
	executor__mcp__v1__welcome__init(&w);
	executor__mcp__v1__envelope__init(&envelope);
	for (uint64_t i = 0; i < ENVELOPE_PENDING_MAX; i++) {
		executor__mcp__v1__verdict__init(&verdict[i]);
		verdict[i].sequence = i + 1;
		verdict[i].state =
			EXECUTOR__MCP__V1__VERDICT__STATE__STATE_DONE;
		verdicts[i] = &verdict[i];
	}
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME;
	envelope.welcome = &w;
	w.protocol = 1;
	w.daemon_instance = id();
	w.session = id();
	w.verdicts = verdicts;
	for (size_t n = 1; n <= ENVELOPE_PENDING_MAX; n += n / 8 + 1) {
		w.n_verdicts = n;
		assert_int_equal(verdict_on(&envelope), ERR_NONE);
	}
	w.n_verdicts = ENVELOPE_PENDING_MAX;
	assert_int_equal(verdict_on(&envelope), ERR_NONE);
	assert_true(executor__mcp__v1__envelope__get_packed_size(&envelope) <
		    ENVELOPE_LIMIT_BYTES);
	free(verdicts);
	free(verdict);
}

static void a_chunk_lies_inside_its_total(void **state)
{
	static const struct {
		uint64_t sequence;
		uint64_t total;
		uint64_t offset;
		size_t len;
		enum reason want;
	} rows[] = {
		{1, 16, 0, 16, ERR_NONE},
		{1, 16, 8, 8, ERR_NONE},
		{1, 100, 10, 16, ERR_NONE},
		{1, UINT64_MAX, UINT64_MAX - 16, 16, ERR_NONE},
		{0, 16, 0, 16, ERR_PROTOCOL},
		{1, 16, 0, 0, ERR_PROTOCOL},
		{1, 0, 0, 0, ERR_PROTOCOL},
		{1, 15, 0, 16, ERR_PROTOCOL},
		{1, 16, 1, 16, ERR_PROTOCOL},
		{1, 16, UINT64_MAX, 1, ERR_PROTOCOL},
		{1, 16, UINT64_MAX - 7, 16, ERR_PROTOCOL},
	};
	struct arena a = {0};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {0};

		envelope_encode_chunk(&b, rows[i].sequence, false,
				      rows[i].total, rows[i].offset,
				      (struct slice){sixteen, rows[i].len});
		envelope_decode(&a, NULL, unframed(&b), &e);
		if (e.reason != rows[i].want)
			fail_msg("row %zu: %s", i, e.text);
		buf_reset(&b, SIZE_MAX);
	}
	buf_finish(&b);
	arena_finish(&a);
}

static void what_is_no_envelope_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{"", 0},		 /* no body */
		{"\x3a\0", 2},		 /* a body to come */
		{"\x1a\0", 2},		 /* a message numbered 0 */
		{"\x1a\2\x08\0", 4},	 /* the same, said */
		{"\x1a\5\x08\1", 4},	 /* cut short */
		{"\x1a\2\x08\x80", 4},	 /* a varint without an end */
		{"\x1b", 1},		 /* a group */
		{"\x2a\3\x12\1\xff", 5}, /* a text that is not UTF-8 */
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {0};
		struct slice bytes = {rows[i].bytes, rows[i].len};

		if (envelope_decode(&a, NULL, bytes, &e))
			fail_msg("row %zu was taken", i);
		assert_int_equal(e.reason, ERR_PROTOCOL);
		arena_reset(&a);
	}
	arena_finish(&a);
}

static void fields_to_come_are_skipped(void **state)
{
	/* Message.5, and field 16 of the envelope. */
	static const char bytes[] = "\x1a\x05\x08\1\x2a\1x\x82\1\1y";
	struct arena a = {0};
	envelope_t *m = envelope_decode(
		&a, NULL, (struct slice){bytes, sizeof(bytes) - 1}, NULL);

	(void)state;
	assert_non_null(m);
	assert_int_equal(m->message->sequence, 1);
	arena_finish(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_stands_behind_what_was_there),
		cmocka_unit_test(a_message_keeps_every_byte),
		cmocka_unit_test(a_goodbye_takes_any_text),
		cmocka_unit_test(a_hello_is_checked),
		cmocka_unit_test(a_hello_holds_so_many_pending_and_no_more),
		cmocka_unit_test(a_welcome_is_checked),
		cmocka_unit_test(a_welcome_with_any_number_of_verdicts_fits),
		cmocka_unit_test(a_chunk_lies_inside_its_total),
		cmocka_unit_test(what_is_no_envelope_is_refused),
		cmocka_unit_test(fields_to_come_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
