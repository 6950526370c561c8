/*
 * message: one JSON-RPC message on its way, immutable and shared.
 *
 * The one thing here with a reference count: whoever keeps a message until it
 * is acknowledged and whoever sends it in chunks hold the same bytes.
 */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/slice.h"

struct message {
	unsigned refs;
	uint64_t sequence; /* set by whoever numbers it, before sending */
	bool effect;	   /* must not be run twice */
	size_t len;
	const char *json;
	struct buf large; /* where a large one lies */
	char small[];	  /* any other */
};

/* A copy of json, with one reference and no number yet. */
struct message *message_new(struct slice json, bool effect);

/* The same of what json holds, which is empty afterwards; a large one is taken
 * over where it lies. */
struct message *message_take(struct buf *json, bool effect);

struct message *message_ref(struct message *m);

/* m may be NULL. */
void message_unref(struct message *m);

static inline struct slice message_text(const struct message *m)
{
	return (struct slice){m->json, m->len};
}

#endif
