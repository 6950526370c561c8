/* source: its states, and what moves it from one to the next. */
#include "server/mcp/source_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "proto/log.h"

/* How long a list may go on changing before it is read. */
static const double settle_s = 0.05;
/* How long a start counts as one: what takes longer waits for something else
 * than this machine, and must not keep the others from starting. */
static const double start_counts_s = 2.0;

static const char *const state_name[] = {
	[SOURCE_STOPPED] = "stopped",	[SOURCE_STARTING] = "starting",
	[SOURCE_READY] = "ready",	[SOURCE_RESTING] = "resting",
	[SOURCE_STOPPING] = "stopping", [SOURCE_FAILED] = "failed",
};

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[SOURCE_STOPPED] = 1u << SOURCE_STARTING,
	[SOURCE_STARTING] = 1u << SOURCE_READY | 1u << SOURCE_RESTING |
			    1u << SOURCE_STOPPING | 1u << SOURCE_FAILED,
	[SOURCE_READY] = 1u << SOURCE_RESTING | 1u << SOURCE_STOPPING |
			 1u << SOURCE_FAILED,
	[SOURCE_FAILED] = 1u << SOURCE_STOPPED,
	[SOURCE_RESTING] = 1u << SOURCE_STOPPED,
	[SOURCE_STOPPING] = 1u << SOURCE_STOPPED,
};

/* The states in which it has a process, and a turn. */
static const unsigned running =
	1u << SOURCE_STARTING | 1u << SOURCE_READY | 1u << SOURCE_STOPPING;

/* The only writer of s->state.  The turn follows it. */
static void advance(struct source *s, enum source_state next)
{
	assert(may_follow[s->state] & 1u << next);
	log_debug("source", "%s: %s -> %s", s->recipe.name,
		  state_name[s->state], state_name[next]);
	s->state = next;
	if (next == SOURCE_READY)
		turn_started(&s->turn);
	else if (!(1u << next & running))
		turn_end(&s->turn);
}

void source_release(struct source *s)
{
	handshake_finish(&s->handshake);
	for (int k = 0; k < KIND_COUNT; k++)
		itemlist_finish(&s->items[k]);
	buf_finish(&s->line);
	recipe_finish(&s->recipe);
	free(s->level);
	free(s);
}

/* Around whatever may call our owner: it may free us there. */
static void enter(struct source *s)
{
	s->depth++;
}

static void leave(struct source *s)
{
	s->depth--;
	if (s->depth == 0 && s->freed)
		source_release(s);
}

/* When it has been idle for long enough, as far as can be told now.  Nobody
 * says when the last request ends: a busy one is looked at again later. */
static double idle_at(const struct source *s)
{
	if (s->limits.idle_ms == 0 || s->kept || s->held.count > 0)
		return INFINITY;
	return fmin(leg_idle_since(s->leg), alarm_now()) +
	       (double)s->limits.idle_ms / 1000.0;
}

/* Is there anything to start for? */
static bool is_wanted(const struct source *s)
{
	return s->owed || s->kept || s->waiting.count > 0;
}

/* The kinds that are to be read and are not being read. */
static unsigned can_list(const struct source *s)
{
	return s->stale & ~leg_listing(s->leg);
}

/* When step() has something to do. */
static double next_step(const struct source *s)
{
	switch (s->state) {
	case SOURCE_STOPPED:
		if (s->stopped_below > 0 || s->turn.state == TURN_STARTING)
			return 0;
		return is_wanted(s) && s->turn.state == TURN_NONE ? 0
								  : INFINITY;
	case SOURCE_RESTING:
		return s->stopped_below > 0 ? 0 : s->backoff.until;
	case SOURCE_FAILED:
		return s->stopped_below > 0 || s->owed ? 0 : s->backoff.until;
	case SOURCE_READY:
		return fmin(fmin(idle_at(s), s->look_at),
			    can_list(s) ? s->list_at : INFINITY);
	case SOURCE_STARTING:
		if (s->turn.state == TURN_STARTING)
			return s->started_at + start_counts_s;
		break;
	case SOURCE_STOPPING:
		break;
	}
	return INFINITY;
}

void source_set_alarm(struct source *s)
{
	if (!s->freed)
		alarm_by(&s->alarm, next_step(s));
}

/* Fail the waiting requests that came before that number. */
static void fail_waiting(struct source *s, uint64_t below,
			 const struct err *why)
{
	struct pending_table *const tables[] = {&s->held, &s->waiting};
	struct pending *p;

	for (size_t i = 0; i < 2; i++) {
		while ((p = pending_first(tables[i])) && p->number < below) {
			pending_take(tables[i], p);
			pending_fail(&p, why);
		}
	}
}

static void fail_lists(struct source *s, unsigned kinds, const struct err *why)
{
	s->owed &= ~kinds;
	s->owed_stopped = 0;
	if (!s->freed)
		s->events->failed(s->owner, s, kinds, why);
}

