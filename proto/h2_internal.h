/*
 * h2_internal: what the files of h2 share; nobody else includes it.
 *
 *   h2.c         the connection: its pump, its turns, its end
 *   h2_session.c nghttp2's callbacks, header blocks
 *   h2_stream.c  one stream: its queue, its window, its end
 *   h2_guard.c   what a peer may not do: rates and timers
 *   h2_life.c    how long a connection is kept, and how it is left
 *   h2_idle.c    what comes in, but for what nghttp2 must not see
 *   h2_check.c   is a header block well-formed?  (where nghttp2 does not look)
 */
#ifndef PROTO_H2_INTERNAL_H
#define PROTO_H2_INTERNAL_H

#include <ev.h>
#include <nghttp2/nghttp2.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/h2.h"
#include "proto/list.h"

/* Progress of a header block through the rules of RFC 9113 section 8. */
struct h2_check {
	unsigned seen; /* pseudo-header fields, one bit each */
	bool trailers;
	bool regular; /* a regular field came; no pseudo-header may follow */
	bool malformed;
	bool connect;		/* :method is CONNECT */
	bool options;		/* :method is OPTIONS */
	bool star;		/* :path is * */
	int64_t content_length; /* -1: none */
};

void h2_check_begin(struct h2_check *c, bool trailers);
void h2_check_header(struct h2_check *c, struct slice name, struct slice value);
/* The block is complete: is it a request, or are they trailers? */
bool h2_check_end(const struct h2_check *c, bool end_stream);

/* The header block that is arriving; blocks never interleave. */
struct h2_block {
	struct h2_header *list; /* into what held keeps alive */
	nghttp2_rcbuf **held;	/* two for each header */
	size_t count, cap;
	size_t bytes;
	bool too_large;
	bool open; /* its last frame is still to come */
	int32_t stream_id;
	struct h2_check check;
};

/* A token bucket, filled by the clock of the loop. */
struct h2_rate {
	double left;
	ev_tstamp at;
};

struct h2_guard {
	struct h2_rate idle, resets, settings, pings, faults;
	ev_tstamp pinged_at; /* 0: or a response was sent since */
	unsigned strikes;
	ev_timer handshake; /* until their SETTINGS came and ours were acked */
	ev_timer block;	    /* while a header block is not complete */
	ev_timer stall;	    /* while streams have to wait for the peer */
	bool settings_came, settings_acked;
	bool block_began; /* since the last look */
	/* Where in a frame the bytes received so far end. */
	size_t skip_bytes;
	unsigned head_bytes;
	size_t length;
	/* Frames in the bytes at hand, and those that nghttp2 told of. */
	unsigned heads, begun;
};

struct h2_life {
	ev_timer timer; /* when a rule is to be looked at, if there are any */
	ev_timer drain; /* until the last stream's number is known */
	ev_tstamp born_at;
	ev_tstamp heard_at;  /* bytes of any kind came */
	ev_tstamp asked_at;  /* by a PING, for such */
	ev_tstamp rested_at; /* the last stream ended */
	ev_tstamp age_s, old_at;
	int32_t last_id; /* of the peer's streams, once the drain knows it */
};

/* Where in the stream of frames the bytes received so far end. */
struct h2_idle {
	uint32_t newest_id;  /* of the streams that HEADERS opened */
	uint32_t skip_bytes; /* until the next head */
	unsigned char head[9];
	unsigned held; /* bytes of it */
	bool dropping; /* the frame is left out */
};

enum h2_state {
	H2_OPEN,
	H2_ENDING,    /* the session is over, its last bytes are leaving */
	H2_LINGERING, /* no session: the peer shall hear why */
	H2_DOWN,      /* no session, no pump */
};

/* Owned by a peer of the server, or by a client.  Owns its streams. */
struct h2 {
	struct ev_loop *loop;
	const struct h2_events *events;
	void *owner;
	struct h2_limits limits;
	nghttp2_session *session;
	struct pump *pump;
	enum h2_state state;
	bool server;
	bool draining;	  /* we said so */
	bool peer_drains; /* GOAWAY came */
	bool doomed;	  /* ends at the edge, with doom as its GOAWAY */
	bool said_goaway; /* with an error */
	bool freed;
	uint32_t doom;
	const char *doom_why; /* a literal */
	unsigned busy;	      /* calls on the stack that may end in an event */
	struct err why;
	struct list streams;
	size_t stream_count;
	struct list drained;   /* streams to be told */
	size_t waiting;	       /* streams that have something queued, */
	size_t waiting_bytes;  /* and how much all of them */
	size_t expecting;      /* streams of which more must come */
	uint32_t window_bytes; /* of the connection */
	uint32_t used_bytes;   /* since the window last grew */
	struct h2_block block;
	struct h2_guard guard;
	struct h2_idle idle;
	struct h2_life life;
	ev_timer linger;
	size_t lingered_bytes;
};

