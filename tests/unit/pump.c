/* pump: bytes through real descriptors, one turn of the loop at a time. */
#include "proto/pump.h"

#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/err.h"

enum event { NOTHING, BYTES, FILL, DRAINED, DOWN };

struct owner {
	struct pump *pump;
	struct buf got;
	unsigned reads, fills, drains, downs;
	enum reason why;
	enum event free_in; /* free the pump inside this event */
	const char *fill_with;
	bool pause_in_bytes;
};

static struct ev_loop *loop;

static void maybe_free(struct owner *o, enum event now)
{
	if (o->free_in != now)
		return;
	pump_free(o->pump);
	o->pump = NULL;
}

static void on_bytes(void *owner, struct slice bytes)
{
	struct owner *o = owner;

	o->reads++;
	buf_append_slice(&o->got, bytes);
	if (o->pause_in_bytes)
		pump_pause(o->pump);
	maybe_free(o, BYTES);
}

static void on_fill(void *owner)
{
	struct owner *o = owner;

	o->fills++;
	if (o->fill_with)
		pump_write(o->pump, slice_of(o->fill_with));
	o->fill_with = NULL;
	maybe_free(o, FILL);
}

static void on_drained(void *owner)
{
	struct owner *o = owner;

	o->drains++;
	maybe_free(o, DRAINED);
}

static void on_down(void *owner, const struct err *why)
{
	struct owner *o = owner;

	o->downs++;
	o->why = why->reason;
	maybe_free(o, DOWN);
}

static const struct pump_events events = {
	.bytes = on_bytes,
	.fill = on_fill,
	.drained = on_drained,
	.down = on_down,
};

static void pair(int type, int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
}

/* One turn, without sleeping. */
static void turn(void)
{
	ev_run(loop, EVRUN_NOWAIT);
}

static void finish(struct owner *o)
{
	pump_free(o->pump);
	buf_finish(&o->got);
}

static void fill_kernel(struct owner *o)
{
	static const char block[64 * 1024];

	while (pump_flush(o->pump))
		pump_write(o->pump, (struct slice){block, sizeof(block)});
}

static void one_turn_is_one_write(void **state)
{
	char got[64];
	int fds[2];
	struct owner o = {.fill_with = " filled"};

	(void)state;
	pair(SOCK_SEQPACKET, fds); /* keeps the boundaries of writes */
	o.pump = pump_new(loop, fds[0], fds[0], &events, &o);
	pump_write(o.pump, slice_of("first"));
	pump_write(o.pump, slice_of(" second"));
	assert_int_equal(pump_queued(o.pump), 12);
	turn();
	assert_int_equal(pump_queued(o.pump), 0);
	assert_int_equal(o.fills, 1);
	assert_int_equal(read(fds[1], got, sizeof(got)), 19);
	assert_memory_equal(got, "first second filled", 19);
	turn();
	assert_int_equal(o.fills, 1); /* at rest it is not asked */
	close(fds[1]);
	finish(&o);
}

static void a_wake_alone_asks_for_a_fill(void **state)
{
	int fds[2];
	struct owner o = {0};

	(void)state;
	pair(SOCK_STREAM, fds);
	o.pump = pump_new(loop, fds[0], fds[0], &events, &o);
	turn();
	assert_int_equal(o.fills, 0);
	pump_wake(o.pump);
	pump_wake(o.pump);
	turn();
	assert_int_equal(o.fills, 1);
	close(fds[1]);
	finish(&o);
}

static void on_prepare(struct ev_loop *l, ev_prepare *w, int revents)
{
	(void)revents;
	pump_write(w->data, slice_of("late"));
	ev_prepare_stop(l, w);
}

static void a_write_before_sleep_is_not_forgotten(void **state)
{
	char got[8];
	int fds[2];
	struct owner o = {0};
	ev_prepare prepare;

	(void)state;
	pair(SOCK_STREAM, fds);
	o.pump = pump_new(loop, fds[0], fds[0], &events, &o);
	ev_prepare_init(&prepare, on_prepare);
	prepare.data = o.pump;
	ev_prepare_start(loop, &prepare);
	turn();
	assert_int_equal(read(fds[1], got, sizeof(got)), 4);
	close(fds[1]);
	finish(&o);
}

