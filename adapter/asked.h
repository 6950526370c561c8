/*
 * asked: what the daemon asked of the host and the host has not answered.
 *
 * A question belongs to the session that it came in.  When that is gone, the
 * host is told that its answer is not wanted any more, and an answer that
 * comes nevertheless is not said to another daemon.  Owned by the bridge.  A
 * zeroed struct is empty.  No I/O.
 */
#ifndef ADAPTER_ASKED_H
#define ADAPTER_ASKED_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

struct buf;
struct jsonrpc;

enum {
	ASKED_MOST = 64, /* as many as a daemon asks at once */
	ASKED_ID_BYTES = 64,
};

struct asked {
	/* Raw ids, the oldest first. */
	struct {
		char id[ASKED_ID_BYTES];
		size_t len;
	} list[ASKED_MOST];
	size_t count;
};

/* A message of the daemon: a question, one that is taken back, or neither. */
void asked_observe(struct asked *a, const struct jsonrpc *m);

/* The host answers that; false when nobody waits for the answer. */
bool asked_take(struct asked *a, struct slice id);

/* Append what tells the host that its answer to the oldest one is not wanted,
 * and forget that; false when there is none. */
bool asked_withdraw(struct asked *a, struct buf *to);

#endif
