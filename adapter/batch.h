/*
 * batch: the answers to one JSON-RPC batch, until all of them are there.
 *
 * MCP 2025-03-26, Basic, Batching: "MCP implementations MAY support sending
 * JSON-RPC batches, but MUST support receiving JSON-RPC batches."  The bridge
 * splits a batch into messages; what answers them is joined here.  Owned by
 * the requests that are still open.  No I/O.
 */
#ifndef ADAPTER_BATCH_H
#define ADAPTER_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

struct batch;

/* All the answers of one batch together. */
#define BATCH_BYTES ((size_t)64 * 1024 * 1024)

struct batch *batch_new(void);

/* One more answer is to be waited for. */
void batch_expect(struct batch *b);

/* One of them will not come any more, or has come. */
void batch_settle(struct batch *b);

/* Is there room for an answer of len bytes? */
bool batch_has_room(const struct batch *b, size_t len);

/* Add an answer. */
void batch_add(struct batch *b, struct slice answer);

/* The whole batch was split: no more batch_expect(). */
void batch_seal(struct batch *b);

/* Sealed, and nothing to wait for. */
bool batch_complete(const struct batch *b);

/* The array of answers of a complete batch; empty when there are none:
 * JSON-RPC 2.0, 6: "If there are no Response objects contained within the
 * Response array as it is to be sent to the client, the server MUST NOT
 * return an empty Array and should return nothing at all." */
struct slice batch_text(const struct batch *b);

/* b may be NULL. */
void batch_free(struct batch *b);

#endif