static void what_the_kernel_refuses_arrives_in_order(void **state)
{
	enum { TOTAL = 4 * 1024 * 1024 };
	int fds[2];
	struct owner from = {0}, to = {0};
	char *sent = malloc(TOTAL);

	(void)state;
	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (char)(i * 2654435761u >> 13);
	pair(SOCK_STREAM, fds);
	from.pump = pump_new(loop, fds[0], fds[0], &events, &from);
	to.pump = pump_new(loop, fds[1], fds[1], &events, &to);
	pump_marks(from.pump, 1000, 100000);
	pump_write(from.pump, (struct slice){sent, TOTAL});
	while (to.got.len < TOTAL)
		ev_run(loop, EVRUN_ONCE);
	assert_memory_equal(to.got.data, sent, TOTAL);
	assert_int_equal(from.drains, 1);
	free(sent);
	finish(&from);
	finish(&to);
}

static void what_it_takes_over_is_queued_in_order(void **state)
{
	int fds[2];
	struct owner from = {0}, to = {0};
	struct buf bytes = {0};
	struct buf want = {0};

	(void)state;
	pair(SOCK_STREAM, fds);
	from.pump = pump_new(loop, fds[0], fds[0], &events, &from);
	to.pump = pump_new(loop, fds[1], fds[1], &events, &to);
	for (int i = 0; i < 3; i++) {
		/* The first when nothing is queued, the others when much is. */
		for (int n = 0; n < 200000; n++)
			buf_printf(&bytes, "%d.%d ", i, n);
		buf_append_slice(&want, buf_slice(&bytes));
		buf_append_text(&want, "between");
		pump_take(from.pump, &bytes);
		assert_null(bytes.data);
		pump_write(from.pump, slice_of("between"));
		assert_false(pump_flush(from.pump));
	}
	pump_take(from.pump, &bytes); /* nothing */
	while (to.got.len < want.len)
		ev_run(loop, EVRUN_ONCE);
	assert_true(slice_equal(buf_slice(&to.got), buf_slice(&want)));
	assert_int_equal(pump_queued(from.pump), 0);

	pump_close_write(from.pump);
	buf_append_text(&bytes, "too late");
	pump_take(from.pump, &bytes);
	assert_null(bytes.data);
	assert_int_equal(pump_queued(from.pump), 0);
	buf_finish(&want);
	finish(&from);
	finish(&to);
}

static void on_timeout(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(l, EVBREAK_ALL);
}

static void a_blocked_pump_lets_the_loop_sleep(void **state)
{
	int fds[2];
	struct owner o = {0};
	ev_timer timer;

	(void)state;
	pair(SOCK_STREAM, fds);
	o.pump = pump_new(loop, fds[0], fds[0], &events, &o);
	fill_kernel(&o);
	turn();
	unsigned before = ev_iteration(loop);
	ev_timer_init(&timer, on_timeout, 0.05, 0);
	ev_timer_start(loop, &timer);
	ev_run(loop, 0);
	assert_in_range(ev_iteration(loop) - before, 1, 4);
	close(fds[1]);
	finish(&o);
}

static void a_paused_pump_sees_nothing_until_resumed(void **state)
{
	int fds[2];
	struct owner o = {.pause_in_bytes = true};

	(void)state;
	pair(SOCK_STREAM, fds);
	o.pump = pump_new(loop, fds[0], fds[0], &events, &o);
	assert_int_equal(write(fds[1], "one", 3), 3);
	turn();
	assert_int_equal(o.got.len, 3);
	assert_int_equal(write(fds[1], "two", 3), 3);
	close(fds[1]);
	turn();
	assert_int_equal(o.got.len, 3);
	assert_int_equal(o.downs, 0);
	pump_resume(o.pump);
	turn();
	assert_int_equal(o.got.len, 6);
	pump_resume(o.pump);
	turn();
	assert_int_equal(o.downs, 1);
	assert_int_equal(o.why, ERR_NONE);
	pump_resume(o.pump);
	turn();
	assert_int_equal(o.downs, 1);
	finish(&o);
}

