/*
 * envelope: what travels on a Session stream, between C and bytes.
 *
 * Short names for the generated types of executor/mcp/v1/mcp.proto, and
 * decoding with every bound checked.  No I/O.
 */
#ifndef PROTO_ENVELOPE_H
#define PROTO_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/mcp/v1/mcp.pb-c.h"
#include "proto/protobuf.h"

struct err;

/* The generated names are as long as the package; these are the same types. */
typedef Executor__Mcp__V1__Envelope envelope_t;
typedef Executor__Mcp__V1__Hello envelope_hello_t;
typedef Executor__Mcp__V1__Welcome envelope_welcome_t;
typedef Executor__Mcp__V1__Goodbye envelope_goodbye_t;
typedef Executor__Mcp__V1__Untaken envelope_untaken_t;
typedef Executor__Mcp__V1__Verdict envelope_verdict_t;
typedef Executor__Mcp__V1__Known envelope_known_t;

enum {
	ENVELOPE_ID_BYTES = 16, /* of an instance or a session */
	/* A message larger than this travels as chunks of this size. */
	ENVELOPE_CHUNK_BYTES = 256 * 1024,
	/* Sequences in one Hello, Welcome or Goodbye. */
	ENVELOPE_PENDING_MAX = 65536,
	ENVELOPE_SUBSCRIPTIONS_MAX = 1024, /* in one Hello */
	/* The largest envelope there is: a chunk, or a Hello with its
	 * initialize params, and their framing. */
	ENVELOPE_LIMIT_BYTES = 1024 * 1024,
};

/* A JSON-RPC message may be this large, by default. */
#define ENVELOPE_MESSAGE_BYTES ((size_t)64 * 1024 * 1024)

/* Where a message, a chunk or an acknowledgement is decoded to. */
struct envelope_room {
	envelope_t envelope;
	union {
		Executor__Mcp__V1__Message message;
		Executor__Mcp__V1__Chunk chunk;
		Executor__Mcp__V1__Ack ack;
	};
};

/* Decode one envelope.  Most are messages, chunks and acknowledgements, written
 * as ours are: those are read into *room, and their payload lies where it lay
 * in bytes; everything else goes through protobuf-c into the arena, or all of
 * it when room is NULL.  The fuzzer holds one against the other.  Checks that
 * there is a body, that ids are 16 bytes (or empty: the session of a new
 * conversation, and the daemon instance of who read no manifest), that
 * sequences are not 0, that a chunk is not empty and lies inside its total.
 * NULL with ERR_PROTOCOL, or ERR_TOO_LARGE, otherwise.  The limits of a welcome
 * may be absent. */
envelope_t *envelope_decode(struct arena *a, struct envelope_room *room,
			    struct slice bytes, struct err *e);

/* Append one envelope behind its gRPC prefix. */
void envelope_encode(struct buf *to, const envelope_t *envelope);

/* The same for a message, without a protobuf-c struct in between; tested to
 * agree with it byte for byte. */
void envelope_encode_message(struct buf *to, uint64_t sequence, bool effect,
			     uint64_t received, struct slice json);
void envelope_encode_chunk(struct buf *to, uint64_t sequence, bool effect,
			   uint64_t total, uint64_t offset, struct slice data);
void envelope_encode_ack(struct buf *to, uint64_t received);
/* untaken may be NULL. */
void envelope_encode_goodbye(struct buf *to,
			     Executor__Mcp__V1__Goodbye__Reason reason,
			     const char *text,
			     const envelope_untaken_t *untaken);

#endif
