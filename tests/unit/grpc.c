#include "proto/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/mem.h"
#include "proto/utf8.h"

static void assert_buf(struct buf *b, const char *want)
{
	buf_append(b, "", 1);
	assert_string_equal(b->data, want);
	buf_finish(b);
}

/* What was handed up, as "<message>". */
struct seen {
	struct buf log;
	int stop_after; /* messages; 0 is never */
	int count;
};

static bool on_message(void *owner, struct slice message)
{
	struct seen *seen = owner;

	buf_append_text(&seen->log, "<");
	buf_append_slice(&seen->log, message);
	buf_append_text(&seen->log, ">");
	return ++seen->count != seen->stop_after;
}

static const struct grpc_reader_events events = {on_message};

/* Feed a copy of exactly these bytes, which is gone afterwards. */
static bool feed(struct grpc_reader *r, const char *bytes, size_t len,
		 struct seen *seen, struct err *e)
{
	char *copy = mem_copy(bytes, len);
	bool ok = grpc_reader_feed(r, (struct slice){copy, len}, &events, seen,
				   e);

	free(copy);
	return ok;
}

static void append_message(struct buf *b, const char *text)
{
	unsigned char prefix[GRPC_PREFIX_BYTES];

	grpc_prefix(prefix, (uint32_t)strlen(text));
	buf_append(b, prefix, sizeof(prefix));
	buf_append_text(b, text);
}

static void a_message_survives_any_split(void **state)
{
	struct buf wire = {0};
	struct seen seen = {0};
	struct grpc_reader r;

	(void)state;
	append_message(&wire, "one");
	append_message(&wire, "");
	append_message(&wire, "a longer one");
	append_message(&wire, "");
	for (size_t a = 0; a <= wire.len; a++) {
		for (size_t b = a; b <= wire.len; b++) {
			grpc_reader_init(&r, 12);
			assert_true(feed(&r, wire.data, a, &seen, NULL));
			assert_true(
				feed(&r, wire.data + a, b - a, &seen, NULL));
			assert_true(feed(&r, wire.data + b, wire.len - b, &seen,
					 NULL));
			assert_true(grpc_reader_end(&r, NULL));
			assert_buf(&seen.log, "<one><><a longer one><>");
			grpc_reader_finish(&r);
		}
	}
	grpc_reader_init(&r, 12);
	for (size_t i = 0; i < wire.len; i++)
		assert_true(feed(&r, wire.data + i, 1, &seen, NULL));
	assert_buf(&seen.log, "<one><><a longer one><>");
	grpc_reader_finish(&r);
	buf_finish(&wire);
}

static void a_stream_may_not_end_inside_a_message(void **state)
{
	struct buf wire = {0};
	struct seen seen = {0};
	struct grpc_reader r;
	struct err e;

	(void)state;
	append_message(&wire, "abc");
	for (size_t len = 1; len < wire.len; len++) {
		grpc_reader_init(&r, 12);
		assert_true(feed(&r, wire.data, len, &seen, &e));
		assert_false(grpc_reader_end(&r, &e));
		assert_int_equal(e.reason, ERR_PROTOCOL);
		grpc_reader_finish(&r);
	}
	assert_int_equal(seen.count, 0);
	buf_finish(&wire);
}

static void too_large_is_refused_on_the_prefix(void **state)
{
	static const char prefix[] = {0, 0, 0, 1, 1}; /* 257 bytes */
	static const char huge[] = {0, '\xff', '\xff', '\xff', '\xff'};
	struct seen seen = {0};
	struct grpc_reader r;
	struct err e;

	(void)state;
	for (size_t cut = 0; cut <= sizeof(prefix); cut++) {
		grpc_reader_init(&r, 256);
		bool ok =
			feed(&r, prefix, cut, &seen, &e) &&
			feed(&r, prefix + cut, sizeof(prefix) - cut, &seen, &e);
		assert_false(ok);
		assert_int_equal(e.reason, ERR_TOO_LARGE);
		assert_true(r.torn.len <= GRPC_PREFIX_BYTES);
		/* Whoever feeds on hears the same. */
		if (r.torn.len > 0)
			assert_false(feed(&r, "x", 1, &seen, &e));
		grpc_reader_finish(&r);
	}
	grpc_reader_init(&r, 256);
	assert_false(feed(&r, huge, sizeof(huge), &seen, &e));
	assert_int_equal(e.reason, ERR_TOO_LARGE);
	grpc_reader_finish(&r);
	grpc_reader_init(&r, 257);
	assert_true(feed(&r, prefix, sizeof(prefix), &seen, &e));
	grpc_reader_finish(&r);
}

