/* config: what the command line and the environment make of the options. */
#include "server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "proto/err.h"

enum { WORDS = 12 };

static struct config c;
static struct err e;

/* Read "executord a b c". */
static enum config_outcome read_line(const char *line)
{
	static char text[256];
	char *argv[WORDS + 2] = {text};
	int argc = 0;

	e = (struct err){0};
	snprintf(text, sizeof(text), "executord %s", line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		assert_true(argc < WORDS);
		argv[argc++] = word;
	}
	return config_read(&c, argc, argv, &e);
}

static void assert_bad(const char *line, const char *text)
{
	assert_int_equal(read_line(line), CONFIG_BAD);
	assert_int_equal(e.reason, ERR_INVALID_ARGUMENT);
	if (!strstr(e.text, text))
		print_error("%s\n", e.text);
	assert_non_null(strstr(e.text, text));
}

static int clear_environment(void **state)
{
	(void)state;
	return unsetenv("EXECUTOR_DATA_DIR");
}

static void nothing_given_is_the_defaults(void **state)
{
	(void)state;
	assert_int_equal(read_line(""), CONFIG_SERVE);
	assert_null(c.data_dir);
	assert_int_equal(c.ready_fd, -1);
	assert_int_equal(c.log_level, LOG_INFO);
	assert_false(c.foreground);
	assert_int_equal(c.message_bytes, ENVELOPE_MESSAGE_BYTES);
	assert_int_equal(c.session_bytes, 8 << 20);
	assert_int_equal(c.all_bytes, 256 << 20);
	assert_int_equal(c.source_idle_ms, 600000);
	assert_int_equal(c.detached_ms, 60000);
	assert_int_equal(c.drain_ms, 10000);
	assert_int_equal(c.audit_rows, 100000);
	assert_true(c.journal);
	assert_int_equal(c.journal_bytes, 256 << 20);
	assert_int_equal(c.journal_result_bytes, 1 << 20);
	assert_int_equal(c.journal_keep_ms, 86400000);
	assert_int_equal(c.connections, 2048);
	assert_int_equal(c.client_idle_ms + c.client_age_ms, 0);
	assert_int_equal(c.client_keepalive_ms, 0);
}

static void every_option_is_read(void **state)
{
	(void)state;
	assert_int_equal(read_line("--data-dir /x --ready-fd=3 --foreground "
				   "--log-level debug --drain-timeout 0"),
			 CONFIG_SERVE);
	assert_string_equal(c.data_dir, "/x");
	assert_int_equal(c.ready_fd, 3);
	assert_true(c.foreground);
	assert_int_equal(c.log_level, LOG_DEBUG);
	assert_int_equal(c.drain_ms, 0);
	assert_int_equal(read_line("--message-limit 65536 --source-idle 0 "
				   "--detached=7 --session-queue 1000000"),
			 CONFIG_SERVE);
	assert_int_equal(c.message_bytes, 65536);
	assert_int_equal(c.source_idle_ms, 0);
	assert_int_equal(c.detached_ms, 7000);
	assert_int_equal(c.session_bytes, 1000000);
	assert_int_equal(read_line("--all-queues 2000000"), CONFIG_SERVE);
	assert_int_equal(c.all_bytes, 2000000);
	assert_int_equal(read_line("--connections 65536 --client-idle 1 "
				   "--client-age 2 --client-keepalive 3"),
			 CONFIG_SERVE);
	assert_int_equal(c.connections, 65536);
	assert_int_equal(c.client_idle_ms, 1000);
	assert_int_equal(c.client_age_ms, 2000);
	assert_int_equal(c.client_keepalive_ms, 3000);
	assert_bad("--connections 0", "--connections");
}

static void tcp_is_asked_for(void **state)
{
	(void)state;
	assert_int_equal(read_line(""), CONFIG_SERVE);
	assert_false(c.listen.set);
	assert_false(c.tcp_admin);
	assert_int_equal(read_line("--listen localhost:0 --tcp-admin"),
			 CONFIG_SERVE);
	assert_true(c.listen.set);
	assert_true(c.listen.loopback);
	assert_true(c.tcp_admin);
	assert_bad("--listen example.org:1", "--listen: example.org is no");
}

