/*
 * lines: messages out of a stream of bytes, however it was cut.
 *
 * Input: the limit, a seed for the cuts, and the bytes.
 */
#include "proto/lines.h"

#include <assert.h>

#include "fuzz.h"

struct seen {
	struct buf log;
	size_t limit;
};

static bool on_line(void *owner, struct slice line)
{
	struct seen *seen = owner;

	assert(line.len > 0 && line.len <= seen->limit);
	assert(!memchr(line.ptr, '\n', line.len));
	buf_printf(&seen->log, "%zu:", line.len);
	buf_append_slice(&seen->log, line);
	return true;
}

static bool on_overlong(void *owner, struct slice start)
{
	struct seen *seen = owner;

	assert(start.len <= 4096);
	buf_append_text(&seen->log, "!");
	buf_append_slice(&seen->log, start);
	return true;
}

static const struct lines_events events = {
	.line = on_line,
	.overlong = on_overlong,
};

/* Feed bytes in pieces of at most most bytes. */
static void read_all(struct slice bytes, unsigned seed, size_t most,
		     struct seen *seen)
{
	struct lines l;

	lines_init(&l, seen->limit);
	while (bytes.len > 0) {
		seed = seed * 1103515245 + 12345;
		size_t len = 1 + (seed >> 16) % most;

		len = len < bytes.len ? len : bytes.len;
		assert(lines_feed(&l, (struct slice){bytes.ptr, len}, &events,
				  seen));
		bytes.ptr += len;
		bytes.len -= len;
	}
	assert(lines_end(&l, &events, seen));
	lines_finish(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {{(const char *)data, size}};
	size_t limit = 1 + script_byte(&s);
	unsigned seed = script_byte(&s);
	struct seen whole = {.limit = limit};

	read_all(s.rest, seed, size + 1, &whole);
	for (size_t most = 1; most < 12; most += 5) {
		struct seen pieces = {.limit = limit};

		read_all(s.rest, seed, most, &pieces);
		assert(slice_equal(buf_slice(&whole.log),
				   buf_slice(&pieces.log)));
		buf_finish(&pieces.log);
	}
	buf_finish(&whole.log);
	return 0;
}
