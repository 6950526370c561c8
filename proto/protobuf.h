/*
 * protobuf: the door to protobuf-c.
 *
 * protobuf-c amplifies hostile input up to fifty-fold and checks no UTF-8: it
 * unpacks here only into an arena with a cap, and its strings are checked
 * then.  What we emit as a `string` and did not make ourselves goes through
 * protobuf_text() first, or another reader refuses the whole message.  Structs
 * are initialised by the generated x__init(): the macros X__INIT cast const
 * away, which clang refuses with our flags.
 */
#ifndef PROTO_PROTOBUF_H
#define PROTO_PROTOBUF_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/buf.h"

struct err;

/* Memory for unpacked messages, reset instead of freed.  A zeroed struct is
 * an empty arena; one that lives only while a message is looked at costs no
 * more than one that is kept. */
struct arena {
	struct arena_block *blocks;
	/* Of the message unpacked last: */
	size_t used_bytes;
	size_t limit_bytes;
	bool refused; /* it wanted more */
};

/* What a message may take: this many times its bytes, and the slack.  The
 * hungriest honest message is a Welcome with many verdicts, which takes
 * fourteen times its bytes. */
enum { ARENA_FACTOR = 16, ARENA_SLACK_BYTES = 64 * 1024 };

/* Unpack bytes as a message of that type; it lives until the next
 * arena_reset().  NULL with ERR_PROTOCOL when they do not parse, ERR_TOO_LARGE
 * when they want more than their share of the arena.  Every `string` in it is
 * UTF-8; protobuf-c ends it at its first NUL.  No type may contain itself:
 * protobuf-c knows no bound on depth. */
void *protobuf_unpack(struct arena *a, const ProtobufCMessageDescriptor *type,
		      struct slice bytes, struct err *e);

/* Forget what was unpacked, keep at most 64 KiB. */
void arena_reset(struct arena *a);
/* The same, and leave what is kept to the next arena. */
void arena_finish(struct arena *a);

/* How many bytes it packs to. */
size_t protobuf_size(const ProtobufCMessage *m);

/* Append the packed message, and nothing else. */
void protobuf_pack(struct buf *to, const ProtobufCMessage *m);

/* Append the message behind its gRPC prefix, ready for a DATA frame. */
void protobuf_pack_framed(struct buf *to, const ProtobufCMessage *m);

/* A copy of text that any reader accepts: a byte that is not UTF-8 becomes
 * U+FFFD.  The caller frees. */
char *protobuf_text(const char *text);

/* Bytes for a message that is packed before ptr goes away. */
static inline ProtobufCBinaryData protobuf_bytes(struct slice s)
{
	return (ProtobufCBinaryData){.len = s.len,
				     .data = (uint8_t *)(uintptr_t)s.ptr};
}

static inline struct slice protobuf_slice(ProtobufCBinaryData b)
{
	return (struct slice){(const char *)b.data, b.len};
}

#endif
