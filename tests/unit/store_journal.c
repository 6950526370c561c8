/* The journal on the disk. */
#include "tests/unit/store_rows.h"

#include <signal.h>
#include <sys/wait.h>

static void a_row_goes_its_way(void **state)
{
	struct room *r = *state;
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
	const int64_t settled[] = {places[1], places[4], 99};
	store_calls_forget(r->store, settled, 3, on_done, &a[0]);
	room_run(r);
	assert_int_equal(a[0].calls, 2);
	assert_rows(r, "2:2:2 3:4:0 ");
	accept_at(r, 2, 7, &a[0]); /* again */
	assert_rows(r, "3:4:0 2:1:0 ");
	room_close(r);
}

static void forget(struct room *r, uint64_t sequence)
{
	store_calls_forget(r->store, &places[sequence], 1, NULL, NULL);
	places[sequence] = 0;
}

static void a_row_takes_the_place_of_one_that_goes(void **state)
{
	struct room *r = *state;
	struct answer a = {0};

	begin(r);
	for (uint64_t i = 1; i <= 3; i++)
		accept_at(r, i, (int64_t)i, &a);
	finish(r, 2, "secret", &a);
	room_run(r);
	const int64_t second = places[2];
	forget(r, 2);
	accept_at(r, 4, 4, &a);
	assert_int_equal(places[4], second);
	accept_at(r, 5, 5, &a);
	forget(r, 5); /* in the turn in which it was accepted */
	accept_at(r, 6, 6, &a);
	assert_rows(r, "1:1:0 3:1:0 4:1:0 6:1:0 ");
	forget(r, 3);
	room_run(r);
	accept_at(r, 7, 7, &a); /* too late for that one's */
	assert_rows(r, "1:1:0 4:1:0 6:1:0 7:1:0 ");
	room_close(r);
	assert_false(file_holds(r->db, "secret"));
	begin(r);
	accept_at(r, 8, 8, &a); /* nobody's place */
	assert_rows(r, "1:3:0 4:3:0 6:3:0 7:3:0 8:1:0 ");
	room_close(r);
}

/* Whatever is asked for in whichever turn. */
static void rows_are_as_they_were_asked_for(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	char states[SEQUENCES] = {0};
	char want[512] = "";
	uint64_t next = 1;

	begin(r);
	srandom(7);
	for (int i = 0; i < 3000; i++) {
		uint64_t some =
			next > 6 ? next - 1 - (uint64_t)random() % 6 : 0;
		long what = random() % 8;

		if (what < 3) {
			accept_at(r, next, (int64_t)next, &a);
			states[next++] = STORED_ACCEPTED;
		} else if (what == 3) {
			room_run(r);
		} else if (states[some] && what < 6) {
			finish(r, some, NULL, &a);
			states[some] = STORED_ENDED;
		} else if (states[some]) {
			forget(r, some);
			states[some] = 0;
		}
		if (next > 12 && states[next - 12]) { /* they stay few */
			forget(r, next - 12);
			states[next - 12] = 0;
		}
		if (i % 10 != 0)
			continue;
		want[0] = '\0';
		for (uint64_t s = 1; s < next; s++)
			if (states[s])
				snprintf(want + strlen(want),
					 sizeof(want) - strlen(want),
					 "%llu:%d:0 ", (unsigned long long)s,
					 states[s]);
		assert_rows(r, want);
	}
	assert_int_equal(a.reason, ERR_NONE);
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
	store_call_result(r->store, places[1], on_result, on_read, &reading);
	room_run(r);
	assert_int_equal(reading.a.reason, ERR_NOT_FOUND);
	finish(r, 1, "{\"x\":1}", &a);
	store_call_result(r->store, places[1], on_result, on_read, &reading);
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
enum { REPORTS = 40, KEPT = SEQUENCES };

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

static off_t wal_bytes(const struct room *r)
{
	struct stat st;

	assert_int_equal(stat(r->wal, &st), 0);
	return st.st_size;
}

/* Many small transactions, and few large ones. */
static void the_log_is_copied_into_the_database(void **state)
{
	static char text[500000];
	struct room *r = *state;
	struct answer a = {0};

	begin(r);
	for (uint64_t i = 1; i <= 2000; i++) {
		accept_at(r, 1, (int64_t)i, &a);
		room_run(r);
	}
	assert_in_range(wal_bytes(r), 1, 1500 << 10);
	memset(text, 'r', sizeof(text));
	for (int i = 0; i < 30; i++) {
		text[sizeof(text) - 1] = '\0';
		finish(r, 1, text, &a);
		room_run(r);
	}
	assert_int_equal(a.reason, ERR_NONE);
	assert_in_range(wal_bytes(r), 1, 6 << 20);
	room_close(r);
	assert_int_equal(file_mode(r->wal), -1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		journal_test(a_row_goes_its_way),
		journal_test(a_row_takes_the_place_of_one_that_goes),
		journal_test(rows_are_as_they_were_asked_for),
		journal_test(a_result_is_read_once_it_is_there),
		journal_test(what_an_epoch_left_is_indeterminate_in_the_next),
		journal_test(what_was_reported_survives_a_kill),
		journal_test(the_log_is_copied_into_the_database),
		journal_test(a_file_that_was_replaced_is_soon_not_written),
	};

	return cmocka_run_group_tests_name("store_journal", tests, NULL, NULL);
}
