/*
 * call_internal: what the files of a call share, and nobody else.
 *
 *   call.c           its states, its deadline, its beginning and its end
 *   call_message.c   messages both ways
 *   call_respond.c   response headers and trailers
 */
#ifndef SERVER_FACE_CALL_INTERNAL_H
#define SERVER_FACE_CALL_INTERNAL_H

#include <ev.h>

#include "proto/buf.h"
#include "proto/grpc.h"
#include "server/face/call.h"
#include "server/face/head.h"
#include "server/face/metadata.h"

struct method;
struct service;

enum call_state {
	CALL_READING,
	CALL_WORKING,
	CALL_STREAMING,
	CALL_SETTLED,
	CALL_CLOSED,
};

/* Owned by its h2_stream: freed when that is closed. */
struct call {
	struct ev_loop *loop;
	struct services *services;
	struct h2_stream *stream;
	const struct method *method; /* a row of service, or NULL */
	const struct service *service;
	enum call_state state;
	uint64_t number;
	bool responded;	 /* the response headers have left */
	bool expired;	 /* what is queued need not leave */
	bool local;	 /* no network lies between */
	bool takes_gzip; /* the client does */
	bool gzip;	 /* the response headers said so */
	bool compressed; /* the request at hand came so */
	enum call_compression compression;
	enum encoding encoding; /* of the requests */
	ev_timer deadline;
	struct metadata metadata, initial, trailing;

	/* What comes in; see call_message.c. */
	struct grpc_reader reader;
	struct buf request; /* the one of a unary call */
	unsigned requests;
	struct buf held; /* bytes that came while paused */
	bool paused;
	bool feeding; /* the reader is on the stack */
	bool ended;   /* END_STREAM came, and nobody was told */
	struct ev_watcher resume;

	const struct call_events *events; /* while somebody works on it */
	void *owner;
};

/* --- call.c --- */

/* Its kind: does one request come, and does the handler wait for it? */
bool call_takes_one(const struct call *c);

/* The client broke a rule, or took too long: whoever works on it hears that
 * it is closed, and then it is settled. */
void call_break(struct call *c, const struct err *why);

/* The one request is complete: the handler runs, and may settle the call. */
void call_work(struct call *c);

/* --- call_message.c --- */

void call_message_init(struct call *c);
/* DATA came, or END_STREAM.  They may settle the call. */
void call_message_data(struct call *c, struct slice bytes);
void call_message_end(struct call *c);
/* Nothing comes up any more. */
void call_message_release(struct call *c);

/* Is a message of that length to be compressed? */
bool call_may_compress(const struct call *c, size_t len);

/* Queue one message; the headers have left. */
void call_put(struct call *c, const ProtobufCMessage *m);

/* --- call_respond.c --- */

void call_respond(struct call *c, bool gzip);
/* The last headers of the stream: trailers, or all there is (then http is
 * their status).  text may be NULL; details are the bytes of a
 * google.rpc.Status, or none. */
void call_trail(struct call *c, const char *http, enum grpc_code code,
		const char *text, struct slice details);
/* Not gRPC at all: a plain HTTP response with a text for people. */
void call_respond_plain(struct call *c, const char *http, const char *text);

#endif
