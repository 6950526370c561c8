#include "server/face/call_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/err.h"
#include "proto/h2.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/face/service.h"
#include "server/face/status.h"

enum { PATH_SHOWN = 128 }; /* bytes of a path in the log */

/* What a handler must return.  Defined here only, so that nobody else can make
 * one. */
struct fate {
	const char *name;
};

static struct fate settled = {"settled"};
static struct fate pending = {"pending"};

static const char *const state_name[] = {
	[CALL_READING] = "reading",	[CALL_WORKING] = "working",
	[CALL_STREAMING] = "streaming", [CALL_SETTLED] = "settled",
	[CALL_CLOSED] = "closed",
};

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[CALL_READING] = 1u << CALL_WORKING | 1u << CALL_STREAMING |
			 1u << CALL_SETTLED | 1u << CALL_CLOSED,
	[CALL_WORKING] =
		1u << CALL_STREAMING | 1u << CALL_SETTLED | 1u << CALL_CLOSED,
	[CALL_STREAMING] = 1u << CALL_SETTLED | 1u << CALL_CLOSED,
	[CALL_SETTLED] = 1u << CALL_CLOSED,
	[CALL_CLOSED] = 0,
};

/* The only writer of c->state. */
static void advance(struct call *c, enum call_state next)
{
	assert(may_follow[c->state] & 1u << next);
	log_debug("call", "n=%llu %s -> %s", (unsigned long long)c->number,
		  state_name[c->state], state_name[next]);
	c->state = next;
}

bool call_takes_one(const struct call *c)
{
	return c->method->unary || c->method->server_stream;
}

/* --- the end -------------------------------------------------------------- */

/* Whoever worked on it hears nothing more, and the clock stops. */
static void release(struct call *c)
{
	ev_timer_stop(c->loop, &c->deadline);
	c->events = NULL;
	c->owner = NULL;
	call_message_release(c);
	metadata_finish(&c->metadata);
}

static void settle(struct call *c, const char *http, enum grpc_code code,
		   const char *text, struct slice details)
{
	advance(c, CALL_SETTLED);
	release(c);
	call_trail(c, http, code, text, details);
}

static void log_failure(const struct call *c, const char *source,
			const struct err *why)
{
	log_info("call", "n=%llu %s/%s reason=%s%s%s %s",
		 (unsigned long long)c->number,
		 c->service ? c->service->name : "?",
		 c->method ? c->method->name : "?", err_name(why->reason),
		 source ? " source=" : "", source ? source : "", why->text);
}

static void fail(struct call *c, const char *http, const char *source,
		 const struct err *why)
{
	enum grpc_code code = err_grpc(why->reason);
	struct buf details = {0};

	assert(code != GRPC_OK);
	log_failure(c, source, why);
	status_pack(&details, why, source);
	settle(c, http, code, why->text, buf_slice(&details));
	buf_finish(&details);
}

/* Not gRPC at all. */
static void refuse_content_type(struct call *c, const struct err *why)
{
	log_failure(c, NULL, why);
	advance(c, CALL_SETTLED);
	release(c);
	call_respond_plain(c, "415", why->text);
}

/* Tell whoever works on it that it is not wanted any more. */
static void abandon(struct call *c)
{
	const struct call_events *events = c->events;
	void *worker = c->owner;

	release(c);
	if (events)
		events->closed(worker);
}

void call_break(struct call *c, const struct err *why)
{
	abandon(c);
	fail(c, "200", NULL, why);
}

/* --- events of the stream ------------------------------------------------- */

/* gRPC knows no request trailers; END_STREAM comes as .end. */
static void on_trailers(void *owner, const struct h2_headers *h)
{
	(void)owner;
	(void)h;
}

static void on_data(void *owner, struct slice bytes)
{
	struct call *c = owner;

	if (c->state == CALL_STREAMING && c->method->raw)
		c->events->data(c->owner, bytes);
	else
		call_message_data(c, bytes);
}

static void on_end(void *owner)
{
	struct call *c = owner;

	if (c->state == CALL_STREAMING && c->method->raw)
		c->events->end(c->owner);
	else
		call_message_end(c);
}

static void on_drained(void *owner)
{
	struct call *c = owner;

	if (c->state == CALL_STREAMING && c->events->drained)
		c->events->drained(c->owner);
}

static void on_late(void *owner)
{
	struct err e;

	err_set(&e, ERR_DEADLINE, "the rest of a message did not come in time");
	call_break(owner, &e);
}

static void on_closed(void *owner, uint32_t h2_error)
{
	struct call *c = owner;

	(void)h2_error;
	advance(c, CALL_CLOSED);
	abandon(c);
	metadata_finish(&c->initial);
	metadata_finish(&c->trailing);
	c->services->open--;
	free(c);
}

static const struct h2_stream_events stream_events = {
	.headers = on_trailers,
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.late = on_late,
	.closed = on_closed,
};

/* --- time ----------------------------------------------------------------- */

static void expire(struct call *c)
{
	struct err e;

	/* A client that does not read must not keep its call open beyond this;
	 * nobody wants what is queued. */
	c->expired = true;
	err_set(&e, ERR_DEADLINE, "the call's deadline has passed");
	call_break(c, &e);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	expire(w->data);
}

static void keep_deadline(struct call *c, int64_t timeout_ns)
{
	ev_timer_set(&c->deadline, (double)timeout_ns / 1e9, 0.);
	ev_timer_start(c->loop, &c->deadline);
}

