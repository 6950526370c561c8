/* source: what it shares with others, and how much it may use. */
#include "tests/support/source_den.h"

#include "server/mcp/starts.h"

static void share(struct ears *e, struct starts *starts)
{
	source_share(e->source, &(struct source_shared){.starts = starts});
}

static void no_more_run_than_may(void **state)
{
	struct den *d = *state;
	struct starts starts;
	struct ears e[2] = {{0}};
	struct reply r[3] = {{0}};

	starts_init(&starts, 4, 1);
	for (int i = 0; i < 2; i++) {
		open_source(d, &e[i], "", &usual_limits);
		share(&e[i], &starts);
	}
	assert_true(ask(&e[0], &r[0], "echo", "{}"));
	DEN_UNTIL(d, r[0].answers);
	/* It is not the other one's fault: it does not rest. */
	assert_true(ask(&e[1], &r[1], "echo", "{}"));
	DEN_UNTIL(d, r[1].fails);
	assert_int_equal(r[1].why.reason, ERR_OVERLOADED);
	assert_non_null(strstr(r[1].why.text, "1 sources run already"));
	assert_int_equal(source_state(e[1].source), SOURCE_STOPPED);
	source_stop(e[0].source);
	DEN_UNTIL(d, source_state(e[0].source) == SOURCE_STOPPED);
	assert_true(ask(&e[1], &r[2], "echo", "{}"));
	DEN_UNTIL(d, r[2].answers);
	for (int i = 0; i < 2; i++)
		close_source(&e[i]);
	assert_int_equal(starts.taken, 0);
	for (int i = 0; i < 3; i++)
		finish_reply(&r[i]);
}

static void one_that_is_slow_to_start_lets_the_next_one_start(void **state)
{
	struct den *d = *state;
	struct starts starts;
	struct ears e[2] = {{0}};
	struct reply r[2] = {{0}};

	starts_init(&starts, 1, 256);
	open_source(d, &e[0], "mute", &usual_limits);
	open_source(d, &e[1], "", &usual_limits);
	for (int i = 0; i < 2; i++) {
		share(&e[i], &starts);
		assert_true(ask(&e[i], &r[i], "echo", "{}"));
	}
	DEN_UNTIL(d, source_state(e[0].source) == SOURCE_STARTING);
	den_turn(d);
	assert_int_equal(source_state(e[1].source), SOURCE_STOPPED);
	DEN_UNTIL(d, r[1].answers);
	assert_int_equal(source_state(e[0].source), SOURCE_STARTING);
	for (int i = 0; i < 2; i++)
		close_source(&e[i]);
	assert_int_equal(starts.taken, 0);
	finish_reply(&r[1]);
}

static void one_that_waits_for_its_turn_can_be_stopped_and_freed(void **state)
{
	struct den *d = *state;
	struct starts starts;
	struct ears e[3] = {{0}};
	struct reply r[3] = {{0}};

	starts_init(&starts, 1, 256);
	for (int i = 0; i < 3; i++) {
		open_source(d, &e[i], i == 0 ? "mute" : "", &usual_limits);
		share(&e[i], &starts);
		assert_true(ask(&e[i], &r[i], "echo", "{}"));
	}
	DEN_UNTIL(d, starts.taken == 3);
	source_stop(e[1].source);
	DEN_UNTIL(d, r[1].fails);
	close_source(&e[1]);
	/* Whoever waits behind it comes when the first one goes. */
	close_source(&e[0]);
	DEN_UNTIL(d, r[2].answers);
	close_source(&e[2]);
	assert_int_equal(starts.taken, 0);
	assert_int_equal(starts.starting, 0);
	finish_reply(&r[2]);
}

static void one_that_is_far_over_its_memory_is_ended_at_once(void **state)
{
	struct den *d = *state;
	struct source_limits limits = usual_limits;
	struct ears e = {0};
	struct reply held = {0};
	struct source_info info;

	limits.memory_bytes = 4096;
	limits.memory_ms = 20;
	open_source(d, &e, "", &limits);
	assert_true(ask(&e, &held, "hold", "{}"));
	DEN_UNTIL(d, held.fails);
	assert_int_equal(held.why.reason, ERR_OUTCOME_UNKNOWN);
	assert_non_null(strstr(held.why.text, "more than its limit"));
	DEN_UNTIL(d, source_state(e.source) == SOURCE_STOPPED);
	source_info(e.source, &info);
	assert_non_null(strstr(info.last_error, "more than its limit"));
	assert_int_equal(info.rss_bytes, 0);
	close_source(&e);
}

static void one_within_its_memory_is_looked_at_and_left_alone(void **state)
{
	struct den *d = *state;
	struct source_limits limits = usual_limits;
	struct ears e = {0};
	struct reply held = {0};
	struct source_info info = {0};

	limits.memory_bytes = 1ull << 40;
	limits.memory_ms = 20;
	open_source(d, &e, "", &limits);
	assert_true(ask(&e, &held, "hold", "{}"));
	DEN_UNTIL(d, (source_info(e.source, &info), info.rss_bytes > 0));
	assert_int_equal(source_state(e.source), SOURCE_READY);
	assert_int_equal(held.fails, 0);
	close_source(&e);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, den_setup, den_teardown)
	const struct CMUnitTest tests[] = {
		TEST(no_more_run_than_may),
		TEST(one_that_is_slow_to_start_lets_the_next_one_start),
		TEST(one_that_waits_for_its_turn_can_be_stopped_and_freed),
		TEST(one_that_is_far_over_its_memory_is_ended_at_once),
		TEST(one_within_its_memory_is_looked_at_and_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
