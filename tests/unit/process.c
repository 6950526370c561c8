/* process: real children, good and bad, from start to the last of their group.
 */
#include "server/upstream/process.h"

#include "tests/support/den.h"

#include <sys/stat.h>

#include "proto/err.h"

struct owner {
	struct upstream *upstream;
	unsigned lines, downs, drains;
	struct buf got; /* every line, with a | behind it */
	struct err why;
	bool free_in_message, free_in_down;
};

static void maybe_free(struct owner *o, bool now)
{
	if (!now)
		return;
	upstream_free(o->upstream);
	o->upstream = NULL;
}

static void on_message(void *owner, struct slice line, struct buf *whole)
{
	struct owner *o = owner;

	assert_true(!whole || slice_equal(buf_slice(whole), line));
	assert_non_null(o->upstream);
	o->lines++;
	buf_append_slice(&o->got, line);
	buf_append_text(&o->got, "|");
	maybe_free(o, o->free_in_message);
}

static void on_down(void *owner, const struct err *why)
{
	struct owner *o = owner;

	assert_non_null(o->upstream);
	o->downs++;
	o->why = *why;
	maybe_free(o, o->free_in_down);
}

static void on_drained(void *owner)
{
	struct owner *o = owner;

	o->drains++;
}

static const struct upstream_events events = {
	.message = on_message,
	.down = on_down,
	.drained = on_drained,
};

/* Start argv with that environment (NULL: PATH and GRANDCHILD alone). */
static bool start(struct den *d, struct owner *o, const char *const *argv,
		  const char *const *env)
{
	char grandchild[128];
	snprintf(grandchild, sizeof(grandchild), "GRANDCHILD=%s",
		 den_path(d, "grandchild"));
	const char *const usual[] = {"PATH=/usr/bin:/bin", grandchild, NULL};
	struct process_options options = {
		.name = "x",
		.command = argv,
		.env = env ? env : usual,
		.cwd = d->dir,
		.log_path = den_path(d, "log"),
		.message_bytes = 1 << 20,
		.eof_ms = 100,
		.term_ms = 100,
	};

	o->upstream = process_new(d->loop, &options, &events, o, &o->why);
	return o->upstream != NULL;
}

static void start_shell(struct den *d, struct owner *o, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};

	assert_true(start(d, o, argv, NULL));
}

static void start_fake(struct den *d, struct owner *o, const char *first,
		       const char *second)
{
	const char *const argv[] = {FAKE_SOURCE, first, second, NULL};

	assert_true(start(d, o, argv, NULL));
}

static void finish(struct owner *o)
{
	upstream_free(o->upstream);
	o->upstream = NULL;
	buf_finish(&o->got);
}

static void assert_got(const struct owner *o, const char *text)
{
	assert_int_equal(o->got.len, strlen(text));
	assert_memory_equal(o->got.data, text, o->got.len);
}

static void lines_go_both_ways(void **state)
{
	struct den *d = *state;
	struct owner o = {0};

	start_shell(d, &o, "cat");
	assert_true(upstream_send(o.upstream, slice_of("{\"a\":1}"), NULL));
	assert_true(upstream_send(o.upstream, slice_of("b"), NULL));
	DEN_UNTIL(d, o.lines == 2);
	assert_got(&o, "{\"a\":1}|b|");
	assert_true(upstream_pid(o.upstream) > 0);
	assert_int_equal(upstream_queued(o.upstream), 0);
	upstream_stop(o.upstream);
	assert_false(upstream_send(o.upstream, slice_of("c"), &o.why));
	assert_int_equal(o.why.reason, ERR_SOURCE_DOWN);
	DEN_UNTIL(d, o.downs);
	assert_string_equal(o.why.text, "stopped");
	assert_int_equal(upstream_pid(o.upstream), 0);
	finish(&o);
}

