/*
 * audit: the log of what sources were asked, a part of store.h.
 *
 * Names, sizes, durations and outcomes; no arguments and no results.  A row is
 * written with whatever else happens in its turn.  Bounded by a number of rows
 * and by a month.
 */
#ifndef SERVER_STORE_AUDIT_H
#define SERVER_STORE_AUDIT_H

#include "server/store/store.h"

struct stored_audit {
	int64_t ended_ms; /* since 1970 */
	uint64_t duration_us;
	const char *client; /* as it calls itself; "": it did not */
	const char *source;
	struct slice method; /* decoded, as is name */
	struct slice name;   /* the source's own; empty: none */
	uint64_t request_bytes;
	uint64_t answer_bytes; /* 0: it had none */
	const char *outcome;   /* "ok", "tool_error", "error -32602", or the
				* name of a reason of ours */
};

/* Keep this row, and of all rows at most so many.  Borrows; who wants to know
 * that it failed asks doctor. */
void store_audit_add(struct store *s, const struct stored_audit *row,
		     unsigned most);

/* The newest rows first, at most limit; borrowed until row returns. */
typedef void store_audit_row_fn(void *owner, const struct stored_audit *row);
void store_audit_read(struct store *s, unsigned limit, store_audit_row_fn *row,
		      store_done_fn *done, void *owner);

#endif
