#include "server/upstream/process.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "proto/clock.h"
#include "proto/err.h"
#include "proto/lines.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/pump.h"
#include "server/upstream/child.h"
#include "server/upstream/children.h"
#include "server/upstream/logfile.h"
#include "server/upstream/procs.h"

enum {
	QUEUED_BYTES = 64 << 20,
	QUEUED_LOW_BYTES = 256 << 10,
	QUEUED_HIGH_BYTES = 1 << 20,
	/* After the leader: how often the rest of the group is looked at, how
	 * long it has after TERM, and when nothing is waited for any more. */
	REST_LOOK_MS = 10,
	REST_TERM_MS = 500,
	REST_END_MS = 1000,
	/* The same for what left the group; looking costs more. */
	STRAYS_LOOK_MS = 100,
};

enum process_state {
	PROCESS_RUNNING,
	PROCESS_CLOSING,     /* its stdin is being closed */
	PROCESS_TERMINATING, /* its group got TERM */
	PROCESS_KILLING,     /* its group got KILL */
	PROCESS_CLEARING,    /* it was reaped; its group and pipes are not */
	PROCESS_DOWN,
};

/* Owned by a source; on the loop's side of one child. */
struct process {
	struct upstream base;
	struct ev_loop *loop;
	const struct upstream_events *events;
	void *owner;
	char *name;
	char *log_path; /* NULL when there is none */
	unsigned eof_ms;
	unsigned term_ms;
	char marker[PROCS_MARKER_BYTES];
	struct children *children; /* or NULL */

	enum process_state state;
	pid_t pid;	   /* of the leader, and the number of the group */
	int status;	   /* of wait(2), once it was reaped */
	bool forced;	   /* by a signal of ours */
	bool asked;	   /* to end it */
	const char *fault; /* why we end it unasked, or NULL */
	bool group_gone;
	bool strays_gone;
	bool output_ended;
	unsigned clearing_ms;

	ev_child exited;
	ev_timer timer;
	struct pump *to_child;
	struct pump *from_child;
	struct pump *from_stderr;
	struct lines lines;
	struct logfile log;

	unsigned depth; /* of our own callbacks that are running */
	bool freed;	/* inside one of them */
};

static const char *const state_name[] = {
	[PROCESS_RUNNING] = "running",	       [PROCESS_CLOSING] = "closing",
	[PROCESS_TERMINATING] = "terminating", [PROCESS_KILLING] = "killing",
	[PROCESS_CLEARING] = "clearing",       [PROCESS_DOWN] = "down",
};

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[PROCESS_RUNNING] = 1u << PROCESS_CLOSING | 1u << PROCESS_CLEARING,
	[PROCESS_CLOSING] = 1u << PROCESS_TERMINATING | 1u << PROCESS_CLEARING,
	[PROCESS_TERMINATING] = 1u << PROCESS_KILLING | 1u << PROCESS_CLEARING,
	[PROCESS_KILLING] = 1u << PROCESS_CLEARING,
	[PROCESS_CLEARING] = 1u << PROCESS_DOWN,
	[PROCESS_DOWN] = 0,
};

/* The only writer of p->state. */
static void advance(struct process *p, enum process_state next)
{
	assert(may_follow[p->state] & 1u << next);
	log_debug("upstream", "process %s pid=%d: %s -> %s", p->name,
		  (int)p->pid, state_name[p->state], state_name[next]);
	p->state = next;
}

static struct process *of(struct upstream *u)
{
	return (struct process *)(void *)u;
}

static void release(struct process *p)
{
	lines_finish(&p->lines);
	logfile_finish(&p->log);
	free(p->log_path);
	free(p->name);
	free(p);
}

/* Around whatever may call our owner: it may free us there. */
static void enter(struct process *p)
{
	p->depth++;
}

static void leave(struct process *p)
{
	p->depth--;
	if (p->depth == 0 && p->freed)
		release(p);
}

static void start_timer(struct process *p, unsigned ms)
{
	ev_timer_stop(p->loop, &p->timer);
	ev_timer_set(&p->timer, (double)ms / 1000.0, 0.0);
	ev_timer_start(p->loop, &p->timer);
}

/* Signal what is left of the group, by 0 only look.  POSIX, 4.14 Process ID
 * Reuse: "A process group ID shall not be reused by the system until the
 * process group lifetime ends"; after that the number is a stranger's. */
static void signal_group(struct process *p, int number)
{
	if (!p->group_gone && kill(-p->pid, number) != 0 && errno == ESRCH)
		p->group_gone = true;
}

/* What it started and what left its group, by 0 only look. */
static void signal_strays(struct process *p, int number)
{
	const char *marker = p->marker;

	if (!p->strays_gone && procs_signal_marked(&marker, 1, number) == 0)
		p->strays_gone = true;
}

static void kill_strays(struct process *p)
{
	const char *marker = p->marker;

	if (!p->strays_gone)
		procs_kill_marked(&marker, 1);
	p->strays_gone = true;
}