static void no_compressed_message_is_taken(void **state)
{
	static const char flags[] = {1, 2, '\x80', '\xff'};
	struct seen seen = {0};
	struct grpc_reader r;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++) {
		char wire[6] = {flags[i], 0, 0, 0, 1, 'x'};

		for (size_t cut = 0; cut <= sizeof(wire); cut++) {
			grpc_reader_init(&r, 256);
			bool ok = feed(&r, wire, cut, &seen, &e) &&
				  feed(&r, wire + cut, sizeof(wire) - cut,
				       &seen, &e);
			assert_false(ok);
			assert_int_equal(e.reason, ERR_PROTOCOL);
			grpc_reader_finish(&r);
		}
	}
	assert_int_equal(seen.count, 0);
}

static void a_stop_is_no_error(void **state)
{
	struct buf wire = {0};
	struct seen seen = {.stop_after = 1};
	struct grpc_reader r;
	struct err e;

	(void)state;
	append_message(&wire, "one");
	append_message(&wire, "two");
	for (size_t cut = 0; cut < 8; cut++) {
		seen.count = 0;
		grpc_reader_init(&r, 256);
		assert_true(feed(&r, wire.data, cut, &seen, &e));
		assert_false(
			feed(&r, wire.data + cut, wire.len - cut, &seen, &e));
		assert_int_equal(e.reason, ERR_NONE);
		assert_buf(&seen.log, "<one>");
		assert_true(grpc_reader_end(&r, &e));
		grpc_reader_finish(&r);
	}
	buf_finish(&wire);
}

static void a_reader_keeps_no_more_than_it_was_told(void **state)
{
	enum { LARGE = 300 * 1024 };
	unsigned char prefix[GRPC_PREFIX_BYTES];
	struct seen seen = {0};
	struct grpc_reader r;
	char *text = mem_zalloc(LARGE);

	(void)state;
	grpc_prefix(prefix, LARGE);
	grpc_reader_init(&r, LARGE);
	for (int i = 0; i < 2; i++) {
		assert_true(feed(&r, (const char *)prefix, 5, &seen, NULL));
		assert_true(feed(&r, text, LARGE - 1, &seen, NULL));
		assert_true(feed(&r, text, 1, &seen, NULL));
		assert_int_equal(seen.log.len, LARGE + 2);
		buf_finish(&seen.log);
		if (i == 0)
			assert_true(r.torn.cap <= r.keep_bytes);
		else
			assert_true(r.torn.cap >= LARGE);
		r.keep_bytes = SIZE_MAX;
	}
	grpc_reader_finish(&r);
	free(text);
}

static void a_prefix_is_big_endian(void **state)
{
	static const unsigned char want[] = {0, 0x12, 0x34, 0x56, 0x78};
	unsigned char prefix[GRPC_PREFIX_BYTES];

	(void)state;
	grpc_prefix(prefix, 0x12345678);
	assert_memory_equal(prefix, want, sizeof(want));
}

static void a_timeout_is_parsed(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{"1n", 1},
		{"0n", 0},
		{"00000000S", 0},
		{"99999999n", 99999999},
		{"5u", 5000},
		{"7m", 7000000},
		{"1S", 1000000000},
		{"2M", INT64_C(120000000000)},
		{"1H", INT64_C(3600000000000)},
		{"99999999M", INT64_C(99999999) * 60 * 1000000000},
		{"2562047H", INT64_C(2562047) * 3600 * 1000000000},
		{"2562048H", INT64_MAX},
		{"99999999H", INT64_MAX},
	};
	static const char *const malformed[] = {
		"",    "S",   "1",	    "1s",  "1x",   "-1S",  "+1S",
		" 1S", "1 S", "123456789S", "1SS", "1.5S", "0x1S", "1S ",
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ns = -1;
		if (!grpc_timeout_parse(slice_of(rows[i].text), &ns) ||
		    ns != rows[i].ns)
			fail_msg("%s: %lld", rows[i].text, (long long)ns);
	}
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		if (grpc_timeout_parse(slice_of(malformed[i]), &ns))
			fail_msg("taken: %s", malformed[i]);
	assert_false(grpc_timeout_parse((struct slice){NULL, 0}, &ns));
}

static void a_timeout_is_printed_short_and_never_early(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} rows[] = {
		{0, "0H"},
		{1, "1m"},
		{1500, "1500m"},
		{1000, "1S"},
		{90000, "90S"},
		{60000, "1M"},
		{3600000, "1H"},
		{5400000, "90M"},
		{99999999, "99999999m"},
		{100000000, "100000S"},
		{100000001, "100001S"},
		{100000000001, "1666667M"},
		{UINT64_C(359999996400000), "99999999H"},
		{UINT64_MAX, "99999999H"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = {0};
		int64_t ns;

		grpc_timeout_print(&b, rows[i].ms);
		assert_true(grpc_timeout_parse(buf_slice(&b), &ns));
		if (rows[i].ms < INT64_MAX / 1000000)
			assert_true(ns >= (int64_t)rows[i].ms * 1000000);
		assert_buf(&b, rows[i].text);
	}
}