static void what_it_wrote_before_it_ended_arrives(void **state)
{
	struct den *d = *state;
	struct owner o = {0};

	start_shell(d, &o, "echo one; printf two; exit 7");
	DEN_UNTIL(d, o.downs);
	assert_got(&o, "one|two|");
	assert_int_equal(o.why.reason, ERR_SOURCE_DOWN);
	assert_non_null(strstr(o.why.text, "exit status 7"));
	assert_non_null(strstr(o.why.text, den_path(d, "log")));
	finish(&o);
}

static void what_it_wrote_arrives_though_reading_was_paused(void **state)
{
	struct den *d = *state;
	struct owner o = {0};

	start_shell(d, &o, "echo one; read x; echo two; exit 7");
	DEN_UNTIL(d, o.lines == 1);
	upstream_pause(o.upstream, true);
	assert_true(upstream_send(o.upstream, slice_of("go"), NULL));
	DEN_UNTIL(d, o.downs);
	assert_got(&o, "one|two|");
	finish(&o);
}

static void its_environment_and_directory_are_what_was_given(void **state)
{
	static const char *const argv[] = {"sh", "-c", "env; pwd; umask", NULL};
	static const char *const env[] = {"PATH=/usr/bin:/bin", "A=1", NULL};
	struct den *d = *state;
	struct owner o = {0};
	char expected[256];

	assert_true(start(d, &o, argv, env));
	DEN_UNTIL(d, o.downs);
	/* PWD is the shell's own. */
	snprintf(expected, sizeof(expected), "|%s|0022|", d->dir);
	buf_append(&o.got, "", 1);
	assert_non_null(strstr(o.got.data, expected));
	assert_non_null(strstr(o.got.data, "A=1|"));
	assert_null(strstr(o.got.data, "HOME="));
	finish(&o);
}

static void it_has_no_descriptor_of_ours(void **state)
{
	struct den *d = *state;
	struct owner o = {0};
	/* One that somebody forgot to mark. */
	int leaked = open("/dev/null", O_RDONLY);

	assert_true(leaked > 2);
	start_shell(d, &o, "ls /proc/self/fd | sort -n | tr '\\n' ' '");
	DEN_UNTIL(d, o.downs);
	assert_got(&o, "0 1 2 3 |"); /* 3 is the directory that ls reads */
	close(leaked);
	finish(&o);
}

static void it_leads_a_group_with_default_signals(void **state)
{
	struct den *d = *state;
	struct owner o = {0};
	char expected[64];

	start_shell(
		d, &o,
		"cut -d' ' -f5 /proc/$$/stat; grep SigIgn /proc/self/status;"
		"grep SigBlk /proc/self/status; read x");
	snprintf(expected, sizeof(expected),
		 "%d|SigIgn:\t0000000000000000|SigBlk:\t0000000000000000|",
		 (int)upstream_pid(o.upstream));
	DEN_UNTIL(d, o.lines == 3);
	assert_got(&o, expected);
	finish(&o);
}

static void a_command_is_sought_in_its_own_path(void **state)
{
	static const char *const argv[] = {"tool", NULL};
	static const char *const env[] = {"PATH=/nowhere:bin:", NULL};
	struct den *d = *state;
	struct owner o = {0};
	FILE *f = fopen(den_path(d, "tool"), "w");

	/* An empty prefix is the current directory, which is the child's. */
	fputs("#!/bin/sh\necho found\n", f);
	fchmod(fileno(f), 0700);
	fclose(f);
	assert_true(start(d, &o, argv, env));
	DEN_UNTIL(d, o.downs);
	assert_got(&o, "found|");
	finish(&o);
}

