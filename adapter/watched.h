/*
 * watched: the resources that the client subscribed to.
 *
 * What is in force is told to every new daemon.  A subscription is in force
 * when a daemon has said so, and until the client ends it; one that is still
 * asked for is asked for again by its request.  Owned by the setup.  A zeroed
 * struct is empty.  No I/O.
 */
#ifndef ADAPTER_WATCHED_H
#define ADAPTER_WATCHED_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/envelope.h"
#include "proto/map.h"

struct err;

enum {
	/* As many as one session of a daemon may have. */
	WATCHED_MOST = ENVELOPE_SUBSCRIPTIONS_MAX,
	/* Of their URIs; more would not fit in a Hello. */
	WATCHED_BYTES = 256 * 1024,
};

struct watched {
	struct map by_uri;	   /* decoded -> struct watch_entry */
	size_t bytes;		   /* of URIs */
	ProtobufCBinaryData *list; /* what the last Hello points to */
};

/* The request of this raw id subscribes to a (decoded) URI.  False with *e set
 * when that is one too many. */
bool watched_ask(struct watched *w, struct slice uri, struct slice id,
		 struct err *e);

/* It was granted, or will not be. */
void watched_settle(struct watched *w, struct slice id, bool granted);

/* The client wants to hear no more of this one. */
void watched_end(struct watched *w, struct slice uri);

/* Fill in those in force; valid as long as w does not change. */
void watched_hello(struct watched *w, envelope_hello_t *hello);

void watched_finish(struct watched *w);

#endif
