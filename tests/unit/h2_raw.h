/*
 * h2_raw: a server's connection, and a peer that writes its bytes by hand.
 */
#ifndef TESTS_UNIT_H2_RAW_H
#define TESTS_UNIT_H2_RAW_H

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/h2.h"

enum frame_type {
	RAW_DATA = 0,
	RAW_HEADERS = 1,
	RAW_PRIORITY = 2,
	RAW_RST_STREAM = 3,
	RAW_SETTINGS = 4,
	RAW_PING = 6,
	RAW_GOAWAY = 7,
	RAW_WINDOW_UPDATE = 8,
	RAW_CONTINUATION = 9,
	RAW_UNKNOWN = 0xbe,
};

enum { RAW_END_STREAM = 1, RAW_ACK = 1, RAW_END_HEADERS = 4, RAW_PADDED = 8 };

struct raw {
	struct ev_loop *loop;
	struct h2 *h;
	int fd;		/* the peer's end */
	struct buf out; /* what the peer is going to write */
	struct buf in;	/* what the peer has read */
	bool over;	/* to the end of file */
	/* What the server saw. */
	struct h2_stream *stream; /* the newest */
	struct buf log;
	unsigned requests, ends, closed, downs;
	bool too_large;
	struct err why;
};

static void raw_on_headers(void *owner, const struct h2_headers *h)
{
	struct raw *r = owner;

	r->too_large |= h->too_large;
	for (size_t i = 0; i < h->count; i++) {
		buf_append_slice(&r->log, h->list[i].name);
		buf_append_text(&r->log, "=");
		buf_append_slice(&r->log, h->list[i].value);
		buf_append_text(&r->log, ";");
	}
}

static void raw_on_data(void *owner, struct slice bytes)
{
	struct raw *r = owner;

	buf_append_slice(&r->log, bytes);
}

static void raw_on_end(void *owner)
{
	struct raw *r = owner;

	r->ends++;
	buf_append_text(&r->log, "|");
}

static void raw_on_closed(void *owner, uint32_t error)
{
	struct raw *r = owner;

	(void)error;
	r->closed++;
}

static const struct h2_stream_events raw_stream_events = {
	.headers = raw_on_headers,
	.data = raw_on_data,
	.end = raw_on_end,
	.closed = raw_on_closed,
};

static void raw_on_request(void *owner, struct h2_stream *s,
			   const struct h2_headers *h)
{
	struct raw *r = owner;

	r->requests++;
	r->stream = s;
	h2_stream_listen(s, &raw_stream_events, r);
	raw_on_headers(r, h);
}

static void raw_on_down(void *owner, const struct err *why)
{
	struct raw *r = owner;

	r->downs++;
	r->why = *why;
}

static const struct h2_events raw_events = {
	.request = raw_on_request,
	.down = raw_on_down,
};

static inline void raw_open(struct raw *r, struct ev_loop *loop,
			    const struct h2_limits *limits)
{
	int fds[2];
	int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);

	assert(!failed);
	*r = (struct raw){.loop = loop, .fd = fds[1]};
	fcntl(r->fd, F_SETFL, O_NONBLOCK);
	r->h = h2_new_server(loop, fds[0], limits, &raw_events, r);
}

static inline void raw_close(struct raw *r)
{
	h2_free(r->h);
	close(r->fd);
	buf_finish(&r->out);
	buf_finish(&r->in);
	buf_finish(&r->log);
}

/* --- frames --- */

static inline void raw_u32(struct buf *b, uint32_t n)
{
	const unsigned char bytes[] = {
		(unsigned char)(n >> 24), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n};

	buf_append(b, bytes, 4);
}

static inline void raw_frame(struct raw *r, enum frame_type type,
			     unsigned flags, uint32_t stream, const void *bytes,
			     size_t len)
{
	const unsigned char head[] = {
		(unsigned char)(len >> 16), (unsigned char)(len >> 8),
		(unsigned char)len, (unsigned char)type, (unsigned char)flags};

	buf_append(&r->out, head, sizeof(head));
	raw_u32(&r->out, stream);
	buf_append(&r->out, bytes, len);
}

