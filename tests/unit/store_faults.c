#include "tests/support/room.h"

#include <grp.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "proto/mem.h"
#include "server/store/store_internal.h"

static const unsigned char instance[16] = {1, 2, 3};

enum { NOBODY = 65534, LARGE_BYTES = 2 * 1024 * 1024 };

/* Ask for a catalogue of that size. */
static void put_bytes(struct room *r, const char *source, size_t bytes,
		      struct answer *a)
{
	char *json = mem_zalloc(bytes);
	char exposed[64];

	memset(json, 'j', bytes);
	snprintf(exposed, sizeof(exposed), "%s__tool", source);
	const struct stored_item tool = {
		0, slice_of("tool"), slice_of(exposed), {json, bytes}};
	const struct stored_catalogue c = {
		.source = source,
		.server_name = "",
		.server_version = "",
		.revision = "",
		.kinds = 1,
		.items = &tool,
		.count = 1,
	};
	store_catalogue_put(r->store, &c, on_done, a);
	free(json);
}

/* --- other processes ------------------------------------------------------ */

/* What store_open() says in a child that is somebody without rights. */
static enum reason open_without_rights(struct room *r)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = {0};

		if (geteuid() == 0 &&
		    (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
		     setuid(NOBODY) != 0))
			_exit(ERR_COUNT);
		store_open(r->loop, r->dir, &e);
		_exit((int)e.reason);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (enum reason)WEXITSTATUS(status);
}

static void what_cannot_be_written_is_refused(void **state)
{
	struct room *r = *state;

	if (geteuid() == 0)
		assert_int_equal(chown(r->dir, NOBODY, NOBODY), 0);
	assert_int_equal(chmod(r->dir, 0500), 0);
	assert_int_equal(open_without_rights(r), ERR_STORE);
	assert_int_equal(chmod(r->dir, 0700), 0);
	room_open(r);
	room_close(r);
	if (geteuid() == 0)
		assert_int_equal(chown(r->db, NOBODY, NOBODY), 0);
	assert_int_equal(open_without_rights(r), ERR_NONE);
	room_open(r);
	room_close(r);
	assert_int_equal(chmod(r->db, 0400), 0);
	assert_int_equal(open_without_rights(r), ERR_READ_ONLY);
}

static void a_store_in_use_is_refused(void **state)
{
	struct room *r = *state;
	int pipes[2];
	int status = 0;
	char go = 0;

	assert_int_equal(pipe(pipes), 0);
	/* Before anything is open: SQLite knows its own locks in a child. */
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = {0};
		bool ok = read(pipes[0], &go, 1) == 1;

		ok = ok && !store_open(r->loop, r->dir, &e) &&
		     e.reason == ERR_STORE && strstr(e.text, r->db) &&
		     strstr(e.text, "in use by another program");
		_exit(ok ? 0 : 1);
	}
	room_open(r);
	assert_int_equal(write(pipes[1], &go, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	close(pipes[0]);
	close(pipes[1]);
}

/* The child: keep and report until it is killed. */
enum { REPORTS = 25, KEPT = 2000 };

static void keep_and_report(struct room *r, int to)
{
	struct err e;

	r->store = store_open(r->loop, r->dir, &e);
	if (!r->store || store_begin_epoch(r->store, instance, &e) == 0)
		_exit(1);
	for (int i = 0; i < KEPT; i++) {
		struct answer a[2] = {0};
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		add_source(r, name, NULL, 0, &a[0]);
		put_bytes(r, name, 10000, &a[1]);
		room_run(r);
		if (a[0].calls != 1 || a[0].reason != ERR_NONE ||
		    a[1].calls != 1 || a[1].reason != ERR_NONE ||
		    write(to, "+", 1) != 1)
			_exit(1);
	}
	_exit(1); /* it should have been killed by now */
}

static void on_kept(void *owner, const struct stored_catalogue *c)
{
	int *kept = owner;
	char name[16];

	snprintf(name, sizeof(name), "s%d", (*kept)++);
	assert_string_equal(c->source, name);
	assert_int_equal(c->count, 1);
	assert_int_equal(c->items[0].json.len, 10000);
}

static void what_was_reported_survives_a_kill(void **state)
{
	struct room *r = *state;
	struct err e;
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
		keep_and_report(r, pipes[1]);
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

	room_open(r);
	assert_int_equal(store_begin_epoch(r->store, instance, &e), 2);
	store_catalogues(r->store, on_kept, NULL, &kept);
	room_run(r);
	/* One more may have been committed and not yet reported. */
	assert_in_range(kept, reported, reported + 1);
}

/* --- a full disk ---------------------------------------------------------- */

/* No file of this process grows beyond bytes; 0 lifts it again. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void fill_disk(struct room *r, size_t bytes)
{
	struct answer a[3] = {0};
	struct listing l;

	add_source(r, "two", NULL, 0, &a[0]);
	put_bytes(r, "one", bytes, &a[1]);
	store_source_remove(r->store, "none", on_done, &a[2]);
	limit_files(128 * 1024);
	room_run(r);
	limit_files(0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(a[i].calls, 1);
		assert_int_equal(a[i].reason, ERR_NO_SPACE);
		assert_non_null(strstr(a[i].text, r->db));
	}
	list_sources(r, &l);
	assert_string_equal(l.names, "one ");
	assert_int_equal(add_and_run(r, "three"), ERR_NONE);
	store_source_remove(r->store, "three", on_done, &a[0]);
	put_bytes(r, "one", bytes, &a[1]);
	room_run(r);
	assert_int_equal(a[0].reason, ERR_NONE);
	assert_int_equal(a[1].reason, ERR_NONE);
	room_close(r);
	room_open(r);
	list_sources(r, &l);
	assert_string_equal(l.names, "one ");
}

static void a_full_disk_fails_its_turn_and_nothing_else(void **state)
{
	struct room *r = *state;

	signal(SIGXFSZ, SIG_IGN);
	room_open(r);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	/* What fits into the cache, and what does not. */
	fill_disk(r, LARGE_BYTES / 8);
	fill_disk(r, LARGE_BYTES);
}

