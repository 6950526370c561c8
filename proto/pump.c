#include "proto/pump.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/mem.h"

enum {
	READ_BYTES = 64 * 1024, /* a larger buffer only leaves the cache */
	READS_PER_TURN = 4,
	KEEP_BYTES = 64 * 1024, /* of an output buffer that ran empty */
};

/* Owned by whoever made it. */
struct pump {
	struct ev_loop *loop;
	const struct pump_events *events;
	void *owner;
	int read_fd;		     /* -1: none, or closed */
	int write_fd;		     /* -1: none, or closed */
	int read_flags, write_flags; /* as they were given to us */
	struct buf output;
	size_t low_bytes, high_bytes;

	ev_io reading;
	ev_io writing;		/* runs only while a write has to wait */
	ev_timer stall;		/* runs only while the kernel is full */
	struct ev_watcher turn; /* fed, never started: see wake() */

	bool fill_wanted;
	bool in_turn;
	bool above_high;
	bool paused;
	bool closing_write;
	bool down; /* .down has been called */
	bool freed;
	int failure;   /* errno of a write, 0 as long as none failed */
	unsigned busy; /* events on the stack */
};

/* Every pump of the process reads through this one buffer: it is in use only
 * between read() and the return of .bytes, and one thread runs the loop. */
static char read_buffer[READ_BYTES];

/* The edge of every event: p may be gone afterwards. */
static void leave(struct pump *p)
{
	assert(p->busy > 0);
	if (--p->busy == 0 && p->freed)
		free(p);
}

/* Have a turn run after all events that are pending now and before the loop
 * sleeps.  A fed event of the lowest priority does that wherever the call
 * comes from; a prepare watcher that is started while prepare watchers run
 * would be left for the next turn, and the loop would sleep on it. */
static void wake(struct pump *p)
{
	if (!p->in_turn)
		ev_feed_event(p->loop, &p->turn, EV_CUSTOM);
}

static void close_write(struct pump *p)
{
	ev_io_stop(p->loop, &p->writing);
	ev_timer_stop(p->loop, &p->stall);
	buf_finish(&p->output);
	if (p->write_fd >= 0 && p->write_fd == p->read_fd) {
		shutdown(p->write_fd, SHUT_WR);
	} else if (p->write_fd >= 0) {
		fcntl(p->write_fd, F_SETFL, p->write_flags);
		close(p->write_fd);
	}
	p->write_fd = -1;
}

/* Nothing can be written any more; the turn reports it. */
static void fail(struct pump *p, int number)
{
	p->failure = number;
	close_write(p);
	wake(p);
}

/* One system call for all that is queued. */
static void write_once(struct pump *p)
{
	ssize_t n;

	if (p->write_fd < 0 || p->output.len == 0)
		return;
	do {
		n = write(p->write_fd, p->output.data, p->output.len);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
		fail(p, errno);
		return;
	}
	if (n > 0)
		buf_consume(&p->output, (size_t)n);
	if (p->output.len == 0) {
		buf_reset(&p->output, KEEP_BYTES);
		ev_timer_stop(p->loop, &p->stall);
	} else if (p->stall.repeat > 0 && (n > 0 || !ev_is_active(&p->stall))) {
		ev_timer_again(p->loop, &p->stall);
	}
}

static void report_down(struct pump *p, const struct err *why)
{
	if (p->freed || p->down)
		return;
	p->down = true;
	ev_io_stop(p->loop, &p->reading);
	p->events->down(p->owner, why);
}

/* Returns whether there may be more to read. */
static bool read_once(struct pump *p)
{
	struct err why = {.reason = ERR_NONE};
	ssize_t n;

	do {
		n = read(p->read_fd, read_buffer, sizeof(read_buffer));
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		p->events->bytes(p->owner,
				 (struct slice){read_buffer, (size_t)n});
		return (size_t)n == sizeof(read_buffer);
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n < 0)
		err_sys(&why, ERR_LOST, "read");
	report_down(p, &why);
	return false;
}

/* A few reads, so that a fast peer does not keep the loop from others. */
static void read_some(struct pump *p)
{
	for (int i = 0; i < READS_PER_TURN; i++)
		if (p->freed || p->paused || p->down || p->read_fd < 0 ||
		    !read_once(p))
			return;
}

/* The other side reads no more; what it sent before may still be here. */
static void report_failure(struct pump *p)
{
	struct err why;

	read_some(p);
	errno = p->failure;
	if (errno == ETIMEDOUT)
		err_set(&why, ERR_LOST, "the other side does not read");
	else
		err_sys(&why, ERR_LOST, "write");
	report_down(p, &why);
}

/* What one turn of the loop owes the write side.  Between two writes the loop
 * always polls, so that a fast reader does not keep it from others. */
