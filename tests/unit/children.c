/* children: what a daemon that was killed left is ended, and nothing else. */
#include "server/upstream/children.h"

#include "tests/support/den.h"

#include <inttypes.h>

#include "server/upstream/procs.h"
#include "server/upstream/survey.h"

enum { START_LOOKS = 30000 }; /* a guard against hanging */

/* Is it what it was started as?  Then it has its group, its environment and
 * its memory, too. */
static bool is_sleep(pid_t pid)
{
	char path[64], name[8] = "";

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	size_t len = fread(name, 1, sizeof(name) - 1, f);
	fclose(f);
	return len > 0 && strcmp(name, "sleep") == 0;
}

/* A process that does nothing, with that marker or none; it leads a group. */
static pid_t start(const char *marker)
{
	pid_t pid = fork();

	if (pid == 0) {
		char variable[PROCS_MARKER_BYTES];
		char *env[] = {variable, NULL};

		snprintf(variable, sizeof(variable), "%s",
			 marker ? marker : "NO=1");
		setsid();
		execle("/bin/sleep", "sleep", "1000", (char *)NULL, env);
		_exit(127);
	}
	assert_true(pid > 0);
	for (int i = 0; i < START_LOOKS && !is_sleep(pid); i++)
		usleep(1000);
	assert_true(is_sleep(pid));
	return pid;
}

static bool ended(pid_t pid, struct den *d)
{
	(void)d;
	return kill(pid, 0) != 0;
}

static void write_file(const struct den *d, const char *text)
{
	FILE *f = fopen(den_path(d, "children"), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static uint64_t start_of(pid_t pid)
{
	uint64_t ticks;

	assert_true(procs_started(pid, &ticks));
	return ticks;
}

static void children_are_written_down_while_they_run(void **state)
{
	struct den *d = *state;
	struct children *c = children_new(d->dir);
	pid_t pid[2] = {start(NULL), start(NULL)};
	char line[128];

	assert_int_equal(access(den_path(d, "children"), F_OK), -1);
	children_add(c, pid[0], "EXECUTOR_SOURCE=a/1");
	children_add(c, pid[1], "EXECUTOR_SOURCE=b/2");
	for (int i = 0; i < 2; i++) {
		snprintf(line, sizeof(line),
			 "\n%d %" PRIu64 " EXECUTOR_SOURCE=%c/%d\n",
			 (int)pid[i], start_of(pid[i]), 'a' + i, 1 + i);
		assert_true(den_holds(d, "children", line));
	}
	children_remove(c, pid[0]);
	assert_false(den_holds(d, "children", "=a/1"));
	assert_true(den_holds(d, "children", "=b/2"));
	children_remove(c, pid[1]);
	assert_int_equal(access(den_path(d, "children"), F_OK), -1);
	children_free(c);
	for (int i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		DEN_UNTIL(d, ended(pid[i], d));
	}
}

static void what_is_left_is_ended_by_group_and_by_marker(void **state)
{
	struct den *d = *state;
	char marker[PROCS_MARKER_BYTES];
	struct children *c = children_new(d->dir);

	procs_make_marker(marker, "left");
	pid_t leader = start(NULL), stray = start(marker);
	children_add(c, leader, marker);
	children_free(c); /* as a daemon that was killed: the file stays */
	assert_true(den_holds(d, "children", marker));
	children_free(children_new(d->dir));
	DEN_UNTIL(d, ended(leader, d) && ended(stray, d));
	assert_int_equal(access(den_path(d, "children"), F_OK), -1);
}

static void strangers_are_left_alone(void **state)
{
	struct den *d = *state;
	char boot_id[PROCS_BOOT_ID_BYTES];
	char other[PROCS_MARKER_BYTES];
	char text[512];

	procs_boot_id(boot_id);
	procs_make_marker(other, "x");
	pid_t pid = start(other);
	static const struct {
		const char *boot, *pid, *ticks;
	} before[] = {
		{"boot ", "", "1"}, /* another time */
		{"boot 0", "", ""}, /* another boot */
		{"boot  ", "", ""}, {"", "", ""},
		{"boot ", "-", ""}, {"boot ", "x", ""},
	};
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++) {
		snprintf(text, sizeof(text),
			 "%s%s\n%s%d %s%" PRIu64 " EXECUTOR_SOURCE=x/1\n",
			 before[i].boot, boot_id, before[i].pid, (int)pid,
			 before[i].ticks, start_of(pid));
		write_file(d, text);
		children_free(children_new(d->dir));
		assert_false(ended(pid, d));
	}
	kill(pid, SIGKILL);
	DEN_UNTIL(d, ended(pid, d));
}

static void a_damaged_file_is_a_hint_like_any_other(void **state)
{
	static const char *const files[] = {
		"",
		"\n\n",
		"boot",
		"boot \n1 1 x\n",
		"\xff\xfe\x01",
		"boot unknown\n99999999999999999999 1 y\n0 0 z\n",
	};
	struct den *d = *state;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		write_file(d, files[i]);
		children_free(children_new(d->dir));
		assert_int_equal(access(den_path(d, "children"), F_OK), -1);
	}
}

static void without_a_directory_nothing_is_written(void **state)
{
	struct den *d = *state;
	struct children *c = children_new(den_path(d, "nowhere"));

	children_add(c, getpid(), "EXECUTOR_SOURCE=a/1");
	children_remove(c, getpid());
	children_free(c);
	children_add(NULL, getpid(), "x");
	children_remove(NULL, getpid());
	children_free(NULL);
}

static void memory_is_that_of_the_whole_session(void **state)
{
	struct den *d = *state;
	struct survey s = {0};
	pid_t pid = start(NULL);

	assert_true(survey_memory(&s, getsid(0), 5000) > 1 << 20);
	/* The kernel counts in lots: the first pages show as none. */
	DEN_UNTIL(d, survey_memory(&s, pid, 5000) > 0);
	assert_true(survey_memory(&s, pid, 5000) < 64 << 20);
	kill(pid, SIGKILL);
	DEN_UNTIL(d, ended(pid, d));
	/* One walk serves for a second. */
	assert_true(survey_memory(&s, pid, 5999) > 0);
	assert_int_equal(survey_memory(&s, pid, 6000), 0);
	/* Whoever was not there before is looked for. */
	pid = start(NULL);
	DEN_UNTIL(d, survey_memory(&s, pid, 6000) > 0);
	kill(pid, SIGKILL);
	DEN_UNTIL(d, ended(pid, d));
	survey_finish(&s);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, den_setup, den_teardown)
	const struct CMUnitTest tests[] = {
		TEST(children_are_written_down_while_they_run),
		TEST(what_is_left_is_ended_by_group_and_by_marker),
		TEST(strangers_are_left_alone),
		TEST(a_damaged_file_is_a_hint_like_any_other),
		TEST(without_a_directory_nothing_is_written),
		TEST(memory_is_that_of_the_whole_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