static void begin_stop(struct process *p)
{
	if (p->state != PROCESS_RUNNING)
		return;
	advance(p, PROCESS_CLOSING);
	pump_close_write(p->to_child);
	start_timer(p, p->eof_ms);
}

static void stop_for(struct process *p, const char *fault)
{
	if (p->state == PROCESS_RUNNING)
		p->fault = fault;
	begin_stop(p);
}

/* How it ended says more than that it closed a pipe, unless it closed it and
 * went on, or ended as if nothing had been wrong. */
static void describe_end(const struct process *p, struct err *why)
{
	const char *hint = p->log_path ? "; its messages are in " : "";
	const char *path = p->log_path ? p->log_path : "";

	if (p->asked)
		err_set(why, ERR_SOURCE_DOWN, "stopped");
	else if (p->fault && (p->forced || p->status == 0))
		err_set(why, ERR_SOURCE_DOWN, "%s%s%.200s", p->fault, hint,
			path);
	else if (WIFSIGNALED(p->status))
		err_set(why, ERR_SOURCE_DOWN, "signal %d%s%.200s",
			WTERMSIG(p->status), hint, path);
	else
		err_set(why, ERR_SOURCE_DOWN, "exit status %d%s%.200s",
			WEXITSTATUS(p->status), hint, path);
}

/* The leader was reaped.  What it wrote before is still read; what it started
 * is ended.  Whatever left the group may hold the pipe for ever: hence the
 * bound. */
static void finish_when_clear(struct process *p)
{
	if (p->clearing_ms < REST_TERM_MS) {
		signal_group(p, 0);
		if (p->clearing_ms % STRAYS_LOOK_MS == 0)
			signal_strays(p, p->clearing_ms == 0 ? SIGTERM : 0);
	} else {
		signal_group(p, SIGKILL);
		p->group_gone = true; /* zombies are not ours to wait for */
		kill_strays(p);
	}
	bool clear = p->group_gone && p->strays_gone && p->output_ended;
	if (!clear && p->clearing_ms < REST_END_MS) {
		start_timer(p, REST_LOOK_MS);
		return;
	}
	struct err why;
	ev_timer_stop(p->loop, &p->timer);
	advance(p, PROCESS_DOWN);
	children_remove(p->children, p->pid);
	describe_end(p, &why);
	log_info("upstream", "source %s ended pid=%d: %s", p->name, (int)p->pid,
		 why.text);
	p->events->down(p->owner, &why);
}

/* --- what happens, in this order ----------------------------------------- */

static bool on_line(void *owner, struct slice line)
{
	struct process *p = owner;

	p->events->message(p->owner, line, lines_whole(&p->lines));
	return !p->freed;
}

static bool on_overlong(void *owner, struct slice start)
{
	const struct process *p = owner;

	(void)start; /* contents are never logged */
	log_odd("upstream", "source %s: a message over %zu bytes was dropped",
		p->name, p->lines.limit_bytes);
	return !p->freed;
}

static const struct lines_events lines_events = {
	.line = on_line,
	.overlong = on_overlong,
};

static void on_output(void *owner, struct slice bytes)
{
	struct process *p = owner;

	enter(p);
	lines_feed(&p->lines, bytes, &lines_events, p);
	leave(p);
}

static void on_output_end(void *owner, const struct err *why)
{
	struct process *p = owner;

	(void)why; /* an error of a pipe is its end */
	enter(p);
	p->output_ended = true;
	if (lines_end(&p->lines, &lines_events, p)) {
		stop_for(p, "it closed its standard output");
		if (p->state == PROCESS_CLEARING)
			finish_when_clear(p);
	}
	leave(p);
}

static void on_input_broken(void *owner, const struct err *why)
{
	struct process *p = owner;

	(void)why;
	stop_for(p, "it closed its standard input");
}

static void on_input_drained(void *owner)
{
	struct process *p = owner;

	enter(p);
	if (p->events->drained)
		p->events->drained(p->owner);
	leave(p);
}

static void on_stderr(void *owner, struct slice bytes)
{
	struct process *p = owner;

	logfile_write(&p->log, bytes, clock_now_ms() / 1000);
}

static void on_stderr_end(void *owner, const struct err *why)
{
	(void)owner; /* a child may well close it */
	(void)why;
}

static const struct pump_events output_events = {
	.bytes = on_output,
	.down = on_output_end,
};
static const struct pump_events input_events = {
	.drained = on_input_drained,
	.down = on_input_broken,
};
static const struct pump_events stderr_events = {
	.bytes = on_stderr,
	.down = on_stderr_end,
};

