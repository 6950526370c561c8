/* starts: turns are given in order, and never more than there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/err.h"
#include "server/mcp/starts.h"

enum { TURNS = 12 };

struct runner {
	struct turn turn;
	unsigned came; /* the how-manieth that was let in after waiting */
};

static unsigned arrivals;

static void on_come(void *owner)
{
	struct runner *r = owner;

	assert_int_equal(r->turn.state, TURN_STARTING);
	r->came = ++arrivals;
}

static void enrol(struct starts *s, struct runner *r)
{
	struct err e;

	*r = (struct runner){0};
	turn_init(&r->turn, on_come, r);
	r->turn.starts = s;
	assert_true(turn_ask(&r->turn, &e));
}

static unsigned count(const struct runner *r, enum turn_state state)
{
	unsigned n = 0;

	for (int i = 0; i < TURNS; i++)
		n += r[i].turn.state == state;
	return n;
}

static void four_start_and_the_others_follow_in_order(void **state)
{
	struct starts s;
	struct runner r[TURNS];

	(void)state;
	arrivals = 0;
	starts_init(&s, 4, 256);
	for (int i = 0; i < TURNS; i++)
		enrol(&s, &r[i]);
	for (unsigned i = 0; i < TURNS; i++) {
		assert_int_equal(count(r, TURN_STARTING),
				 TURNS - i < 4 ? TURNS - i : 4);
		assert_int_equal(r[i].turn.state, TURN_STARTING);
		assert_int_equal(r[i].came, i < 4 ? 0 : i - 3);
		/* One becomes ready, the next fails. */
		if (i % 2)
			turn_end(&r[i].turn);
		else
			turn_started(&r[i].turn);
	}
	assert_int_equal(s.starting, 0);
	assert_int_equal(s.taken, TURNS / 2);
	for (int i = 0; i < TURNS; i++)
		turn_end(&r[i].turn);
	assert_int_equal(s.taken, 0);
}

static void whoever_gives_up_is_passed_over(void **state)
{
	struct starts s;
	struct runner r[TURNS];

	(void)state;
	arrivals = 0;
	starts_init(&s, 1, 256);
	for (int i = 0; i < TURNS; i++)
		enrol(&s, &r[i]);
	for (int i = 1; i < TURNS - 1; i++)
		turn_end(&r[i].turn);
	assert_int_equal(arrivals, 0);
	turn_started(&r[0].turn);
	turn_started(&r[0].turn); /* told twice, passed on once */
	assert_int_equal(r[TURNS - 1].came, 1);
	assert_int_equal(s.starting, 1);
	assert_int_equal(s.taken, 2);
}

static void asking_again_takes_one_turn(void **state)
{
	struct starts s;
	struct runner r[2];
	struct err e;

	(void)state;
	starts_init(&s, 1, 256);
	enrol(&s, &r[0]);
	enrol(&s, &r[1]);
	assert_true(turn_ask(&r[0].turn, &e));
	assert_true(turn_ask(&r[1].turn, &e));
	assert_int_equal(s.taken, 2);
	assert_int_equal(r[1].turn.state, TURN_WAITING);
	turn_end(&r[1].turn);
	turn_end(&r[0].turn);
	turn_end(&r[0].turn);
	assert_int_equal(s.taken, 0);
	assert_int_equal(s.starting, 0);
}

static void no_more_run_than_may(void **state)
{
	struct starts s;
	struct runner r[3];
	struct turn late;
	struct err e;

	(void)state;
	starts_init(&s, 1, 3);
	for (int i = 0; i < 3; i++)
		enrol(&s, &r[i]);
	turn_started(&r[0].turn);
	turn_init(&late, on_come, NULL);
	late.starts = &s;
	assert_false(turn_ask(&late, &e));
	assert_int_equal(e.reason, ERR_OVERLOADED);
	assert_int_equal(late.state, TURN_NONE);
	turn_end(&r[0].turn);
	assert_true(turn_ask(&late, &e));
	assert_int_equal(late.state, TURN_WAITING);
}

static void without_a_limit_everybody_starts(void **state)
{
	struct turn t[TURNS];
	struct err e;

	(void)state;
	for (int i = 0; i < TURNS; i++) {
		turn_init(&t[i], on_come, NULL);
		assert_true(turn_ask(&t[i], &e));
		assert_int_equal(t[i].state, TURN_STARTING);
		turn_started(&t[i]);
		turn_end(&t[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_start_and_the_others_follow_in_order),
		cmocka_unit_test(whoever_gives_up_is_passed_over),
		cmocka_unit_test(asking_again_takes_one_turn),
		cmocka_unit_test(no_more_run_than_may),
		cmocka_unit_test(without_a_limit_everybody_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
