/*
 * setup: what the client set up, to be told to every new daemon.
 *
 * The client shakes hands once and never again, however many daemons come and
 * go.  Owned by the bridge.  A zeroed struct is a client that said nothing
 * yet.  No I/O.
 */
#ifndef ADAPTER_SETUP_H
#define ADAPTER_SETUP_H

#include <stdbool.h>

#include "adapter/watched.h"
#include "proto/buf.h"
#include "proto/envelope.h"

struct err;
struct jsonrpc;

/* Of initialize params; more would not fit in a Hello. */
enum { SETUP_PARAMS_BYTES = 512 * 1024 };

struct setup {
	struct buf params;    /* of initialize, raw; empty when too large */
	const char *revision; /* negotiated; NULL before initialize */
	bool initialized;     /* the client's notification arrived */
	const char *level;    /* of the last logging/setLevel, or NULL */
	struct watched watched;
};

/* The client sent initialize with these raw params. */
void setup_initialize(struct setup *s, struct slice params);

/* Any other message of the client: note what must survive.  False with *e set
 * when it must, and there is no room. */
bool setup_observe(struct setup *s, const struct jsonrpc *m, struct err *e);

/* A request of that raw method and id was answered, or is not wanted any
 * more; ok: with a result. */
void setup_settle(struct setup *s, struct slice method, struct slice id,
		  bool ok);

/* Fill in what a Hello says of it; valid as long as s does not change. */
void setup_hello(struct setup *s, envelope_hello_t *hello);

void setup_finish(struct setup *s);

#endif
