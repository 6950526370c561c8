#include "server/face/call.h"

#include <assert.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/h2.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/protobuf.h"
#include "server/face/head.h"
#include "server/face/service.h"

enum call_state {
	CALL_READING,
	CALL_WORKING,
	CALL_STREAMING,
	CALL_SETTLED,
	CALL_CLOSED,
};

enum { PATH_SHOWN = 128 }; /* bytes of a path in the log */

/* What a handler must return.  Defined here only, so that nobody else can make
 * one. */
struct fate {
	const char *name;
};

static struct fate settled = {"settled"};
static struct fate pending = {"pending"};

/* Owned by its h2_stream: freed when that is closed. */
struct call {
	struct ev_loop *loop;
	struct h2_stream *stream;
	const struct method *method; /* a row of service, or NULL */
	const struct service *service;
	enum call_state state;
	uint64_t number;
	bool responded; /* the response headers have left */
	bool encoded;	/* in an encoding that we do not have */
	ev_timer deadline;

	struct grpc_reader reader; /* unary: while READING */
	struct buf request;
	unsigned requests;

	const struct call_events *events; /* while somebody works on it */
	void *owner;
};

static const char *const state_name[] = {
	[CALL_READING] = "reading",	[CALL_WORKING] = "working",
	[CALL_STREAMING] = "streaming", [CALL_SETTLED] = "settled",
	[CALL_CLOSED] = "closed",
};

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[CALL_READING] = 1u << CALL_WORKING | 1u << CALL_STREAMING |
			 1u << CALL_SETTLED | 1u << CALL_CLOSED,
	[CALL_WORKING] = 1u << CALL_SETTLED | 1u << CALL_CLOSED,
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

static struct h2_header header(const char *name, const char *value)
{
	return (struct h2_header){slice_of(name), slice_of(value)};
}

/* gRPC over HTTP/2, Responses: "Response-Headers -> HTTP-Status
 * [Message-Encoding] [Message-Accept-Encoding] Content-Type *Custom-Metadata".
 * The same stand at the head of a Trailers-Only. */
static size_t response_headers(struct h2_header list[3], const char *http)
{
	list[0] = header(":status", http);
	list[1] = header("content-type", "application/grpc");
	list[2] = header("grpc-accept-encoding", "identity");
	return 3;
}

static void respond(struct call *c)
{
	struct h2_header list[3];

	assert(!c->responded);
	c->responded = true;
	h2_respond(c->stream, list, response_headers(list, "200"));
}

/* Whoever worked on it hears nothing more, and the clock stops. */
static void release(struct call *c)
{
	ev_timer_stop(c->loop, &c->deadline);
	c->events = NULL;
	c->owner = NULL;
	grpc_reader_finish(&c->reader);
	buf_finish(&c->request);
}

/* The end of every call: "Trailers -> Status [Status-Message]
 * *Custom-Metadata".  text may be NULL.  c may be gone afterwards. */
static void settle(struct call *c, const char *http, enum grpc_code code,
		   const char *text)
{
	struct h2_header list[5];
	struct buf message = {0};
	char number[12];
	size_t count = 0;

	advance(c, CALL_SETTLED);
	release(c);
	if (!c->responded)
		count = response_headers(list, http);
	snprintf(number, sizeof(number), "%d", (int)code);
	list[count++] = header("grpc-status", number);
	if (text) {
		grpc_message_encode(&message, text);
		list[count++] = (struct h2_header){slice_of("grpc-message"),
						   buf_slice(&message)};
	}
	h2_finish(c->stream, list, count);
	buf_finish(&message);
}

/* Not gRPC at all: a plain HTTP response with a text for people. */
static void refuse_content_type(struct call *c, const struct err *why)
{
	struct h2_header list[] = {
		header(":status", "415"),
		header("content-type", "text/plain; charset=utf-8"),
	};

	advance(c, CALL_SETTLED);
	release(c);
	h2_respond(c->stream, list, sizeof(list) / sizeof(list[0]));
	buf_printf(h2_output(c->stream), "%s\n", why->text);
	h2_send(c->stream);
	h2_finish(c->stream, NULL, 0);
}

static void log_failure(const struct call *c, const struct err *why)
{
	log_info("call", "n=%llu %s/%s reason=%s %s",
		 (unsigned long long)c->number,
		 c->service ? c->service->name : "?",
		 c->method ? c->method->name : "?", err_name(why->reason),
		 why->text);
}

/* --- the request of a unary call ------------------------------------------ */

static bool on_message(void *owner, struct slice message)
{
	struct call *c = owner;

	/* Kept until the client's side ends: a second one may follow. */
	if (c->requests++ > 0)
		return false;
	buf_append_slice(&c->request, message);
	return true;
}

static const struct grpc_reader_events reader_events = {
	.message = on_message,
};

static void read_request(struct call *c, struct slice bytes)
{
	struct err e = {0};

	if (grpc_reader_feed(&c->reader, bytes, &reader_events, c, &e))
		return;
	/* statuscodes.md: UNIMPLEMENTED for a request cardinality violation
	 * and for an encoding that the server does not support. */
	if (e.reason == ERR_NONE)
		err_set(&e, ERR_UNIMPLEMENTED,
			"one request was expected, and more came");
	else if (c->encoded && e.reason == ERR_PROTOCOL)
		err_set(&e, ERR_UNIMPLEMENTED,
			"the request's grpc-encoding is not supported");
	call_fail(c, &e);
}