static void run_turn(struct pump *p, bool may_write)
{
	p->busy++;
	p->in_turn = true;
	if (p->fill_wanted && p->write_fd >= 0) {
		p->fill_wanted = false;
		if (p->events->fill)
			p->events->fill(p->owner);
	}
	if (!p->freed && may_write)
		write_once(p);
	if (!p->freed && p->above_high && p->output.len <= p->low_bytes) {
		p->above_high = false;
		if (p->events->drained && p->failure == 0)
			p->events->drained(p->owner);
	}
	if (!p->freed && p->closing_write && p->output.len == 0)
		close_write(p);
	if (!p->freed && p->failure != 0)
		report_failure(p);
	p->in_turn = false;
	if (!p->freed && p->write_fd >= 0) {
		if (p->output.len > 0 || p->fill_wanted)
			ev_io_start(p->loop, &p->writing);
		else
			ev_io_stop(p->loop, &p->writing);
	}
	leave(p);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct pump *p = w->data;

	(void)loop;
	(void)revents;
	p->busy++;
	read_some(p);
	leave(p);
}

static void on_turn(struct ev_loop *loop, struct ev_watcher *w, int revents)
{
	struct pump *p = w->data;

	(void)loop;
	(void)revents;
	run_turn(p, !ev_is_active(&p->writing));
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	run_turn(w->data, true);
}

static void on_stall(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	fail(w->data, ETIMEDOUT);
}

/* Returns the flags as they were. */
static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	return flags;
}

struct pump *pump_new(struct ev_loop *loop, int read_fd, int write_fd,
		      const struct pump_events *events, void *owner)
{
	struct pump *p = mem_zalloc(sizeof(*p));

	p->loop = loop;
	p->events = events;
	p->owner = owner;
	p->read_fd = read_fd;
	p->write_fd = write_fd;
	p->high_bytes = SIZE_MAX;
	ev_init(&p->turn, on_turn);
	ev_set_priority(&p->turn, EV_MINPRI);
	ev_init(&p->stall, on_stall);
	ev_io_init(&p->reading, on_readable, read_fd, EV_READ);
	ev_io_init(&p->writing, on_writable, write_fd, EV_WRITE);
	p->turn.data = p;
	p->stall.data = p;
	p->reading.data = p;
	p->writing.data = p;
	if (read_fd >= 0)
		p->read_flags = set_nonblocking(read_fd);
	if (write_fd >= 0 && write_fd != read_fd)
		p->write_flags = set_nonblocking(write_fd);
	if (read_fd >= 0)
		ev_io_start(loop, &p->reading);
	return p;
}

static bool takes(const struct pump *p)
{
	return p->write_fd >= 0 && !p->closing_write;
}

static void queued(struct pump *p)
{
	if (p->output.len > p->high_bytes)
		p->above_high = true;
	if (!p->in_turn)
		pump_wake(p);
}

void pump_write(struct pump *p, struct slice bytes)
{
	if (!takes(p) || bytes.len == 0)
		return;
	buf_append_slice(&p->output, bytes);
	queued(p);
}

void pump_take(struct pump *p, struct buf *bytes)
{
	if (takes(p) && p->output.len == 0 && bytes->len > 0) {
		buf_finish(&p->output);
		buf_move(&p->output, bytes);
		queued(p);
		return;
	}
	pump_write(p, buf_slice(bytes));
	buf_finish(bytes);
}

void pump_wake(struct pump *p)
{
	p->fill_wanted = true;
	wake(p);
}

bool pump_flush(struct pump *p)
{
	write_once(p);
	wake(p);
	return p->output.len == 0 && p->failure == 0;
}

size_t pump_queued(const struct pump *p)
{
	return p->output.len;
}

void pump_marks(struct pump *p, size_t low_bytes, size_t high_bytes)
{
	assert(low_bytes <= high_bytes);
	p->low_bytes = low_bytes;
	p->high_bytes = high_bytes;
	if (p->output.len > high_bytes)
		p->above_high = true;
}

void pump_stall(struct pump *p, uint32_t ms)
{
	p->stall.repeat = (double)ms / 1000;
}

void pump_look(struct pump *p)
{
	if (ev_is_active(&p->reading))
		ev_feed_event(p->loop, &p->reading, EV_READ);
}

void pump_pause(struct pump *p)
{
	p->paused = true;
	ev_io_stop(p->loop, &p->reading);
}

void pump_resume(struct pump *p)
{
	p->paused = false;
	if (p->read_fd >= 0 && !p->down)
		ev_io_start(p->loop, &p->reading);
}

void pump_close_write(struct pump *p)
{
	p->closing_write = true;
	wake(p);
}

void pump_free(struct pump *p)
{
	if (!p)
		return;
	assert(!p->freed);
	p->freed = true;
	ev_io_stop(p->loop, &p->reading);
	ev_clear_pending(p->loop, &p->turn);
	/* A shared socket is shut down: a child that inherited it by mistake
	 * must not keep the peer waiting for the end of file. */
	close_write(p);
	if (p->read_fd >= 0) {
		fcntl(p->read_fd, F_SETFL, p->read_flags);
		close(p->read_fd);
	}
	if (p->busy == 0)
		free(p);
}