static void on_child_exit(struct ev_loop *loop, ev_child *w, int revents)
{
	struct process *p = w->data;

	(void)revents;
	ev_child_stop(loop, w);
	enter(p);
	p->status = w->rstatus;
	advance(p, PROCESS_CLEARING);
	signal_group(p, SIGTERM);
	/* At most what a pipe holds comes now, paused or not. */
	pump_resume(p->from_child);
	finish_when_clear(p);
	leave(p);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct process *p = w->data;

	(void)loop;
	(void)revents;
	enter(p);
	switch (p->state) {
	case PROCESS_CLOSING:
		advance(p, PROCESS_TERMINATING);
		p->forced = true;
		signal_group(p, SIGTERM);
		start_timer(p, p->term_ms);
		break;
	case PROCESS_TERMINATING:
		advance(p, PROCESS_KILLING);
		signal_group(p, SIGKILL);
		break;
	case PROCESS_CLEARING:
		p->clearing_ms += REST_LOOK_MS;
		finish_when_clear(p);
		break;
	case PROCESS_RUNNING:
	case PROCESS_KILLING:
	case PROCESS_DOWN:
		break;
	}
	leave(p);
}

/* --- the row of functions ------------------------------------------------- */

static bool process_send(struct upstream *u, struct slice line, struct err *e)
{
	struct process *p = of(u);

	if (p->state != PROCESS_RUNNING)
		return err_set(e, ERR_SOURCE_DOWN, "source %s is ending",
			       p->name);
	if (pump_queued(p->to_child) >= QUEUED_BYTES)
		return err_set(e, ERR_OVERLOADED,
			       "source %s does not read: %d MiB wait for it",
			       p->name, QUEUED_BYTES >> 20);
	pump_write(p->to_child, line);
	pump_write(p->to_child, slice_of("\n"));
	return true;
}

static size_t process_queued(const struct upstream *u)
{
	const struct process *p = (const struct process *)(const void *)u;

	return pump_queued(p->to_child);
}

static void process_pause(struct upstream *u, bool paused)
{
	struct process *p = of(u);

	if (paused && p->state < PROCESS_CLEARING)
		pump_pause(p->from_child);
	else
		pump_resume(p->from_child);
}

static void process_stop(struct upstream *u)
{
	struct process *p = of(u);

	p->asked = true;
	begin_stop(p);
}

static int64_t process_pid(const struct upstream *u)
{
	const struct process *p = (const struct process *)(const void *)u;

	return p->state < PROCESS_CLEARING ? p->pid : 0;
}

/* A killed leader is reaped by the loop: its handler of SIGCHLD waits for
 * every child, also for those that nobody watches any more. */
static void process_free(struct upstream *u)
{
	struct process *p = of(u);

	assert(!p->freed);
	if (p->state != PROCESS_DOWN) {
		signal_group(p, SIGKILL);
		kill_strays(p);
		children_remove(p->children, p->pid);
	}
	ev_child_stop(p->loop, &p->exited);
	ev_timer_stop(p->loop, &p->timer);
	pump_free(p->to_child);
	pump_free(p->from_child);
	pump_free(p->from_stderr);
	p->freed = true;
	if (p->depth == 0)
		release(p);
}

static const struct upstream_kind process_kind = {
	.send = process_send,
	.queued = process_queued,
	.pause = process_pause,
	.stop = process_stop,
	.pid = process_pid,
	.free = process_free,
};

struct upstream *process_new(struct ev_loop *loop,
			     const struct process_options *options,
			     const struct upstream_events *events, void *owner,
			     struct err *e)
{
	char marker[PROCS_MARKER_BYTES];
	struct child_options how = {options->name, options->command,
				    options->env, marker, options->cwd};
	struct child child;

	/* libev watches children in the default loop only. */
	assert(ev_is_default_loop(loop));
	procs_make_marker(marker, options->name);
	if (!child_start(&how, &child, e))
		return NULL;
	struct process *p = mem_zalloc(sizeof(*p));
	p->base.kind = &process_kind;
	p->loop = loop;
	p->events = events;
	p->owner = owner;
	p->name = mem_text(options->name);
	p->log_path = options->log_path ? mem_text(options->log_path) : NULL;
	p->eof_ms = options->eof_ms;
	p->term_ms = options->term_ms;
	p->state = PROCESS_RUNNING;
	p->pid = child.pid;
	memcpy(p->marker, marker, sizeof(p->marker));
	p->children = options->children;
	children_add(p->children, p->pid, p->marker);
	lines_init(&p->lines, options->message_bytes);
	logfile_init(&p->log, options->log_path);
	ev_init(&p->timer, on_timer);
	p->timer.data = p;
	ev_child_init(&p->exited, on_child_exit, child.pid, 0);
	p->exited.data = p;
	ev_child_start(loop, &p->exited);
	p->to_child = pump_new(loop, -1, child.stdin_fd, &input_events, p);
	p->from_child = pump_new(loop, child.stdout_fd, -1, &output_events, p);
	p->from_stderr = pump_new(loop, child.stderr_fd, -1, &stderr_events, p);
	pump_marks(p->to_child, QUEUED_LOW_BYTES, QUEUED_HIGH_BYTES);
	log_info("upstream", "source %s started pid=%d", p->name,
		 (int)child.pid);
	return &p->base;
}
