/* unframed: the envelope in a buffer, behind the prefix of a gRPC message. */
#ifndef TESTS_SUPPORT_UNFRAMED_H
#define TESTS_SUPPORT_UNFRAMED_H

#include "proto/buf.h"
#include "proto/grpc.h"

/* The prefix must be right. */
static inline struct slice unframed(const struct buf *b)
{
	unsigned char prefix[GRPC_PREFIX_BYTES];

	assert_true(b->len >= sizeof(prefix));
	grpc_prefix(prefix, (uint32_t)(b->len - sizeof(prefix)));
	assert_memory_equal(b->data, prefix, sizeof(prefix));
	return (struct slice){b->data + sizeof(prefix),
			      b->len - sizeof(prefix)};
}

#endif
