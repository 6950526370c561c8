/* The journal on the disk, and what is kept of it in memory. */
#include "tests/support/room.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "proto/hash.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "server/mcp/journaling.h"
#include "server/store/journal.h"

static const unsigned char instance[16] = {1, 2, 3};
static const unsigned char adapter[16] = {9, 9};

static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static void begin(struct room *r)
{
	struct err e;

	room_open(r);
	assert_true(store_begin_epoch(r->store, instance, &e) > 0);
}

static void accept_at(struct room *r, uint64_t sequence, int64_t ms,
		      struct answer *a)
{
	struct stored_call call = {
		.sequence = sequence,
		.hash = UINT64_MAX - sequence,
		.accepted_ms = ms,
		.name = slice_of("\"pay\""),
	};

	memcpy(call.adapter, adapter, sizeof(adapter));
	store_call_accept(r->store, &call, on_done, a);
}

static void finish(struct room *r, uint64_t sequence, const char *result,
		   struct answer *a)
{
	struct message *m =
		result ? message_new(slice_of(result), false) : NULL;

	store_call_finish(r->store, adapter, sequence, m, on_done, a);
	message_unref(m);
}

/* All rows as text. */
struct rows {
	char text[512];
};

static void on_row(void *owner, const struct stored_call *call)
{
	struct rows *rows = owner;
	size_t len = strlen(rows->text);

	assert_memory_equal(call->adapter, adapter, sizeof(adapter));
	assert_true(call->hash == UINT64_MAX - call->sequence);
	assert_true(slice_is(call->name, "\"pay\""));
	snprintf(rows->text + len, sizeof(rows->text) - len, "%llu:%d:%zu ",
		 (unsigned long long)call->sequence, (int)call->state,
		 call->result_bytes);
}

static void assert_rows(struct room *r, const char *want)
{
	struct rows rows = {0};

	store_calls(r->store, on_row, NULL, &rows);
	room_run(r);
	assert_string_equal(rows.text, want);
}

/* --- the disk ------------------------------------------------------------- */

static void a_row_goes_its_way(void **state)
{
	struct room *r = *state;
	uint64_t settled[] = {1, 4, 99};
	struct answer a[6] = {0};

	begin(r);
	for (uint64_t i = 1; i <= 4; i++)
		accept_at(r, i, (int64_t)i, &a[i]);
	finish(r, 2, "{}", &a[0]);
	finish(r, 3, NULL, &a[5]);
	room_run(r);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(a[i].calls, 1);
		assert_int_equal(a[i].reason, ERR_NONE);
	}
	assert_rows(r, "1:1:0 2:2:2 3:4:0 4:1:0 ");
	store_calls_forget(r->store, adapter, settled, 3, on_done, &a[0]);
	room_run(r);
	assert_int_equal(a[0].calls, 2);
	assert_rows(r, "2:2:2 3:4:0 ");
	accept_at(r, 2, 7, &a[0]); /* again */
	assert_rows(r, "3:4:0 2:1:0 ");
	room_close(r);
}

static void on_result(void *owner, struct slice result)
{
	snprintf(owner, 16, "%.*s", (int)result.len, result.ptr);
}

struct reading {
	char text[16];
	struct answer a;
};

static void on_read(void *owner, const struct err *why)
{
	struct reading *reading = owner;

	on_done(&reading->a, why);
}

static void a_result_is_read_once_it_is_there(void **state)
{
	struct room *r = *state;
	struct reading reading = {0};
	struct answer a = {0};

	begin(r);
	accept_at(r, 1, 1, &a);
	store_call_result(r->store, adapter, 1, on_result, on_read, &reading);
	room_run(r);
	assert_int_equal(reading.a.reason, ERR_NOT_FOUND);
	finish(r, 1, "{\"x\":1}", &a);
	store_call_result(r->store, adapter, 1, on_result, on_read, &reading);
	room_run(r);
	assert_int_equal(reading.a.calls, 2);
	assert_int_equal(reading.a.reason, ERR_NONE);
	assert_string_equal(reading.text, "{\"x\":1}");
	room_close(r);
}

static void what_an_epoch_left_is_indeterminate_in_the_next(void **state)
{
	struct room *r = *state;
	struct answer a[3] = {0};

	begin(r);
	accept_at(r, 1, 1, &a[0]);
	accept_at(r, 2, 2, &a[1]);
	finish(r, 2, "{}", &a[2]);
	room_run(r);
	room_close(r);
	room_open(r);
	assert_rows(r, "1:1:0 2:2:2 "); /* not by opening it */
	room_close(r);
	begin(r);
	assert_rows(r, "1:3:0 2:2:2 ");
	room_close(r);
}

/* The child: accept and finish, and report each, until it is killed. */
enum { REPORTS = 40, KEPT = 5000 };

static void accept_and_report(struct room *r, int to)
{
	begin(r);
	for (uint64_t i = 1; i < KEPT; i++) {
		struct answer a[2] = {0};

		accept_at(r, i, (int64_t)i, &a[0]);
		if (i % 2)
			finish(r, i, "{}", &a[1]);
		room_run(r);
		if (a[0].calls != 1 || a[0].reason != ERR_NONE ||
		    write(to, "+", 1) != 1)
			_exit(1);
	}
	_exit(1); /* it should have been killed by now */
}

static void on_kept(void *owner, const struct stored_call *call)
{
	int *kept = owner;

	(*kept)++;
	assert_int_equal(call->sequence, *kept);
	assert_int_equal(call->state,
			 *kept % 2 ? STORED_DONE : STORED_INDETERMINATE);
}

static void what_was_reported_survives_a_kill(void **state)
{
	struct room *r = *state;
	int pipes[2];
	int status = 0;
	int reported = 0;
	int kept = 0;
	char byte;

	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(pipes[0]);
		accept_and_report(r, pipes[1]);
	}
	close(pipes[1]);
	while (reported < REPORTS && read(pipes[0], &byte, 1) == 1)
		reported++;
	assert_int_equal(reported, REPORTS);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(pipes[0], &byte, 1) == 1)
		reported++;
	close(pipes[0]);
	begin(r);
	store_calls(r->store, on_kept, NULL, &kept);
	room_run(r);
	assert_in_range(kept, reported, reported + 1);
	room_close(r);
}

/* Not at once: it is looked for ten times a second. */
static void a_file_that_was_replaced_is_soon_not_written(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	char old[128];

	begin(r);
	accept_at(r, 1, 1, &a);
	room_run(r);
	assert_int_equal(a.reason, ERR_NONE);
	snprintf(old, sizeof(old), "%s/old.db", r->dir);
	assert_int_equal(rename(r->db, old), 0);
	for (uint64_t i = 2; i < 1000 && a.reason == ERR_NONE; i++) {
		accept_at(r, i, 1, &a);
		room_run(r);
		usleep(10000);
	}
	assert_int_equal(a.reason, ERR_MISMATCH);
	room_close(r);
}

/* --- in memory ------------------------------------------------------------ */

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
		room_test(a_row_goes_its_way),
		room_test(a_result_is_read_once_it_is_there),
		room_test(what_an_epoch_left_is_indeterminate_in_the_next),
		room_test(what_was_reported_survives_a_kill),
		room_test(a_file_that_was_replaced_is_soon_not_written),
		room_test(the_oldest_results_go_first),
		room_test(old_results_go),
		room_test(old_rows_go_and_those_who_vouched_for_them),
		room_test(a_daemon_vouches_for_those_before_it),
		cmocka_unit_test(requests_are_told_apart_by_every_byte),
	};

	return cmocka_run_group_tests_name("store_journal", tests, NULL, NULL);
}