/* It could not be started, or it ended. */
static void rest(struct source *s, const struct err *why)
{
	bool starting = s->state == SOURCE_STARTING;

	backoff_fail(&s->backoff, alarm_now(), s->ready_since);
	s->last_error = *why;
	advance(s, s->backoff.looping ? SOURCE_FAILED : SOURCE_RESTING);
	log_odd("source", "%s; %snext try in %.2f s", why->text,
		s->backoff.looping ? "it keeps failing; " : "",
		backoff_left(&s->backoff, alarm_now()));
	fail_waiting(s, s->last_number + 1, why);
	if (starting || s->owed)
		fail_lists(s, KINDS_ALL, why);
}

bool source_refuse(const struct source *s, double left, struct err *e)
{
	if (s->state == SOURCE_FAILED)
		return err_set(e, ERR_SOURCE_DOWN,
			       "source %s keeps failing and is tried again in "
			       "%.0f s, or at once after executor source "
			       "test %s: %s",
			       s->recipe.name, ceil(left), s->recipe.name,
			       s->last_error.text);
	return err_set(e, ERR_SOURCE_DOWN,
		       "source %s rests after a failure and is tried again in "
		       "%.0f s: %s",
		       s->recipe.name, ceil(left), s->last_error.text);
}

/* As many run as may: not its own fault, so it does not rest. */
static void fail_start(struct source *s, const struct err *why)
{
	s->last_error = *why;
	log_odd("source", "source %s is not started: %s", s->recipe.name,
		why->text);
	fail_waiting(s, s->last_number + 1, why);
	if (s->owed)
		fail_lists(s, KINDS_ALL, why);
}

/* source_stop() also ends what waited. */
static void fail_stopped(struct source *s, const struct err *why)
{
	uint64_t below = s->stopped_below;

	if (below == 0)
		return;
	s->stopped_below = 0;
	fail_waiting(s, below, why);
	if (s->owed & s->owed_stopped)
		fail_lists(s, KINDS_ALL, why);
}

/* --- what the leg says --------------------------------------------------- */

/* In READY: send it, or hold it back if its owner says so. */
static void pass_on(struct source *s, struct pending *p)
{
	struct buf line = {0};
	struct err e;

	if (!p->may_leave && p->reply->leaving &&
	    !p->reply->leaving(p->owner)) {
		pending_put(&s->held, p);
		return;
	}
	buf_move(&line, &p->line);
	if (!leg_request(s->leg, &p, buf_slice(&line), &e))
		pending_fail(&p, &e);
	buf_finish(&line);
}

void source_send(struct source *s, uint64_t number)
{
	struct pending *p = pending_find(&s->held, number);

	if (!p)
		return;
	enter(s);
	pending_take(&s->held, p);
	p->may_leave = true;
	if (s->state == SOURCE_READY)
		pass_on(s, p);
	else
		pending_put(&s->waiting, p);
	source_set_alarm(s);
	leave(s);
}

static void send_waiting(struct source *s)
{
	struct pending *p;

	while (s->leg && (p = pending_first(&s->waiting))) {
		pending_take(&s->waiting, p);
		pass_on(s, p);
	}
}

/* Read what is stale; what is being read now is read again after that. */
static void list_stale(struct source *s)
{
	unsigned kinds = can_list(s);

	s->stale &= ~kinds;
	if (!s->stale)
		s->list_at = INFINITY;
	for (int k = 0; k < KIND_COUNT; k++)
		if (kinds & 1u << k && !s->freed && s->state == SOURCE_READY)
			leg_list(s->leg, (enum kind)k);
}

static void on_ready(void *owner)
{
	struct source *s = owner;

	enter(s);
	advance(s, SOURCE_READY);
	s->ready_since = alarm_now();
	s->last_error = (struct err){0};
	log_info("source", "source %s is ready: %s %s, MCP %s", s->recipe.name,
		 s->handshake.server_name, s->handshake.server_version,
		 s->handshake.revision);
	if (s->level)
		leg_set_level(s->leg, s->level);
	send_waiting(s);
	if (!s->freed && s->state == SOURCE_READY)
		source_look_soon(s);
	if (!s->freed)
		s->events->ready(s->owner, s);
	/* What it has may have changed since it was last asked. */
	if (!s->freed && s->state == SOURCE_READY) {
		s->stale = KINDS_ALL;
		list_stale(s);
	}
	source_set_alarm(s);
	leave(s);
}

static void on_listed(void *owner, struct itemlist *items)
{
	struct source *s = owner;
	enum kind kind = items->kind;

	enter(s);
	itemlist_finish(&s->items[kind]);
	s->items[kind] = *items;
	*items = (struct itemlist){.kind = kind};
	s->owed &= ~(1u << kind);
	s->events->listed(s->owner, s, kind);
	source_set_alarm(s);
	leave(s);
}

