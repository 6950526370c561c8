/* What is kept of the journal in memory. */
#include "tests/unit/store_rows.h"

#include <time.h>

#include "proto/hash.h"
#include "proto/mem.h"
#include "server/mcp/journaling.h"

static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static struct journaling *load(struct room *r,
			       const struct journaling_options *options)
{
	struct journaling *j = journaling_new(r->store, options);
	struct answer a = {0};

	journaling_load(j, on_done, &a);
	room_run(r);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.reason, ERR_NONE);
	return j;
}

static struct journaling_options small(void)
{
	struct journaling_options options = {
		.result_bytes = 100,
		.all_bytes = 150,
		.keep_ms = 60000,
	};

	mem_random(options.instance, sizeof(options.instance));
	return options;
}

static void run_call(struct room *r, struct journaling *j, uint64_t sequence,
		     size_t bytes)
{
	char text[128];
	struct answer a[2] = {0};

	memset(text, 'r', sizeof(text));
	struct message *m = message_new((struct slice){text, bytes}, false);
	journaling_accept(j, adapter, sequence, 1, slice_of("\"pay\""), on_done,
			  &a[0]);
	journaling_answer(j, adapter, sequence, m, on_done, &a[1]);
	message_unref(m);
	room_run(r);
	assert_int_equal(a[0].reason, ERR_NONE);
	assert_int_equal(a[1].reason, ERR_NONE);
}

static enum journaling_state state_of(const struct journaling *j,
				      uint64_t sequence)
{
	return journaling_find(j, adapter, sequence, NULL);
}

static void the_oldest_results_go_first(void **state)
{
	struct room *r = *state;
	struct journaling_options options = small();

	begin(r);
	struct journaling *j = load(r, &options);
	run_call(r, j, 1, 60);
	run_call(r, j, 2, 60);
	assert_int_equal(state_of(j, 1), JOURNALING_DONE);
	run_call(r, j, 3, 60);
	for (int i = 0; i < 2; i++) { /* and so it is on the disk */
		assert_int_equal(state_of(j, 1), JOURNALING_ENDED);
		assert_int_equal(state_of(j, 2), JOURNALING_DONE);
		assert_int_equal(state_of(j, 3), JOURNALING_DONE);
		room_close(r);
		journaling_free(j);
		begin(r);
		mem_random(options.instance, sizeof(options.instance));
		j = load(r, &options);
	}
	room_close(r);
	journaling_free(j);
}

/* A row that could not be forgotten, and a later one of the same key. */
static void of_two_rows_the_later_one_counts(void **state)
{
	struct room *r = *state;
	struct journaling_options options = small();
	struct journaling_call call;
	struct answer a = {0};

	begin(r);
	accept_at(r, 1, now_ms() - 2000, &a);
	finish(r, 1, "{}", &a);
	places[1] = 0;
	accept_at(r, 1, now_ms() - 1000, &a);
	struct journaling *j = load(r, &options);
	assert_int_equal(journaling_find(j, adapter, 1, &call),
			 JOURNALING_LEFT);
	assert_true(call.accepted_ms > now_ms() - 2000);
	assert_rows(r, "1:1:0 ");
	room_close(r);
	journaling_free(j);
}

static void old_results_go(void **state)
{
	struct room *r = *state;
	const struct journaling_options options = small();
	struct answer a = {0};

	begin(r);
	accept_at(r, 1, now_ms() - 61000, &a);
	finish(r, 1, "{}", &a);
	accept_at(r, 2, now_ms() - 30000, &a);
	finish(r, 2, "{}", &a);
	struct journaling *j = load(r, &options);
	assert_int_equal(state_of(j, 1), JOURNALING_ENDED);
	assert_int_equal(state_of(j, 2), JOURNALING_DONE);
	room_close(r);
	journaling_free(j);
}

/* A row that is missing because of its age must not look like one that never
 * was: who might wait for it has a session that is as old. */
static void old_rows_go_and_those_who_vouched_for_them(void **state)
{
	const int64_t month_ms = 30ll * 24 * 3600 * 1000;
	struct room *r = *state;
	struct journaling_options options = small();
	struct stored_daemon old = {.instance = "old"};
	struct answer a[4] = {0};
	unsigned char ours[16];
	unsigned char theirs[16] = "old";

	begin(r);
	old.began_ms = now_ms() - 2 * month_ms;
	store_daemon_put(r->store, &old, on_done, &a[0]);
	accept_at(r, 1, now_ms() - month_ms - 60000, &a[1]);
	accept_at(r, 2, now_ms() - month_ms + 60000, &a[2]);
	room_run(r);
	for (int i = 0; i < 2; i++) {
		room_close(r);
		begin(r);
		mem_random(options.instance, sizeof(options.instance));
		struct journaling *j = load(r, &options);
		journaling_mint(j, ours);
		assert_int_equal(state_of(j, 1), JOURNALING_NONE);
		assert_int_equal(state_of(j, 2), JOURNALING_LEFT);
		assert_false(journaling_vouches(
			j, (struct slice){(char *)theirs, 16}));
		assert_true(journaling_vouches(
			j, (struct slice){(char *)ours, 16}));
		room_run(r);
		room_close(r);
		journaling_free(j);
		begin(r);
	}
	room_close(r);
}

static void a_daemon_vouches_for_those_before_it(void **state)
{
	struct room *r = *state;
	struct journaling_options options = small();
	unsigned char first[16];
	unsigned char strange[16];

	begin(r);
	struct journaling *j = load(r, &options);
	journaling_mint(j, first);
	room_close(r);
	journaling_free(j);
	begin(r);
	mem_random(options.instance, sizeof(options.instance));
	mem_random(strange, sizeof(strange));
	j = load(r, &options);
	assert_true(journaling_vouches(j, (struct slice){(char *)first, 16}));
	assert_false(
		journaling_vouches(j, (struct slice){(char *)strange, 16}));
	assert_false(journaling_vouches(j, (struct slice){NULL, 0}));
	room_close(r);
	journaling_free(j);
}

static void requests_are_told_apart_by_every_byte(void **state)
{
	char text[40];
	struct slice whole = {text, sizeof(text)};

	(void)state;
	memset(text, 'x', sizeof(text));
	const uint64_t hash = hash_text(whole);
	assert_true(hash == hash_text(whole));
	assert_true(hash != hash_text((struct slice){text, 39}));
	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = 'y';
		assert_true(hash != hash_text(whole));
		text[i] = 'x';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		journal_test(the_oldest_results_go_first),
		journal_test(of_two_rows_the_later_one_counts),
		journal_test(old_results_go),
		journal_test(old_rows_go_and_those_who_vouched_for_them),
		journal_test(a_daemon_vouches_for_those_before_it),
		cmocka_unit_test(requests_are_told_apart_by_every_byte),
	};

	return cmocka_run_group_tests_name("journaling", tests, NULL, NULL);
}
