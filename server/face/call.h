/*
 * call: one gRPC call on the server's side.
 *
 * Checks the request's headers, finds the method, brings messages up and down
 * as its kind wants them (service.h), keeps the deadline, and sends the
 * response and its status.  Owned by its HTTP/2 stream: it lives until that is
 * closed.
 *
 * A handler must return a fate, and only the functions below make one: a call
 * cannot be forgotten.  Once it is settled (replied, ended, failed), or its
 * .closed has come, whoever worked on it must not touch it again.  It may be
 * settled from inside any of its events.
 *
 *   READING --one request-------> WORKING --call_stream()--> STREAMING
 *   READING --messages come up---------------------------> STREAMING
 *   READING, WORKING, STREAMING --settled----------------> SETTLED
 *   any     --reset, connection lost---------------------> CLOSED
 *
 * What a call may hold is bounded: of what comes in, one message of at most
 * the service's limit and one window; of what goes out, CALL_QUEUE_BYTES and
 * one message.
 */
#ifndef SERVER_FACE_CALL_H
#define SERVER_FACE_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/protobuf.h"
#include "proto/slice.h"

struct call;
struct ev_loop;
struct fate;
struct h2_headers;
struct h2_stream;
struct metadata;
struct services;

/* call_send() takes no more on top of that many queued bytes. */
enum { CALL_QUEUE_BYTES = 1024 * 1024 };

/* What the worker of a call hears, from the loop; nothing once it is settled.
 * Those that its kind has no use for may be NULL. */
struct call_events {
	/* Client streams: one request, decompressed, and borrowed until this
	 * returns.  Its share of the stream's window opens then, unless the
	 * call was paused: that is the back-pressure. */
	void (*message)(void *owner, struct slice message);
	/* Raw streams: bytes; they count against the window until
	 * h2_consume(). */
	void (*data)(void *owner, struct slice bytes);
	/* Client and raw streams: the client sends nothing more. */
	void (*end)(void *owner);
	/* What is queued for the client fell below the low mark again after
	 * call_full() was true.  May be NULL. */
	void (*drained)(void *owner);
	/* Cancelled, expired, broken or lost: the work is not wanted any more,
	 * and the call is gone. */
	void (*closed)(void *owner);
};

/* When what is sent is compressed; never for a client that does not say that
 * it takes that. */
enum call_compression {
	/* Over TCP, and where it pays: a message of more than a KiB that gets
	 * smaller by it. */
	CALL_COMPRESS_WHERE_IT_PAYS,
	CALL_COMPRESS_ALWAYS,
	CALL_COMPRESS_NEVER,
};

/* A request's headers have come on s: check them, and listen to it.  local: no
 * network lies between, compression cannot pay. */
void call_open(struct ev_loop *loop, struct services *services,
	       struct h2_stream *s, const struct h2_headers *headers,
	       bool local);

/* --- what a handler returns ----------------------------------------------- */

/* Unary, once .end has come or before it also client streams: settled with
 * this one response. */
struct fate *call_reply(struct call *c, const ProtobufCMessage *m);

/* Streams that the server sends, and raw: settled with OK, behind all that is
 * queued. */
struct fate *call_end(struct call *c);

/* Settled with the status of why->reason, which is logged here; behind all
 * that is queued.  grpc-status-details-bin tells programs the reason. */
struct fate *call_fail(struct call *c, const struct err *why);

/* The same, for a failure of one source; source may be NULL. */
struct fate *call_fail_source(struct call *c, const char *source,
			      const struct err *why);

/* Settled with a status that is no reason of ours; text may be NULL. */
struct fate *call_status(struct call *c, enum grpc_code code, const char *text);

/* Unary: it will be settled later, unless .closed comes first. */
struct fate *call_later(struct call *c, const struct call_events *events,
			void *owner);

/* Any stream: the response headers leave now, its events begin. */
struct fate *call_stream(struct call *c, const struct call_events *events,
			 void *owner);

/* --- messages --- */

/* Streams that the server sends: queue one message.  ERR_OVERLOADED when the
 * client left CALL_QUEUE_BYTES unread: it was not queued, and what is left is
 * to fail the call, or to send less. */
bool call_send(struct call *c, const ProtobufCMessage *m, struct err *e)
	__attribute__((warn_unused_result));

/* Is so much queued that .drained is still to come?  Who honours it never sees
 * call_send() refuse. */
bool call_full(const struct call *c);

/* Client streams: bring up no more messages (nor the end) until
 * call_resume(): the client sends until its window is used up, and then
 * waits.  What came meanwhile comes up from the loop, not from inside
 * call_resume().  Pausing twice is pausing once. */
void call_pause(struct call *c);
void call_resume(struct call *c);

/* How the messages sent from now on are to be compressed.  Of a stream whose
 * response headers left without it, none can be. */
void call_compress(struct call *c, enum call_compression how);

/* Did the request at hand, the one or the one of .message, come compressed? */
bool call_compressed(const struct call *c);

/* --- what is said beside the messages --- */

/* The request's custom metadata, until the call is settled. */
const struct metadata *call_metadata(const struct call *c);

/* Add to the response's headers, before call_reply() or call_stream(); to its
 * trailers, before it is settled.  A name that ends in -bin takes bytes; at
 * most METADATA_SENT_MAX of each. */
void call_initial(struct call *c, const char *name, struct slice value);
void call_trailing(struct call *c, const char *name, struct slice value);

/* Milliseconds until its deadline, rounded up; -1 when it has none. */
int64_t call_time_left_ms(const struct call *c);

/* --- for who frames messages itself --- */

/* Its HTTP/2 stream. */
struct h2_stream *call_h2(const struct call *c);

#endif
