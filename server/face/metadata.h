/*
 * metadata: what a gRPC call says of itself beside its messages.
 *
 * The rules are those of gRPC over HTTP/2, Custom-Metadata: a name that ends
 * in -bin stands for bytes, which travel as base64; any other value is
 * printable ASCII.  No I/O: header lists and copies of them.  A zeroed struct
 * is empty.
 */
#ifndef SERVER_FACE_METADATA_H
#define SERVER_FACE_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

struct h2_header;
struct h2_headers;

/* How many a call may send in one block. */
enum { METADATA_SENT_MAX = 32 };

/* What an entry points to is the metadata's own. */
struct metadata {
	struct h2_header *list;
	size_t count, cap;
};

/* Copy the custom metadata of a request, in their order; the bytes of -bin
 * values, each of those that one header joined by ",".  What is reserved
 * (grpc-*), not the application's (te, user-agent, authorization ...) or no
 * legal value is left out. */
void metadata_take(struct metadata *m, const struct h2_headers *headers);

/* Add one to be sent, as it goes on the wire; a -bin value is bytes.  A value
 * that is not printable ASCII is dropped.  The name is ours, and good. */
void metadata_put(struct metadata *m, const char *name, struct slice value);

/* The first value of that name; {NULL, 0} when there is none. */
struct slice metadata_get(const struct metadata *m, const char *name);

void metadata_finish(struct metadata *m);

#endif
