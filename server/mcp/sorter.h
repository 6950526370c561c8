/*
 * sorter: what an upstream writes, as messages.
 *
 * A line is a message, a batch of them, or rubbish that some library printed
 * to stdout; rubbish is survived, counted and told to the log now and then.
 * No I/O.
 */
#ifndef SERVER_MCP_SORTER_H
#define SERVER_MCP_SORTER_H

#include <stdbool.h>

#include "proto/slice.h"

struct buf;
struct err;
struct jsonrpc;

struct sorter {
	const char *source; /* its name, for the log */
	unsigned rubbish;
};

/* Both return false to stop: the rest of the line is dropped. */
struct sorter_events {
	bool (*message)(void *owner, const struct jsonrpc *m);
	/* Meant as the answer to the request of this raw id, but none. */
	bool (*misfit)(void *owner, struct slice id, const struct err *why);
};

/* whole is the buffer which line is all of, and which may be taken, or NULL. */
void sorter_read(struct sorter *s, struct slice line, struct buf *whole,
		 const struct sorter_events *events, void *owner);

/* Fill *e for an error with which a source answered a request of ours.
 * Returns false, as err_set() does. */
bool sorter_describe(const char *source, const char *method,
		     const struct jsonrpc *m, struct err *e);

#endif
