/*
 * journaling: which requests of which adapters were accepted, at a glance.
 *
 * The store's journal (server/store/journal.h) with what is in it known in
 * memory, so that a verdict waits for nothing.  Keys are (adapter instance,
 * sequence).  Sessions say what happens to their requests; whether that is on
 * the disk they hear by completion callbacks.  Bounded: results are dropped,
 * the oldest first, when they are too many or too old, rows when they are a
 * month old.  Owned by the daemon; knows no session.
 *
 *   (none) --accepted--> RUNNING --answered--> DONE --delivered--> (none)
 *   RUNNING --its daemon or session has gone--> LEFT
 *   DONE --its result is too large, too old--> ENDED
 */
#ifndef SERVER_MCP_JOURNALING_H
#define SERVER_MCP_JOURNALING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct err;
struct journaling;
struct message;
struct store;

enum {
	JOURNALING_KEY_BYTES = 16,   /* of an instance */
	JOURNALING_NAME_BYTES = 256, /* of a name that is kept */
};

enum journaling_state {
	JOURNALING_NONE,
	JOURNALING_RUNNING,
	JOURNALING_DONE,  /* journaling_read() has the result */
	JOURNALING_ENDED, /* it was done, and the result is not kept */
	JOURNALING_LEFT,  /* accepted, and what became of it nobody knows */
};

struct journaling_options {
	unsigned char instance[JOURNALING_KEY_BYTES]; /* the daemon's */
	size_t result_bytes; /* a larger result is not kept */
	size_t all_bytes;    /* what all results may have */
	unsigned keep_ms;    /* how long a result is kept */
};

/* A row, for whoever judges it. */
struct journaling_call {
	enum journaling_state state;
	struct slice name;   /* of what it calls, raw; empty: none */
	int64_t accepted_ms; /* since 1970 */
};

/* As store_done_fn: why is NULL when it is on the disk. */
typedef void journaling_done_fn(void *owner, const struct err *why);

struct journaling *journaling_new(struct store *store,
				  const struct journaling_options *options);

/* Read what there is, and write down that this daemon keeps a journal; before
 * the first session. */
void journaling_load(struct journaling *j, journaling_done_fn *done,
		     void *owner);

/* Fill in a session's id: nobody else can say of it that we opened it. */
void journaling_mint(const struct journaling *j, unsigned char id[16]);

/* Was every request with an effect in the session of that id written down
 * before it was passed on, and is it still if it was not delivered? */
bool journaling_vouches(const struct journaling *j, struct slice session);

/* The state of a key; *call may be NULL, and its name is borrowed until the
 * next call to anything here. */
enum journaling_state journaling_find(const struct journaling *j,
				      const unsigned char *adapter,
				      uint64_t sequence,
				      struct journaling_call *call);

/* Has the row of that key been made for another request? */
bool journaling_differs(const struct journaling *j,
			const unsigned char *adapter, uint64_t sequence,
			uint64_t hash);

/* Write down that it is accepted (a name over JOURNALING_NAME_BYTES is left
 * out), again if need be: RUNNING at once.  When done
 * says why it could not be, journaling_drop() it. */
void journaling_accept(struct journaling *j, const unsigned char *adapter,
		       uint64_t sequence, uint64_t hash, struct slice name,
		       journaling_done_fn *done, void *owner);

/* There is no row after all. */
void journaling_drop(struct journaling *j, const unsigned char *adapter,
		     uint64_t sequence);

/* Write down its answer, if there is a row; takes a reference.  When done says
 * why it could not be, journaling_leave() it; it may be delivered all the
 * same. */
void journaling_answer(struct journaling *j, const unsigned char *adapter,
		       uint64_t sequence, struct message *answer,
		       journaling_done_fn *done, void *owner);

/* Nobody here knows or will know how it ended: LEFT. */
void journaling_leave(struct journaling *j, const unsigned char *adapter,
		      uint64_t sequence);

/* Read a result: at most one row, then done. */
void journaling_read(struct journaling *j, const unsigned char *adapter,
		     uint64_t sequence,
		     void (*row)(void *owner, struct slice result),
		     journaling_done_fn *done, void *owner);

/* Those among these that have rows are settled: delivered, or not wanted. */
void journaling_forget(struct journaling *j, const unsigned char *adapter,
		       const uint64_t *sequences, size_t count);

/* The adapter waits for nothing up to last but these. */
void journaling_keep(struct journaling *j, const unsigned char *adapter,
		     uint64_t last, const uint64_t *sequences, size_t count);

/* The adapter waits for nothing. */
void journaling_forget_all(struct journaling *j, const unsigned char *adapter);

/* After store_close().  j may be NULL. */
void journaling_free(struct journaling *j);

#endif
