#include "server/mcp/leg.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/alarm.h"
#include "server/mcp/forward.h"
#include "server/mcp/handshake.h"
#include "server/mcp/pending.h"
#include "server/mcp/sorter.h"
#include "server/mcp/source.h"
#include "server/mcp/toollist.h"
#include "server/upstream/process.h"

enum {
	IN_FLIGHT = 4096,
	/* What we answer to the upstream is dropped when it does not read. */
	ANSWERS_BYTES = 1 << 20,
	LINE_KEEP_BYTES = 64 << 10,
};

enum leg_state { LEG_OPENING, LEG_OPEN, LEG_ENDING, LEG_DOWN };

struct leg {
	struct ev_loop *loop;
	const char *name;
	const struct leg_events *events;
	void *owner;
	const struct source_limits *limits;
	struct handshake *handshake;
	uint64_t *last_number;

	enum leg_state state;
	struct upstream *upstream;
	struct pending_table flying; /* the one due first comes first */
	struct err why;		     /* why we end it, if we do */

	uint64_t initialize; /* our own requests; 0 when none is under way */
	uint64_t list;
	double initialize_due;
	double list_due; /* of the whole list */
	struct toollist listing;

	struct alarm alarm;
	double idle_since;
	struct buf line; /* kept from message to message */
	struct sorter sorter;

	unsigned depth; /* of our own callbacks that are running */
	bool freed;	/* inside one of them */
};

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

/* The only writer of l->state. */
static void advance(struct leg *l, enum leg_state next)
{
	assert(may_follow[l->state] & 1u << next);
	log_debug("source", "leg of %s: %s -> %s", l->name,
		  state_name[l->state], state_name[next]);
	l->state = next;
}

static void release(struct leg *l)
{
	toollist_finish(&l->listing);
	buf_finish(&l->line);
	free(l);
}

/* Around whatever may call our owner: it may free us there. */
static void enter(struct leg *l)
{
	l->depth++;
}

static void leave(struct leg *l)
{
	l->depth--;
	if (l->depth == 0 && l->freed)
		release(l);
}

static void set_alarm(struct leg *l)
{
	const struct pending *p = pending_first(&l->flying);
	double due = p ? p->due : INFINITY;

	if (l->freed || l->state == LEG_DOWN)
		return;
	if (l->initialize)
		due = fmin(due, l->initialize_due);
	if (l->list)
		due = fmin(due, l->list_due);
	alarm_by(&l->alarm, due);
}

static double after(unsigned ms)
{
	return alarm_now() + (double)ms / 1000.0;
}

/* Something ended: from now on nothing may be under way. */
static void note_idle(struct leg *l)
{
	l->idle_since = alarm_now();
}

static void end(struct leg *l, const struct err *why)
{
	if (l->state >= LEG_ENDING)
		return;
	l->why = *why;
	l->initialize = 0;
	l->list = 0;
	advance(l, LEG_ENDING);
	upstream_stop(l->upstream);
}

/* A message of our own.  What cannot be sent is not missed: the upstream is
 * ending, or does not read. */
static void send_line(struct leg *l)
{
	struct err e;

	if (!upstream_send(l->upstream, buf_slice(&l->line), &e))
		log_debug("source", "%s", e.text);
	buf_reset(&l->line, LINE_KEEP_BYTES);
}

static void send_initialize(struct leg *l)
{
	l->initialize = ++*l->last_number;
	l->initialize_due = after(l->limits->start_ms);
	handshake_ask(&l->line, l->initialize);
	send_line(l);
}

static void ask_page(struct leg *l)
{
	l->list = ++*l->last_number;
	toollist_ask(&l->listing, &l->line, l->list);
	send_line(l);
}

static void send_cancelled(struct leg *l, uint64_t number, struct slice reason)
{
	forward_cancelled(&l->line, number, reason);
	send_line(l);
}

/* --- what the upstream says ----------------------------------------------- */

