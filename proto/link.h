/*
 * link: one end of a Session stream: numbered messages over an h2 stream.
 *
 * Frames and deframes envelopes, sends large messages in chunks so that small
 * ones overtake them, puts chunks together again, and says with as few bytes
 * as possible what was received.  Both ends use it; who keeps a message until
 * it is acknowledged, and for how long, is their business.
 *
 * Owned by whoever owns the stream.  The owner passes h2's events on to it.
 */
#ifndef PROTO_LINK_H
#define PROTO_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/slice.h"

struct buf;
struct ev_loop;
struct h2_stream;
struct link;
struct message;
struct seqset;

struct link_events {
	/* A hello, welcome or goodbye; borrowed until it returns. */
	void (*envelope)(void *owner, const envelope_t *envelope);
	/* A whole message arrived; json is borrowed until it returns.  whole
	 * is the buffer that json is all of, and may be taken (buf_move()); or
	 * NULL.  Small ones may overtake large ones, so sequences may come out
	 * of order, each once. */
	void (*message)(void *owner, uint64_t sequence, bool effect,
			struct slice json, struct buf *whole);
	/* The other side delivered everything up to this. */
	void (*acked)(void *owner, uint64_t received);
	/* link_queued() had passed the stream's high mark (h2_limits), and has
	 * fallen below the low one.  May be NULL. */
	void (*drained)(void *owner);
	/* The other side broke the protocol; nothing more comes up.  The
	 * owner ends the stream. */
	void (*broken)(void *owner, const struct err *why);
};

/* Speak over s, whose events the owner hands to link_on_data() and
 * link_on_drained().  limit_bytes bounds one message, and all those that are
 * being put together at a time (at most 16) to twice that. */
struct link *link_new(struct ev_loop *loop, struct h2_stream *s,
		      size_t limit_bytes, const struct link_events *events,
		      void *owner);

/* These numbers have come in on an earlier stream (none for a new session):
 * they do not come again, and link_received() counts on from them.  Copied. */
void link_start(struct link *l, const struct seqset *received);

void link_on_data(struct link *l, struct slice bytes);
void link_on_drained(struct link *l);
/* The peer's half ended: ERR_PROTOCOL inside an envelope. */
bool link_on_end(struct link *l, struct err *e);

/* Queue m, numbered by m->sequence; takes a reference of its own.  after is
 * the sequence of an earlier message that m must not overtake, or 0. */
void link_send(struct link *l, struct message *m, uint64_t after);

/* A hello, welcome or goodbye.  It overtakes large messages: say goodbye when
 * link_queued() is only what h2 has. */
void link_send_envelope(struct link *l, const envelope_t *envelope);

/* This message was delivered.  The highest sequence below which nothing is
 * missing is told to the other side: with the next message, or after 64
 * messages or 256 KiB, or within 100 ms. */
void link_received(struct link *l, uint64_t sequence);

/* Everything up to this sequence was delivered. */
uint64_t link_received_all(const struct link *l);

/* Bytes queued here and in the stream. */
size_t link_queued(const struct link *l);

/* Stop and restart handing up messages and envelopes, never from inside these
 * calls.  While stopped the window stays shut, so the other side stops too;
 * what it had sent by then is kept here, and its acknowledgements are heard. */
void link_pause(struct link *l);
void link_resume(struct link *l);

/* l may be NULL. */
void link_free(struct link *l);

#endif