static void one_that_cannot_start_says_why(void **state)
{
	static const char *const path[] = {"PATH=/a:/b", NULL};
	static const char *const here[] = {"PATH=.", NULL};
	static const struct {
		const char *command;
		const char *const *env;
		const char *told, *also;
	} cases[] = {
		{"foo", path, "cannot start source x: command 'foo' not found",
		 "looked in /a:/b; fix the command or its PATH"},
		{"", path, "not found", "/a:/b"},
		{"plain", here, "'plain' is not executable", "looked in ."},
		{"./plain", here, "plain' cannot be executed",
		 "Permission denied"},
		{"/none/at/all", path, "'/none/at/all' cannot be executed",
		 "No such file"},
		{"format", here, "cannot execute", "Exec format error"},
	};
	struct den *d = *state;
	struct owner o = {0};

	close(open(den_path(d, "plain"), O_CREAT | O_WRONLY, 0600));
	int fd = open(den_path(d, "format"), O_CREAT | O_WRONLY, 0700);
	assert_int_equal(write(fd,
			       "\x7f"
			       "ELF?",
			       5),
			 5);
	close(fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const argv[] = {cases[i].command, NULL};

		assert_false(start(d, &o, argv, cases[i].env));
		assert_int_equal(o.why.reason, ERR_SOURCE_DOWN);
		if (!strstr(o.why.text, cases[i].told) ||
		    !strstr(o.why.text, cases[i].also))
			print_error("%s\n", o.why.text);
		assert_non_null(strstr(o.why.text, cases[i].told));
		assert_non_null(strstr(o.why.text, cases[i].also));
	}
}

static void a_directory_that_is_gone_is_named(void **state)
{
	static const char *const argv[] = {"/bin/sh", NULL};
	static const char *const env[] = {NULL};
	struct process_options options = {
		.name = "x", .command = argv, .env = env, .cwd = "/no/such"};
	struct den *d = *state;
	struct owner o = {0};

	assert_null(process_new(d->loop, &options, &events, &o, &o.why));
	assert_non_null(strstr(o.why.text, "directory /no/such"));
	assert_non_null(strstr(o.why.text, "No such file"));
}

/* How one that does not go is made to go: each rung of the ladder. */
static void stopping_ends_whatever_it_ignores(void **state)
{
	static const char *const ignored[][2] = {
		{"", NULL},
		{"ignore-eof", NULL},
		{"ignore-eof", "ignore-term"},
	};
	struct den *d = *state;

	for (int i = 0; i < 3; i++) {
		struct owner o = {0};

		start_fake(d, &o, ignored[i][0], ignored[i][1]);
		upstream_stop(o.upstream);
		upstream_stop(o.upstream);
		DEN_UNTIL(d, o.downs);
		assert_string_equal(o.why.text, "stopped");
		finish(&o);
	}
}

/* The number is that of a process which is not there, or a zombie. */
static bool is_gone(const struct den *d)
{
	struct buf text = {0};
	char path[64];
	char line[256] = "";

	den_read(d, "grandchild", &text);
	snprintf(path, sizeof(path), "/proc/%d/stat", atoi(text.data));
	buf_finish(&text);
	FILE *f = fopen(path, "r");
	if (!f)
		return true;
	bool read = fgets(line, sizeof(line), f) != NULL;
	fclose(f);
	return !read || strstr(line, ") Z ") != NULL;
}

static void what_it_started_goes_with_it(void **state)
{
	struct den *d = *state;

	/* Stopped, ended by itself, and freed: the grandchild ignores TERM. */
	for (int i = 0; i < 3; i++) {
		struct owner o = {0};

		start_fake(d, &o, "grandchild", i == 1 ? "mute" : "");
		DEN_UNTIL(d, den_holds(d, "grandchild", "\n"));
		assert_false(is_gone(d));
		if (i == 0)
			upstream_stop(o.upstream);
		else if (i == 1)
			kill((pid_t)upstream_pid(o.upstream), SIGKILL);
		else
			finish(&o);
		DEN_UNTIL(d, i == 2 || o.downs);
		if (i == 1)
			assert_non_null(strstr(o.why.text, "signal 9"));
		DEN_UNTIL(d, is_gone(d));
		finish(&o);
		unlink(den_path(d, "grandchild"));
	}
}

static void one_that_closes_a_pipe_is_ended(void **state)
{
	struct den *d = *state;
	struct owner out = {0}, in = {0};

	start_shell(d, &out, "exec >&-; read x; exit 0");
	DEN_UNTIL(d, out.downs);
	assert_non_null(strstr(out.why.text, "closed its standard output"));
	finish(&out);
	start_shell(d, &in, "exec <&-; echo ready; while :; do sleep 1; done");
	DEN_UNTIL(d, in.lines);
	assert_true(upstream_send(in.upstream, slice_of("x"), NULL));
	DEN_UNTIL(d, in.downs);
	assert_non_null(strstr(in.why.text, "closed its standard input"));
	finish(&in);
}

