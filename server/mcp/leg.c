#include "server/mcp/leg_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "proto/json.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/forward.h"
#include "server/mcp/handshake.h"
#include "server/mcp/source.h"
#include "server/upstream/process.h"

enum { IN_FLIGHT = 4096, LINE_KEEP_BYTES = 64 << 10 };

static const char *const state_name[] = {
	[LEG_OPENING] = "opening",
	[LEG_OPEN] = "open",
	[LEG_ENDING] = "ending",
	[LEG_DOWN] = "down",
};

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[LEG_OPENING] = 1u << LEG_OPEN | 1u << LEG_ENDING | 1u << LEG_DOWN,
	[LEG_OPEN] = 1u << LEG_ENDING | 1u << LEG_DOWN,
	[LEG_ENDING] = 1u << LEG_DOWN,
	[LEG_DOWN] = 0,
};

void leg_advance(struct leg *l, enum leg_state next)
{
	assert(may_follow[l->state] & 1u << next);
	log_debug("source", "leg of %s: %s -> %s", l->name,
		  state_name[l->state], state_name[next]);
	l->state = next;
}

static void release(struct leg *l)
{
	for (int k = 0; k < KIND_COUNT; k++)
		itemlist_finish(&l->lists[k].items);
	buf_finish(&l->line);
	free(l);
}

void leg_enter(struct leg *l)
{
	l->depth++;
}

void leg_leave(struct leg *l)
{
	l->depth--;
	if (l->depth == 0 && l->freed)
		release(l);
}

void leg_set_alarm(struct leg *l)
{
	const struct pending *p = pending_first(&l->flying);
	double due = p && l->asking == 0 ? p->due : INFINITY;

	if (l->freed || l->state == LEG_DOWN)
		return;
	if (l->initialize)
		due = fmin(due, l->initialize_due);
	for (int k = 0; k < KIND_COUNT; k++)
		if (l->lists[k].number)
			due = fmin(due, l->lists[k].due);
	alarm_by(&l->alarm, due);
}

double leg_due(unsigned ms)
{
	return alarm_now() + (double)ms / 1000.0;
}

void leg_note_idle(struct leg *l)
{
	l->idle_since = alarm_now();
}

void leg_end(struct leg *l, const struct err *why)
{
	if (l->state >= LEG_ENDING)
		return;
	l->why = *why;
	l->initialize = 0;
	for (int k = 0; k < KIND_COUNT; k++)
		l->lists[k].number = 0;
	leg_advance(l, LEG_ENDING);
	upstream_stop(l->upstream);
}

void leg_send_line(struct leg *l)
{
	struct err e;

	if (!upstream_send(l->upstream, buf_slice(&l->line), &e))
		log_debug("source", "%s", e.text);
	buf_reset(&l->line, LINE_KEEP_BYTES);
}

static void send_initialize(struct leg *l)
{
	l->initialize = ++*l->last_number;
	l->initialize_due = leg_due(l->limits->start_ms);
	handshake_ask(&l->line, l->initialize, l->may_ask, l->has_roots);
	leg_send_line(l);
}

static void send_cancelled(struct leg *l, uint64_t number, struct slice reason)
{
	forward_cancelled(&l->line, number, reason);
	leg_send_line(l);
}

struct pending *leg_take(struct leg *l, uint64_t number)
{
	struct pending *p = pending_find(&l->flying, number);

	if (!p)
		return NULL;
	pending_take(&l->flying, p);
	leg_note_idle(l);
	return p;
}

/* --- what time brings ----------------------------------------------------- */

static void fail_overdue(struct leg *l, double now)
{
	struct pending *p;
	struct err e;

	if (l->asking > 0)
		return;
	err_set(&e, ERR_DEADLINE,
		"source %s did not answer within %u s; it was told to stop, "
		"but may have had its effect",
		l->name, l->limits->request_ms / 1000);
	while ((p = pending_first(&l->flying)) && p->due <= now) {
		leg_take(l, p->number);
		send_cancelled(l, p->number, slice_of("\"timeout\""));
		pending_fail(&p, &e);
	}
}

static void say_overdue(struct leg *l, const char *method, struct err *e)
{
	err_set(e, ERR_SOURCE_DOWN, "source %s did not answer %s within %u s",
		l->name, method, l->limits->start_ms / 1000);
}

static void give_up_overdue(struct leg *l, enum kind kind, double now)
{
	struct leg_list *list = &l->lists[kind];
	struct err e;

	if (l->freed || list->number == 0 || list->due > now)
		return;
	say_overdue(l, kind_rows[kind].method, &e);
	send_cancelled(l, list->number, slice_of("\"timeout\""));
	leg_give_up_list(l, kind, &e);
}

static void run_due(struct leg *l, double now)
{
	struct err e;

	if (l->initialize && l->initialize_due <= now) {
		say_overdue(l, "initialize", &e);
		leg_end(l, &e);
	}
	for (int k = 0; k < KIND_COUNT; k++)
		give_up_overdue(l, (enum kind)k, now);
	if (!l->freed)
		fail_overdue(l, now);
}

static void on_alarm(void *owner)
{
	struct leg *l = owner;

	leg_enter(l);
	run_due(l, alarm_now());
	leg_set_alarm(l);
	leg_leave(l);
}

