#include "adapter/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_text(const struct batch *b, const char *want)
{
	assert_true(batch_complete(b));
	assert_true(slice_is(batch_text(b), want));
}

static void answers_are_joined_in_the_order_they_come(void **state)
{
	struct batch *b = batch_new();

	(void)state;
	batch_expect(b);
	batch_expect(b);
	batch_seal(b);
	batch_add(b, slice_of("{2}"));
	batch_settle(b);
	assert_false(batch_complete(b));
	batch_add(b, slice_of("{1}"));
	batch_settle(b);
	assert_text(b, "[{2},{1}]");
	batch_free(b);
}

static void nothing_is_complete_before_the_whole_batch_was_split(void **state)
{
	struct batch *b = batch_new();

	(void)state;
	batch_add(b, slice_of("{1}"));
	batch_expect(b);
	batch_add(b, slice_of("{2}"));
	batch_settle(b);
	assert_false(batch_complete(b));
	batch_seal(b);
	assert_text(b, "[{1},{2}]");
	batch_free(b);
}

static void without_answers_there_is_no_array(void **state)
{
	struct batch *b = batch_new();

	(void)state;
	batch_expect(b);
	batch_seal(b);
	batch_settle(b);
	assert_text(b, "");
	batch_free(b);
	batch_free(NULL);
}

static void an_answer_too_large_has_no_room(void **state)
{
	struct batch *b = batch_new();

	(void)state;
	assert_true(batch_has_room(b, BATCH_BYTES));
	assert_false(batch_has_room(b, BATCH_BYTES + 1));
	batch_add(b, slice_of("{1}"));
	assert_false(batch_has_room(b, BATCH_BYTES));
	assert_false(batch_has_room(b, SIZE_MAX));
	batch_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_joined_in_the_order_they_come),
		cmocka_unit_test(
			nothing_is_complete_before_the_whole_batch_was_split),
		cmocka_unit_test(without_answers_there_is_no_array),
		cmocka_unit_test(an_answer_too_large_has_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
