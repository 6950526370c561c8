/*
 * h2: one HTTP/2 connection, in either role, and its streams.
 *
 * The only door to nghttp2.  Owns its pump (and so the socket).  Knows header
 * lists, bytes and flow control; of gRPC only what HTTP/2 must do for it:
 * trailers.  All output of one turn of the loop leaves in one write.
 *
 * Nothing here is freed from inside an event: a stream lives until .closed
 * has returned, a connection until h2_free(), which may be called from
 * inside its events and takes effect at the end of them.
 *
 *   stream:  OPEN --remote end--> HALF --own end--> .closed
 *            any  --reset, connection lost-->       .closed
 */
#ifndef PROTO_H2_H
#define PROTO_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct buf;
struct err;
struct ev_loop;
struct h2;
struct h2_stream;

/* Error codes of RFC 9113 section 7 that we send. */
enum h2_error {
	H2_NO_ERROR = 0x0,
	H2_PROTOCOL_ERROR = 0x1,
	H2_INTERNAL_ERROR = 0x2,
	H2_REFUSED_STREAM = 0x7,
	H2_CANCEL = 0x8,
	H2_ENHANCE_YOUR_CALM = 0xb,
	/* Never on the wire: the connection ended under the stream. */
	H2_LOST = 0x7fffffff,
};

struct h2_header {
	struct slice name; /* lower case */
	struct slice value;
};

/* The headers of one block, borrowed until the event returns. */
struct h2_headers {
	const struct h2_header *list;
	size_t count;
	/* The block was over limit_header_bytes; list is cut short. */
	bool too_large;
};

/* The value of the first header of that name, or {NULL, 0}. */
struct slice h2_header(const struct h2_headers *h, const char *name);

/* What a stream tells whoever uses it. */
struct h2_stream_events {
	/* A header block.  Client: the response headers, then the trailers.
	 * Server: request trailers. */
	void (*headers)(void *owner, const struct h2_headers *h);
	/* Bytes of DATA.  They count against the window until h2_consume(). */
	void (*data)(void *owner, struct slice bytes);
	/* The peer sends nothing more. */
	void (*end)(void *owner);
	/* The queue for this stream fell below its low mark after h2_queued()
	 * had passed the high one. */
	void (*drained)(void *owner);
	/* What was expected (h2_expect()) did not come in time.  NULL: the
	 * stream is reset. */
	void (*late)(void *owner);
	/* The stream is gone, by any cause; h2_error as on the wire, or
	 * H2_LOST.  A request that never left was H2_REFUSED_STREAM, as if the
	 * peer had said so.  s must not be used once this has returned.
	 * Always called, once. */
	void (*closed)(void *owner, uint32_t h2_error);
};

struct h2_events {
	/* Server: a request's headers are complete.  The owner must call
	 * h2_stream_listen() or h2_reset(). */
	void (*request)(void *owner, struct h2_stream *s,
			const struct h2_headers *h);
	/* The peer takes no new streams (GOAWAY).  May be NULL. */
	void (*goaway)(void *owner);
	/* The connection is over; every stream has had its .closed.  The owner
	 * calls h2_free().  why->reason: ERR_NONE after a drain by either
	 * side, and when a client left that waited for nothing; ERR_LOST;
	 * ERR_PROTOCOL or ERR_OVERLOADED when a rule or a limit was broken. */
	void (*down)(void *owner, const struct err *why);
};

/* Bounds on what a peer can make us hold or do, one set for each listener.
 * h2_limits_local() has good values for a peer whose uid is ours,
 * h2_limits_tcp() stricter ones for whoever can connect to a port. */