/* --- what the source says ------------------------------------------------ */

struct leg *leg_new(struct ev_loop *loop, const struct leg_start *start,
		    const struct leg_events *events, void *owner, struct err *e)
{
	struct leg *l = mem_zalloc(sizeof(*l));

	l->loop = loop;
	l->name = start->name;
	l->sorter.source = start->name;
	l->events = events;
	l->owner = owner;
	l->limits = start->limits;
	l->handshake = start->handshake;
	l->last_number = start->last_number;
	l->may_ask = start->may_ask;
	l->has_roots = start->has_roots;
	l->idle_since = alarm_now();
	pending_table_init(&l->flying);
	for (int k = 0; k < KIND_COUNT; k++)
		l->lists[k].items.kind = (enum kind)k;
	alarm_init(&l->alarm, loop, on_alarm, l);
	l->upstream = start->process
			      ? process_new(loop, start->process,
					    &leg_upstream_events, l, e)
			      : builtin_new(loop, start->functions, start->hub,
					    &leg_upstream_events, l);
	if (!l->upstream) {
		release(l);
		return NULL;
	}
	send_initialize(l);
	leg_set_alarm(l);
	return l;
}

bool leg_request(struct leg *l, struct pending **p, struct slice line,
		 struct err *e)
{
	if (l->state != LEG_OPEN)
		return err_set(e, ERR_SOURCE_DOWN, "source %s is ending",
			       l->name);
	if (l->flying.count >= IN_FLIGHT)
		return err_set(e, ERR_OVERLOADED,
			       "source %s: %d requests are in flight", l->name,
			       IN_FLIGHT);
	if (!upstream_send(l->upstream, line, e))
		return false;
	buf_finish(&(*p)->line);
	(*p)->due = leg_due(l->limits->request_ms);
	pending_put(&l->flying, *p);
	*p = NULL;
	leg_set_alarm(l);
	return true;
}

bool leg_cancel(struct leg *l, uint64_t number, struct slice reason)
{
	struct pending *p = leg_take(l, number);

	if (!p)
		return false;
	pending_free(p);
	send_cancelled(l, number, reason);
	return true;
}

/* What was sent may have been done. */
bool leg_fail_one(struct leg *l)
{
	struct pending *p = pending_first(&l->flying);
	struct err e;

	assert(l->state == LEG_DOWN);
	if (!p)
		return false;
	err_set(&e, ERR_OUTCOME_UNKNOWN,
		"%s while this request ran; it may have had its effect",
		l->why.text);
	pending_take(&l->flying, p);
	pending_fail(&p, &e);
	return true;
}

void leg_list(struct leg *l, enum kind kind)
{
	assert(l->state == LEG_OPEN && l->lists[kind].number == 0);
	leg_enter(l);
	if (l->handshake->kinds & 1u << kind) {
		l->lists[kind].due = leg_due(l->limits->start_ms);
		leg_ask_page(l, kind);
		leg_set_alarm(l);
	} else {
		leg_give_list(l, kind);
	}
	leg_leave(l);
}

unsigned leg_listing(const struct leg *l)
{
	unsigned kinds = 0;

	for (int k = 0; k < KIND_COUNT; k++)
		if (l->lists[k].number)
			kinds |= 1u << k;
	return kinds;
}

void leg_notify(struct leg *l, struct slice text)
{
	json_one_line(&l->line, text);
	leg_send_line(l);
}

void leg_answer(struct leg *l, struct slice text)
{
	assert(l->asking > 0);
	l->asking--;
	if (l->state == LEG_DOWN)
		return;
	if (text.len > 0)
		leg_notify(l, text);
	if (l->asking > 0)
		return;
	pending_extend(&l->flying, leg_due(l->limits->request_ms));
	leg_note_idle(l);
	leg_set_alarm(l);
}

/* Its answer, like any that nobody waits for, is dropped. */
void leg_set_level(struct leg *l, const char *level)
{
	struct buf params = {0};

	if (l->state != LEG_OPEN || !l->handshake->logging)
		return;
	buf_printf(&params, "{\"level\":\"%s\"}", level);
	forward_own(&l->line, ++*l->last_number, "logging/setLevel",
		    buf_slice(&params));
	leg_send_line(l);
	buf_finish(&params);
}

void leg_stop(struct leg *l, const struct err *why)
{
	struct err asked;

	err_set(&asked, ERR_SOURCE_DOWN, "source %s was stopped", l->name);
	leg_end(l, why ? why : &asked);
}

unsigned leg_in_flight(const struct leg *l)
{
	return (unsigned)l->flying.count;
}

double leg_idle_since(const struct leg *l)
{
	return l->flying.count > 0 || leg_listing(l) || l->asking > 0
		       ? INFINITY
		       : l->idle_since;
}

int64_t leg_pid(const struct leg *l)
{
	return upstream_pid(l->upstream);
}

void leg_free(struct leg *l)
{
	if (!l)
		return;
	assert(!l->freed);
	alarm_stop(&l->alarm);
	upstream_free(l->upstream);
	pending_table_finish(&l->flying);
	l->freed = true;
	if (l->depth == 0)
		release(l);
}
