/*
 * store_internal: what the files of this folder share, and nobody else.
 *
 *   store.c        open, begin an epoch, close
 *   queue.c        the operations of one turn of the loop
 *   transaction.c  all or nothing, fenced
 *   query.c        one run of a prepared statement; what its failures mean
 *   walfile.c      how SQLite's log reaches the file system
 *   gate.c         which programs may own it
 *   schema.c       whose database, which version, the way up
 *   blank.c        a new database
 *   sources.c catalogues.c journal.c audit.c   the facts that are kept
 *   env.c secrets.c key.c       what reaches the disk only sealed
 */
#ifndef SERVER_STORE_STORE_INTERNAL_H
#define SERVER_STORE_STORE_INTERNAL_H

#include <ev.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/list.h"
#include "server/store/secrets.h"
#include "server/store/store.h"

enum { STORE_STATEMENTS = 64 }; /* more than there are: a hash table */

/* A prepared statement, found by the address of its text. */
struct statement {
	const char *sql;
	sqlite3_stmt *stmt;
};

/* Owned by the daemon. */
struct store {
	struct ev_loop *loop;
	struct ev_watcher turn; /* fed while something is queued */
	ev_prepare prepare;	/* says that the loop is about to sleep */
	ev_idle awake;		/* active: it turns once more */
	unsigned prepared;	/* the iteration in which it last was */
	struct list queue;	/* of struct op */
	bool running; /* inside queue_run(): callbacks are being called */

	char *path; /* of the database, for the errors */
	sqlite3 *db;
	struct statement statements[STORE_STATEMENTS];
	uint64_t epoch;	    /* begun, or found at the start; the fence */
	unsigned version;   /* of the data, as our last commit left it */
	int64_t checked_ms; /* when path last led to the file that is open */
	bool replaced;	    /* the fence held: touch nothing any more */
	bool durable;	    /* synchronous is FULL, not NORMAL */
	int logged;	    /* transactions since the last checkpoint */
	int64_t next_place; /* of the journal; 0: not known yet */
	int64_t audited;    /* rows of the audit log; 0: not known yet */
	struct addition *auditing; /* that is queued and has room, or NULL */
	struct forgetting *forgetting; /* the last that is queued, or NULL */
	struct secrets secrets;
};

struct op;

/* A kind of operation. */
struct op_kind {
	bool writes;  /* runs in a transaction, with its neighbours */
	bool durable; /* a power cut must not undo it */
	bool whole;   /* it is never refused: what fails it fails all, and it
		       * needs no savepoint */
	bool (*run)(struct store *s, struct op *op, struct err *e);
	void (*free)(struct op *op);
};

/* The first member of every operation's own struct.  Owned by the queue. */
struct op {
	struct list link;
	const struct op_kind *kind;
	store_done_fn *done;
	void *owner;
	struct err *why; /* NULL: nothing is wrong with it */
};

#endif
