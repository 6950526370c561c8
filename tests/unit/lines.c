#include "proto/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/mem.h"

/* What happened, as text: "<line>" and "!start!". */
struct seen {
	struct buf log;
	struct lines *takes; /* the lines that are there whole, from these */
	unsigned taken;
	int stop_after; /* events; 0 is never */
	int events;
};

static bool note(struct seen *seen, const char *before, struct slice s,
		 const char *after)
{
	buf_append_text(&seen->log, before);
	buf_append_slice(&seen->log, s);
	buf_append_text(&seen->log, after);
	return ++seen->events != seen->stop_after;
}

static bool on_line(void *owner, struct slice line)
{
	struct seen *seen = owner;
	struct buf *whole = seen->takes ? lines_whole(seen->takes) : NULL;
	struct buf mine = {0};
	bool go_on;

	if (whole) {
		assert_true(slice_equal(buf_slice(whole), line));
		buf_move(&mine, whole);
		seen->taken++;
	}
	go_on = note(seen, "<", line, ">");
	buf_finish(&mine);
	return go_on;
}

static bool on_overlong(void *owner, struct slice start)
{
	return note(owner, "!", start, "!");
}

static const struct lines_events events = {on_line, on_overlong};

/* Feed a copy of exactly these bytes, which is gone afterwards. */
static bool feed(struct lines *l, struct slice bytes, struct seen *seen)
{
	char *copy = mem_copy(bytes.ptr, bytes.len);
	bool go_on =
		lines_feed(l, (struct slice){copy, bytes.len}, &events, seen);

	free(copy);
	return go_on;
}

static void assert_log(struct seen *seen, const char *want)
{
	buf_append(&seen->log, "", 1);
	assert_string_equal(seen->log.data, want);
	buf_finish(&seen->log);
	seen->events = 0;
}

/* The same events whether text comes in pieces of any one size, or cut at any
 * two places. */
static void at_every_split(const char *text, size_t limit, const char *want)
{
	struct slice all = slice_of(text);
	struct seen seen = {0};
	struct lines l;

	for (size_t size = 1; size <= all.len; size++) {
		lines_init(&l, limit);
		for (size_t at = 0; at < all.len; at += size) {
			size_t n = all.len - at < size ? all.len - at : size;

			assert_true(feed(&l, (struct slice){all.ptr + at, n},
					 &seen));
		}
		assert_true(lines_end(&l, &events, &seen));
		assert_log(&seen, want);
		lines_finish(&l);
	}
	for (size_t a = 0; a <= all.len; a++) {
		for (size_t b = a; b <= all.len; b++) {
			lines_init(&l, limit);
			seen.takes = b % 2 ? &l : NULL;
			feed(&l, (struct slice){all.ptr, a}, &seen);
			feed(&l, (struct slice){all.ptr + a, b - a}, &seen);
			feed(&l, (struct slice){all.ptr + b, all.len - b},
			     &seen);
			lines_end(&l, &events, &seen);
			assert_log(&seen, want);
			lines_finish(&l);
		}
	}
}

static void a_line_survives_any_split(void **state)
{
	(void)state;
	at_every_split("one\ntwo\r\n\n\r\nthr\ree\n\xc3\xa9\nlast", 100,
		       "<one><two><thr\ree><\xc3\xa9><last>");
	at_every_split("a\nb\n", 100, "<a><b>");
	at_every_split("\n\n\n", 100, "");
	at_every_split("\r\r\nx\r", 100, "<\r><x>");
}

static void a_torn_line_may_be_taken_and_no_other(void **state)
{
	struct lines l;
	struct seen seen = {.takes = &l};

	(void)state;
	lines_init(&l, 100);
	feed(&l, slice_of("one\ntw"), &seen);
	assert_int_equal(seen.taken, 0);
	feed(&l, slice_of("o\r\nthree\nfour"), &seen);
	assert_int_equal(seen.taken, 1);
	lines_end(&l, &events, &seen);
	assert_int_equal(seen.taken, 2);
	assert_log(&seen, "<one><two><three><four>");
	lines_finish(&l);
}

static void the_limit_is_exact_at_any_split(void **state)
{
	(void)state;
	at_every_split("12345\n123456\n12345\r\n1234\r\n12345", 5,
		       "<12345>!12345!!12345!<1234><12345>");
	at_every_split("1234567890123\n\n2\n123456", 5, "!12345!<2>!12345!");
	at_every_split("x\n\n", 0, "!!");
}

static void a_long_start_is_cut_at_four_kib(void **state)
{
	enum { LIMIT = 10000, SENT = 20000 };
	struct seen seen = {0};
	struct lines l;
	char *text = mem_alloc(SENT + 3);

	(void)state;
	memset(text, 'x', SENT);
	memcpy(text + SENT, "\nz\n", 3);
	for (size_t size = 1000; size <= SENT + 3; size += 1900) {
		lines_init(&l, LIMIT);
		for (size_t at = 0; at < SENT + 3; at += size) {
			size_t n = SENT + 3 - at < size ? SENT + 3 - at : size;

			assert_true(
				feed(&l, (struct slice){text + at, n}, &seen));
			assert_true(l.torn.len <= LIMIT);
		}
		assert_int_equal(seen.log.len, 1 + 4096 + 1 + 3);
		assert_memory_equal(seen.log.data + 4096 + 1, "!<z>", 4);
		buf_finish(&seen.log);
		lines_finish(&l);
	}
	free(text);
}

static void a_whole_line_is_not_copied(void **state)
{
	struct seen seen = {0};
	struct lines l;

	(void)state;
	lines_init(&l, 100);
	assert_true(feed(&l, slice_of("one\ntwo\n"), &seen));
	assert_null(l.torn.data);
	assert_log(&seen, "<one><two>");
	lines_finish(&l);
}

static void memory_of_a_long_line_is_given_back(void **state)
{
	enum { LONG = 1 << 20 };
	struct seen seen = {0};
	struct lines l;
	char *text = mem_alloc(LONG);

	(void)state;
	memset(text, 'x', LONG);
	lines_init(&l, LONG);
	assert_true(feed(&l, (struct slice){text, LONG}, &seen));
	assert_int_equal(l.torn.len, LONG);
	assert_true(feed(&l, slice_of("\n"), &seen));
	assert_true(l.torn.cap <= 64 * 1024);
	assert_int_equal(seen.log.len, LONG + 2);
	buf_finish(&seen.log);
	lines_finish(&l);
	free(text);
}

static void a_stop_drops_the_rest(void **state)
{
	struct seen seen = {.stop_after = 2};
	struct lines l;

	(void)state;
	lines_init(&l, 4);
	assert_false(feed(&l, slice_of("a\nb\nc\nd"), &seen));
	assert_log(&seen, "<a><b>");
	/* A torn one, too, and one that is too long. */
	seen.stop_after = 1;
	assert_true(feed(&l, slice_of("ef"), &seen));
	assert_false(feed(&l, slice_of("g\nh\n"), &seen));
	assert_log(&seen, "<efg>");
	assert_false(feed(&l, slice_of("12345\nh\n"), &seen));
	assert_log(&seen, "!1234!");
	assert_int_equal(l.torn.len, 0);
	lines_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_survives_any_split),
		cmocka_unit_test(a_torn_line_may_be_taken_and_no_other),
		cmocka_unit_test(the_limit_is_exact_at_any_split),
		cmocka_unit_test(a_long_start_is_cut_at_four_kib),
		cmocka_unit_test(a_whole_line_is_not_copied),
		cmocka_unit_test(memory_of_a_long_line_is_given_back),
		cmocka_unit_test(a_stop_drops_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
