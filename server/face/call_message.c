#include "server/face/call_internal.h"

#include <assert.h>

#include "proto/h2.h"
#include "server/face/gzip.h"
#include "server/face/service.h"

enum { COMPRESS_BYTES = 1024 }; /* nothing smaller is worth it */

/* --- what comes in --------------------------------------------------------
 *
 * DATA goes through the reader, and its share of the window opens once whoever
 * works on the call has had the messages in it.  While the call is paused DATA
 * is held as it comes, and the window stays shut: what is held is never more
 * than one window. */

/* What one feeding of the reader comes to. */
struct feeding {
	struct call *c;
	struct err why; /* ERR_NONE: nothing is wrong */
};

/* One message, as it was meant. */
static bool take(struct feeding *f, struct slice message)
{
	struct call *c = f->c;

	if (!call_takes_one(c)) {
		c->events->message(c->owner, message);
		return c->state == CALL_STREAMING && !c->paused;
	}
	/* Kept until the client's side ends: a second one may follow. */
	buf_append_slice(&c->request, message);
	return true;
}

static bool take_packed(struct feeding *f, struct slice packed)
{
	struct buf message = {0};
	bool go_on = gzip_unpack(&message, packed, f->c->service->limit_bytes,
				 &f->why) &&
		     take(f, buf_slice(&message));

	buf_finish(&message);
	return go_on;
}

static bool on_message(void *owner, struct slice message)
{
	struct feeding *f = owner;
	struct call *c = f->c;

	/* statuscodes.md: UNIMPLEMENTED for a request cardinality
	 * violation. */
	if (call_takes_one(c) && c->requests++ > 0)
		return err_set(&f->why, ERR_UNIMPLEMENTED,
			       "one request was expected, and more came");
	c->compressed = c->reader.compressed;
	return c->compressed ? take_packed(f, message) : take(f, message);
}

static const struct grpc_reader_events reader_events = {
	.message = on_message,
};

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
	struct feeding f;
	size_t used = bytes.len;
	struct err e;

	f.c = c;
	f.why.reason = ERR_NONE;
	c->feeding = true;
	bool ok = grpc_reader_feed(&c->reader, bytes, &reader_events, &f, &e);
	c->feeding = false;
	if (!reads(c)) {
		call_message_release(c);
	} else if (f.why.reason != ERR_NONE) {
		call_break(c, &f.why);
	} else if (!ok && e.reason == ERR_NONE) {
		used -= c->reader.left_bytes;
	} else if (!ok) {
		/* And for an encoding that the server does not support. */
		if (c->encoding == ENCODING_UNKNOWN && c->reader.compressed)
			e.reason = ERR_UNIMPLEMENTED;
		call_break(c, &e);
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
	c->reader.encoding = c->encoding == ENCODING_GZIP;
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

bool call_may_compress(const struct call *c, size_t len)
{
	if (!c->takes_gzip)
		return false;
	switch (c->compression) {
	case CALL_COMPRESS_WHERE_IT_PAYS:
		return !c->local && len > COMPRESS_BYTES;
	case CALL_COMPRESS_ALWAYS:
		return true;
	case CALL_COMPRESS_NEVER:
		break;
	}
	return false;
}

static void put_framed(struct buf *to, unsigned char flag, struct slice bytes)
{
	unsigned char prefix[GRPC_PREFIX_BYTES];

	grpc_prefix(prefix, (uint32_t)bytes.len);
	prefix[0] = flag;
	buf_append(to, prefix, sizeof(prefix));
	buf_append_slice(to, bytes);
}

/* "Compressed-Flag -> 0 / 1": each message for itself. */
static void put_packed(struct call *c, const ProtobufCMessage *m)
{
	struct buf plain = {0};
	struct buf packed = {0};

	protobuf_pack(&plain, m);
	gzip_pack(&packed, buf_slice(&plain));
	if (packed.len < plain.len || c->compression == CALL_COMPRESS_ALWAYS)
		put_framed(h2_output(c->stream), 1, buf_slice(&packed));
	else
		put_framed(h2_output(c->stream), 0, buf_slice(&plain));
	buf_finish(&plain);
	buf_finish(&packed);
}

void call_put(struct call *c, const ProtobufCMessage *m)
{
	if (c->gzip && call_may_compress(c, protobuf_size(m)))
		put_packed(c, m);
	else
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

void call_compress(struct call *c, enum call_compression how)
{
	c->compression = how;
}

bool call_compressed(const struct call *c)
{
	return c->compressed;
}
