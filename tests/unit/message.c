#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Numbers, so that no part is like another. */
static void fill(struct buf *to, size_t len)
{
	while (to->len < len)
		buf_printf(to, "%zu,", to->len);
}

static void assert_is(const struct message *m, size_t len)
{
	struct buf want = {0};

	fill(&want, len);
	assert_true(slice_equal(message_text(m), buf_slice(&want)));
	assert_false(m->effect);
	assert_int_equal(m->sequence, 0);
	buf_finish(&want);
}

static void of_any_size_it_has_bytes_of_its_own(void **state)
{
	static const size_t lens[] = {0, 1, 300, 1 << 20, 3 << 20};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		struct buf text = {0};

		fill(&text, lens[i]);
		struct message *m = message_new(buf_slice(&text), false);
		struct message *taken = message_take(&text, false);
		assert_null(text.data);
		assert_is(m, lens[i]);
		assert_is(taken, lens[i]);
		message_unref(m);
		message_unref(taken);
	}
}

static void a_large_one_is_taken_where_it_lies(void **state)
{
	struct buf text = {0};

	(void)state;
	buf_append_text(&text, "consumed");
	fill(&text, 3 << 20);
	buf_consume(&text, 8);
	const char *before = text.data;
	struct message *m = message_take(&text, true);
	assert_ptr_equal(m->json, before);
	assert_true(m->effect);
	message_unref(m);
}

static void it_goes_with_its_last_reference(void **state)
{
	struct buf text = {0};

	(void)state;
	fill(&text, 3 << 20);
	struct message *m = message_take(&text, false);
	assert_ptr_equal(message_ref(m), m);
	message_unref(m);
	assert_is(m, 3 << 20);
	message_unref(m);
	message_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_any_size_it_has_bytes_of_its_own),
		cmocka_unit_test(a_large_one_is_taken_where_it_lies),
		cmocka_unit_test(it_goes_with_its_last_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