/* "name value\n"... as literals without indexing and without Huffman. */
static inline void raw_pack(struct buf *to, const char *lines)
{
	while (*lines) {
		size_t name = strcspn(lines, " ");
		size_t value = strcspn(lines + name + 1, "\n");
		unsigned char lens[2] = {(unsigned char)name,
					 (unsigned char)value};

		assert(name < 127 && value < 127);
		buf_append(to, "\0", 1);
		buf_append(to, &lens[0], 1);
		buf_append(to, lines, name);
		buf_append(to, &lens[1], 1);
		buf_append(to, lines + name + 1, value);
		lines += name + 1 + value + 1;
	}
}

static inline void raw_headers(struct raw *r, uint32_t stream, unsigned flags,
			       const char *lines)
{
	struct buf block = {0};

	raw_pack(&block, lines);
	raw_frame(r, RAW_HEADERS, flags, stream, block.data, block.len);
	buf_finish(&block);
}

#define RAW_REQUEST                                                            \
	":method POST\n:scheme http\n:path /a.B/C\n:authority localhost\n"

static inline void raw_hello(struct raw *r)
{
	buf_append_text(&r->out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	raw_frame(r, RAW_SETTINGS, 0, 0, NULL, 0);
	raw_frame(r, RAW_SETTINGS, RAW_ACK, 0, NULL, 0);
}

/* --- the wire --- */

static inline void raw_read(struct raw *r)
{
	ssize_t n;

	do {
		n = read(r->fd, buf_reserve(&r->in, 65536), 65536);
		if (n > 0)
			buf_added(&r->in, (size_t)n);
	} while (n > 0);
	/* Nobody is left to talk to. */
	if (n == 0 && !r->over) {
		r->over = true;
		shutdown(r->fd, SHUT_WR);
	}
}

/* Write what the kernel takes, run a turn.  False when it took nothing. */
static inline bool raw_write(struct raw *r)
{
	ssize_t n = write(r->fd, r->out.data, r->out.len);

	if (n > 0)
		buf_consume(&r->out, (size_t)n);
	ev_run(r->loop, EVRUN_NOWAIT);
	return n > 0;
}

/* Write everything and read the answers, until the server is quiet. */
static inline void raw_talk(struct raw *r)
{
	while (r->out.len > 0 && raw_write(r))
		raw_read(r);
	buf_reset(&r->out, 0);
	for (int i = 0; i < 10; i++) {
		ev_run(r->loop, EVRUN_NOWAIT);
		raw_read(r);
	}
}

/* Frames of that type (and stream, unless 0) that the peer has read; *error
 * gets the error code of the last. */
static inline unsigned raw_count(const struct raw *r, enum frame_type type,
				 uint32_t stream, uint32_t *error)
{
	const unsigned char *b = (const unsigned char *)r->in.data;
	unsigned count = 0;

	for (size_t at = 0; at + 9 <= r->in.len;) {
		size_t len = (size_t)b[at] << 16 | (size_t)b[at + 1] << 8 |
			     b[at + 2];
		uint32_t id = (uint32_t)b[at + 5] << 24 |
			      (uint32_t)b[at + 6] << 16 |
			      (uint32_t)b[at + 7] << 8 | b[at + 8];
		const unsigned char *body = b + at + 9;

		if (b[at + 3] == type && (stream == 0 || id == stream)) {
			count++;
			if (type == RAW_GOAWAY)
				body += 4;
			if (error)
				*error = (uint32_t)body[0] << 24 |
					 (uint32_t)body[1] << 16 |
					 (uint32_t)body[2] << 8 | body[3];
		}
		at += 9 + len;
	}
	return count;
}

#endif