static void a_message_text_is_percent_encoded(void **state)
{
	struct buf b = {0};

	(void)state;
	/* The text of gRPC's interop test special_status_message. */
	grpc_message_encode(&b,
			    "\t\ntest with whitespace\r\nand Unicode BMP "
			    "\xe2\x98\xba and non-BMP \xf0\x9f\x98\x88\t\n");
	assert_buf(&b, "%09%0Atest with whitespace%0D%0Aand Unicode BMP "
		       "%E2%98%BA and non-BMP %F0%9F%98%88%09%0A");
	grpc_message_encode(&b, "100% ~\x7f $&");
	assert_buf(&b, "100%25 ~%7F $&");
	grpc_message_encode(&b, "a\xff\xc3");
	assert_buf(&b, "a%EF%BF%BD%EF%BF%BD");
	grpc_message_encode(&b, "");
	assert_int_equal(b.len, 0);
}

static void a_message_text_is_cut_at_a_character(void **state)
{
	struct buf b = {0};
	struct buf back = {0};
	char text[1100];

	(void)state;
	for (size_t plain = 1020; plain <= 1024; plain++) {
		memset(text, 'x', plain);
		strcpy(text + plain, "\xf0\x9f\x98\x88 and on");
		grpc_message_encode(&b, text);
		grpc_message_decode(&back, buf_slice(&b));
		assert_true(back.len <= 1024);
		assert_true(back.len >= plain);
		assert_true(utf8_valid(buf_slice(&back)));
		assert_memory_equal(back.data, text, back.len);
		buf_finish(&b);
		buf_finish(&back);
	}
}

static void a_malformed_message_text_stays_as_it_is(void **state)
{
	struct buf b = {0};

	(void)state;
	grpc_message_decode(&b, slice_of("a%20b%e2%98%BA"));
	assert_buf(&b, "a b\xe2\x98\xba");
	grpc_message_decode(&b, slice_of("%%41%4%zz%4z%"));
	assert_buf(&b, "%A%4%zz%4z%");
	grpc_message_decode(&b, (struct slice){NULL, 0});
	assert_int_equal(b.len, 0);
}

static void content_types_are_told_apart(void **state)
{
	(void)state;
	assert_true(grpc_content_type_ok(slice_of("application/grpc")));
	assert_true(grpc_content_type_ok(slice_of("application/grpc+proto")));
	assert_true(grpc_content_type_ok(slice_of("application/grpc;v=1")));
	assert_true(grpc_content_type_ok(slice_of("Application/gRPC")));
	assert_false(grpc_content_type_ok(slice_of("application/grpc-web")));
	assert_false(grpc_content_type_ok(slice_of("application/grpcfoo")));
	assert_false(grpc_content_type_ok(slice_of("application/grp")));
	assert_false(grpc_content_type_ok(slice_of("application/json")));
	assert_false(grpc_content_type_ok((struct slice){NULL, 0}));
}

static void foreign_statuses_are_mapped(void **state)
{
	(void)state;
	assert_int_equal(grpc_of_http(400), GRPC_INTERNAL);
	assert_int_equal(grpc_of_http(401), GRPC_UNAUTHENTICATED);
	assert_int_equal(grpc_of_http(403), GRPC_PERMISSION_DENIED);
	assert_int_equal(grpc_of_http(404), GRPC_UNIMPLEMENTED);
	assert_int_equal(grpc_of_http(429), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_of_http(502), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_of_http(503), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_of_http(504), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_of_http(500), GRPC_UNKNOWN);
	assert_int_equal(grpc_of_http(200), GRPC_UNKNOWN);
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(grpc_of_reset(i), GRPC_INTERNAL);
	assert_int_equal(grpc_of_reset(7), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_of_reset(8), GRPC_CANCELLED);
	assert_int_equal(grpc_of_reset(11), GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(grpc_of_reset(12), GRPC_PERMISSION_DENIED);
	assert_int_equal(grpc_of_reset(UINT32_MAX), GRPC_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_survives_any_split),
		cmocka_unit_test(a_stream_may_not_end_inside_a_message),
		cmocka_unit_test(too_large_is_refused_on_the_prefix),
		cmocka_unit_test(no_compressed_message_is_taken),
		cmocka_unit_test(a_stop_is_no_error),
		cmocka_unit_test(a_reader_keeps_no_more_than_it_was_told),
		cmocka_unit_test(a_prefix_is_big_endian),
		cmocka_unit_test(a_timeout_is_parsed),
		cmocka_unit_test(a_timeout_is_printed_short_and_never_early),
		cmocka_unit_test(a_message_text_is_percent_encoded),
		cmocka_unit_test(a_message_text_is_cut_at_a_character),
		cmocka_unit_test(a_malformed_message_text_stays_as_it_is),
		cmocka_unit_test(content_types_are_told_apart),
		cmocka_unit_test(foreign_statuses_are_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
