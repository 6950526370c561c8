/*
 * transaction: all or nothing, and nothing at all once we were replaced.
 *
 * The kernel's lock on the database keeps a second owner out while we live,
 * and owner.lock kept it from trying.  The fence asks once more, before every
 * transaction, whether what we opened is still what others would open, and
 * whether the epoch in it is ours.
 */
#ifndef SERVER_STORE_TRANSACTION_H
#define SERVER_STORE_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

/* Begin.  durable: its commit waits for the disk.  ERR_MISMATCH when the
 * owner was replaced; nothing is begun on any error. */
bool transaction_begin(struct store *s, bool durable, struct err *e);

/* Either of them ends it; a failed commit has changed nothing. */
bool transaction_commit(struct store *s, struct err *e);
void transaction_abort(struct store *s);

/* The epoch that is in the database. */
bool transaction_epoch(struct store *s, uint64_t *epoch, struct err *e);

#endif
