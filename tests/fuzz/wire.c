/*
 * wire: what a call's headers and compressed messages may hold.
 *
 * Input: a byte that says how, then the bytes.
 */
#include <assert.h>

#include "fuzz.h"
#include "proto/base64.h"
#include "proto/buf.h"
#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/h2.h"
#include "server/face/gzip.h"
#include "server/face/head.h"
#include "server/face/metadata.h"

enum { LIMIT_BYTES = 4096 };

/* What is taken for base64 is the only way to say those bytes, but for
 * padding. */
static void check_base64(struct slice text)
{
	struct buf bytes = {0};
	struct buf again = {0};

	if (base64_decode(&bytes, text)) {
		base64_encode(&again, buf_slice(&bytes));
		assert(again.len <= text.len && text.len - again.len <= 2);
		assert(slice_equal(buf_slice(&again),
				   (struct slice){text.ptr, again.len}));
	} else {
		assert(bytes.len == 0);
	}
	buf_finish(&bytes);
	buf_finish(&again);
}

static void check_gzip(struct slice packed)
{
	struct buf plain = {0};
	struct buf again = {0};
	struct buf third = {0};
	struct err e;

	if (gzip_unpack(&plain, packed, LIMIT_BYTES, &e)) {
		assert(plain.len <= LIMIT_BYTES);
		gzip_pack(&again, buf_slice(&plain));
		assert(gzip_unpack(&third, buf_slice(&again), LIMIT_BYTES,
				   NULL));
		assert(slice_equal(buf_slice(&plain), buf_slice(&third)));
	} else {
		assert(e.reason == ERR_TOO_LARGE || e.reason == ERR_PROTOCOL);
	}
	buf_finish(&plain);
	buf_finish(&again);
	buf_finish(&third);
}

/* One header is a name, a value; what was taken may be sent, and is taken
 * again. */
static void check_metadata(struct slice name, struct slice value)
{
	const struct h2_header list[] = {
		{slice_of(":method"), slice_of("POST")},
		{slice_of("content-type"), slice_of("application/grpc")},
		{name, value},
	};
	struct h2_headers headers = {list, 3, false};
	struct metadata taken = {0};
	struct metadata again = {0};
	struct head head;
	struct err e;

	if (head_read(&head, &headers, &e) && head.has_timeout)
		assert(head.timeout_ns >= 0);
	metadata_take(&taken, &headers);
	headers = (struct h2_headers){taken.list, taken.count, false};
	for (size_t i = 0; i < taken.count; i++)
		assert(slice_equal(taken.list[i].name, name));
	if (taken.count == 1 && slice_equal(taken.list[0].value, value)) {
		metadata_take(&again, &headers);
		assert(again.count <= 1 || name.len > 4);
	}
	metadata_finish(&taken);
	metadata_finish(&again);
}

/* The shortest spelling of a time is that time. */
static void check_timeout(struct slice text)
{
	struct buf printed = {0};
	int64_t ns = 0;
	int64_t again = 0;

	if (grpc_timeout_parse(text, &ns)) {
		assert(ns >= 0);
		grpc_timeout_print(&printed, (uint64_t)ns / 1000000);
		assert(grpc_timeout_parse(buf_slice(&printed), &again));
		assert(again >= ns / 1000000 * 1000000);
	}
	buf_finish(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {{(const char *)data, size}};
	unsigned how = script_byte(&s);

	switch (how % 4) {
	case 0:
		check_base64(s.rest);
		break;
	case 1:
		check_gzip(s.rest);
		break;
	case 2: {
		struct slice name = script_bytes(&s, script_byte(&s));

		check_metadata(name, s.rest);
		break;
	}
	default:
		check_timeout(s.rest);
		break;
	}
	return 0;
}