static void a_failed_write_is_told_after_the_last_words(void **state)
{
	int fds[2];
	struct owner o = {0};

	(void)state;
	pair(SOCK_STREAM, fds);
	o.pump = pump_new(loop, fds[0], fds[0], &events, &o);
	assert_int_equal(write(fds[1], "farewell", 8), 8);
	close(fds[1]);
	pump_write(o.pump, slice_of("hello?"));
	assert_false(pump_flush(o.pump));
	assert_int_equal(o.reads + o.downs, 0); /* never inside a call */
	turn();
	assert_int_equal(o.got.len, 8);
	assert_int_equal(o.downs, 1);
	assert_int_equal(o.why, ERR_LOST);
	pump_write(o.pump, slice_of("dropped"));
	assert_int_equal(pump_queued(o.pump), 0);
	assert_false(pump_flush(o.pump));
	turn();
	assert_int_equal(o.downs, 1);
	finish(&o);
}

static void a_write_only_pump_tells_that_its_reader_left(void **state)
{
	int fds[2];
	struct owner o = {0};

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	o.pump = pump_new(loop, -1, fds[1], &events, &o);
	close(fds[0]);
	pump_write(o.pump, slice_of("x"));
	turn();
	assert_int_equal(o.downs, 1);
	assert_int_equal(o.why, ERR_LOST);
	finish(&o);
}

static void the_way_out_stays_open_after_end_of_file(void **state)
{
	char got[8];
	int in[2], out[2];
	struct owner o = {0};

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	o.pump = pump_new(loop, in[0], out[1], &events, &o);
	close(in[1]);
	turn();
	assert_int_equal(o.downs, 1);
	pump_write(o.pump, slice_of("answer"));
	turn();
	assert_int_equal(read(out[0], got, sizeof(got)), 6);
	close(out[0]);
	finish(&o);
}

static void closing_the_way_out_waits_for_what_is_queued(void **state)
{
	enum { TOTAL = 1024 * 1024 };
	static const char zeros[TOTAL];
	int fds[2];
	struct owner from = {0}, to = {0};

	(void)state;
	pair(SOCK_STREAM, fds);
	from.pump = pump_new(loop, fds[0], fds[0], &events, &from);
	to.pump = pump_new(loop, fds[1], fds[1], &events, &to);
	pump_write(from.pump, (struct slice){zeros, TOTAL});
	pump_close_write(from.pump);
	pump_write(from.pump, slice_of("dropped"));
	while (to.downs == 0)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(to.got.len, TOTAL);
	/* The other half lives. */
	pump_write(to.pump, slice_of("back"));
	while (from.got.len < 4)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(from.downs, 0);
	finish(&from);
	finish(&to);
}

static void nobody_reading_for_too_long_is_a_failure(void **state)
{
	int fds[2];
	struct owner o = {0};

	(void)state;
	pair(SOCK_STREAM, fds);
	o.pump = pump_new(loop, fds[0], fds[0], &events, &o);
	pump_stall(o.pump, 1);
	fill_kernel(&o);
	while (o.downs == 0)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(o.why, ERR_LOST);
	close(fds[1]);
	finish(&o);
}

static int file_of(size_t len)
{
	char path[] = "/tmp/pump-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	return fd;
}

static void files_work_too_and_are_read_in_shares(void **state)
{
	enum { TOTAL = 1024 * 1024, SHARE = 256 * 1024 };
	struct owner o = {0};
	int fd = file_of(TOTAL);
	int out = file_of(0);
	int copy = dup(out);

	(void)state;
	o.pump = pump_new(loop, fd, out, &events, &o);
	pump_write(o.pump, slice_of("written"));
	turn();
	assert_in_range(o.got.len, 1, SHARE);
	while (o.downs == 0)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(o.got.len, TOTAL);
	assert_int_equal(o.why, ERR_NONE);
	assert_int_equal(lseek(copy, 0, SEEK_END), 7);
	close(copy);
	finish(&o);
}

