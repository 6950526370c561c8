/*
 * outbox: the messages to one client that it has not acknowledged yet.
 *
 * Numbers them from 1 and holds a reference to each.  Numbers have no gaps:
 * what is not to be sent must not be added.  Owned by a session.  A zeroed
 * struct is empty.
 */
#ifndef SERVER_MCP_OUTBOX_H
#define SERVER_MCP_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "proto/message.h"

struct outbox_item {
	struct message *message;
	uint64_t request; /* of the client, that this answers; or 0 */
};

struct outbox {
	struct outbox_item *items; /* a ring */
	size_t cap;
	size_t first;
	size_t count;
	size_t bytes;  /* of the messages, and of keeping them */
	uint64_t last; /* the last number given */
};

/* What a message of len bytes counts for. */
size_t outbox_cost(size_t len);

/* Number *m, the next one, and take it: *m is NULL afterwards. */
void outbox_add(struct outbox *o, struct message **m, uint64_t request);

/* The i-th of what is kept, oldest first. */
const struct outbox_item *outbox_at(const struct outbox *o, size_t i);

/* Drop everything up to this number. */
void outbox_ack(struct outbox *o, uint64_t received);

/* Drop all; *o is zeroed. */
void outbox_finish(struct outbox *o);

#endif
