/*
 * parts: messages that are being put together out of chunks.
 *
 * Room is made for what has come, never for what was announced: at most 16
 * messages at a time, and twice one message's limit for all of them.  No I/O.
 */
#ifndef PROTO_PARTS_H
#define PROTO_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/list.h"

enum { PARTS_MESSAGES = 16 };

struct parts {
	struct list list;
	size_t count;	    /* messages */
	size_t bytes;	    /* of all of them that have come */
	size_t limit_bytes; /* of all of them */
};

void parts_init(struct parts *p, size_t message_limit_bytes);

/* Have chunks of this message come, and more are to come? */
bool parts_has(const struct parts *p, uint64_t sequence);

/* Add a chunk.  When it completes its message, *whole, which must be empty,
 * gets it.  ERR_PROTOCOL when it does not continue what came before it,
 * ERR_TOO_LARGE past a bound. */
bool parts_add(struct parts *p, const Executor__Mcp__V1__Chunk *c,
	       struct buf *whole, struct err *e);

void parts_finish(struct parts *p);

#endif