static void stderr_goes_to_a_bounded_file_of_ours_alone(void **state)
{
	struct den *d = *state;
	struct owner o = {0};
	struct stat now, before;

	start_fake(d, &o, "flood", NULL);
	DEN_UNTIL(d, stat(den_path(d, "log"), &now) == 0 && now.st_size > 0);
	upstream_stop(o.upstream);
	DEN_UNTIL(d, o.downs);
	finish(&o);
	assert_int_equal(stat(den_path(d, "log"), &now), 0);
	assert_int_equal(now.st_mode & 0777, 0600);
	assert_true(now.st_size <= 1 << 20);
	if (stat(den_path(d, "log.1"), &before) == 0)
		assert_true(before.st_size <= 1 << 20);
	assert_true(now.st_size > 0);
}

static void a_queue_that_is_not_read_is_seen_and_drains(void **state)
{
	struct den *d = *state;
	struct owner o = {0};
	size_t len = 4 << 20;
	char *line = malloc(len);

	memset(line, 'x', len);
	start_shell(d, &o,
		    "while [ ! -e go ]; do sleep 0.01; done; cat >/dev/null");
	assert_true(upstream_send(o.upstream, (struct slice){line, len}, NULL));
	for (int i = 0; i < 3; i++)
		den_turn(d);
	assert_true(upstream_queued(o.upstream) > 0);
	assert_int_equal(o.drains, 0);
	close(open(den_path(d, "go"), O_CREAT | O_WRONLY, 0600));
	DEN_UNTIL(d, o.drains);
	DEN_UNTIL(d, upstream_queued(o.upstream) == 0);
	free(line);
	finish(&o);
}

static void a_full_queue_refuses(void **state)
{
	struct den *d = *state;
	struct owner o = {0};
	size_t len = 33 << 20;
	char *line = malloc(len);

	memset(line, 'x', len);
	start_shell(d, &o, "exec sleep 100");
	assert_true(upstream_send(o.upstream, (struct slice){line, len}, NULL));
	assert_true(upstream_send(o.upstream, (struct slice){line, len}, NULL));
	assert_false(upstream_send(o.upstream, slice_of("x"), &o.why));
	assert_int_equal(o.why.reason, ERR_OVERLOADED);
	free(line);
	finish(&o);
}

static void its_owner_may_free_it_in_any_event(void **state)
{
	struct den *d = *state;
	struct owner message = {.free_in_message = true};
	struct owner down = {.free_in_down = true};

	start_shell(d, &message, "echo one; echo two; cat");
	DEN_UNTIL(d, !message.upstream);
	assert_got(&message, "one|");
	start_shell(d, &down, "exit 0");
	DEN_UNTIL(d, !down.upstream);
	finish(&message);
	finish(&down);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, den_setup, den_teardown)
	const struct CMUnitTest tests[] = {
		TEST(lines_go_both_ways),
		TEST(what_it_wrote_before_it_ended_arrives),
		TEST(what_it_wrote_arrives_though_reading_was_paused),
		TEST(its_environment_and_directory_are_what_was_given),
		TEST(it_has_no_descriptor_of_ours),
		TEST(it_leads_a_group_with_default_signals),
		TEST(a_command_is_sought_in_its_own_path),
		TEST(one_that_cannot_start_says_why),
		TEST(a_directory_that_is_gone_is_named),
		TEST(stopping_ends_whatever_it_ignores),
		TEST(what_it_started_goes_with_it),
		TEST(one_that_closes_a_pipe_is_ended),
		TEST(stderr_goes_to_a_bounded_file_of_ours_alone),
		TEST(a_queue_that_is_not_read_is_seen_and_drains),
		TEST(a_full_queue_refuses),
		TEST(its_owner_may_free_it_in_any_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