/* Headers kept until they can be sent. */
struct h2_saved;

/* Owned by its connection. */
struct h2_stream {
	struct h2 *h2;
	int32_t id;
	struct list link;
	struct list drained_link;
	const struct h2_stream_events *events; /* NULL until listened to */
	void *owner;
	struct buf queue;
	size_t waiting_bytes; /* of it, as the connection counts them */
	ev_tstamp moved_at;   /* it was empty, or some of it left */
	ev_tstamp expects_at; /* more, since then; 0: not */
	struct h2_saved *trailers;
	uint32_t window_bytes;
	uint32_t used_bytes; /* since the window last grew */
	size_t unconsumed_bytes;
	uint64_t body_bytes;	/* received */
	int64_t content_length; /* what body_bytes must be; -1: anything */
	bool deferred;		/* nghttp2 waits for h2_send() */
	bool responded;
	bool ending;	/* END_STREAM follows the queue */
	bool finishing; /* trailers follow the queue */
	bool sent_all;	/* what was to follow the queue is on its way */
	bool resetting; /* nothing comes up but .closed */
	bool refused;	/* the request never left */
	bool above_high;
};

/* --- h2.c --- */

/* Around everything that may call an event.  At the last leave, what the
 * events asked for is done; h may be gone afterwards. */
void h2_enter(struct h2 *h);
void h2_leave(struct h2 *h);

/* Have the turn of the pump look at the session. */
void h2_wake(struct h2 *h);

/* End the connection at the edge, with this GOAWAY, of which why, a literal, is
 * the debug data; the first reason is kept. */
void h2_doom(struct h2 *h, uint32_t error, enum reason reason, const char *why);

/* --- h2_session.c --- */

nghttp2_session *h2_session_new(struct h2 *h);
void h2_block_release(struct h2_block *b);

/* --- h2_idle.c --- */

void h2_idle_init(struct h2 *h);
/* Give nghttp2 what came.  Negative is its error. */
ssize_t h2_receive(struct h2 *h, struct slice bytes);

/* --- h2_stream.c --- */

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id);
void h2_stream_headers(struct h2_stream *s, const struct h2_headers *headers);
void h2_stream_data(struct h2_stream *s, struct slice bytes);
void h2_stream_end(struct h2_stream *s);
void h2_stream_drained(struct h2_stream *s);
/* Tell .closed and free. */
void h2_stream_close(struct h2_stream *s, uint32_t error);
/* End those whose queue has not moved since then, or of which nothing came;
 * returns when the next may be due, or 0 when none has to wait. */
ev_tstamp h2_streams_stalled(struct h2 *h, ev_tstamp since);

/* --- h2_guard.c: each may end in h2_doom() --- */

void h2_guard_init(struct h2 *h);
void h2_guard_frame(struct h2 *h, const nghttp2_frame_hd *hd);
void h2_guard_idle(struct h2 *h);
/* A frame that was counted as idle was not. */
void h2_guard_progress(struct h2 *h);
void h2_guard_sent(struct h2 *h, const nghttp2_frame *frame);
void h2_guard_settings(struct h2 *h, bool ack);
/* After nghttp2 has had these bytes. */
void h2_guard_received(struct h2 *h, struct slice bytes);
void h2_guard_block(struct h2 *h);
/* After each turn: does a stream have to wait? */
void h2_guard_stall(struct h2 *h);
void h2_guard_stop(struct h2 *h);

/* --- h2_life.c --- */

void h2_life_init(struct h2 *h);
/* Send a notice of shutdown and a PING; what comes before the PING's answer
 * was sent before the peer knew. */
void h2_life_drain(struct h2 *h);
void h2_life_answered(struct h2 *h, const uint8_t payload[8]);
void h2_life_stop(struct h2 *h);

#endif
