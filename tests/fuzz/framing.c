/*
 * framing: gRPC's bytes.  Where DATA frames were cut makes no difference.
 *
 * Input: the limit, a seed for the cuts, and the bytes.
 */
#include <assert.h>

#include "fuzz.h"
#include "proto/grpc.h"
#include "proto/utf8.h"

static bool on_message(void *owner, struct slice message)
{
	struct buf *seen = owner;

	buf_printf(seen, "%zu:", message.len);
	buf_append_slice(seen, message);
	return true;
}

static const struct grpc_reader_events events = {.message = on_message};

/* Feed bytes in pieces of at most most bytes; what came of it ends seen. */
static void read_all(struct slice bytes, size_t limit, unsigned seed,
		     size_t most, struct buf *seen)
{
	struct grpc_reader r;
	struct err e = {0};
	bool ok = true;

	grpc_reader_init(&r, limit);
	while (ok && bytes.len > 0) {
		seed = seed * 1103515245 + 12345;
		size_t len = 1 + (seed >> 16) % most;

		len = len < bytes.len ? len : bytes.len;
		ok = grpc_reader_feed(&r, (struct slice){bytes.ptr, len},
				      &events, seen, &e);
		bytes.ptr += len;
		bytes.len -= len;
	}
	if (ok)
		ok = grpc_reader_end(&r, &e);
	buf_append_text(seen, ok ? "end" : err_name(e.reason));
	grpc_reader_finish(&r);
}

static void check_status_text(struct slice text)
{
	struct buf plain = {0};
	struct buf encoded = {0};
	struct buf again = {0};

	grpc_message_decode(&plain, text);
	buf_append(&plain, "", 1);
	if (utf8_valid((struct slice){plain.data, strlen(plain.data)}) &&
	    strlen(plain.data) <= 1024) {
		grpc_message_encode(&encoded, plain.data);
		grpc_message_decode(&again, buf_slice(&encoded));
		assert(slice_is(buf_slice(&again), plain.data));
	}
	buf_finish(&plain);
	buf_finish(&encoded);
	buf_finish(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {{(const char *)data, size}};
	struct buf whole = {0};
	struct buf pieces = {0};
	int64_t ns = 0;

	size_t limit = script_byte(&s);
	unsigned seed = script_byte(&s);
	read_all(s.rest, limit, seed, size + 1, &whole);
	read_all(s.rest, limit, seed, 1, &pieces);
	assert(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
	buf_reset(&pieces, 4096);
	read_all(s.rest, limit, seed, 7, &pieces);
	assert(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
	buf_finish(&whole);
	buf_finish(&pieces);

	check_status_text(s.rest);
	if (grpc_timeout_parse(s.rest, &ns))
		assert(ns >= 0);
	return 0;
}
