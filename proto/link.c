#include "proto/link_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/err.h"
#include "proto/mem.h"

enum {
	/* Of the reader's memory, between two chunks and at rest. */
	KEEP_BUSY_BYTES = 1024 * 1024,
	KEEP_IDLE_BYTES = 64 * 1024,
};

static void destroy(struct link *l)
{
	link_sending_finish(l);
	grpc_reader_finish(&l->reader);
	seqset_finish(&l->arrived);
	seqset_finish(&l->delivered);
	parts_finish(&l->parts);
	buf_finish(&l->held);
	free(l);
}

void link_leave(struct link *l)
{
	assert(l->busy > 0);
	if (--l->busy == 0 && l->freed)
		destroy(l);
}

static void break_off(struct link *l, const struct err *why)
{
	if (l->broken || l->freed)
		return;
	l->broken = true;
	l->events->broken(l->owner, why);
}

static void hand_up(struct link *l, uint64_t sequence, bool effect,
		    struct slice json, struct buf *whole)
{
	l->handed_bytes += json.len;
	l->events->message(l->owner, sequence, effect, json, whole);
}

static bool arrive(struct link *l, uint64_t sequence, uint64_t len,
		   struct err *e)
{
	if (len > l->limit_bytes)
		return err_set(e, ERR_TOO_LARGE,
			       "a message of %llu bytes; the limit is %zu",
			       (unsigned long long)len, l->limit_bytes);
	if (!seqset_add(&l->arrived, sequence))
		return err_set(e, ERR_PROTOCOL,
			       "the message numbered %llu came twice, or far "
			       "too early",
			       (unsigned long long)sequence);
	return true;
}

static bool take_message(struct link *l, const Executor__Mcp__V1__Message *m,
			 struct err *e)
{
	if (!arrive(l, m->sequence, m->json.len, e))
		return false;
	hand_up(l, m->sequence, m->effect, protobuf_slice(m->json), NULL);
	return true;
}

static bool take_chunk(struct link *l, const Executor__Mcp__V1__Chunk *c,
		       struct err *e)
{
	struct buf whole = {0};

	if (!parts_has(&l->parts, c->sequence) &&
	    !arrive(l, c->sequence, c->total, e))
		return false;
	if (!parts_add(&l->parts, c, &whole, e))
		return false;
	l->reader.keep_bytes =
		l->parts.count > 0 ? KEEP_BUSY_BYTES : KEEP_IDLE_BYTES;
	if (whole.len > 0)
		hand_up(l, c->sequence, c->effect, buf_slice(&whole), &whole);
	buf_finish(&whole);
	return true;
}

static void take_acked(struct link *l, uint64_t received)
{
	if (received <= l->acked)
		return;
	l->acked = received;
	l->events->acked(l->owner, received);
}

/* What the envelope says of what we sent; that needs no reader, so it is heard
 * while paused too.  Returns whether there is more in it. */
static bool take_receipt(struct link *l, const envelope_t *envelope)
{
	if (envelope->body_case == EXECUTOR__MCP__V1__ENVELOPE__BODY_ACK) {
		take_acked(l, envelope->ack->received);
		return false;
	}
	if (envelope->body_case == EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE)
		take_acked(l, envelope->message->received);
	return true;
}