static void on_unlisted(void *owner, enum kind kind, const struct err *why)
{
	struct source *s = owner;

	enter(s);
	s->last_error = *why;
	log_odd("source", "%s", why->text);
	fail_lists(s, 1u << kind, why);
	source_set_alarm(s);
	leave(s);
}

/* Read again, whether or not it will differ, when the changes have settled. */
static void on_changed(void *owner, unsigned kinds)
{
	struct source *s = owner;

	if (s->state != SOURCE_READY)
		return;
	s->stale |= kinds;
	s->list_at = fmin(s->list_at, alarm_now() + settle_s);
	source_set_alarm(s);
}

static void on_notification(void *owner, const struct jsonrpc *m)
{
	struct source *s = owner;

	enter(s);
	s->events->notification(s->owner, s, m);
	leave(s);
}

static bool on_request(void *owner, const struct jsonrpc *m)
{
	struct source *s = owner;

	enter(s);
	bool taken = s->events->request(s->owner, s, m);
	leave(s);
	return taken;
}

static void on_down(void *owner, const struct err *why)
{
	struct source *s = owner;
	struct leg *leg = s->leg;

	enter(s);
	s->leg = NULL;
	s->events->ended(s->owner, s);
	if (s->state == SOURCE_STOPPING) {
		advance(s, SOURCE_STOPPED);
		fail_stopped(s, why);
	} else {
		rest(s, why);
	}
	while (!s->freed && leg_fail_one(leg))
		continue;
	leg_free(leg);
	source_set_alarm(s);
	leave(s);
}

static const struct leg_events leg_events = {
	.ready = on_ready,
	.listed = on_listed,
	.unlisted = on_unlisted,
	.changed = on_changed,
	.notification = on_notification,
	.request = on_request,
	.down = on_down,
};

/* --- what time brings ---------------------------------------------------- */

static void start(struct source *s)
{
	struct process_options process = recipe_process(&s->recipe);
	struct slice roots;
	struct leg_start how = {
		.name = s->recipe.name,
		.process = s->functions ? NULL : &process,
		.functions = s->functions,
		.hub = s->hub,
		.limits = &s->limits,
		.handshake = &s->handshake,
		.last_number = &s->last_number,
		.may_ask = source_may_ask(s),
		.has_roots = source_roots(s, &roots) != SOURCE_ROOTS_NONE,
	};
	struct err e;

	process.message_bytes = s->limits.message_bytes;
	process.children = s->children;
	advance(s, SOURCE_STARTING);
	s->starts++;
	s->started_at = alarm_now();
	s->ready_since = 0;
	s->stale = 0;
	s->list_at = INFINITY;
	s->look_at = INFINITY;
	s->looked_at = -INFINITY;
	s->rss_bytes = 0;
	if (s->unopened.text[0]) {
		rest(s, &s->unopened);
		return;
	}
	s->leg = leg_new(s->loop, &how, &leg_events, s, &e);
	if (!s->leg)
		rest(s, &e);
}

void source_refuse_starts(struct source *s, const struct err *why)
{
	s->unopened = *why;
}

void source_begin_stop(struct source *s, const struct err *why)
{
	advance(s, SOURCE_STOPPING);
	leg_stop(s->leg, why);
}

/* Whoever waits and nobody else has it started. */
static void start_in_turn(struct source *s)
{
	struct err e;

	if (!is_wanted(s))
		turn_end(&s->turn);
	else if (!s->functions && !turn_ask(&s->turn, &e))
		fail_start(s, &e);
	else if (s->functions || s->turn.state == TURN_STARTING)
		start(s);
}

static void step(struct source *s, double now)
{
	struct err stopped;

	switch (s->state) {
	case SOURCE_STOPPED:
	case SOURCE_RESTING:
	case SOURCE_FAILED:
		err_set(&stopped, ERR_SOURCE_DOWN, "source %s was stopped",
			s->recipe.name);
		fail_stopped(s, &stopped);
		if (s->state != SOURCE_STOPPED && now >= s->backoff.until)
			advance(s, SOURCE_STOPPED);
		if (s->state == SOURCE_STOPPED && !s->freed)
			start_in_turn(s);
		else if (s->state == SOURCE_FAILED && s->owed)
			fail_lists(s, KINDS_ALL, &s->last_error);
		break;
	case SOURCE_READY:
		if (now >= s->list_at && can_list(s)) {
			list_stale(s);
		} else if (now >= idle_at(s)) {
			source_begin_stop(s, NULL);
		} else if (now >= s->look_at) {
			source_look(s, now);
		}
		break;
	case SOURCE_STARTING:
		if (now >= s->started_at + start_counts_s)
			turn_started(&s->turn);
		break;
	case SOURCE_STOPPING:
		break;
	}
}

void source_on_alarm(void *owner)
{
	struct source *s = owner;

	enter(s);
	step(s, alarm_now());
	source_set_alarm(s);
	leave(s);
}

const char *source_state_name(enum source_state state)
{
	return state_name[state];
}
