#include "adapter/stdio.h"

#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/err.h"

enum { LIMIT_BYTES = 100 };

/* One stdio and the client's ends of it. */
struct rig {
	struct ev_loop *loop;
	struct stdio *stdio;
	int to;	  /* the client writes here, or -1 */
	int from; /* and reads here, or -1 */
	struct buf log;
	uint64_t written;
	bool gone;
	enum reason why;
	bool hold_after_line;
};

static void on_line(void *owner, struct slice line)
{
	struct rig *r = owner;

	buf_append_text(&r->log, "<");
	buf_append_slice(&r->log, line);
	buf_append_text(&r->log, ">");
	if (r->hold_after_line)
		stdio_hold(r->stdio, true);
}

static void on_overlong(void *owner, struct slice start)
{
	struct rig *r = owner;

	assert_true(start.len > 0);
	buf_append_text(&r->log, "!");
}

static void on_written(void *owner, uint64_t offset)
{
	struct rig *r = owner;

	r->written = offset;
}

static void on_gone(void *owner, const struct err *why)
{
	struct rig *r = owner;

	assert_false(r->gone);
	r->gone = true;
	r->why = why->reason;
	ev_break(r->loop, EVBREAK_ALL);
}

static const struct stdio_events events = {
	.line = on_line,
	.overlong = on_overlong,
	.written = on_written,
	.gone = on_gone,
};

static void open_rig(struct rig *r, int in, int out)
{
	*r = (struct rig){.loop = ev_loop_new(0), .to = -1, .from = -1};
	r->stdio = stdio_new(r->loop, in, out, LIMIT_BYTES, &events, r);
}

static void open_on_pipes(struct rig *r)
{
	int in[2];
	int out[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	open_rig(r, in[0], out[1]);
	r->to = in[1];
	r->from = out[0];
}

static void open_on_sockets(struct rig *r)
{
	int in[2];
	int out[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, in), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, out), 0);
	open_rig(r, in[0], out[0]);
	r->to = in[1];
	r->from = out[1];
}

static void hang_up(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_rig(struct rig *r)
{
	stdio_free(r->stdio);
	hang_up(&r->to);
	hang_up(&r->from);
	ev_loop_destroy(r->loop);
	buf_finish(&r->log);
}

static void client_writes(struct rig *r, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(write(r->to, text, len), (ssize_t)len);
}

static void assert_log(struct rig *r, const char *want)
{
	buf_append(&r->log, "", 1);
	assert_string_equal(r->log.data, want);
	buf_reset(&r->log, 0);
}

static void (*const kinds[])(struct rig *) = {open_on_pipes, open_on_sockets};
enum { KINDS = sizeof(kinds) / sizeof(*kinds) };

static void lines_survive_any_split(void **state)
{
	static const char text[] = "one\ntwo\r\n\nthree\n";
	struct rig r;

	(void)state;
	for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
		kinds[cut % KINDS](&r);
		assert_int_equal(write(r.to, text, cut), (ssize_t)cut);
		ev_run(r.loop, EVRUN_NOWAIT);
		client_writes(&r, text + cut);
		hang_up(&r.to);
		ev_run(r.loop, 0);
		assert_log(&r, "<one><two><three>");
		close_rig(&r);
	}
}

static void the_end_of_input_is_the_end_and_ends_a_line(void **state)
{
	struct rig r;

	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		kinds[i](&r);
		client_writes(&r, "last");
		hang_up(&r.to);
		ev_run(r.loop, 0);
		assert_log(&r, "<last>");
		assert_true(r.gone);
		assert_int_equal(r.why, ERR_NONE);
		close_rig(&r);
	}
}

static void an_overlong_line_is_told_and_skipped(void **state)
{
	struct buf line = {0};
	struct rig r;

	(void)state;
	open_on_pipes(&r);
	memset(buf_reserve(&line, LIMIT_BYTES + 1), 'a', LIMIT_BYTES + 1);
	buf_added(&line, LIMIT_BYTES + 1);
	buf_append(&line, "\nok\n", 5);
	client_writes(&r, line.data);
	hang_up(&r.to);
	ev_run(r.loop, 0);
	assert_log(&r, "!<ok>");
	buf_finish(&line);
	close_rig(&r);
}

