/*
 * call: one gRPC call on the server's side.
 *
 * Checks the request's headers, finds the method, assembles the request of a
 * unary call, keeps the deadline, and sends the response and its status.
 * Owned by its HTTP/2 stream: it lives until that is closed.
 *
 * A handler must return a fate, and only the functions below make one: a call
 * cannot be forgotten.  Once it is settled (replied, ended, failed), or its
 * .closed has come, whoever worked on it must not touch it again.
 *
 *   READING --whole request--> WORKING --settled--> SETTLED --> CLOSED
 *   READING --bidi---------> STREAMING --settled--> SETTLED
 *   READING --refused-------------------> SETTLED
 *   any     --reset, connection lost-------------------------> CLOSED
 */
#ifndef SERVER_FACE_CALL_H
#define SERVER_FACE_CALL_H

#include "proto/protobuf.h"
#include "proto/slice.h"

struct call;
struct err;
struct ev_loop;
struct fate;
struct h2_headers;
struct h2_stream;
struct services;

/* What the worker of a call hears, from the loop; nothing once it is settled.
 * The last of them is for every kind, the others for bidi only. */
struct call_events {
	/* Bytes of the stream; they count against its window until
	 * h2_consume(). */
	void (*data)(void *owner, struct slice bytes);
	/* The client sends nothing more. */
	void (*end)(void *owner);
	/* What is queued for the client fell below the low mark again. */
	void (*drained)(void *owner);
	/* Cancelled, expired or lost: the work is not wanted any more, and the
	 * call is gone. */
	void (*closed)(void *owner);
};

/* A request's headers have come on s: check them, and listen to it. */
void call_open(struct ev_loop *loop, struct services *services,
	       struct h2_stream *s, const struct h2_headers *headers);

/* Unary: settled with this response. */
struct fate *call_reply(struct call *c, const ProtobufCMessage *m);

/* Settled with the status of why->reason, which is logged here. */
struct fate *call_fail(struct call *c, const struct err *why);

/* Unary: it will be settled later, unless .closed comes first. */
struct fate *call_later(struct call *c, const struct call_events *events,
			void *owner);

/* Bidi: the response headers leave now, and the stream is the owner's. */
struct fate *call_stream(struct call *c, const struct call_events *events,
			 void *owner);

/* Bidi: settled with OK, behind all that is queued. */
struct fate *call_end(struct call *c);

/* Its HTTP/2 stream, for whoever speaks over it. */
struct h2_stream *call_h2(const struct call *c);

#endif
