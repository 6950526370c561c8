/* Answers of AdminService that go on: the status again and again, a log as it
 * grows. */
#include "server/face/admin_internal.h"

#include <ctype.h>
#include <ev.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/mem.h"
#include "proto/tail.h"
#include "server/face/admin_service.h"
#include "server/face/admin_view.h"
#include "server/face/call.h"

enum {
	INTERVAL_MS = 1000,
	INTERVAL_LEAST_MS = 100,
	/* How often a log is looked at that someone follows. */
	LOG_MS = 250,
	LOG_BYTES = 32768, /* in one message */
	LINES_MOST = 1000000,
};

/* One call.  Owned by admin, in its list; gone when the call is. */
struct watch {
	struct admin *admin;
	struct list link;
	struct call *call;
	ev_timer timer;
	/* Say what there is to say now; false when the call was settled. */
	bool (*say)(struct watch *w);
	struct tail tail; /* of a log */
	bool follow;
};

static void forget(struct watch *w)
{
	ev_timer_stop(w->admin->loop, &w->timer);
	list_remove(&w->link);
	tail_finish(&w->tail);
	free(w);
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watch *w = timer->data;

	(void)loop;
	(void)revents;
	w->say(w);
}

static void on_drained(void *owner)
{
	struct watch *w = owner;

	if (w->tail.path) /* a status would be a second one too early */
		w->say(w);
}

static void on_closed(void *owner)
{
	forget(owner);
}

static const struct call_events events = {
	.drained = on_drained,
	.closed = on_closed,
};

static struct watch *watch_new(struct admin *a, struct call *c,
			       bool (*say)(struct watch *w))
{
	struct watch *w = mem_zalloc(sizeof(*w));

	w->admin = a;
	w->call = c;
	w->say = say;
	ev_init(&w->timer, on_time);
	w->timer.data = w;
	list_append(&a->watches, &w->link);
	return w;
}

/* Say the first, and go on from time to time. */
static struct fate *begin(struct watch *w, unsigned interval_ms)
{
	struct fate *fate = call_stream(w->call, &events, w);

	w->timer.repeat = interval_ms / 1e3;
	if (w->say(w))
		ev_timer_again(w->admin->loop, &w->timer);
	return fate;
}

/* False when it could not be said, which ended the call. */
static bool send(struct watch *w, const ProtobufCMessage *m)
{
	struct call *c = w->call;
	struct err e;

	if (call_send(c, m, &e))
		return true;
	forget(w);
	call_fail(c, &e);
	return false;
}

/* --- status --------------------------------------------------------------- */

static bool say_status(struct watch *w)
{
	Executor__Admin__V1__WatchStatusResponse r;
	struct view v;

	if (call_full(w->call))
		return true; /* who does not read gets the next one */
	executor__admin__v1__watch_status_response__init(&r);
	view_init(&v);
	r.status = admin_status(w->admin, &v);
	r.calls = view_calls(&v, w->admin->router, w->admin->sessions,
			     &r.n_calls);
	bool ok = send(w, &r.base);
	view_finish(&v);
	return ok;
}

struct fate *admin_watch_status(void *service, struct call *c,
				struct slice request)
{
	struct admin *a = service;
	struct err e;

	const Executor__Admin__V1__WatchStatusRequest *asked = admin_unpack(
		a, &executor__admin__v1__watch_status_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	unsigned interval_ms =
		asked->interval_ms ? asked->interval_ms : INTERVAL_MS;
	if (interval_ms < INTERVAL_LEAST_MS) {
		err_set(&e, ERR_INVALID_ARGUMENT,
			"interval_ms: %u is too often; at least %u",
			interval_ms, INTERVAL_LEAST_MS);
		return call_fail(c, &e);
	}
	return begin(watch_new(a, c, say_status), interval_ms);
}

/* --- logs ----------------------------------------------------------------- */

static bool say_log(struct watch *w)
{
	Executor__Admin__V1__WatchLogResponse r;
	char data[LOG_BYTES];
	size_t len;

	while (!call_full(w->call)) {
		len = tail_read(&w->tail, data, sizeof(data));
		if (len == 0)
			break;
		executor__admin__v1__watch_log_response__init(&r);
		r.data = protobuf_bytes((struct slice){data, len});
		if (!send(w, &r.base))
			return false;
	}
	if (w->follow || call_full(w->call))
		return true;
	struct call *c = w->call;
	forget(w);
	call_end(c);
	return false;
}

/* A name that can be no path. */
static bool is_name(const char *name)
{
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '-' &&
		    *name != '_')
			return false;
	return true;
}

static bool open_log(struct watch *w, const char *source, uint32_t lines,
		     struct err *e)
{
	struct admin_facts facts = {0};
	struct buf path = {0};

	if (!is_name(source))
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "'%.64s' is no name of a source", source);
	w->admin->events->facts(w->admin->owner, &facts);
	buf_printf(&path, "%s/logs/%s%s.log", facts.data_dir,
		   source[0] ? "source-" : "executord", source);
	buf_append(&path, "", 1);
	bool ok = tail_open(&w->tail, path.data,
			    lines < LINES_MOST ? lines : LINES_MOST, e);
	buf_finish(&path);
	return ok;
}

struct fate *admin_watch_log(void *service, struct call *c,
			     struct slice request)
{
	struct admin *a = service;
	struct err e;

	const Executor__Admin__V1__WatchLogRequest *asked = admin_unpack(
		a, &executor__admin__v1__watch_log_request__descriptor, request,
		&e);
	if (!asked)
		return call_fail(c, &e);
	struct watch *w = watch_new(a, c, say_log);
	w->follow = asked->follow;
	if (open_log(w, asked->source, asked->lines, &e))
		return begin(w, LOG_MS);
	forget(w);
	return call_fail(c, &e);
}

/* --- the end -------------------------------------------------------------- */

void admin_leave(struct admin *a)
{
	struct err e;

	err_set(&e, ERR_DRAINING, "the daemon stops");
	while (!list_empty(&a->watches)) {
		struct watch *w =
			LIST_ITEM(list_pop(&a->watches), struct watch, link);
		struct call *c = w->call;

		if (w->say(w)) { /* the last words */
			forget(w);
			call_fail(c, &e);
		}
	}
}