/* --- the beginning -------------------------------------------------------- */

void call_work(struct call *c)
{
	const struct method *m = c->method;
	struct buf request = {0};

	advance(c, CALL_WORKING);
	buf_move(&request, &c->request);
	call_message_release(c);
	struct fate *fate = (m->unary ? m->unary : m->server_stream)(
		c->service->object, c, buf_slice(&request));
	assert(fate == &settled || fate == &pending);
	buf_finish(&request);
}

/* Messages come one by one: the handler runs before the first. */
static void open_stream(struct call *c)
{
	const struct method *m = c->method;
	struct fate *(*open)(void *, struct call *) =
		m->raw	  ? m->raw
		: m->bidi ? m->bidi
			  : m->client_stream;
	struct fate *fate = open(c->service->object, c);

	assert(fate == &settled || fate == &pending);
}

/* The headers are good: begin. */
static void begin(struct call *c, const struct head *head,
		  const struct h2_headers *headers)
{
	struct err e;

	if (!c->method) {
		err_set(&e, ERR_UNIMPLEMENTED, "no such method: %.*s",
			head->path.len < PATH_SHOWN ? (int)head->path.len
						    : PATH_SHOWN,
			head->path.ptr ? head->path.ptr : "");
		fail(c, "200", NULL, &e);
		return;
	}
	if (head->has_timeout && head->timeout_ns <= 0) {
		expire(c);
		return;
	}
	if (head->has_timeout)
		keep_deadline(c, head->timeout_ns);
	c->encoding = head->encoding;
	c->takes_gzip = head->takes_gzip;
	metadata_take(&c->metadata, headers);
	call_message_init(c);
	if (!call_takes_one(c))
		open_stream(c);
}

void call_open(struct ev_loop *loop, struct services *services,
	       struct h2_stream *s, const struct h2_headers *headers,
	       bool local)
{
	struct call *c = mem_zalloc(sizeof(*c));
	struct head head;
	struct err e;

	c->loop = loop;
	c->services = services;
	c->stream = s;
	c->local = local;
	c->number = ++services->calls;
	services->open++;
	ev_init(&c->deadline, on_deadline);
	c->deadline.data = c;
	h2_stream_listen(s, &stream_events, c);
	if (head_read(&head, headers, &e)) {
		c->method = services_find(services, head.path, &c->service);
		begin(c, &head, headers);
	} else if (head.http == 415) {
		refuse_content_type(c, &e);
	} else {
		fail(c, head.http == 405 ? "405" : "200", NULL, &e);
	}
}

/* --- fates ---------------------------------------------------------------- */

struct fate *call_reply(struct call *c, const ProtobufCMessage *m)
{
	assert(c->method->unary ? c->state == CALL_WORKING
				: c->method->client_stream &&
					  c->state == CALL_STREAMING);
	/* How large it is takes a walk through it. */
	if (!c->responded)
		call_respond(c, c->takes_gzip &&
					call_may_compress(c, protobuf_size(m)));
	call_put(c, m);
	settle(c, "200", GRPC_OK, NULL, (struct slice){NULL, 0});
	return &settled;
}

struct fate *call_end(struct call *c)
{
	assert(c->state == CALL_STREAMING && !c->method->client_stream);
	settle(c, "200", GRPC_OK, NULL, (struct slice){NULL, 0});
	return &settled;
}

struct fate *call_fail(struct call *c, const struct err *why)
{
	fail(c, "200", NULL, why);
	return &settled;
}

struct fate *call_fail_source(struct call *c, const char *source,
			      const struct err *why)
{
	fail(c, "200", source, why);
	return &settled;
}

struct fate *call_status(struct call *c, enum grpc_code code, const char *text)
{
	settle(c, "200", code, text, (struct slice){NULL, 0});
	return &settled;
}

struct fate *call_later(struct call *c, const struct call_events *events,
			void *owner)
{
	assert(c->state == CALL_WORKING && c->method->unary && !c->events);
	c->events = events;
	c->owner = owner;
	return &pending;
}

struct fate *call_stream(struct call *c, const struct call_events *events,
			 void *owner)
{
	assert(!c->method->unary);
	advance(c, CALL_STREAMING);
	c->events = events;
	c->owner = owner;
	/* At once: some clients wait for them before they send anything. */
	call_respond(c, call_may_compress(c, SIZE_MAX));
	return &pending;
}

/* --- what is said beside the messages --- */

const struct metadata *call_metadata(const struct call *c)
{
	return &c->metadata;
}

void call_initial(struct call *c, const char *name, struct slice value)
{
	assert(!c->responded && c->state != CALL_SETTLED);
	metadata_put(&c->initial, name, value);
}

void call_trailing(struct call *c, const char *name, struct slice value)
{
	assert(c->state != CALL_SETTLED);
	metadata_put(&c->trailing, name, value);
}

int64_t call_time_left_ms(const struct call *c)
{
	/* libev counts from where its loop began to work. */
	struct call *mine = (struct call *)(uintptr_t)c;

	if (!ev_is_active(&c->deadline))
		return -1;
	double left = ev_timer_remaining(c->loop, &mine->deadline);
	return left < 0				? 0
	       : left * 1e3 > (double)INT32_MAX ? INT32_MAX
						: (int64_t)(left * 1e3) + 1;
}

struct h2_stream *call_h2(const struct call *c)
{
	return c->stream;
}
