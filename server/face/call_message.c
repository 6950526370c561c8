#include "server/face/call_internal.h"

#include <assert.h>

#include "proto/h2.h"
#include "server/face/service.h"

/* --- what comes in --------------------------------------------------------
 *
 * DATA goes through the reader, and its share of the window opens once whoever
 * works on the call has had the messages in it.  While the call is paused DATA
 * is held as it comes, and the window stays shut: what is held is never more
 * than one window. */

static bool on_message(void *owner, struct slice message)
{
	struct call *c = owner;

	if (call_takes_one(c)) {
		/* Kept until the client's side ends: a second one may
		 * follow. */
		if (c->requests++ > 0)
			return false;
		buf_append_slice(&c->request, message);
		return true;
	}
	c->events->message(c->owner, message);
	return c->state == CALL_STREAMING && !c->paused;
}

static const struct grpc_reader_events reader_events = {
	.message = on_message,
};

/* statuscodes.md: UNIMPLEMENTED for a request cardinality violation and for an
 * encoding that the server does not support. */
static void refuse(struct call *c, struct err *e)
{
	if (e->reason == ERR_NONE)
		err_set(e, ERR_UNIMPLEMENTED,
			"one request was expected, and more came");
	else if (c->encoded && c->reader.compressed)
		err_set(e, ERR_UNIMPLEMENTED,
			"the request's grpc-encoding is not supported");
	call_break(c, e);
}

/* Is there still somebody to read for? */
static bool reads(const struct call *c)
{
	if (c->state == CALL_READING)
		return call_takes_one(c);
	return c->state == CALL_STREAMING && !call_takes_one(c);
}

/* Returns how many bytes were used. */
static size_t feed(struct call *c, struct slice bytes)
{
	struct err e = {0};
	size_t used = bytes.len;

	c->feeding = true;
	bool ok = grpc_reader_feed(&c->reader, bytes, &reader_events, c, &e);
	c->feeding = false;
	if (!reads(c)) {
		call_message_release(c);
	} else if (!ok && e.reason == ERR_NONE && !call_takes_one(c)) {
		used -= c->reader.left_bytes;
	} else if (!ok) {
		refuse(c, &e);
	}
	/* A message larger than the window could never complete otherwise; how
	 * much is kept is bounded by the message limit. */
	h2_consume(c->stream, used);
	return used;
}

static void tell_end(struct call *c)
{
	struct err e;

	c->ended = false;
	if (!grpc_reader_end(&c->reader, &e)) {
		call_break(c, &e);
	} else if (!call_takes_one(c)) {
		c->events->end(c->owner);
	} else if (c->requests == 0) {
		err_set(&e, ERR_UNIMPLEMENTED,
			"one request was expected, and none came");
		call_break(c, &e);
	} else {
		call_work(c);
	}
}

/* Who begins a message must go on with it. */
static void expect_rest(struct call *c)
{
	bool begun = call_takes_one(c) ? !c->ended : c->reader.torn.len > 0;

	h2_expect(c->stream, begun && reads(c) && !c->paused);
}

static void take_held(struct call *c)
{
	if (!c->paused && reads(c) && c->held.len > 0) {
		size_t used = feed(c, buf_slice(&c->held));

		if (reads(c))
			buf_consume(&c->held, used);
	}
	if (reads(c) && !c->paused && c->held.len == 0) {
		buf_reset(&c->held, 0);
		if (c->ended)
			tell_end(c);
		else
			expect_rest(c);
	}
}

static void on_resume(struct ev_loop *loop, struct ev_watcher *w, int revents)
{
	(void)loop;
	(void)revents;
	take_held(w->data);
}

void call_message_init(struct call *c)
{
	grpc_reader_init(&c->reader, c->service->limit_bytes);
	expect_rest(c);
	ev_init(&c->resume, on_resume);
	c->resume.data = c;
}

void call_message_data(struct call *c, struct slice bytes)
{
	if (!reads(c)) {
		h2_consume(c->stream, bytes.len);
		return;
	}
	if (c->paused || c->held.len > 0) {
		buf_append_slice(&c->held, bytes);
		return;
	}
	size_t used = feed(c, bytes);
	if (reads(c) && used < bytes.len)
		buf_append(&c->held, bytes.ptr + used, bytes.len - used);
	expect_rest(c);
}

void call_message_end(struct call *c)
{
	c->ended = true;
	h2_expect(c->stream, false);
	if (reads(c) && !c->paused && c->held.len == 0)
		tell_end(c);
}

void call_message_release(struct call *c)
{
	/* The message that is being handed up may lie in there. */
	if (c->feeding)
		return;
	h2_expect(c->stream, false);
	ev_clear_pending(c->loop, &c->resume);
	grpc_reader_finish(&c->reader);
	buf_finish(&c->request);
	buf_finish(&c->held);
}

void call_pause(struct call *c)
{
	c->paused = true;
}

void call_resume(struct call *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	if (!c->feeding)
		ev_feed_event(c->loop, &c->resume, EV_CUSTOM);
}

/* --- what goes out -------------------------------------------------------- */

void call_put(struct call *c, const ProtobufCMessage *m)
{
	protobuf_pack_framed(h2_output(c->stream), m);
	h2_send(c->stream);
}

bool call_send(struct call *c, const ProtobufCMessage *m, struct err *e)
{
	assert(c->state == CALL_STREAMING);
	if (h2_queued(c->stream) > CALL_QUEUE_BYTES)
		return err_set(e, ERR_OVERLOADED,
			       "the client does not read: %zu bytes wait for "
			       "it",
			       h2_queued(c->stream));
	call_put(c, m);
	return true;
}

bool call_full(const struct call *c)
{
	return h2_full(c->stream);
}