static void a_file_and_dev_null_will_do(void **state)
{
	char path[] = "/tmp/executor-stdio-XXXXXX";
	int fd = mkstemp(path);
	struct rig r;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a\nb\n", 4), 4);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	unlink(path);
	open_rig(&r, fd, open("/dev/null", O_WRONLY));
	stdio_write(r.stdio, slice_of("x"));
	ev_run(r.loop, 0);
	assert_log(&r, "<a><b>");
	assert_true(r.gone);
	close_rig(&r);

	open_rig(&r, open("/dev/null", O_RDONLY), open("/dev/null", O_WRONLY));
	ev_run(r.loop, 0);
	assert_true(r.gone);
	close_rig(&r);
}

static void a_line_is_written_when_its_newline_is(void **state)
{
	struct buf taken = {0};
	char text[16];
	struct rig r;

	(void)state;
	open_on_pipes(&r);
	assert_int_equal(stdio_write(r.stdio, slice_of("ab")), 3);
	assert_int_equal(stdio_write(r.stdio, slice_of("c")), 5);
	buf_append_text(&taken, "de");
	assert_int_equal(stdio_take(r.stdio, &taken), 8);
	assert_int_equal(stdio_queued(r.stdio), 8);
	assert_int_equal(r.written, 0);
	ev_run(r.loop, EVRUN_NOWAIT);
	assert_int_equal(r.written, 8);
	assert_int_equal(stdio_queued(r.stdio), 0);
	assert_int_equal(read(r.from, text, sizeof(text)), 8);
	assert_memory_equal(text, "ab\nc\nde\n", 8);
	close_rig(&r);
}

static void what_nobody_reads_is_kept(void **state)
{
	static char big[1024 * 1024];
	static char sink[64 * 1024];
	struct rig r;
	size_t got = 0;

	(void)state;
	memset(big, 'x', sizeof(big));
	open_on_sockets(&r);
	stdio_write(r.stdio, (struct slice){big, sizeof(big)});
	ev_run(r.loop, EVRUN_NOWAIT);
	assert_true(stdio_queued(r.stdio) > 0);
	assert_int_equal(r.written, 0);
	while (got < sizeof(big) + 1) {
		ssize_t n = read(r.from, sink, sizeof(sink));

		assert_true(n > 0);
		got += (size_t)n;
		ev_run(r.loop, EVRUN_NOWAIT);
	}
	assert_int_equal(r.written, sizeof(big) + 1);
	assert_true(stdio_flush(r.stdio));
	close_rig(&r);
}

static void a_client_that_does_not_read_any_more_has_gone(void **state)
{
	struct rig r;

	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		kinds[i](&r);
		hang_up(&r.from);
		stdio_write(r.stdio, slice_of("anybody?"));
		ev_run(r.loop, 0);
		assert_true(r.gone);
		assert_int_equal(r.why, ERR_LOST);
		close_rig(&r);
	}
}

static void a_client_that_vanishes_while_held_has_gone(void **state)
{
	struct rig r;

	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		kinds[i](&r);
		r.hold_after_line = true;
		client_writes(&r, "one\n");
		ev_run(r.loop, EVRUN_NOWAIT);
		assert_log(&r, "<one>");
		client_writes(&r, "not read\n");
		hang_up(&r.to);
		ev_run(r.loop, 0);
		assert_true(r.gone);
		assert_log(&r, "");
		close_rig(&r);
	}
}

static void what_was_held_comes_later(void **state)
{
	struct rig r;

	(void)state;
	open_on_pipes(&r);
	stdio_hold(r.stdio, true);
	client_writes(&r, "one\n");
	ev_run(r.loop, EVRUN_NOWAIT);
	assert_log(&r, "");
	stdio_hold(r.stdio, false);
	ev_run(r.loop, EVRUN_NOWAIT);
	assert_log(&r, "<one>");
	close_rig(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_survive_any_split),
		cmocka_unit_test(the_end_of_input_is_the_end_and_ends_a_line),
		cmocka_unit_test(an_overlong_line_is_told_and_skipped),
		cmocka_unit_test(a_file_and_dev_null_will_do),
		cmocka_unit_test(a_line_is_written_when_its_newline_is),
		cmocka_unit_test(what_nobody_reads_is_kept),
		cmocka_unit_test(a_client_that_does_not_read_any_more_has_gone),
		cmocka_unit_test(a_client_that_vanishes_while_held_has_gone),
		cmocka_unit_test(what_was_held_comes_later),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
