/*
 * queue: the operations of one turn of the loop.
 *
 * Operations run in the order in which they were queued.  Neighbours that
 * write share a transaction, each in a savepoint of its own, so that one that
 * is refused undoes nobody else's; a read first commits what was queued before
 * it, so that nothing is shown that may still fail.
 */
#ifndef SERVER_STORE_QUEUE_H
#define SERVER_STORE_QUEUE_H

#include "server/store/store.h"

struct op;
struct op_kind;

void queue_init(struct store *s);

/* Takes op, which came zeroed from mem_zalloc() but for op->why, from
 * mem_alloc(): one that has failed already is not run, and told so in its
 * turn. */
void queue_put(struct store *s, struct op *op, const struct op_kind *kind,
	       store_done_fn *done, void *owner);

/* Commit what is queued without a word to anybody, and stop. */
void queue_finish(struct store *s);

#endif
