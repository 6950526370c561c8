/*
 * stdio: the MCP client's side: lines in on stdin, lines out on stdout.
 *
 * Real clients give pipes, socketpairs, terminals and files; nothing here
 * depends on which.  When what is written is not read, it is kept and its
 * owner can see how much it is.  The end of the client is noticed in every
 * state: also while reading is held back, and when stdout has no reader.
 */
#ifndef ADAPTER_STDIO_H
#define ADAPTER_STDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct buf;
struct err;
struct ev_loop;
struct stdio;

/* Called from the loop, never from inside a call to stdio. */
struct stdio_events {
	/* A line without its newline, the owner's until it returns. */
	void (*line)(void *owner, struct slice line);
	/* A line over the limit was skipped; this is how it began. */
	void (*overlong)(void *owner, struct slice start);
	/* All that was written is out; it ended at this offset. */
	void (*written)(void *owner, uint64_t offset);
	/* The client has gone: end of input (why->reason is ERR_NONE), or it
	 * cannot be written to.  Once, and the last event. */
	void (*gone)(void *owner, const struct err *why);
};

/* Takes both descriptors. */
struct stdio *stdio_new(struct ev_loop *loop, int in_fd, int out_fd,
			size_t limit_bytes, const struct stdio_events *events,
			void *owner);

/* Write text, which holds no newline, as a line.  Returns the offset of its
 * end in all that was ever written. */
uint64_t stdio_write(struct stdio *s, struct slice text);

/* The same of what text holds, which is empty afterwards; see pump_take(). */
uint64_t stdio_take(struct stdio *s, struct buf *text);

/* Bytes that nobody has taken yet. */
size_t stdio_queued(const struct stdio *s);

/* Read no lines while held. */
void stdio_hold(struct stdio *s, bool held);

/* Write now what can be written, for a program about to exit.  True when all
 * of it is out. */
bool stdio_flush(struct stdio *s);

/* s may be NULL. */
void stdio_free(struct stdio *s);

#endif