static void a_full_disk_begins_no_store_and_no_epoch(void **state)
{
	struct room *r = *state;
	struct err e = {0};

	signal(SIGXFSZ, SIG_IGN);
	limit_files(100);
	assert_null(store_open(r->loop, r->dir, &e));
	limit_files(0);
	assert_int_equal(e.reason, ERR_NO_SPACE);
	room_open(r);
	limit_files(100);
	assert_int_equal(store_begin_epoch(r->store, instance, &e), 0);
	limit_files(0);
	assert_int_equal(e.reason, ERR_NO_SPACE);
	assert_int_equal(store_begin_epoch(r->store, instance, &e), 1);
}

/* --- the fence ------------------------------------------------------------ */

static void a_replaced_owner_writes_nothing(void **state)
{
	struct room *r = *state;
	struct answer a[2] = {0};
	struct listing l;
	struct err e;

	room_open(r);
	assert_int_equal(store_begin_epoch(r->store, instance, &e), 1);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	/* Nobody else can while we hold the lock; so we do it to ourselves. */
	assert_int_equal(sqlite3_exec(r->store->db,
				      "UPDATE owner SET epoch = 2", NULL, NULL,
				      NULL),
			 SQLITE_OK);
	add_source(r, "two", NULL, 0, &a[0]);
	store_source_remove(r->store, "one", on_done, &a[1]);
	room_run(r);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a[i].reason, ERR_MISMATCH);
		assert_non_null(strstr(a[i].text, "replaced"));
	}
	assert_int_equal(store_begin_epoch(r->store, instance, &e), 0);
	assert_int_equal(e.reason, ERR_MISMATCH);
	add_source(r, "three", NULL, 0, &a[0]);
	room_close(r);
	room_open(r);
	list_sources(r, &l);
	assert_string_equal(l.names, "one ");
	assert_int_equal(store_begin_epoch(r->store, instance, &e), 3);
}

static void a_file_that_was_replaced_is_not_written(void **state)
{
	struct room *r = *state;
	struct buf before;
	struct err e;
	char old[128];

	snprintf(old, sizeof(old), "%s/old.db", r->dir);
	room_open(r);
	assert_int_equal(store_begin_epoch(r->store, instance, &e), 1);
	assert_int_equal(rename(r->db, old), 0);
	assert_int_equal(add_and_run(r, "one"), ERR_MISMATCH);
	file_write(r->db, "another's", 9);
	assert_int_equal(add_and_run(r, "one"), ERR_MISMATCH);
	assert_int_equal(store_begin_epoch(r->store, instance, &e), 0);
	before = file_read(old);
	room_close(r);
	assert_true(file_is(old, &before));
	assert_true(file_holds(r->db, "another's"));
	buf_finish(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(what_cannot_be_written_is_refused),
		room_test(a_store_in_use_is_refused),
		room_test(what_was_reported_survives_a_kill),
		room_test(a_full_disk_fails_its_turn_and_nothing_else),
		room_test(a_full_disk_begins_no_store_and_no_epoch),
		room_test(a_replaced_owner_writes_nothing),
		room_test(a_file_that_was_replaced_is_not_written),
	};

	return cmocka_run_group_tests_name("store_faults", tests, NULL, NULL);
}