static void on_initialized(struct leg *l, const struct jsonrpc *m)
{
	struct err e;

	l->initialize = 0;
	if (!handshake_learn(l->handshake, l->name, m, &e)) {
		end(l, &e);
		return;
	}
	jsonrpc_request(&l->line, (struct slice){NULL, 0},
			"notifications/initialized", (struct slice){NULL, 0});
	send_line(l);
	advance(l, LEG_OPEN);
	note_idle(l);
	l->events->ready(l->owner);
}

static void give_up_list(struct leg *l, const struct err *why)
{
	l->list = 0;
	toollist_finish(&l->listing);
	note_idle(l);
	l->events->unlisted(l->owner, why);
}

static void give_list(struct leg *l)
{
	struct toollist tools = l->listing;

	l->listing = (struct toollist){0};
	note_idle(l);
	l->events->tools(l->owner, &tools);
	toollist_finish(&tools);
}

static void on_page(struct leg *l, const struct jsonrpc *m)
{
	bool more;
	struct err e;

	l->list = 0;
	if (!toollist_learn(&l->listing, l->name, m, &more, &e))
		give_up_list(l, &e);
	else if (more)
		ask_page(l);
	else
		give_list(l);
}

/* Take a request out of flight; NULL when it is not there. */
static struct pending *take_flying(struct leg *l, uint64_t number)
{
	struct pending *p = pending_find(&l->flying, number);

	if (!p)
		return NULL;
	pending_take(&l->flying, p);
	note_idle(l);
	return p;
}

/* Answers to what was cancelled, or to what we never asked, end here. */
static void on_answer(struct leg *l, const struct jsonrpc *m)
{
	unsigned long long number = 0;
	struct pending *p;

	if (!json_u64(m->id, &number) || number == 0)
		return;
	if (number == l->initialize)
		on_initialized(l, m);
	else if (number == l->list)
		on_page(l, m);
	else if ((p = take_flying(l, number)))
		pending_answer(&p, m);
}

static void on_request(struct leg *l, const struct jsonrpc *m)
{
	if (upstream_queued(l->upstream) > ANSWERS_BYTES)
		return;
	forward_refusal(&l->line, m);
	send_line(l);
}

static void on_notification(struct leg *l, const struct jsonrpc *m)
{
	if (jsonrpc_method_is(m, "notifications/progress"))
		pending_progress(&l->flying, m, after(l->limits->request_ms));
	else if (jsonrpc_method_is(m, "notifications/tools/list_changed"))
		l->events->changed(l->owner);
	else if (!jsonrpc_method_is(m, "notifications/cancelled"))
		l->events->notification(l->owner, m);
	/* What it cancels was answered when it asked. */
}

static bool on_sorted(void *owner, const struct jsonrpc *m)
{
	struct leg *l = owner;

	switch (m->kind) {
	case JSONRPC_REQUEST:
		on_request(l, m);
		break;
	case JSONRPC_NOTIFICATION:
		on_notification(l, m);
		break;
	case JSONRPC_RESULT:
	case JSONRPC_ERROR:
		on_answer(l, m);
		break;
	}
	return !l->freed;
}

/* Whoever waits for this answer must not wait for ever. */
static bool on_misfit(void *owner, struct slice id, const struct err *why)
{
	struct leg *l = owner;
	unsigned long long number = 0;
	struct pending *p;
	struct err e;

	if (!json_u64(id, &number) || number == 0)
		return true;
	err_set(&e, ERR_SOURCE_PROTOCOL,
		"source %s answered, but not with a JSON-RPC response: %.200s",
		l->name, why->text);
	if (number == l->initialize) {
		end(l, &e);
	} else if (number == l->list) {
		give_up_list(l, &e);
	} else if ((p = take_flying(l, number))) {
		pending_fail(&p, &e);
	}
	return !l->freed;
}

static const struct sorter_events sorter_events = {
	.message = on_sorted,
	.misfit = on_misfit,
};

