/*
 * The inside of the bridge, for bridge*.c alone.  What everybody else needs
 * stands in bridge.h.
 *
 * bridge.c has what the host says, and time; bridge_daemon.c what the daemon
 * does.
 */
#ifndef ADAPTER_BRIDGE_INTERNAL_H
#define ADAPTER_BRIDGE_INTERNAL_H

#include "adapter/asked.h"
#include "adapter/bridge.h"
#include "adapter/delivery.h"
#include "adapter/ledger.h"
#include "adapter/setup.h"
#include "proto/err.h"

struct batch;

/* Owned by main. */
struct bridge {
	const struct bridge_sides *sides;
	void *owner;
	struct ledger ledger;
	struct delivery delivery;
	struct setup setup;
	struct asked asked;
	char *cwd;

	unsigned char instance[ENVELOPE_ID_BYTES]; /* ours, for life */
	unsigned char session[ENVELOPE_ID_BYTES];
	bool has_session;
	bool greeted; /* a Hello was said on this stream */
	bool attached;
	uint64_t *hello_pending; /* what the last Hello points to */
	struct err trouble;	 /* why there is no daemon */

	bool host_held;
	bool daemon_paused;
};

/* As one line; the offset behind it, see stdio_events. */
uint64_t bridge_write_line(struct bridge *b, struct slice text);
/* The same of a message, whose text is gone then. */
uint64_t bridge_write_message(struct bridge *b, const struct jsonrpc *m);

/* One of its requests has its answer, or will get none. */
void bridge_settle_batch(struct bridge *b, struct batch *batch);

/* Answer with an error, in the batch if it is not NULL. */
void bridge_refuse(struct bridge *b, struct batch *batch, struct slice id,
		   const struct err *why);

#endif
