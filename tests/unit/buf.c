#include "proto/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_bytes(const struct buf *b, const char *want)
{
	assert_int_equal(b->len, strlen(want));
	if (b->len > 0)
		assert_memory_equal(b->data, want, b->len);
}

static void what_is_appended_comes_out_in_order(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_append(&b, "ab", 2);
	buf_append_text(&b, "");
	buf_append_slice(&b, slice_of("cd"));
	buf_append_slice(&b, (struct slice){NULL, 0});
	buf_printf(&b, "%d-%s", 42, "x");
	assert_bytes(&b, "abcd42-x");
	assert_true(slice_is(buf_slice(&b), "abcd42-x"));
	buf_consume(&b, 3);
	assert_bytes(&b, "d42-x");
	buf_consume(&b, 0);
	buf_consume(&b, 5);
	assert_int_equal(b.len, 0);
	buf_finish(&b);
}

static void a_queue_keeps_its_order_while_it_slides_and_grows(void **state)
{
	struct buf b = {0};
	unsigned char next_in = 0;
	unsigned char next_out = 0;

	(void)state;
	/* More in than out at first, then the other way round; the steps have
	 * no common rhythm. */
	for (size_t i = 0; i < 4000; i++) {
		size_t in = i < 2000 ? i % 97 : i % 31;
		size_t out = i < 2000 ? i % 61 : i % 103;
		char *to = buf_reserve(&b, in);

		for (size_t k = 0; k < in; k++)
			to[k] = (char)next_in++;
		buf_added(&b, in);
		if (out > b.len)
			out = b.len;
		for (size_t k = 0; k < out; k++)
			assert_int_equal((unsigned char)b.data[k], next_out++);
		buf_consume(&b, out);
	}
	assert_true(b.cap <= 256 * 1024);
	buf_finish(&b);
}

static void a_steady_queue_does_not_grow(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_append_text(&b, "0123456789");
	for (int i = 0; i < 10000; i++) {
		buf_append_text(&b, "0123456789");
		buf_consume(&b, 10);
		assert_bytes(&b, "0123456789");
	}
	assert_true(b.cap <= 256);
	buf_finish(&b);
}

static void room_that_was_reserved_stays_where_it_is(void **state)
{
	struct buf b = {0};
	char *room = buf_reserve(&b, 1000);

	(void)state;
	buf_append_text(&b, "x");
	assert_ptr_equal(b.data, room);
	assert_ptr_equal(buf_reserve(&b, 999), room + 1);
	buf_finish(&b);
}

static void a_long_print_is_whole(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_printf(&b, "%0500d", 7);
	assert_int_equal(b.len, 500);
	assert_int_equal(b.data[0], '0');
	assert_int_equal(b.data[499], '7');
	buf_finish(&b);
}

/* Past where a buffer has pages of its own, and on: growing from the heap, in
 * place and elsewhere, with and without consumed bytes before it. */
static void a_large_one_keeps_its_bytes_as_it_grows(void **state)
{
	const size_t consumed_each[] = {0, 30011};
	char piece[65521]; /* a prime */

	(void)state;
	for (size_t way = 0; way < 2; way++) {
		struct buf b = {0};
		size_t in = 0;
		size_t out = 0;

		while (b.len < 9 * 1024 * 1024) {
			for (size_t i = 0; i < sizeof(piece); i++)
				piece[i] = (char)((in + i) % 251);
			buf_append(&b, piece, sizeof(piece));
			in += sizeof(piece);
			buf_consume(&b, consumed_each[way]);
			out += consumed_each[way];
		}
		assert_int_equal(b.len, in - out);
		for (size_t i = 0; i < b.len; i++)
			if (b.data[i] != (char)((out + i) % 251))
				fail_msg("byte %zu is another", i);
		buf_reset(&b, 64 * 1024);
		assert_null(b.data);
		buf_append_text(&b, "small again");
		assert_bytes(&b, "small again");
		buf_finish(&b);
	}
}

static void a_reset_keeps_only_so_much_memory(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_append_text(&b, "abc");
	buf_consume(&b, 1);
	buf_reset(&b, 256);
	assert_int_equal(b.len, 0);
	assert_non_null(b.data);
	buf_append_text(&b, "de");
	assert_bytes(&b, "de");
	buf_reset(&b, 255);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	buf_reset(&b, 0);
	buf_finish(&b);
}

static void assert_replaced(size_t head, size_t at, size_t len,
			    const char *with)
{
	static const char text[] = "0123456789";
	struct buf b = {0};
	char want[32];

	snprintf(want, sizeof(want), "%.*s%s%s", (int)at, text, with,
		 text + at + len);
	for (size_t i = 0; i < head; i++)
		buf_append_text(&b, "x");
	buf_append_text(&b, text);
	buf_consume(&b, head);
	buf_replace(&b, at, len, slice_of(with));
	assert_bytes(&b, want);
	buf_append_text(&b, "!");
	assert_int_equal(b.data[b.len - 1], '!');
	buf_finish(&b);
}

/* Before, in the middle and behind, shorter and longer, with and without room
 * on the left. */
static void a_part_is_replaced_in_place(void **state)
{
	static const char *const with[] = {"", "a", "ab", "abcdefg"};

	(void)state;
	for (size_t head = 0; head <= 6; head += 3)
		for (size_t at = 0; at <= 10; at++)
			for (size_t len = 0; len <= 10 - at; len++)
				for (size_t i = 0; i < 4; i++)
					assert_replaced(head, at, len, with[i]);
}

/* Of a long text that gets a shorter id the short side moves, and nothing of
 * the long one. */
static void the_shorter_side_moves(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_append_text(&b, "{\"id\":100,");
	while (b.len < 100000)
		buf_append_text(&b, "long");
	const char *end = b.data + b.len;
	buf_replace(&b, 6, 3, slice_of("7"));
	assert_ptr_equal(b.data + b.len, end);
	buf_replace(&b, 6, 1, slice_of("100"));
	assert_ptr_equal(b.data + b.len, end);
	assert_memory_equal(b.data, "{\"id\":100,long", 14);
	buf_finish(&b);
}

static void contents_move_to_another_owner(void **state)
{
	struct buf from = {0};
	struct buf to = {0};

	(void)state;
	buf_append_text(&from, "abc");
	buf_consume(&from, 1);
	buf_move(&to, &from);
	assert_bytes(&to, "bc");
	assert_null(from.data);
	buf_append_text(&from, "new");
	assert_bytes(&from, "new");
	buf_finish(&from);
	buf_finish(&to);
	buf_finish(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_appended_comes_out_in_order),
		cmocka_unit_test(
			a_queue_keeps_its_order_while_it_slides_and_grows),
		cmocka_unit_test(a_steady_queue_does_not_grow),
		cmocka_unit_test(room_that_was_reserved_stays_where_it_is),
		cmocka_unit_test(a_long_print_is_whole),
		cmocka_unit_test(a_large_one_keeps_its_bytes_as_it_grows),
		cmocka_unit_test(a_reset_keeps_only_so_much_memory),
		cmocka_unit_test(a_part_is_replaced_in_place),
		cmocka_unit_test(the_shorter_side_moves),
		cmocka_unit_test(contents_move_to_another_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
