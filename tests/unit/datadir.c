#include "election/datadir.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "election/home.h"

struct place {
	char dir[64];	/* canonical, private */
	char path[128]; /* dir/data: what the tests make */
};

static int make_place(void **state)
{
	static struct place p;
	char dir[] = "/tmp/executor-test-XXXXXX";

	assert_non_null(mkdtemp(dir));
	char *whole = realpath(dir, NULL);
	assert_non_null(whole);
	snprintf(p.dir, sizeof(p.dir), "%s", whole);
	snprintf(p.path, sizeof(p.path), "%s/data", p.dir);
	free(whole);
	setenv("HOME", p.dir, 1);
	unsetenv("EXECUTOR_DATA_DIR");
	*state = &p;
	return 0;
}

static int remove_place(void **state)
{
	struct place *p = *state;
	char command[160];

	snprintf(command, sizeof(command), "rm -rf '%s'", p->dir);
	assert_int_equal(chdir("/"), 0);
	return system(command);
}

static mode_t mode_of(const char *dir, const char *below)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, below);
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void resolves_to(const char *option, const char *path)
{
	struct election_error e = {.code = "", .why = ""};
	char *found = datadir_resolve(option, true, &e);

	assert_string_equal(e.why, "");
	assert_non_null(found);
	assert_string_equal(found, path);
	free(found);
}

static void is_refused(const char *option, bool create, const char *code)
{
	struct election_error e;

	assert_null(datadir_resolve(option, create, &e));
	assert_string_equal(e.code, code);
	assert_true(strlen(e.why) > 10);
}

static void the_option_goes_before_the_environment_and_home(void **state)
{
	struct place *p = *state;
	char other[128];

	snprintf(other, sizeof(other), "%s/.executor", p->dir);
	resolves_to(NULL, other);
	setenv("EXECUTOR_DATA_DIR", "", 1);
	resolves_to(NULL, other);
	snprintf(other, sizeof(other), "%s/env", p->dir);
	setenv("EXECUTOR_DATA_DIR", other, 1);
	resolves_to(NULL, other);
	resolves_to(p->path, p->path);
}

static void every_spelling_is_one_directory(void **state)
{
	struct place *p = *state;
	char spelt[256];
	char link[128];

	resolves_to(p->path, p->path);
	snprintf(spelt, sizeof(spelt), "%s//x/..//data///", p->dir);
	resolves_to(spelt, p->path);
	assert_int_equal(chdir(p->dir), 0);
	resolves_to("data", p->path);
	resolves_to("./data/", p->path);
	snprintf(link, sizeof(link), "%s/link", p->dir);
	assert_int_equal(symlink("data", link), 0);
	resolves_to(link, p->path);
}

static void what_is_missing_is_made_private(void **state)
{
	struct place *p = *state;
	char deep[256];
	mode_t old = umask(0);

	snprintf(deep, sizeof(deep), "%s/a/b/data", p->dir);
	resolves_to(deep, deep);
	umask(old);
	assert_int_equal(mode_of(deep, ""), 0700);
	assert_int_equal(mode_of(p->dir, "a/b"), 0755);
}

static void without_leave_nothing_is_made(void **state)
{
	struct place *p = *state;
	struct election_error e;

	is_refused(p->path, false, "not_running");
	assert_int_equal(access(p->path, F_OK), -1);
	assert_int_equal(mkdir(p->path, 0700), 0);
	int fd = datadir_open(p->path, false, &e);
	assert_true(fd >= 0);
	assert_int_equal(faccessat(fd, "run", F_OK, 0), -1);
	close(fd);
}

static void no_path_is_guessed(void **state)
{
	struct place *p = *state;
	char file[128];
	char lines[192];

	is_refused("", true, "invalid_argument");
	is_refused("~", true, "invalid_argument");
	is_refused("~/data", true, "invalid_argument");
	snprintf(lines, sizeof(lines), "%s/two\nlines", p->dir);
	is_refused(lines, true, "invalid_argument");
	snprintf(file, sizeof(file), "%s/file", p->dir);
	fclose(fopen(file, "w"));
	snprintf(lines, sizeof(lines), "%s/below", file);
	is_refused(lines, true, "io_error");
}