static void on_message(void *owner, struct slice line)
{
	struct leg *l = owner;

	enter(l);
	sorter_read(&l->sorter, line, &sorter_events, l);
	set_alarm(l);
	leave(l);
}

static void on_drained(void *owner)
{
	(void)owner; /* nothing of ours waits for it */
}

static void on_down(void *owner, const struct err *why)
{
	struct leg *l = owner;
	const char *early =
		l->state == LEG_OPENING ? " before it was ready" : "";

	enter(l);
	alarm_stop(&l->alarm);
	if (l->state != LEG_ENDING)
		err_set(&l->why, ERR_SOURCE_DOWN, "source %s ended%s (%s)",
			l->name, early, why->text);
	advance(l, LEG_DOWN);
	l->events->down(l->owner, &l->why);
	leave(l);
}

static const struct upstream_events upstream_events = {
	.message = on_message,
	.down = on_down,
	.drained = on_drained,
};

static void fail_overdue(struct leg *l, double now)
{
	struct pending *p;
	struct err e;

	err_set(&e, ERR_DEADLINE,
		"source %s did not answer within %u s; it was told to stop, "
		"but may have had its effect",
		l->name, l->limits->request_ms / 1000);
	while ((p = pending_first(&l->flying)) && p->due <= now) {
		take_flying(l, p->number);
		send_cancelled(l, p->number, slice_of("\"timeout\""));
		pending_fail(&p, &e);
	}
}

static void run_due(struct leg *l, double now)
{
	struct err e;

	err_set(&e, ERR_SOURCE_DOWN, "source %s did not answer %s within %u s",
		l->name, l->initialize ? "initialize" : "tools/list",
		l->limits->start_ms / 1000);
	if (l->initialize && l->initialize_due <= now) {
		end(l, &e);
	} else if (l->list && l->list_due <= now) {
		send_cancelled(l, l->list, slice_of("\"timeout\""));
		give_up_list(l, &e);
	}
	if (!l->freed)
		fail_overdue(l, now);
}

static void on_alarm(void *owner)
{
	struct leg *l = owner;

	enter(l);
	run_due(l, alarm_now());
	set_alarm(l);
	leave(l);
}

/* --- what the source says --------------------------------------------------
 */

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
	l->idle_since = alarm_now();
	pending_table_init(&l->flying);
	alarm_init(&l->alarm, loop, on_alarm, l);
	l->upstream = start->process
			      ? process_new(loop, start->process,
					    &upstream_events, l, e)
			      : builtin_new(loop, start->functions, start->hub,
					    &upstream_events, l);
	if (!l->upstream) {
		release(l);
		return NULL;
	}
	send_initialize(l);
	set_alarm(l);
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
	(*p)->due = after(l->limits->request_ms);
	pending_put(&l->flying, *p);
	*p = NULL;
	set_alarm(l);
	return true;
}

bool leg_cancel(struct leg *l, uint64_t number, struct slice reason)
{
	struct pending *p = take_flying(l, number);

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

void leg_list(struct leg *l)
{
	assert(l->state == LEG_OPEN && !leg_listing(l));
	enter(l);
	if (l->handshake->tools) {
		l->list_due = after(l->limits->start_ms);
		ask_page(l);
		set_alarm(l);
	} else {
		give_list(l);
	}
	leave(l);
}

bool leg_listing(const struct leg *l)
{
	return l->list != 0;
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
	send_line(l);
	buf_finish(&params);
}

void leg_stop(struct leg *l)
{
	struct err why;

	err_set(&why, ERR_SOURCE_DOWN, "source %s was stopped", l->name);
	end(l, &why);
}

unsigned leg_in_flight(const struct leg *l)
{
	return (unsigned)l->flying.count;
}

double leg_idle_since(const struct leg *l)
{
	return l->flying.count > 0 || l->list ? INFINITY : l->idle_since;
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
