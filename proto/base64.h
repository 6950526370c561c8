/*
 * base64: bytes as text, as the -bin metadata of gRPC carries them.
 *
 * The alphabet of RFC 4648 section 4.  No I/O, no limits: a caller bounds what
 * it hands in.
 */
#ifndef PROTO_BASE64_H
#define PROTO_BASE64_H

#include <stdbool.h>

#include "proto/buf.h"
#include "proto/slice.h"

/* Append the text of bytes, without padding. */
void base64_encode(struct buf *to, struct slice bytes);

/* Append the bytes of text, which may be padded or not.  False when it is no
 * base64: a character of another alphabet, a length that no bytes have, bits
 * left over that are not zero; then nothing was appended. */
bool base64_decode(struct buf *to, struct slice text);

#endif
