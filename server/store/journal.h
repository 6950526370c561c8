/*
 * journal: which requests were accepted, and how they ended; a part of store.h.
 *
 * A row is one request that has an effect, by its key: the adapter's instance
 * and the sequence.  It is ACCEPTED before a source sees the request, DONE with
 * its result before the adapter does, and goes when the adapter has delivered
 * that.  What a daemon left ACCEPTED, the next one finds INDETERMINATE.
 *
 * Whoever has rows keeps their places: a row is found by nothing else.  One
 * that could not be forgotten is left behind, and two rows may then have one
 * key: the later one counts.
 *
 * Of every daemon that keeps a journal it is kept that it did: of a session
 * that one of these opened, a request without a row was never passed on.
 */
#ifndef SERVER_STORE_JOURNAL_H
#define SERVER_STORE_JOURNAL_H

#include "server/store/store.h"

struct message;

enum { STORED_KEY_BYTES = 16 }; /* of an instance, a daemon's or an adapter's */

/* As they stand on the disk. */
enum stored_call_state {
	STORED_ACCEPTED = 1,
	STORED_DONE = 2,
	STORED_INDETERMINATE = 3,
	STORED_ENDED = 4, /* done, but its result is not kept */
};

struct stored_call {
	unsigned char adapter[STORED_KEY_BYTES];
	uint64_t sequence;
	enum stored_call_state state;
	uint64_t hash;	     /* of the request */
	int64_t accepted_ms; /* since 1970 */
	struct slice name;   /* of what it calls, raw; empty: none */
	size_t result_bytes;
	int64_t place; /* over 0; 0: it has none yet */
};

struct stored_daemon {
	unsigned char instance[STORED_KEY_BYTES];
	int64_t began_ms; /* since 1970 */
};

/* A daemon keeps the journal from now on. */
void store_daemon_put(struct store *s, const struct stored_daemon *daemon,
		      store_done_fn *done, void *owner);

/* Every daemon that did, and every row without its result, in the order of
 * acceptance; borrowed until row returns. */
typedef void store_daemon_row_fn(void *owner,
				 const struct stored_daemon *daemon);
void store_daemons(struct store *s, store_daemon_row_fn *row,
		   store_done_fn *done, void *owner);
typedef void store_call_row_fn(void *owner, const struct stored_call *call);
void store_calls(struct store *s, store_call_row_fn *row, store_done_fn *done,
		 void *owner);

/* Accept a call, for the first time or again, at its place; its state is not
 * looked at.  Borrows.  Returns its place.  Only in an epoch. */
int64_t store_call_accept(struct store *s, const struct stored_call *call,
			  store_done_fn *done, void *owner);

/* Its result, or NULL when that is not kept; takes a reference.  Nothing
 * happens when the row has gone, or place is 0. */
void store_call_finish(struct store *s, int64_t place, struct message *result,
		       store_done_fn *done, void *owner);

/* Read the result of one that is DONE, borrowed until row returns.  Then done:
 * ERR_NOT_FOUND when there is none. */
typedef void store_result_row_fn(void *owner, struct slice result);
void store_call_result(struct store *s, int64_t place, store_result_row_fn *row,
		       store_done_fn *done, void *owner);

/* They are settled: forget them.  Borrows.  Their places are the store's again:
 * a call that is accepted before this is done gets one, and is written over
 * what stands there. */
void store_calls_forget(struct store *s, const int64_t *places, size_t count,
			store_done_fn *done, void *owner);

/* Forget all rows that were accepted up to then and are not among the running,
 * and with them the daemons that began up to then. */
void store_calls_expire(struct store *s, int64_t accepted_ms,
			store_done_fn *done, void *owner);

/* Within a transaction that begins an epoch, before any row is written. */
bool journal_begin_epoch(struct store *s, struct err *e);

#endif
