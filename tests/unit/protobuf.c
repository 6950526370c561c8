#include "proto/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "executor/admin/v1/admin.pb-c.h"
#include "executor/mcp/v1/mcp.pb-c.h"
#include "proto/err.h"
#include "proto/mem.h"
#include "proto/utf8.h"

/* From a copy of exactly these bytes, so that a sanitizer sees one too many. */
static void *unpack(struct arena *a, const ProtobufCMessageDescriptor *type,
		    struct slice bytes, struct err *e)
{
	char *copy = mem_copy(bytes.ptr, bytes.len);
	void *m = protobuf_unpack(a, type, (struct slice){copy, bytes.len}, e);

	free(copy);
	return m;
}

static void a_message_comes_back_as_it_went(void **state)
{
	Executor__Admin__V1__Source source;
	Executor__Admin__V1__Source *back;
	char *names[] = {(char[]){"A"}, (char[]){""}, (char[]){"\xc3\xa9"}};
	struct arena a = {0};
	struct buf b = {0};
	struct err e;

	(void)state;
	executor__admin__v1__source__init(&source);
	source.name = (char[]){"everything"};
	source.pid = -1;
	source.cwd = protobuf_bytes(slice_of("/a\xff"));
	source.n_env_names = 3;
	source.env_names = names;
	protobuf_pack(&b, &source.base);
	back = unpack(&a, &executor__admin__v1__source__descriptor,
		      buf_slice(&b), &e);
	assert_non_null(back);
	assert_string_equal(back->name, "everything");
	assert_true(back->pid == -1);
	assert_true(slice_is(protobuf_slice(back->cwd), "/a\xff"));
	assert_int_equal(back->n_env_names, 3);
	assert_string_equal(back->env_names[2], "\xc3\xa9");
	buf_finish(&b);
	arena_finish(&a);
}

static void no_bytes_are_an_empty_message(void **state)
{
	struct arena a = {0};
	Executor__Admin__V1__Source *m =
		protobuf_unpack(&a, &executor__admin__v1__source__descriptor,
				(struct slice){NULL, 0}, NULL);

	(void)state;
	assert_non_null(m);
	assert_string_equal(m->name, "");
	arena_finish(&a);
}

static void a_framed_message_stands_behind_its_prefix(void **state)
{
	Executor__Admin__V1__RemoveSourceRequest m;
	static const char want[] = "kept\0\0\0\0\5\x0a\3abc";
	struct buf b = {0};

	(void)state;
	executor__admin__v1__remove_source_request__init(&m);
	m.name = (char[]){"abc"};
	buf_append_text(&b, "kept");
	protobuf_pack_framed(&b, &m.base);
	assert_int_equal(b.len, sizeof(want) - 1);
	assert_memory_equal(b.data, want, b.len);
	buf_finish(&b);
}

static void a_string_that_is_not_utf8_is_refused_wherever_it_is(void **state)
{
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *bytes;
		bool ok;
	} rows[] = {
		/* plain: Source.name */
		{&executor__admin__v1__source__descriptor, "\x0a\1\xff", false},
		{&executor__admin__v1__source__descriptor, "\x0a\1z", true},
		/* the second of a repeated one: Source.env_names */
		{&executor__admin__v1__source__descriptor,
		 "\x2a\1z\x2a\2\xc3\x28", false},
		{&executor__admin__v1__source__descriptor,
		 "\x2a\1z\x2a\2\xc3\xa9", true},
		/* inside of a message: GetSourceResponse.source.name */
		{&executor__admin__v1__get_source_response__descriptor,
		 "\x0a\3\x0a\1\x80", false},
		{&executor__admin__v1__get_source_response__descriptor,
		 "\x0a\3\x0a\1z", true},
		/* inside of a repeated one: ListSourcesResponse.sources */
		{&executor__admin__v1__list_sources_response__descriptor,
		 "\x0a\3\x0a\1z\x0a\3\x0a\1\x80", false},
		/* inside of a oneof: Envelope.goodbye.text */
		{&executor__mcp__v1__envelope__descriptor, "\x2a\3\x12\1\xff",
		 false},
		{&executor__mcp__v1__envelope__descriptor, "\x2a\3\x12\1z",
		 true},
		/* bytes may be anything: Source.cwd, Source.command */
		{&executor__admin__v1__source__descriptor, "\x22\1\xff", true},
		{&executor__admin__v1__source__descriptor, "\x1a\1\xff", true},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {0};
		void *m = unpack(&a, rows[i].type, slice_of(rows[i].bytes), &e);

		if ((m != NULL) != rows[i].ok)
			fail_msg("row %zu: %s", i, e.text);
		if (!rows[i].ok)
			assert_int_equal(e.reason, ERR_PROTOCOL);
		arena_reset(&a);
	}
	arena_finish(&a);
}

