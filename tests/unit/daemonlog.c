/* daemonlog: the daemon's own log stays short. */
#include "server/daemonlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/err.h"

enum { MANY_TURNS = 1000 };

static const char *const names[] = {
	"logs/executord.log",
	"logs/executord.log.1",
	"logs/executord.log.2",
	"logs/executord.log.3",
};

struct room {
	char dir[64];
	int fd;
};

static int begin(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	strcpy(r->dir, "/tmp/executor-log-XXXXXX");
	if (!mkdtemp(r->dir))
		return -1;
	r->fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = r;
	return mkdirat(r->fd, "logs", 0700);
}

static int end(void **state)
{
	struct room *r = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(r->fd, names[i], 0);
	unlinkat(r->fd, "logs", AT_REMOVEDIR);
	close(r->fd);
	int failed = rmdir(r->dir);
	free(r);
	return failed;
}

/* The size of the generation, or -1. */
static long long size_of(struct room *r, int generation)
{
	struct stat st;

	if (fstatat(r->fd, names[generation], &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	return st.st_size;
}

/* Make a file that long, without writing it. */
static void stretch(struct room *r, int generation, long long size)
{
	int fd = openat(r->fd, names[generation],
			O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static struct daemonlog *open_log(struct room *r)
{
	struct err e;
	struct daemonlog *l = daemonlog_open(r->fd, LOG_INFO, false, &e);

	if (!l)
		print_error("%s\n", e.text);
	assert_non_null(l);
	return l;
}

static void lines_are_appended(void **state)
{
	struct room *r = *state;
	struct daemonlog *l;
	struct stat st;

	stretch(r, 0, 100);
	l = open_log(r);
	log_info("test", "a line");
	assert_true(size_of(r, 0) > 100);
	assert_int_equal(size_of(r, 1), -1);
	daemonlog_close(l);
	assert_int_equal(fstatat(r->fd, names[0], &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_full_log_is_turned_over_at_the_start(void **state)
{
	struct room *r = *state;

	stretch(r, 0, DAEMONLOG_BYTES);
	struct daemonlog *l = open_log(r);
	log_info("test", "a line");
	assert_int_equal(size_of(r, 1), DAEMONLOG_BYTES);
	assert_true(size_of(r, 0) > 0 && size_of(r, 0) < 1000);
	daemonlog_close(l);
}

static void a_full_log_is_turned_over_while_running(void **state)
{
	struct room *r = *state;
	struct daemonlog *l = open_log(r);

	for (int i = 1; i <= 5; i++) {
		stretch(r, 0, DAEMONLOG_BYTES + i);
		for (int turn = 0; turn < MANY_TURNS; turn++)
			daemonlog_check(l);
		log_info("test", "a line");
		assert_true(size_of(r, 0) > 0 && size_of(r, 0) < 1000);
		assert_int_equal(size_of(r, 1), DAEMONLOG_BYTES + i);
	}
	/* Three are kept. */
	assert_int_equal(size_of(r, 2), DAEMONLOG_BYTES + 4);
	assert_int_equal(size_of(r, 3), -1);
	daemonlog_close(l);
}

static void a_log_that_was_removed_is_opened_anew(void **state)
{
	struct room *r = *state;
	struct daemonlog *l = open_log(r);

	assert_int_equal(unlinkat(r->fd, names[0], 0), 0);
	log_info("test", "for nobody");
	assert_int_equal(size_of(r, 0), -1);
	daemonlog_reopen(l);
	log_info("test", "a line");
	assert_true(size_of(r, 0) > 0);
	daemonlog_close(l);
}

static void without_a_place_there_is_no_log(void **state)
{
	struct room *r = *state;
	struct err e = {0};

	assert_int_equal(symlinkat("elsewhere", r->fd, names[0]), 0);
	assert_null(daemonlog_open(r->fd, LOG_INFO, false, &e));
	assert_int_equal(e.reason, ERR_IO);
	assert_non_null(strstr(e.text, "logs/executord.log"));
	assert_int_equal(unlinkat(r->fd, names[0], 0), 0);
	assert_int_equal(mkfifoat(r->fd, names[0], 0600), 0);
	assert_null(daemonlog_open(r->fd, LOG_INFO, false, &e));
	assert_int_equal(unlinkat(r->fd, names[0], 0), 0);
	assert_int_equal(unlinkat(r->fd, "logs", AT_REMOVEDIR), 0);
	assert_null(daemonlog_open(r->fd, LOG_INFO, false, &e));
	assert_int_equal(e.reason, ERR_IO);
}

#define room_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(lines_are_appended),
		room_test(a_full_log_is_turned_over_at_the_start),
		room_test(a_full_log_is_turned_over_while_running),
		room_test(a_log_that_was_removed_is_opened_anew),
		room_test(without_a_place_there_is_no_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
