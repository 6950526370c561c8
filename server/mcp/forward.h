/*
 * forward: the lines that go to a source.
 *
 * A caller's message is copied byte for byte but for what belongs to this leg:
 * its id, the tool's name, the progress token, and the line breaks between
 * tokens.  No I/O.
 */
#ifndef SERVER_MCP_FORWARD_H
#define SERVER_MCP_FORWARD_H

#include <stdint.h>

#include "proto/slice.h"

struct buf;
struct jsonrpc;
struct source_request;

/* Append the caller's message with number as its id and its token. */
void forward_request(struct buf *to, const struct source_request *r,
		     uint64_t number);

/* Append a request of our own, or what takes the request of that number back;
 * params and reason are raw, reason may be empty. */
void forward_own(struct buf *to, uint64_t number, const char *method,
		 struct slice params);
void forward_cancelled(struct buf *to, uint64_t number, struct slice reason);

/* Append what a source gets for a request of its own: ping is answered,
 * everything else needs a client, and we declared nothing. */
void forward_refusal(struct buf *to, const struct jsonrpc *m);

#endif