static void beyond_loopback_must_be_said_twice(void **state)
{
	(void)state;
	assert_bad("--listen 0.0.0.0:1", "--listen-beyond-loopback");
	assert_bad("--listen [::]:1", "not loopback");
	assert_bad("--tcp-admin --listen 10.0.0.1:1", "not loopback");
	/* In either order; the last address counts. */
	assert_int_equal(
		read_line("--listen-beyond-loopback --listen 0.0.0.0:1"),
		CONFIG_SERVE);
	assert_int_equal(read_line("--listen [::]:1 --listen-beyond-loopback"),
			 CONFIG_SERVE);
	assert_false(c.listen.loopback);
	assert_int_equal(read_line("--listen 0.0.0.0:1 --listen [::1]:1"),
			 CONFIG_SERVE);
	assert_true(c.listen.loopback);
}

static void the_environment_names_a_directory_and_an_option_wins(void **state)
{
	(void)state;
	setenv("EXECUTOR_DATA_DIR", "/from/env", 1);
	assert_int_equal(read_line(""), CONFIG_SERVE);
	assert_string_equal(c.data_dir, "/from/env");
	assert_int_equal(read_line("--data-dir /x"), CONFIG_SERVE);
	assert_string_equal(c.data_dir, "/x");
	setenv("EXECUTOR_DATA_DIR", "", 1);
	assert_int_equal(read_line(""), CONFIG_SERVE);
	assert_null(c.data_dir);
}

static void help_and_version_are_asked_for(void **state)
{
	(void)state;
	assert_int_equal(read_line("-h"), CONFIG_HELP);
	assert_int_equal(read_line("--help --nonsense"), CONFIG_HELP);
	assert_int_equal(read_line("-V"), CONFIG_VERSION);
	assert_int_equal(read_line("--version"), CONFIG_VERSION);
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_bad("--nonsense", "unknown option --nonsense");
	assert_bad("-x", "unknown option -x");
	assert_bad("--data-dir", "missing after --data-dir");
	assert_bad("--data-dir=", "--data-dir: the path is empty");
	assert_bad("stray", "unexpected argument stray");
	assert_bad("--log-level loud", "--log-level: loud is none of");
	assert_bad("--foreground=yes", "--foreground");
	assert_bad("--ready-fd 0", "--ready-fd: 0 is no number from 3");
	assert_bad("--ready-fd -1", "--ready-fd: -1 is no number");
	assert_bad("--message-limit 1", "from 65536");
	assert_bad("--message-limit 4294967296", "to 1073741824");
	assert_bad("--message-limit 65536k", "65536k is no number");
	assert_bad("--detached 18446744073709551616", "is no number");
	assert_bad("--drain-timeout +5", "is no number");
	assert_bad("--journal maybe", "neither on nor off");
	assert_bad("--journal-size -1", "is no number");
	assert_bad("--journal-result 536870913", "is no number");
}

static void help_names_every_option(void **state)
{
	static const char *const names[] = {
		"--data-dir",
		"--foreground",
		"--log-level",
		"--message-limit",
		"--session-queue",
		"--all-queues",
		"--source-idle",
		"--detached",
		"--drain-timeout",
		"--ready-fd",
		"--help",
		"--version",
		"--listen",
		"--tcp-admin",
		"--listen-beyond-loopback",
		"--wait",
		"--journal",
		"--journal-size",
		"--journal-result",
		"--journal-keep",
	};
	char *text = NULL;
	size_t len;

	(void)state;
	FILE *to = open_memstream(&text, &len);
	config_help(to);
	config_version(to);
	fclose(to);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(strstr(text, names[i]));
	assert_non_null(strstr(text, EXECUTOR_VERSION));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_is_the_defaults),
		cmocka_unit_test(every_option_is_read),
		cmocka_unit_test(
			the_environment_names_a_directory_and_an_option_wins),
		cmocka_unit_test(tcp_is_asked_for),
		cmocka_unit_test(beyond_loopback_must_be_said_twice),
		cmocka_unit_test(help_and_version_are_asked_for),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, clear_environment,
				      clear_environment);
}
