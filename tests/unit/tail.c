/* tail: the end of a file, what follows, and what follows it. */
#include "proto/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/err.h"

static char dir[64];
static char path[128];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/executor-tail-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	return 0;
}

static int tear_down(void **state)
{
	char other[140];

	(void)state;
	snprintf(other, sizeof(other), "%s.1", path);
	unlink(other);
	unlink(path);
	return rmdir(dir);
}

static void append(const char *text)
{
	FILE *f = fopen(path, "ae");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void assert_read(struct tail *t, const char *want)
{
	char got[64];
	size_t len = tail_read(t, got, sizeof(got));

	assert_int_equal(len, strlen(want));
	assert_memory_equal(got, want, len);
}

static void assert_tail(unsigned long lines, const char *want)
{
	struct tail t;
	struct err e;

	assert_true(tail_open(&t, path, lines, &e));
	assert_read(&t, want);
	tail_finish(&t);
}

static void the_last_lines_are_found(void **state)
{
	(void)state;
	append("one\ntwo\nthree\n");
	assert_tail(0, "");
	assert_tail(1, "three\n");
	assert_tail(2, "two\nthree\n");
	assert_tail(3, "one\ntwo\nthree\n");
	assert_tail(9, "one\ntwo\nthree\n");
	append("unfinished");
	assert_tail(1, "unfinished");
	assert_tail(2, "three\nunfinished");
}

static void lines_longer_than_a_piece_are_found(void **state)
{
	char *line = malloc(200001);
	char *got = malloc(300000);
	struct tail t;
	struct err e;

	(void)state;
	memset(line, 'x', 200000);
	line[200000] = '\0';
	append("first\n");
	append(line);
	append("\nlast\n");
	assert_true(tail_open(&t, path, 2, &e));
	assert_int_equal(tail_read(&t, got, 300000), 200006);
	assert_memory_equal(got + 200000, "\nlast\n", 6);
	tail_finish(&t);
	free(got);
	free(line);
}

static void what_is_written_later_is_read(void **state)
{
	struct tail t;
	struct err e;

	(void)state;
	append("old\n");
	assert_true(tail_open(&t, path, 0, &e));
	assert_read(&t, "");
	append("new\n");
	assert_read(&t, "new\n");
	assert_read(&t, "");
	tail_finish(&t);
}

static void the_successor_of_a_log_is_followed(void **state)
{
	char other[140];
	struct tail t;
	struct err e;

	(void)state;
	snprintf(other, sizeof(other), "%s.1", path);
	append("old\n");
	assert_true(tail_open(&t, path, 1, &e));
	assert_read(&t, "old\n");
	append("last words\n");
	assert_int_equal(rename(path, other), 0);
	assert_read(&t, "last words\n");
	assert_read(&t, ""); /* there is none yet */
	append("first words\n");
	assert_read(&t, "first words\n");
	tail_finish(&t);
}

static void a_log_that_was_cut_short_goes_on(void **state)
{
	struct tail t;
	struct err e;

	(void)state;
	append("old\n");
	assert_true(tail_open(&t, path, 1, &e));
	assert_read(&t, "old\n");
	assert_int_equal(truncate(path, 0), 0);
	assert_read(&t, "");
	append("new\n");
	assert_read(&t, "new\n");
	tail_finish(&t);
}

static void what_is_no_file_is_refused(void **state)
{
	struct tail t;
	struct err e;

	(void)state;
	assert_false(tail_open(&t, path, 1, &e));
	assert_int_equal(e.reason, ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, path));
	tail_finish(&t);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(tail_open(&t, path, 1, &e));
	assert_int_equal(e.reason, ERR_IO);
}

#define FILES(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES(the_last_lines_are_found),
		FILES(lines_longer_than_a_piece_are_found),
		FILES(what_is_written_later_is_read),
		FILES(the_successor_of_a_log_is_followed),
		FILES(a_log_that_was_cut_short_goes_on),
		FILES(what_is_no_file_is_refused),
	};

	alarm(100); /* a test that hangs fails */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