static void the_parts_are_made_whatever_the_umask(void **state)
{
	struct place *p = *state;
	struct election_error e;

	resolves_to(p->path, p->path);
	mode_t old = umask(0777);
	int fd = datadir_open(p->path, true, &e);
	umask(old);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
	assert_int_equal(mode_of(p->path, "run"), 0700);
	assert_int_equal(mode_of(p->path, "run/s"), 0700);
	assert_int_equal(mode_of(p->path, "logs"), 0700);
	fd = datadir_open(p->path, true, &e);
	assert_true(fd >= 0);
	close(fd);
}

static void a_directory_others_can_read_is_tightened(void **state)
{
	struct place *p = *state;
	struct election_error e;

	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_equal(chmod(p->path, 0755), 0);
	int fd = datadir_open(p->path, true, &e);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mode_of(p->path, ""), 0700);
}

static void a_directory_others_can_write_is_refused(void **state)
{
	struct place *p = *state;
	struct election_error e;

	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_equal(chmod(p->path, 0770), 0);
	assert_int_equal(datadir_open(p->path, true, &e), -1);
	assert_string_equal(e.code, "wrong_owner");
	assert_non_null(strstr(e.why, p->path));
	assert_int_equal(mode_of(p->path, ""), 0770);
}

static void someone_elses_directory_is_refused(void **state)
{
	struct place *p = *state;
	struct election_error e;

	if (geteuid() == 0) {
		assert_int_equal(mkdir(p->path, 0700), 0);
		assert_int_equal(chown(p->path, 65534, 65534), 0);
		assert_int_equal(datadir_open(p->path, true, &e), -1);
		assert_string_equal(e.code, "wrong_owner");
		assert_int_equal(chown(p->dir, 65534, 65534), 0);
		is_refused(NULL, true, "wrong_owner");
	} else {
		assert_int_equal(datadir_open("/", true, &e), -1);
		assert_string_equal(e.code, "wrong_owner");
	}
}

static void a_part_that_is_no_directory_is_refused(void **state)
{
	struct place *p = *state;
	struct election_error e;
	char path[160];

	resolves_to(p->path, p->path);
	snprintf(path, sizeof(path), "%s/run", p->path);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_equal(datadir_open(p->path, true, &e), -1);
	assert_string_equal(e.code, "io_error");
	assert_non_null(strstr(e.why, path));
	/* One who only wants to attach is not stopped by it. */
	int fd = datadir_open(p->path, false, &e);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(datadir_open(p->path, true, &e), -1);
}

static void passwd_knows_the_home_of_those_without_one(void **state)
{
	char text[] = "# 7:x:7:7::/comment:/bin/sh\n"
		      "+::::::\n"
		      "torn:x:7\n"
		      "other:x:77:7::/other:/bin/sh\n"
		      "me:x:7:7:I, me:/home/me:/bin/sh\n"
		      "again:x:7:7::/again:/bin/sh\n";
	struct home h;

	(void)state;
	FILE *passwd = fmemopen(text, strlen(text), "r");
	home_from(&h, NULL, passwd, 7);
	assert_string_equal(h.dir, "/home/me");
	assert_string_equal(h.user, "me");
	home_finish(&h);
	rewind(passwd);
	home_from(&h, "relative", passwd, 7);
	assert_string_equal(h.dir, "/home/me");
	home_finish(&h);
	rewind(passwd);
	home_from(&h, "/somewhere", passwd, 7);
	assert_string_equal(h.dir, "/somewhere");
	assert_string_equal(h.user, "me");
	home_finish(&h);
	rewind(passwd);
	home_from(&h, NULL, passwd, 8);
	assert_null(h.dir);
	assert_null(h.user);
	fclose(passwd);
	home_from(&h, "/x", NULL, 8);
	assert_string_equal(h.dir, "/x");
	home_finish(&h);
}

#define WITH_PLACE(test)                                                       \
	cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(the_option_goes_before_the_environment_and_home),
		WITH_PLACE(every_spelling_is_one_directory),
		WITH_PLACE(what_is_missing_is_made_private),
		WITH_PLACE(without_leave_nothing_is_made),
		WITH_PLACE(no_path_is_guessed),
		WITH_PLACE(the_parts_are_made_whatever_the_umask),
		WITH_PLACE(a_directory_others_can_read_is_tightened),
		WITH_PLACE(a_directory_others_can_write_is_refused),
		WITH_PLACE(someone_elses_directory_is_refused),
		WITH_PLACE(a_part_that_is_no_directory_is_refused),
		cmocka_unit_test(passwd_knows_the_home_of_those_without_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
