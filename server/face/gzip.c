#include "server/face/gzip.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <zlib.h>

#include "proto/buf.h"
#include "proto/err.h"

enum {
	/* zlib.h: "Add 16 to windowBits to write a simple gzip header and
	 * trailer around the compressed data", and to read only that. */
	GZIP_WINDOW_BITS = MAX_WBITS + 16,
	MEMORY_LEVEL = 8,
	/* What is unpacked at a time, at least and at most. */
	STEP_MIN_BYTES = 4 * 1024,
	STEP_MAX_BYTES = 256 * 1024,
};

static void set_input(z_stream *z, struct slice bytes)
{
	/* zlib does not write there, but its type says so. */
	z->next_in = (Bytef *)(uintptr_t)bytes.ptr;
	z->avail_in = (uInt)bytes.len;
}

void gzip_pack(struct buf *to, struct slice bytes)
{
	z_stream z = {0};

	assert(bytes.len <= INT_MAX);
	int rv = deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS,
			      MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
	assert(rv == Z_OK);
	size_t bound = deflateBound(&z, (uLong)bytes.len);

	set_input(&z, bytes);
	z.next_out = (Bytef *)buf_reserve(to, bound);
	z.avail_out = (uInt)bound;
	rv = deflate(&z, Z_FINISH);
	assert(rv == Z_STREAM_END);
	buf_added(to, bound - z.avail_out);
	deflateEnd(&z);
}

/* One more piece; Z_OK when there is more to come. */
static int inflate_step(z_stream *z, struct buf *to, size_t len)
{
	z->next_out = (Bytef *)buf_reserve(to, len);
	z->avail_out = (uInt)len;
	int rv = inflate(z, Z_NO_FLUSH);
	buf_added(to, len - z->avail_out);
	return rv;
}

static size_t step_bytes(size_t packed_bytes, size_t room)
{
	size_t step = 2 * packed_bytes;

	if (step < STEP_MIN_BYTES)
		step = STEP_MIN_BYTES;
	if (step > STEP_MAX_BYTES)
		step = STEP_MAX_BYTES;
	return step < room ? step : room;
}

bool gzip_unpack(struct buf *to, struct slice packed, size_t limit_bytes,
		 struct err *e)
{
	z_stream z = {0};
	size_t before = to->len;

	assert(packed.len <= INT_MAX);
	int rv = inflateInit2(&z, GZIP_WINDOW_BITS);
	assert(rv == Z_OK);
	set_input(&z, packed);
	do {
		size_t room = limit_bytes - (to->len - before);

		/* The last byte is only there to see that it is too much. */
		rv = inflate_step(&z, to, step_bytes(packed.len, room + 1));
	} while (rv == Z_OK && to->len - before <= limit_bytes);
	bool whole = rv == Z_STREAM_END && z.avail_in == 0;
	inflateEnd(&z);
	if (to->len - before > limit_bytes)
		return err_set(e, ERR_TOO_LARGE,
			       "a message of more than %zu bytes once it is "
			       "decompressed; that is the limit",
			       limit_bytes);
	if (!whole)
		return err_set(e, ERR_PROTOCOL,
			       "a message whose compressed bytes are no gzip");
	return true;
}