struct h2_limits {
	uint32_t streams;	    /* SETTINGS_MAX_CONCURRENT_STREAMS */
	uint32_t header_list_bytes; /* name + value + 32 each */
	uint32_t header_count;
	uint32_t window_start_bytes;  /* of a stream, and of the connection */
	uint32_t window_stream_bytes; /* what it may grow to */
	uint32_t window_connection_bytes;
	uint32_t resets_burst, resets_per_s; /* received */
	uint32_t faults; /* streams we had to reset; as many more per minute */
	uint32_t idle_frames_per_s; /* frames without progress */
	uint32_t settings_per_s;
	/* Besides one for each frame of a response: some clients measure with
	 * pings how much is on its way to them. */
	uint32_t pings_per_s;
	/* A ping that comes sooner after the one before, while nothing was
	 * sent, is a strike; more strikes than that end the connection, with
	 * the word for which gRPC's clients ping less often.  0: any. */
	uint32_t ping_interval_ms, ping_strikes;
	/* Until SETTINGS arrived and ours were acked; also for a header block
	 * to be complete. */
	uint32_t preface_ms;
	/* Queued output without progress, of the connection (lost) or of one
	 * stream of a server for which the client opens no window (reset with
	 * ENHANCE_YOUR_CALM); and a message without its rest (.late). */
	uint32_t stall_ms;
	size_t queue_high_bytes; /* of one stream; see .drained */
	size_t queue_low_bytes;
	/* Queued in all streams: past it a stream is reset that wants to queue
	 * more (ENHANCE_YOUR_CALM), unless no other one waits. */
	size_t queue_all_bytes;
	/* Ask with a PING after so long a silence, and give up when nothing
	 * comes for so long again.  0: never. */
	uint32_t keepalive_ms, keepalive_timeout_ms;
	uint32_t idle_ms; /* drain when there was no stream so long; 0: never */
	/* Drain after a time that is a tenth more or less, and end what is
	 * still open after the grace.  0: never. */
	uint32_t age_ms, age_grace_ms;
	/* Any :authority: unix listeners get paths from some clients. */
	bool any_authority;
};

struct h2_limits h2_limits_local(void);
struct h2_limits h2_limits_tcp(void);

/* Take the connected socket fd.  Sends the preface and SETTINGS with the
 * first turn of the loop. */
struct h2 *h2_new_server(struct ev_loop *loop, int fd,
			 const struct h2_limits *limits,
			 const struct h2_events *events, void *owner);
struct h2 *h2_new_client(struct ev_loop *loop, int fd,
			 const struct h2_limits *limits,
			 const struct h2_events *events, void *owner);

/* Server: who hears about this stream from now on. */
void h2_stream_listen(struct h2_stream *s,
		      const struct h2_stream_events *events, void *owner);

/* Server: response headers; not the end of the stream.  Once, and before the
 * first byte of output. */
void h2_respond(struct h2_stream *s, const struct h2_header *headers,
		size_t count);

/* Client: a new request; its body follows through h2_output().  NULL with *e
 * set when the connection takes no more streams. */
struct h2_stream *h2_request(struct h2 *h, const struct h2_header *headers,
			     size_t count,
			     const struct h2_stream_events *events, void *owner,
			     struct err *e);

/* The stream's queue of DATA: append to it, then call h2_send(). */
struct buf *h2_output(struct h2_stream *s);

/* There is more in the queue; it leaves as windows allow, at the end of this
 * turn.  What comes too late, after the end of the stream has left, is
 * dropped. */
void h2_send(struct h2_stream *s);

/* Bytes in the queue and not yet framed. */
size_t h2_queued(const struct h2_stream *s);

/* Has the queue passed its high mark, so that .drained is still to come? */
bool h2_full(const struct h2_stream *s);

/* Server: the peer has begun something, and more of it must come; or no more.
 * Tell it anew with each piece.  Costs nothing when the rest is there in the
 * same turn. */
void h2_expect(struct h2_stream *s, bool more);

/* Client: the request is complete once the queue is empty. */
void h2_end(struct h2_stream *s);

/* Server: finish with these trailers once the queue is empty; when nothing
 * was responded yet, they are the whole response (Trailers-Only).  When the
 * peer has not half-closed, a RST_STREAM(NO_ERROR) follows them, as RFC 9113
 * section 8.1 allows, so that it stops. */
void h2_finish(struct h2_stream *s, const struct h2_header *trailers,
	       size_t count);

/* The same, but what is queued is dropped, and no window is waited for: for a
 * response that nobody wants any more. */
void h2_finish_now(struct h2_stream *s, const struct h2_header *trailers,
		   size_t count);

/* Drop what is queued and reset.  .closed follows. */
void h2_reset(struct h2_stream *s, enum h2_error error);

/* len bytes that .data brought were used; the window opens again. */
void h2_consume(struct h2_stream *s, size_t len);

/* The connection of a stream. */
struct h2 *h2_of(const struct h2_stream *s);

/* Streams open now. */
size_t h2_streams(const struct h2 *h);

/* Bytes queued for the socket and in all streams. */
size_t h2_queued_all(const struct h2 *h);

/* Take no new streams (GOAWAY), let the open ones finish.  .down follows when
 * the last is done. */
void h2_drain(struct h2 *h);

/* Write what is queued now, as far as windows and the kernel take it; for a
 * program about to exit.  True when all of it is out.  Streams that end by it
 * get .closed; nothing else comes up. */
bool h2_flush(struct h2 *h);

/* Close at once; streams get .closed unless called from inside .down.  h may
 * be NULL. */
void h2_free(struct h2 *h);

#endif
