/*
 * local: what the adapter says to the host on its own, as texts.
 *
 * Silence costs some clients three seconds and an exit costs them the server,
 * so what needs no daemon is answered from what is compiled in, and what a
 * daemon cannot answer now is answered with the reason.  No I/O, no state.
 */
#ifndef ADAPTER_LOCAL_H
#define ADAPTER_LOCAL_H

#include <stdbool.h>

#include "proto/envelope.h"
#include "proto/err.h"
#include "proto/slice.h"

struct buf;
struct jsonrpc;
struct ledger_entry;

/* Append the answer to a request that must not wait for a daemon.  False when
 * it is the daemon's to answer. */
bool local_answer(struct buf *to, const struct jsonrpc *request, bool attached,
		  bool in_batch);

/* Append the answer to a request that was accepted and that no daemon will
 * answer; known is what one knows of it, or NULL. */
void local_failure(struct buf *to, const struct ledger_entry *entry,
		   const struct err *why, const envelope_known_t *known);

/* Append the answer to a line that was too long, of which start is there. */
void local_overlong(struct buf *to, struct slice start);

/* May this text be split as a batch in a session of that revision (NULL for
 * none yet)? */
bool local_check_batch(struct slice text, const char *revision, struct err *e);

/* A daemon that starts, leaves or hangs is worth the wait; what else keeps us
 * away is for a person to mend. */
bool local_waiting_helps(enum reason trouble);

#endif
