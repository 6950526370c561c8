/* gzip: what comes back is what went in, and never more than was allowed. */
#include "server/face/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"

enum { LIMIT_BYTES = 100000 };

static struct slice pattern(struct buf *to, size_t len)
{
	buf_reset(to, 0);
	for (size_t i = 0; i < len; i++) {
		char c = (char)(i * i >> 3);

		buf_append(to, &c, 1);
	}
	return buf_slice(to);
}

static void what_comes_back_is_what_went_in(void **state)
{
	static const size_t lengths[] = {0,	1,     2,	   1000,
					 65535, 65536, LIMIT_BYTES};
	struct buf plain = {0};
	struct buf packed = {0};
	struct buf again = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		pattern(&plain, lengths[i]);
		buf_reset(&packed, 0);
		buf_reset(&again, 0);
		buf_append_text(&again, "behind ");
		gzip_pack(&packed, buf_slice(&plain));
		assert_true(gzip_unpack(&again, buf_slice(&packed), LIMIT_BYTES,
					NULL));
		buf_consume(&again, 7);
		assert_true(slice_equal(buf_slice(&plain), buf_slice(&again)));
	}
	buf_finish(&plain);
	buf_finish(&packed);
	buf_finish(&again);
}

static void one_byte_over_the_limit_is_too_large(void **state)
{
	struct buf plain = {0};
	struct buf packed = {0};
	struct buf again = {0};
	struct err e;

	(void)state;
	gzip_pack(&packed, pattern(&plain, LIMIT_BYTES + 1));
	assert_false(gzip_unpack(&again, buf_slice(&packed), LIMIT_BYTES, &e));
	assert_int_equal(e.reason, ERR_TOO_LARGE);
	buf_finish(&plain);
	buf_finish(&packed);
	buf_finish(&again);
}

/* A gigabyte fits into a megabyte; what is reserved for it fits, too. */
static void a_bomb_takes_no_more_than_the_limit(void **state)
{
	enum { BOMB_BYTES = 64 * 1024 * 1024 };
	char *zeroes = calloc(1, BOMB_BYTES);
	struct buf packed = {0};
	struct buf again = {0};
	struct err e;

	(void)state;
	gzip_pack(&packed, (struct slice){zeroes, BOMB_BYTES});
	free(zeroes);
	assert_false(gzip_unpack(&again, buf_slice(&packed), LIMIT_BYTES, &e));
	assert_int_equal(e.reason, ERR_TOO_LARGE);
	assert_true(again.cap <= 4 * LIMIT_BYTES);
	buf_finish(&packed);
	buf_finish(&again);
}

static void refused(struct slice packed)
{
	struct buf again = {0};
	struct err e;

	assert_false(gzip_unpack(&again, packed, LIMIT_BYTES, &e));
	assert_int_equal(e.reason, ERR_PROTOCOL);
	buf_finish(&again);
}

static void a_torn_one_is_refused_wherever_it_is_torn(void **state)
{
	struct buf plain = {0};
	struct buf packed = {0};

	(void)state;
	gzip_pack(&packed, pattern(&plain, 1000));
	for (size_t len = 0; len < packed.len; len++)
		refused((struct slice){packed.data, len});
	buf_finish(&plain);
	buf_finish(&packed);
}

static void a_damaged_one_is_refused_or_changed_nothing(void **state)
{
	struct buf plain = {0};
	struct buf packed = {0};
	struct buf again = {0};

	(void)state;
	gzip_pack(&packed, pattern(&plain, 1000));
	for (size_t bit = 0; bit < packed.len * 8; bit++) {
		packed.data[bit / 8] ^= (char)(1 << bit % 8);
		buf_reset(&again, 0);
		/* Some bits of the header mean nothing; all others are under
		 * the checksum. */
		if (gzip_unpack(&again, buf_slice(&packed), LIMIT_BYTES, NULL))
			assert_true(slice_equal(buf_slice(&plain),
						buf_slice(&again)));
		packed.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_finish(&plain);
	buf_finish(&packed);
	buf_finish(&again);
}

static void nothing_may_stand_behind_it(void **state)
{
	struct buf plain = {0};
	struct buf packed = {0};

	(void)state;
	gzip_pack(&packed, pattern(&plain, 10));
	buf_append_text(&packed, "x");
	refused(buf_slice(&packed));
	refused(slice_of("no gzip at all"));
	buf_finish(&plain);
	buf_finish(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_back_is_what_went_in),
		cmocka_unit_test(one_byte_over_the_limit_is_too_large),
		cmocka_unit_test(a_bomb_takes_no_more_than_the_limit),
		cmocka_unit_test(a_torn_one_is_refused_wherever_it_is_torn),
		cmocka_unit_test(a_damaged_one_is_refused_or_changed_nothing),
		cmocka_unit_test(nothing_may_stand_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
