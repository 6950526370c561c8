/*
 * pump: a non-blocking descriptor in the loop: bytes in, bytes out.
 *
 * Owns its one or two descriptors.  What is written during a turn of the loop
 * goes out in one system call before the loop sleeps; what the kernel does not
 * take is kept, in order, and its owner can see how much that is.
 *
 *   reading --eof/error--> .down      pump_free() from any state, also from
 *   inside one of its own events: memory goes when the event has returned.
 */
#ifndef PROTO_PUMP_H
#define PROTO_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct buf;
struct err;
struct ev_loop;
struct pump;

/* How a pump speaks to its owner.  Called from the loop, never from inside a
 * call to the pump. */
struct pump_events {
	/* Bytes arrived.  They are the owner's until it returns. */
	void (*bytes)(void *owner, struct slice bytes);
	/* The pump is about to write: the last chance of this turn to add.
	 * Called only after pump_write() or pump_wake().  May be NULL. */
	void (*fill)(void *owner);
	/* What was queued fell to the low mark after having passed the high
	 * one (pump_marks()).  May be NULL. */
	void (*drained)(void *owner);
	/* Nothing more will be read: end of file (why->reason is ERR_NONE) or
	 * an error.  Also when writing failed; what the other side sent before
	 * it left comes first.  Once. */
	void (*down)(void *owner, const struct err *why);
};

/* Takes read_fd and write_fd (they may be one, or -1 for none), makes them
 * non-blocking until they are closed, and starts to read.  Files, terminals
 * and /dev/null will do as well as pipes and sockets.  Never fails. */
struct pump *pump_new(struct ev_loop *loop, int read_fd, int write_fd,
		      const struct pump_events *events, void *owner);

/* Queue bytes.  After a failure or pump_close_write() they are dropped; end of
 * file alone leaves the way out open, but no failure of it is told then. */
void pump_write(struct pump *p, struct slice bytes);

/* The same of what bytes holds, which is empty afterwards: taken over where it
 * lies when nothing else is queued. */
void pump_take(struct pump *p, struct buf *bytes);

/* Have .fill called before the loop sleeps. */
void pump_wake(struct pump *p);

/* Write what is queued now, without waiting for the turn to end; for a
 * program about to exit.  True when all of it is out. */
bool pump_flush(struct pump *p);

/* Bytes queued and not yet taken by the kernel. */
size_t pump_queued(const struct pump *p);

/* When .drained comes; without a call it never does. */
void pump_marks(struct pump *p, size_t low_bytes, size_t high_bytes);

/* Give up (.down, ERR_LOST) when bytes are queued and the kernel has taken
 * none of them for that long; 0, the default, is never. */
void pump_stall(struct pump *p, uint32_t ms);

/* Read in this turn of the loop, without being told that there is something:
 * who has just connected has often spoken already. */
void pump_look(struct pump *p);

/* Stop and restart reading.  A paused pump sees no end of file. */
void pump_pause(struct pump *p);
void pump_resume(struct pump *p);

/* Close the write side once everything queued is out. */
void pump_close_write(struct pump *p);

/* Close the descriptors and release; queued bytes are lost.  p may be NULL. */
void pump_free(struct pump *p);

#endif