static void the_null_device_is_an_end_of_file(void **state)
{
	struct owner o = {0};
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	o.pump = pump_new(loop, fd, fd, &events, &o);
	pump_write(o.pump, slice_of("gone"));
	while (o.downs == 0)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(o.why, ERR_NONE);
	finish(&o);
}

static void descriptors_are_given_back_as_they_were(void **state)
{
	int in[2], out[2];
	struct owner o = {0};

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	int in_copy = dup(in[0]), out_copy = dup(out[1]);
	o.pump = pump_new(loop, in[0], out[1], &events, &o);
	assert_true(fcntl(in_copy, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(out_copy, F_GETFL) & O_NONBLOCK);
	finish(&o);
	assert_false(fcntl(in_copy, F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(out_copy, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(in[0], F_GETFD), -1);
	assert_int_equal(fcntl(out[1], F_GETFD), -1);
	close(in[1]);
	close(out[0]);
	close(in_copy);
	close(out_copy);
}

static void a_pump_may_be_freed_inside_any_event(void **state)
{
	(void)state;
	for (int at = BYTES; at <= DOWN; at++) {
		char got[16];
		int fds[2];
		struct owner o = {.free_in = (enum event)at};

		pair(SOCK_STREAM, fds);
		o.pump = pump_new(loop, fds[0], fds[0], &events, &o);
		pump_marks(o.pump, 0, 0);
		if (at == BYTES)
			assert_int_equal(write(fds[1], "in", 2), 2);
		if (at == FILL || at == DRAINED)
			pump_write(o.pump, slice_of("out"));
		if (at == DOWN)
			shutdown(fds[1], SHUT_WR);
		turn();
		assert_null(o.pump);
		assert_int_equal(read(fds[1], got, sizeof(got)),
				 at == DRAINED ? 3 : 0);
		turn();
		close(fds[1]);
		buf_finish(&o.got);
	}
}

static void freed_while_a_failure_is_being_told(void **state)
{
	int fds[2];
	struct owner o = {.free_in = BYTES};

	(void)state;
	pair(SOCK_STREAM, fds);
	o.pump = pump_new(loop, fds[0], fds[0], &events, &o);
	assert_int_equal(write(fds[1], "in", 2), 2);
	close(fds[1]);
	pump_write(o.pump, slice_of("out"));
	turn();
	assert_null(o.pump);
	assert_int_equal(o.downs, 0);
	buf_finish(&o.got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_turn_is_one_write),
		cmocka_unit_test(a_wake_alone_asks_for_a_fill),
		cmocka_unit_test(a_write_before_sleep_is_not_forgotten),
		cmocka_unit_test(what_the_kernel_refuses_arrives_in_order),
		cmocka_unit_test(what_it_takes_over_is_queued_in_order),
		cmocka_unit_test(a_blocked_pump_lets_the_loop_sleep),
		cmocka_unit_test(a_paused_pump_sees_nothing_until_resumed),
		cmocka_unit_test(a_failed_write_is_told_after_the_last_words),
		cmocka_unit_test(a_write_only_pump_tells_that_its_reader_left),
		cmocka_unit_test(the_way_out_stays_open_after_end_of_file),
		cmocka_unit_test(closing_the_way_out_waits_for_what_is_queued),
		cmocka_unit_test(nobody_reading_for_too_long_is_a_failure),
		cmocka_unit_test(files_work_too_and_are_read_in_shares),
		cmocka_unit_test(the_null_device_is_an_end_of_file),
		cmocka_unit_test(descriptors_are_given_back_as_they_were),
		cmocka_unit_test(a_pump_may_be_freed_inside_any_event),
		cmocka_unit_test(freed_while_a_failure_is_being_told),
	};

	signal(SIGPIPE, SIG_IGN);
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