/* The handler runs.  It may settle the call, so c is not used after it. */
static void work(struct call *c)
{
	struct buf request = {0};

	advance(c, CALL_WORKING);
	buf_move(&request, &c->request);
	grpc_reader_finish(&c->reader);
	struct fate *fate =
		c->method->unary(c->service->object, c, buf_slice(&request));
	assert(fate == &settled || fate == &pending);
	buf_finish(&request);
}

static void end_request(struct call *c)
{
	struct err e;

	if (!grpc_reader_end(&c->reader, &e)) {
		call_fail(c, &e);
		return;
	}
	if (c->requests == 0) {
		err_set(&e, ERR_UNIMPLEMENTED,
			"one request was expected, and none came");
		call_fail(c, &e);
		return;
	}
	work(c);
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

	if (c->state == CALL_STREAMING) {
		c->events->data(c->owner, bytes);
		return;
	}
	/* A message larger than the window could never complete otherwise; how
	 * much is kept is bounded by the message limit. */
	h2_consume(c->stream, bytes.len);
	if (c->state == CALL_READING)
		read_request(c, bytes);
}

static void on_end(void *owner)
{
	struct call *c = owner;

	if (c->state == CALL_STREAMING)
		c->events->end(c->owner);
	else if (c->state == CALL_READING)
		end_request(c);
}

static void on_drained(void *owner)
{
	struct call *c = owner;

	if (c->state == CALL_STREAMING)
		c->events->drained(c->owner);
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

static void on_closed(void *owner, uint32_t h2_error)
{
	struct call *c = owner;

	(void)h2_error;
	advance(c, CALL_CLOSED);
	abandon(c);
	free(c);
}

static const struct h2_stream_events stream_events = {
	.headers = on_trailers,
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

/* --- the beginning -------------------------------------------------------- */

static void expire(struct call *c)
{
	struct err e;

	abandon(c);
	err_set(&e, ERR_DEADLINE, "the call's deadline has passed");
	call_fail(c, &e);
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

/* The headers are good: begin.  c may be gone afterwards. */
static void begin(struct call *c, const struct head *head)
{
	struct err e;

	if (!c->method) {
		err_set(&e, ERR_UNIMPLEMENTED, "no such method: %.*s",
			head->path.len < PATH_SHOWN ? (int)head->path.len
						    : PATH_SHOWN,
			head->path.ptr ? head->path.ptr : "");
		call_fail(c, &e);
		return;
	}
	if (head->has_timeout && head->timeout_ns <= 0) {
		expire(c);
		return;
	}
	if (head->has_timeout)
		keep_deadline(c, head->timeout_ns);
	c->encoded = head->encoded;
	if (c->method->unary) {
		grpc_reader_init(&c->reader, c->service->limit_bytes);
		return;
	}
	struct fate *fate = c->method->bidi(c->service->object, c);
	assert(fate == &settled || fate == &pending);
}

void call_open(struct ev_loop *loop, struct services *services,
	       struct h2_stream *s, const struct h2_headers *headers)
{
	struct call *c = mem_zalloc(sizeof(*c));
	struct head head;
	struct err e;

	c->loop = loop;
	c->stream = s;
	c->number = ++services->calls;
	ev_init(&c->deadline, on_deadline);
	c->deadline.data = c;
	h2_stream_listen(s, &stream_events, c);
	if (head_read(&head, headers, &e)) {
		c->method = services_find(services, head.path, &c->service);
		begin(c, &head);
		return;
	}
	log_failure(c, &e);
	if (head.http == 415)
		refuse_content_type(c, &e);
	else
		settle(c, head.http == 405 ? "405" : "200", err_grpc(e.reason),
		       e.text);
}

/* --- fates ---------------------------------------------------------------- */

struct fate *call_reply(struct call *c, const ProtobufCMessage *m)
{
	assert(c->state == CALL_WORKING);
	respond(c);
	protobuf_pack_framed(h2_output(c->stream), m);
	h2_send(c->stream);
	settle(c, "200", GRPC_OK, NULL);
	return &settled;
}

struct fate *call_fail(struct call *c, const struct err *why)
{
	enum grpc_code code = err_grpc(why->reason);

	assert(code != GRPC_OK);
	log_failure(c, why);
	settle(c, "200", code, why->text);
	return &settled;
}

struct fate *call_later(struct call *c, const struct call_events *events,
			void *owner)
{
	assert(c->state == CALL_WORKING && !c->events);
	c->events = events;
	c->owner = owner;
	return &pending;
}

struct fate *call_stream(struct call *c, const struct call_events *events,
			 void *owner)
{
	advance(c, CALL_STREAMING);
	c->events = events;
	c->owner = owner;
	/* At once: some clients wait for them before they send anything. */
	respond(c);
	return &pending;
}

struct fate *call_end(struct call *c)
{
	assert(c->state == CALL_STREAMING);
	settle(c, "200", GRPC_OK, NULL);
	return &settled;
}

struct h2_stream *call_h2(const struct call *c)
{
	return c->stream;
}
