#include "proto/h2_internal.h"

#include <string.h>

/* What stands between the socket and nghttp2.
 *
 * RFC 9113 section 5.1, idle: "Receiving any frame other than HEADERS or
 * PRIORITY on a stream in this state MUST be treated as a connection error".
 * gRPC's own C++ and Python clients break that rule: one that cancels a call
 * before its HEADERS have left sends the RST_STREAM all the same.  Their
 * servers take it for nothing, and so do we: a call that was given up must not
 * end the others of its connection.  Such a frame is kept from nghttp2, which
 * would send GOAWAY; the guard counts it as one without progress. */

enum {
	HEAD_BYTES = 9,
	RESET_BYTES = 4,
	PREFACE_BYTES = 24,
};

void h2_idle_init(struct h2 *h)
{
	h->idle = (struct h2_idle){.skip_bytes = h->server ? PREFACE_BYTES : 0};
}

static uint32_t be(const unsigned char *b, size_t len)
{
	uint32_t n = 0;

	for (size_t i = 0; i < len; i++)
		n = n << 8 | b[i];
	return n;
}

/* Look at the head of a frame.  Is it to be left out? */
static bool take_head(struct h2_idle *i, const unsigned char *head)
{
	uint32_t stream_id = be(head + 5, 4) & 0x7fffffff;
	uint32_t len = be(head, 3);

	i->skip_bytes = len;
	if (head[3] == NGHTTP2_HEADERS && stream_id > i->newest_id)
		i->newest_id = stream_id;
	return head[3] == NGHTTP2_RST_STREAM && len == RESET_BYTES &&
	       stream_id > i->newest_id && stream_id % 2 == 1;
}

static ssize_t give(struct h2 *h, const unsigned char *from,
		    const unsigned char *to)
{
	if (from == to)
		return 0;
	return nghttp2_session_mem_recv(h->session, from, (size_t)(to - from));
}

/* A head that came in pieces is held until it is whole. */
static ssize_t gather(struct h2 *h, const unsigned char **at,
		      const unsigned char *end)
{
	struct h2_idle *i = &h->idle;
	size_t step = HEAD_BYTES - i->held;

	if ((size_t)(end - *at) < step)
		step = (size_t)(end - *at);
	memcpy(i->head + i->held, *at, step);
	i->held += (unsigned)step;
	*at += step;
	if (i->held < HEAD_BYTES)
		return 0;
	i->held = 0;
	i->dropping = take_head(i, i->head);
	return i->dropping ? 0 : give(h, i->head, i->head + HEAD_BYTES);
}

ssize_t h2_receive(struct h2 *h, struct slice bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.ptr;
	const unsigned char *end = at + bytes.len;
	const unsigned char *from = at; /* what nghttp2 has not had */
	struct h2_idle *i = &h->idle;
	ssize_t n = 0;

	if (!h->server)
		return give(h, at, end);
	while (at < end && n >= 0) {
		size_t left = (size_t)(end - at);

		if (i->skip_bytes > 0) {
			size_t step =
				left < i->skip_bytes ? left : i->skip_bytes;

			at += step;
			i->skip_bytes -= (uint32_t)step;
			if (i->dropping)
				from = at;
		} else if (i->held > 0 || left < HEAD_BYTES) {
			n = give(h, from, at);
			if (n >= 0)
				n = gather(h, &at, end);
			from = at;
		} else if (take_head(i, at)) {
			n = give(h, from, at);
			at += HEAD_BYTES;
			from = at;
			i->dropping = true;
		} else {
			at += HEAD_BYTES;
			i->dropping = false;
		}
	}
	return n < 0 ? n : give(h, from, at);
}
