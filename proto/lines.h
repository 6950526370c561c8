/*
 * lines: newline-delimited messages out of a stream of bytes.
 *
 * MCP stdio transport: messages are delimited by newlines and must not contain
 * embedded ones.  A line that arrived whole is handed up where it lies; only a
 * torn one is copied.  A CR before the newline is dropped; empty lines are
 * skipped.  No I/O.
 */
#ifndef PROTO_LINES_H
#define PROTO_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buf.h"

struct lines {
	struct buf torn;    /* the beginning of a line that is not complete */
	size_t limit_bytes; /* of one line, a CR included */
	bool skipping;	    /* inside a line that was too long */
};

struct lines_events {
	/* A line without its newline; the owner's until it returns.  Returns
	 * false to stop: the rest of the bytes is dropped. */
	bool (*line)(void *owner, struct slice line);
	/* A line passed the limit; start is how it began (at most 4 KiB).
	 * The rest of it is skipped.  Returns as .line. */
	bool (*overlong)(void *owner, struct slice start);
};

void lines_init(struct lines *l, size_t limit_bytes);

/* Feed bytes.  False when an event said stop.  Where the bytes were cut makes
 * no difference to the events.  An event may not feed or finish l. */
bool lines_feed(struct lines *l, struct slice bytes,
		const struct lines_events *events, void *owner);

/* Inside .line: the buffer which that line is all of, and which may be taken
 * (buf_move()); NULL when it lies elsewhere. */
struct buf *lines_whole(struct lines *l);

/* At end of file: a last line without a newline is a line. */
bool lines_end(struct lines *l, const struct lines_events *events, void *owner);

void lines_finish(struct lines *l);

#endif
