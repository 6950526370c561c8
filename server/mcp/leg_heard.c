/* leg: what the upstream says, and what becomes of it. */
#include "server/mcp/leg_internal.h"

#include <stdlib.h>

#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "server/mcp/forward.h"
#include "server/mcp/handshake.h"
#include "server/mcp/source.h"

/* What we answer to the upstream is dropped when it does not read. */
enum { ANSWERS_BYTES = 1 << 20 };

static void on_initialized(struct leg *l, const struct jsonrpc *m)
{
	struct err e;

	l->initialize = 0;
	if (!handshake_learn(l->handshake, l->name, m, &e)) {
		leg_end(l, &e);
		return;
	}
	jsonrpc_request(&l->line, (struct slice){NULL, 0},
			"notifications/initialized", (struct slice){NULL, 0});
	leg_send_line(l);
	leg_advance(l, LEG_OPEN);
	leg_note_idle(l);
	l->events->ready(l->owner);
}

void leg_ask_page(struct leg *l, enum kind kind)
{
	struct leg_list *list = &l->lists[kind];

	list->number = ++*l->last_number;
	itemlist_ask(&list->items, &l->line, list->number);
	leg_send_line(l);
}

void leg_give_up_list(struct leg *l, enum kind kind, const struct err *why)
{
	l->lists[kind].number = 0;
	itemlist_finish(&l->lists[kind].items);
	leg_note_idle(l);
	l->events->unlisted(l->owner, kind, why);
}

void leg_give_list(struct leg *l, enum kind kind)
{
	struct itemlist items = l->lists[kind].items;

	l->lists[kind].items = (struct itemlist){.kind = kind};
	leg_note_idle(l);
	l->events->listed(l->owner, &items);
	itemlist_finish(&items);
}

static void on_page(struct leg *l, enum kind kind, const struct jsonrpc *m)
{
	bool more;
	struct err e;

	l->lists[kind].number = 0;
	if (!itemlist_learn(&l->lists[kind].items, l->name, m, &more, &e))
		leg_give_up_list(l, kind, &e);
	else if (more)
		leg_ask_page(l, kind);
	else
		leg_give_list(l, kind);
}

/* Is that the number of a request for a page? */
static bool is_page(const struct leg *l, uint64_t number, enum kind *kind)
{
	for (int k = 0; k < KIND_COUNT; k++) {
		if (l->lists[k].number != number)
			continue;
		*kind = (enum kind)k;
		return true;
	}
	return false;
}

/* Answers to what was cancelled, or to what we never asked, end here. */
static void on_answer(struct leg *l, const struct jsonrpc *m)
{
	unsigned long long number = 0;
	struct pending *p;
	enum kind kind;

	if (!json_u64(m->id, &number) || number == 0)
		return;
	if (number == l->initialize)
		on_initialized(l, m);
	else if (is_page(l, number, &kind))
		on_page(l, kind, m);
	else if ((p = leg_take(l, number)))
		pending_answer(&p, m);
}

static void on_request(struct leg *l, const struct jsonrpc *m)
{
	if (upstream_queued(l->upstream) > ANSWERS_BYTES)
		return;
	if (!jsonrpc_method_is(m, "ping")) {
		l->asking++;
		if (l->events->request(l->owner, m) || l->freed)
			return;
		l->asking--;
	}
	forward_refusal(&l->line, m);
	leg_send_line(l);
}

/* The kinds that a list_changed means: none when it is another. */
static unsigned changed_kinds(const struct jsonrpc *m)
{
	unsigned kinds = 0;

	for (int k = 0; k < KIND_COUNT; k++)
		if (jsonrpc_method_is(m, kind_rows[k].changed))
			kinds |= 1u << k;
	return kinds;
}

static void on_notification(struct leg *l, const struct jsonrpc *m)
{
	unsigned kinds;

	if (jsonrpc_method_is(m, "notifications/progress"))
		pending_progress(&l->flying, m, leg_due(l->limits->request_ms));
	else if ((kinds = changed_kinds(m)) != 0)
		l->events->changed(l->owner, kinds);
	else
		l->events->notification(l->owner, m);
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
	enum kind kind;
	struct err e;

	if (!json_u64(id, &number) || number == 0)
		return true;
	err_set(&e, ERR_SOURCE_PROTOCOL,
		"source %s answered, but not with a JSON-RPC response: %.200s",
		l->name, why->text);
	if (number == l->initialize) {
		leg_end(l, &e);
	} else if (is_page(l, number, &kind)) {
		leg_give_up_list(l, kind, &e);
	} else if ((p = leg_take(l, number))) {
		pending_fail(&p, &e);
	}
	return !l->freed;
}

static const struct sorter_events sorter_events = {
	.message = on_sorted,
	.misfit = on_misfit,
};

static void on_message(void *owner, struct slice line, struct buf *whole)
{
	struct leg *l = owner;

	leg_enter(l);
	sorter_read(&l->sorter, line, whole, &sorter_events, l);
	leg_set_alarm(l);
	leg_leave(l);
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

	leg_enter(l);
	alarm_stop(&l->alarm);
	if (l->state != LEG_ENDING)
		err_set(&l->why, ERR_SOURCE_DOWN, "source %s ended%s (%s)",
			l->name, early, why->text);
	leg_advance(l, LEG_DOWN);
	l->events->down(l->owner, &l->why);
	leg_leave(l);
}

const struct upstream_events leg_upstream_events = {
	.message = on_message,
	.down = on_down,
	.drained = on_drained,
};
