/*
 * upstream: one MCP server that can be spoken to, whatever it is made of.
 *
 * Whole JSON-RPC messages go down through upstream_send() and come up through
 * struct upstream_events.  Knows nothing of sources, sessions or what the
 * messages mean.  The kinds are rows of functions: a process (process.h), the
 * built-in one (builtin.h).
 *
 *   RUNNING --upstream_stop()--> STOPPING --> .down
 *   RUNNING --end, error-->                   .down
 */
#ifndef SERVER_UPSTREAM_UPSTREAM_H
#define SERVER_UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct buf;
struct err;
struct upstream;

/* How an upstream speaks to its owner: from the loop, never from inside a
 * call to it. */
struct upstream_events {
	/* One message, one line, not checked; the owner's until it returns.
	 * whole is the buffer which it is all of, and which may be taken
	 * (buf_move()); or NULL. */
	void (*message)(void *owner, struct slice line, struct buf *whole);
	/* It is gone, and everything it had started with it; why says how it
	 * ended.  Once.  The owner frees it. */
	void (*down)(void *owner, const struct err *why);
	/* What is queued for it fell below the low mark again. */
	void (*drained)(void *owner);
};

/* A kind of upstream. */
struct upstream_kind {
	bool (*send)(struct upstream *u, struct slice line, struct err *e);
	size_t (*queued)(const struct upstream *u);
	void (*pause)(struct upstream *u, bool paused);
	void (*stop)(struct upstream *u);
	int64_t (*pid)(const struct upstream *u);
	void (*free)(struct upstream *u);
};

/* The first member of every kind's own struct. */
struct upstream {
	const struct upstream_kind *kind;
};

/* Queue one message, without its newline.  ERR_SOURCE_DOWN when it is not
 * running, ERR_OVERLOADED when 64 MiB are queued already. */
static inline bool upstream_send(struct upstream *u, struct slice line,
				 struct err *e)
{
	return u->kind->send(u, line, e);
}

/* Bytes queued and not yet taken by it. */
static inline size_t upstream_queued(const struct upstream *u)
{
	return u->kind->queued(u);
}

/* Stop and restart reading from it. */
static inline void upstream_pause(struct upstream *u, bool paused)
{
	u->kind->pause(u, paused);
}

/* End it in good order: end of input, then TERM, then KILL to the whole
 * process group, with bounds in time.  .down follows. */
static inline void upstream_stop(struct upstream *u)
{
	u->kind->stop(u);
}

/* Of its process, or 0. */
static inline int64_t upstream_pid(const struct upstream *u)
{
	return u->kind->pid(u);
}

/* End it at once and release; no event follows.  u may be NULL. */
static inline void upstream_free(struct upstream *u)
{
	if (u)
		u->kind->free(u);
}

#endif
