/*
 * delivery: which of the daemon's messages are really written to stdout.
 *
 * An acknowledgement means: written to the client's stdout.  A message is seen
 * when it arrives and delivered when its last byte has left; in between the
 * connection may be lost and the daemon may send it again, so both are
 * remembered by number.  Numbers belong to a session; a new one starts at 1.
 * Owned by the bridge.  A zeroed struct is the start of a session.  No I/O.
 */
#ifndef ADAPTER_DELIVERY_H
#define ADAPTER_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/map.h"

/* A set of numbers: all up to one, and a few behind it that came early. */
struct delivery_run {
	uint64_t all;
	struct map early;
};

struct delivery {
	struct delivery_run seen;
	struct delivery_run written;
	struct buf waiting; /* of struct receipt, in the order of writing */
};

/* Note that this message arrived; false when it had arrived before. */
bool delivery_see(struct delivery *d, uint64_t sequence);

/* Its bytes end at this offset of all that is written to stdout. */
void delivery_wait(struct delivery *d, uint64_t sequence, uint64_t offset);

/* It needs no writing (any more). */
void delivery_done(struct delivery *d, uint64_t sequence);

bool delivery_is_done(const struct delivery *d, uint64_t sequence);

/* stdout has taken all bytes before offset: the next message that is done
 * by that, or 0 when there is none left. */
uint64_t delivery_next(struct delivery *d, uint64_t offset);

/* Every message up to this one is done. */
uint64_t delivery_all(const struct delivery *d);

/* A new session, or the end. */
void delivery_reset(struct delivery *d);

#endif