static bool take_body(struct link *l, const envelope_t *envelope, struct err *e)
{
	switch (envelope->body_case) {
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE:
		return take_message(l, envelope->message, e);
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_CHUNK:
		return take_chunk(l, envelope->chunk, e);
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_HELLO:
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME:
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE:
		l->events->envelope(l->owner, envelope);
		return true;
	case EXECUTOR__MCP__V1__ENVELOPE__BODY_ACK:
	case EXECUTOR__MCP__V1__ENVELOPE__BODY__NOT_SET:
	case _EXECUTOR__MCP__V1__ENVELOPE__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return true;
}

static void hold(struct link *l, struct slice bytes)
{
	unsigned char prefix[GRPC_PREFIX_BYTES];

	grpc_prefix(prefix, (uint32_t)bytes.len);
	buf_append(&l->held, prefix, sizeof(prefix));
	buf_append_slice(&l->held, bytes);
}

/* Decode and act.  False when nothing more may come up. */
static bool take_bytes(struct link *l, struct slice bytes, bool may_hand_up)
{
	struct envelope_room room;
	struct arena arena = {0};
	struct err e;
	envelope_t *envelope = envelope_decode(&arena, &room, bytes, &e);

	if (!envelope) {
		break_off(l, &e);
	} else if (take_receipt(l, envelope) && !l->freed) {
		if (!may_hand_up)
			hold(l, bytes);
		else if (!take_body(l, envelope, &e))
			break_off(l, &e);
	}
	arena_finish(&arena);
	return !l->broken && !l->freed;
}

static bool on_message(void *owner, struct slice bytes)
{
	struct link *l = owner;

	return take_bytes(l, bytes, !l->paused && l->held.len == 0);
}

static const struct grpc_reader_events reader_events = {
	.message = on_message,
};

/* Hand up what came while paused.  The caller is busy. */
static void take_held(struct link *l)
{
	const unsigned char *b;

	while (l->held.len > 0 && !l->paused && !l->broken) {
		b = (const unsigned char *)l->held.data;
		size_t len = (size_t)b[1] << 24 | (size_t)b[2] << 16 |
			     (size_t)b[3] << 8 | b[4];
		struct slice bytes = {l->held.data + GRPC_PREFIX_BYTES, len};

		if (!take_bytes(l, bytes, true))
			return;
		buf_consume(&l->held, GRPC_PREFIX_BYTES + len);
	}
	if (l->held.len == 0)
		buf_reset(&l->held, 0);
}

/* The window opens by what was handed up: a reader that stops shuts it. */
static void open_window(struct link *l)
{
	if (l->paused || l->broken || l->freed || l->held.len > 0)
		return;
	h2_consume(l->stream, l->unconsumed_bytes);
	l->unconsumed_bytes = 0;
}

static void on_resume(struct ev_loop *loop, struct ev_watcher *w, int revents)
{
	struct link *l = w->data;

	(void)loop;
	(void)revents;
	l->busy++;
	take_held(l);
	open_window(l);
	link_leave(l);
}

/* --- the owner --- */

struct link *link_new(struct ev_loop *loop, struct h2_stream *s,
		      size_t limit_bytes, const struct link_events *events,
		      void *owner)
{
	struct link *l = mem_zalloc(sizeof(*l));

	l->loop = loop;
	l->stream = s;
	l->limit_bytes = limit_bytes;
	l->events = events;
	l->owner = owner;
	link_sending_init(l);
	parts_init(&l->parts, limit_bytes);
	grpc_reader_init(&l->reader, ENVELOPE_LIMIT_BYTES);
	ev_init(&l->resume, on_resume);
	l->resume.data = l;
	return l;
}

void link_start(struct link *l, const struct seqset *received)
{
	/* A peer that numbered messages before it could know from where has
	 * said nothing. */
	seqset_finish(&l->arrived);
	seqset_finish(&l->delivered);
	seqset_copy(&l->arrived, received);
	seqset_copy(&l->delivered, received);
	l->told = received->all;
}

void link_on_data(struct link *l, struct slice bytes)
{
	struct err e;

	if (l->broken || l->freed)
		return;
	l->busy++;
	l->unconsumed_bytes += bytes.len;
	if (!grpc_reader_feed(&l->reader, bytes, &reader_events, l, &e) &&
	    e.reason != ERR_NONE)
		break_off(l, &e);
	open_window(l);
	link_leave(l);
}

bool link_on_end(struct link *l, struct err *e)
{
	return grpc_reader_end(&l->reader, e);
}

void link_pause(struct link *l)
{
	l->paused = true;
}

void link_resume(struct link *l)
{
	l->paused = false;
	ev_feed_event(l->loop, &l->resume, EV_CUSTOM);
}

void link_free(struct link *l)
{
	if (!l || l->freed)
		return;
	l->freed = true;
	ev_timer_stop(l->loop, &l->ack);
	ev_clear_pending(l->loop, &l->resume);
	if (l->busy == 0)
		destroy(l);
}
