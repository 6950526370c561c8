/*
 * pending: requests that somebody waits for, by number and in order.
 *
 * A source keeps one table of those that wait for it to start, and a leg one
 * of those in flight; a request moves from the one to the other.  No I/O.
 */
#ifndef SERVER_MCP_PENDING_H
#define SERVER_MCP_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/list.h"
#include "proto/map.h"

struct err;
struct jsonrpc;
struct source_reply;

/* One request.  Owned by the table it is in, else by whoever took it. */
struct pending {
	struct list link;
	uint64_t number;
	const struct source_reply *reply;
	void *owner;
	struct buf line; /* what to send, until it is sent */
	bool may_leave;	 /* its owner was asked, and said so */
	double due;	 /* by alarm_now(); of a request in flight */
	bool wants_progress;
	bool progressed;
	double progress; /* the last one, once progressed */
};

struct pending_table {
	struct list order;
	struct map by_number;
	size_t count;
	size_t bytes; /* of the lines */
};

struct pending *pending_new(uint64_t number, const struct source_reply *reply,
			    void *owner, bool wants_progress);

/* Tell the owner, and release: *p is NULL before the owner hears of it. */
void pending_answer(struct pending **p, const struct jsonrpc *m);
void pending_fail(struct pending **p, const struct err *why);

/* p may be NULL. */
void pending_free(struct pending *p);

void pending_table_init(struct pending_table *t);

/* Append; the table takes p, whose line does not change from here. */
void pending_put(struct pending_table *t, struct pending *p);

/* The request of that number, or the oldest; NULL when there is none. */
struct pending *pending_find(const struct pending_table *t, uint64_t number);
struct pending *pending_first(const struct pending_table *t);

/* A notifications/progress.  If it belongs to a request here that wants it and
 * goes on from the last one, the request moves to the end of the order, is due
 * then, and its owner hears of it.  Anything else is dropped. */
void pending_progress(struct pending_table *t, const struct jsonrpc *m,
		      double due);

/* Nothing here is due before that. */
void pending_extend(struct pending_table *t, double due);

/* Take out; p is the caller's. */
void pending_take(struct pending_table *t, struct pending *p);

/* Release everything in it; nobody hears of it. */
void pending_table_finish(struct pending_table *t);

#endif
