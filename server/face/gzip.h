/*
 * gzip: the one encoding of messages that we have beside none.
 *
 * The door to zlib.  A message is one gzip stream of its own (RFC 1952);
 * nothing is kept from one to the next.  No I/O.
 */
#ifndef SERVER_FACE_GZIP_H
#define SERVER_FACE_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

struct buf;
struct err;

/* Append bytes, compressed: fast rather than small. */
void gzip_pack(struct buf *to, struct slice bytes);

/* Append what packed stands for.  ERR_TOO_LARGE as soon as that is more than
 * limit_bytes, and before more is reserved; ERR_PROTOCOL when it is no gzip, or
 * not one and nothing else.  What was appended by then is of no use. */
bool gzip_unpack(struct buf *to, struct slice packed, size_t limit_bytes,
		 struct err *e);

#endif
