/* source: requests that are held back until they may leave. */
#include "tests/support/source_den.h"

/* Before it is ready, and when it is. */
static void what_is_held_is_sent_when_it_may(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r[3] = {{.held = true}, {0}, {.held = true}};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &r[0], "echo", "{\"n\":\"one\"}"));
	assert_int_equal(r[0].leavings, 0); /* there is no source yet */
	assert_true(ask(&e, &r[1], "echo", "{\"n\":\"two\"}"));
	DEN_UNTIL(d, r[1].answers);
	assert_int_equal(r[0].leavings, 1);
	assert_int_equal(r[1].leavings, 1);
	assert_true(ask(&e, &r[2], "echo", "{\"n\":\"three\"}"));
	assert_int_equal(r[2].leavings, 1);
	assert_true(source_holds(e.source, r[0].number));
	assert_true(source_holds(e.source, r[2].number));
	assert_false(den_holds(d, "effects", "one"));
	source_send(e.source, r[2].number);
	DEN_UNTIL(d, r[2].answers);
	assert_false(den_holds(d, "effects", "one"));
	source_send(e.source, r[0].number);
	assert_false(source_holds(e.source, r[0].number));
	DEN_UNTIL(d, r[0].answers);
	source_send(e.source, r[0].number); /* once is enough */
	assert_int_equal(r[0].leavings, 1);
	close_source(&e);
	for (int i = 0; i < 3; i++)
		finish_reply(&r[i]);
}

static void what_is_held_can_be_taken_back(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r[2] = {{0}, {.held = true}};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &r[0], "echo", "{}"));
	DEN_UNTIL(d, r[0].answers);
	assert_true(ask(&e, &r[1], "echo", "{\"n\":\"held\"}"));
	source_cancel(e.source, r[1].number, (struct slice){NULL, 0});
	source_send(e.source, r[1].number);
	assert_true(ask(&e, &r[0], "echo", "{}"));
	DEN_UNTIL(d, r[0].answers == 2);
	assert_false(den_holds(d, "effects", "held"));
	assert_int_equal(r[1].answers + r[1].fails, 0);
	close_source(&e);
	finish_reply(&r[0]);
}

static void what_is_held_fails_with_its_source(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r[3] = {{0}, {.held = true}, {0}};

	open_source(d, &e, "", &usual_limits);
	assert_true(ask(&e, &r[0], "echo", "{}"));
	DEN_UNTIL(d, r[0].answers);
	assert_true(ask(&e, &r[1], "echo", "{\"n\":\"held\"}"));
	ask(&e, &r[2], "crash", "{}");
	DEN_UNTIL(d, r[1].fails);
	/* It never left: nobody need ask what it did. */
	assert_int_equal(r[1].why.reason, ERR_SOURCE_DOWN);
	source_send(e.source, r[1].number);
	assert_false(den_holds(d, "effects", "held"));
	close_source(&e);
	for (int i = 0; i < 3; i++)
		finish_reply(&r[i]);
}

static void only_so_many_are_held(void **state)
{
	struct den *d = *state;
	struct ears e = {0};
	struct reply r[4] = {
		{0}, {.held = true}, {.held = true}, {.held = true}};
	struct source_limits limits = usual_limits;

	limits.queued = 2;
	open_source(d, &e, "", &limits);
	assert_true(ask(&e, &r[0], "echo", "{}"));
	DEN_UNTIL(d, r[0].answers);
	assert_true(ask(&e, &r[1], "echo", "{}"));
	assert_true(ask(&e, &r[2], "echo", "{}"));
	assert_false(ask(&e, &r[3], "echo", "{}"));
	assert_int_equal(r[3].why.reason, ERR_OVERLOADED);
	assert_int_equal(r[3].leavings, 0);
	close_source(&e);
	finish_reply(&r[0]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, den_setup, den_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_held_is_sent_when_it_may),
		TEST(what_is_held_can_be_taken_back),
		TEST(what_is_held_fails_with_its_source),
		TEST(only_so_many_are_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
