#include "proto/lines.h"

enum {
	/* Of an overlong line, for whoever must say what it was. */
	START_BYTES = 4096,
	/* Memory that outlives a long line. */
	KEEP_BYTES = 64 * 1024,
};

void lines_init(struct lines *l, size_t limit_bytes)
{
	*l = (struct lines){.limit_bytes = limit_bytes};
}

static size_t len_without_cr(struct slice line)
{
	return line.len > 0 && line.ptr[line.len - 1] == '\r' ? line.len - 1
							      : line.len;
}

static bool hand_up(struct slice line, const struct lines_events *events,
		    void *owner)
{
	return line.len == 0 || events->line(owner, line);
}

/* The line that begins with what is torn and goes on with more has passed the
 * limit.  What is told of it does not depend on where it was torn. */
static bool refuse(struct lines *l, struct slice more,
		   const struct lines_events *events, void *owner)
{
	size_t want =
		l->limit_bytes < START_BYTES ? l->limit_bytes : START_BYTES;
	struct slice start = more;

	if (l->torn.len > 0) {
		if (l->torn.len < want) {
			size_t missing = want - l->torn.len;

			buf_append(&l->torn, more.ptr,
				   more.len < missing ? more.len : missing);
		}
		start = buf_slice(&l->torn);
	}
	if (start.len > want)
		start.len = want;
	bool go_on = events->overlong(owner, start);
	buf_reset(&l->torn, KEEP_BYTES);
	return go_on;
}

/* A line's last part, its newline removed. */
static bool complete(struct lines *l, struct slice part,
		     const struct lines_events *events, void *owner)
{
	if (l->skipping) {
		l->skipping = false;
		return true;
	}
	if (part.len > l->limit_bytes - l->torn.len)
		return refuse(l, part, events, owner);
	if (l->torn.len == 0) {
		part.len = len_without_cr(part);
		return hand_up(part, events, owner);
	}
	buf_append_slice(&l->torn, part);
	l->torn.len = len_without_cr(buf_slice(&l->torn));
	bool go_on = hand_up(buf_slice(&l->torn), events, owner);
	buf_reset(&l->torn, KEEP_BYTES);
	return go_on;
}

/* A part of a line whose newline is yet to come. */
static bool keep(struct lines *l, struct slice part,
		 const struct lines_events *events, void *owner)
{
	if (l->skipping)
		return true;
	if (part.len > l->limit_bytes - l->torn.len) {
		l->skipping = true;
		return refuse(l, part, events, owner);
	}
	buf_append_slice(&l->torn, part);
	return true;
}

bool lines_feed(struct lines *l, struct slice bytes,
		const struct lines_events *events, void *owner)
{
	struct slice rest = bytes;

	while (rest.len > 0) {
		const char *newline = memchr(rest.ptr, '\n', rest.len);

		if (!newline)
			return keep(l, rest, events, owner);
		size_t len = (size_t)(newline - rest.ptr);
		if (!complete(l, (struct slice){rest.ptr, len}, events, owner))
			return false;
		rest = (struct slice){newline + 1, rest.len - len - 1};
	}
	return true;
}

struct buf *lines_whole(struct lines *l)
{
	return l->torn.len > 0 ? &l->torn : NULL;
}

bool lines_end(struct lines *l, const struct lines_events *events, void *owner)
{
	return complete(l, (struct slice){"", 0}, events, owner);
}

void lines_finish(struct lines *l)
{
	buf_finish(&l->torn);
}
