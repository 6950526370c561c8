/*
 * grpc: gRPC's bytes: message framing, status, timeouts, percent-encoding.
 *
 * The rules are those of gRPC over HTTP/2 (doc/PROTOCOL-HTTP2.md).  Both
 * roles.  No I/O and no HTTP/2.
 */
#ifndef PROTO_GRPC_H
#define PROTO_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"

enum { GRPC_PREFIX_BYTES = 5 };

/* Reassembles length-prefixed messages out of DATA frames, whose boundaries
 * mean nothing. */
struct grpc_reader {
	struct buf torn;
	size_t limit_bytes; /* of one message, as it lies on the wire */
	/* Memory kept between messages. */
	size_t keep_bytes;
	/* An encoding was agreed on, so that a message may be compressed. */
	bool encoding;
	bool compressed; /* the message handed up is */
	/* Of the bytes fed last: not looked at, as the event said stop. */
	size_t left_bytes;
};

struct grpc_reader_events {
	/* One message, the owner's until it returns.  Returns false to stop:
	 * what is left of the bytes may be fed again. */
	bool (*message)(void *owner, struct slice message);
};

void grpc_reader_init(struct grpc_reader *r, size_t limit_bytes);

/* Feed the bytes of a DATA frame.  A length over the limit is refused on its
 * prefix, before anything is kept for it (ERR_TOO_LARGE); a compressed flag
 * without an encoding is ERR_PROTOCOL, and r->compressed tells that it was
 * that.  False, with e->reason ERR_NONE, when
 * the event said stop. */
bool grpc_reader_feed(struct grpc_reader *r, struct slice bytes,
		      const struct grpc_reader_events *events, void *owner,
		      struct err *e);

/* The stream ended: ERR_PROTOCOL inside a prefix or a message. */
bool grpc_reader_end(const struct grpc_reader *r, struct err *e);

void grpc_reader_finish(struct grpc_reader *r);

/* Write the prefix of an uncompressed message of len bytes; to[0] is the
 * compressed flag. */
void grpc_prefix(unsigned char to[GRPC_PREFIX_BYTES], uint32_t len);

/* grpc-timeout: 1 to 8 digits and one of H M S m u n, in nanoseconds,
 * saturating.  False when malformed. */
bool grpc_timeout_parse(struct slice text, int64_t *ns);

/* The shortest exact spelling for whole milliseconds. */
void grpc_timeout_print(struct buf *to, uint64_t ms);

/* grpc-message: percent-encode all but %x20-24 and %x26-7E; at most 1 KiB of
 * text is taken, cut at a character. */
void grpc_message_encode(struct buf *to, const char *text);

/* The way back; what is malformed stays as it is. */
void grpc_message_decode(struct buf *to, struct slice encoded);

/* content-type: application/grpc, alone or followed by + or ; */
bool grpc_content_type_ok(struct slice value);

/* The status a client sees for a response without grpc-status
 * (doc/http-grpc-status-mapping.md). */
enum grpc_code grpc_of_http(int status);

/* The status for a stream that was reset (PROTOCOL-HTTP2.md, Errors). */
enum grpc_code grpc_of_reset(uint32_t http2_error);

#endif