static void every_prefix_of_a_message_is_safe_to_read(void **state)
{
	static const char bytes[] = "\x0a\4name\x1a\2ab\x1a\1c\x2a\1K\x30\x81"
				    "\1\xfa\x01\3new\xe5\2abcd";
	struct arena a = {0};
	size_t taken = 0;

	(void)state;
	for (size_t len = 0; len < sizeof(bytes); len++) {
		struct err e = {0};

		if (unpack(&a, &executor__admin__v1__source__descriptor,
			   (struct slice){bytes, len}, &e))
			taken++;
		else
			assert_int_equal(e.reason, ERR_PROTOCOL);
		arena_reset(&a);
	}
	/* Nothing, and behind each of the seven fields. */
	assert_int_equal(taken, 8);
	arena_finish(&a);
}

static void greedy_bytes_are_refused_at_the_cap(void **state)
{
	enum { MANY = 512 * 1024 };
	/* Two bytes that become an empty message, a string or an unknown
	 * field, with the bookkeeping for each. */
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *pair;
	} rows[] = {
		{&executor__admin__v1__list_sources_response__descriptor,
		 "\x0a\0"},
		{&executor__admin__v1__source__descriptor, "\x2a\0"},
		{&executor__admin__v1__source__descriptor, "\x7a\0"},
	};
	struct buf b = {0};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int n = 0; n < MANY; n++)
			buf_append(&b, rows[i].pair, 2);
		struct err e = {0};
		assert_null(unpack(&a, rows[i].type, buf_slice(&b), &e));
		assert_int_equal(e.reason, ERR_TOO_LARGE);
		assert_true(a.used_bytes <=
			    b.len * ARENA_FACTOR + ARENA_SLACK_BYTES);
		arena_reset(&a);
		/* The next one is not to blame. */
		assert_non_null(unpack(&a, rows[i].type, slice_of(""), &e));
		buf_reset(&b, SIZE_MAX);
		arena_reset(&a);
	}
	buf_finish(&b);
	arena_finish(&a);
}

static void running_out_anywhere_is_clean(void **state)
{
	struct buf b = {0};
	struct arena a = {0};
	unsigned refused = 0;

	(void)state;
	/* Sources with everything in them until the share is used up: each
	 * further one moves the point at which the memory ends. */
	for (int i = 0; i < 1000; i++) {
		struct err e = {0};

		buf_append(&b, "\x0a\x0a\x0a\0\x1a\0\x2a\0\x2a\0\x7a\0", 12);
		if (unpack(&a,
			   &executor__admin__v1__list_sources_response__descriptor,
			   buf_slice(&b), &e))
			continue;
		assert_int_equal(e.reason, ERR_TOO_LARGE);
		refused++;
		arena_reset(&a);
	}
	assert_true(refused > 100);
	assert_true(refused < 1000);
	buf_finish(&b);
	arena_finish(&a);
}

static void an_arena_keeps_little_when_reset(void **state)
{
	enum { LARGE = 1 << 20 };
	struct buf b = {0};
	struct arena a = {0};
	char *data = mem_zalloc(LARGE);
	Executor__Mcp__V1__CallResponse m;
	Executor__Mcp__V1__CallResponse *first;
	Executor__Mcp__V1__CallResponse *second;

	(void)state;
	executor__mcp__v1__call_response__init(&m);
	m.json = protobuf_bytes((struct slice){data, LARGE});
	protobuf_pack(&b, &m.base);
	first = protobuf_unpack(&a,
				&executor__mcp__v1__call_response__descriptor,
				buf_slice(&b), NULL);
	/* Both live until the reset. */
	second = protobuf_unpack(&a,
				 &executor__mcp__v1__call_response__descriptor,
				 buf_slice(&b), NULL);
	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(first->json.len, LARGE);
	assert_memory_equal(first->json.data, second->json.data, LARGE);
	arena_reset(&a);
	assert_non_null(a.blocks);
	arena_reset(&a);
	assert_non_null(a.blocks);
	arena_finish(&a);
	assert_null(a.blocks);
	arena_finish(&a);
	buf_finish(&b);
	free(data);
}

static void any_text_can_be_made_a_string(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} rows[] = {
		{"", ""},
		{"plain \xc3\xa9\xf0\x9f\x98\x80",
		 "plain \xc3\xa9\xf0\x9f\x98\x80"},
		{"\xff", UTF8_REPLACEMENT},
		{"a\xc3", "a" UTF8_REPLACEMENT},
		{"\xed\xa0\x80z",
		 UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT "z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = protobuf_text(rows[i].text);

		assert_string_equal(text, rows[i].want);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_comes_back_as_it_went),
		cmocka_unit_test(no_bytes_are_an_empty_message),
		cmocka_unit_test(a_framed_message_stands_behind_its_prefix),
		cmocka_unit_test(
			a_string_that_is_not_utf8_is_refused_wherever_it_is),
		cmocka_unit_test(every_prefix_of_a_message_is_safe_to_read),
		cmocka_unit_test(greedy_bytes_are_refused_at_the_cap),
		cmocka_unit_test(running_out_anywhere_is_clean),
		cmocka_unit_test(an_arena_keeps_little_when_reset),
		cmocka_unit_test(any_text_can_be_made_a_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
