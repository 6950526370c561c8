#include "adapter/stdio.h"

#include <ev.h>
#include <poll.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/lines.h"
#include "proto/mem.h"
#include "proto/pump.h"

#ifndef POLLRDHUP /* Linux only; elsewhere POLLHUP has to do */
#define POLLRDHUP 0
#endif

/* How often a client is looked for that we do not read from. */
static const double look_s = 1;

/* Owned by main. */
struct stdio {
	struct ev_loop *loop;
	const struct stdio_events *events;
	void *owner;
	struct pump *pump;
	struct lines lines;
	int in_fd;	  /* the pump's */
	uint64_t written; /* bytes ever given to the pump */
	ev_timer look;	  /* runs only while held */
	bool gone;
};

static void report_gone(struct stdio *s, const struct err *why)
{
	if (s->gone)
		return;
	s->gone = true;
	ev_timer_stop(s->loop, &s->look);
	s->events->gone(s->owner, why);
}

/* A paused pump sees no end of file, and a client that was killed would leave
 * us behind.  What it wrote before that is lost with its reader. */
static void look_for_client(struct stdio *s)
{
	const struct err end = {.reason = ERR_NONE};
	struct pollfd fd = {.fd = s->in_fd, .events = POLLRDHUP};

	if (poll(&fd, 1, 0) == 1 &&
	    (fd.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)))
		report_gone(s, &end);
}

static bool on_line(void *owner, struct slice line)
{
	struct stdio *s = owner;

	s->events->line(s->owner, line);
	return true;
}

static bool on_overlong(void *owner, struct slice start)
{
	struct stdio *s = owner;

	s->events->overlong(s->owner, start);
	return true;
}

static const struct lines_events lines_events = {
	.line = on_line,
	.overlong = on_overlong,
};

static void on_bytes(void *owner, struct slice bytes)
{
	struct stdio *s = owner;

	lines_feed(&s->lines, bytes, &lines_events, s);
}

static void on_drained(void *owner)
{
	struct stdio *s = owner;

	s->events->written(s->owner, s->written);
}

static void on_down(void *owner, const struct err *why)
{
	struct stdio *s = owner;

	if (why->reason == ERR_NONE)
		lines_end(&s->lines, &lines_events, s);
	report_gone(s, why);
}

static void on_look(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	look_for_client(w->data);
}

static const struct pump_events pump_events = {
	.bytes = on_bytes,
	.drained = on_drained,
	.down = on_down,
};

struct stdio *stdio_new(struct ev_loop *loop, int in_fd, int out_fd,
			size_t limit_bytes, const struct stdio_events *events,
			void *owner)
{
	struct stdio *s = mem_zalloc(sizeof(*s));

	s->loop = loop;
	s->events = events;
	s->owner = owner;
	s->in_fd = in_fd;
	lines_init(&s->lines, limit_bytes);
	s->pump = pump_new(loop, in_fd, out_fd, &pump_events, s);
	/* .drained each time that all of it is out. */
	pump_marks(s->pump, 0, 0);
	ev_timer_init(&s->look, on_look, look_s, look_s);
	s->look.data = s;
	return s;
}

/* A text of that length was written. */
static uint64_t end_line(struct stdio *s, size_t len)
{
	pump_write(s->pump, slice_of("\n"));
	s->written += len + 1;
	return s->written;
}

uint64_t stdio_write(struct stdio *s, struct slice text)
{
	pump_write(s->pump, text);
	return end_line(s, text.len);
}

uint64_t stdio_take(struct stdio *s, struct buf *text)
{
	size_t len = text->len;

	pump_take(s->pump, text);
	return end_line(s, len);
}

size_t stdio_queued(const struct stdio *s)
{
	return pump_queued(s->pump);
}

void stdio_hold(struct stdio *s, bool held)
{
	if (s->gone)
		return;
	if (held) {
		pump_pause(s->pump);
		ev_timer_again(s->loop, &s->look);
	} else {
		ev_timer_stop(s->loop, &s->look);
		pump_resume(s->pump);
	}
}

bool stdio_flush(struct stdio *s)
{
	return pump_flush(s->pump);
}

void stdio_free(struct stdio *s)
{
	if (!s)
		return;
	ev_timer_stop(s->loop, &s->look);
	pump_free(s->pump);
	lines_finish(&s->lines);
	free(s);
}
