/*
 * connection: a server and a peer that writes what it likes.
 *
 * Input: a byte of choices, then frames: type, flags, stream, length and
 * payload.  Type 15 is bytes that are no frame.  Whatever comes, each stream
 * that was told of is told to be over, once, and the connection ends once.
 */
#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "proto/buf.h"
#include "proto/err.h"
#include "proto/h2.h"
#include "proto/log.h"

enum {
	TURNS = 3,
	FRAMES = 512,
	/* choices */
	NGHTTP2_CHECKS = 1,
	HOLDS = 2, /* what it gets, and answers nothing */
	FREES = 4, /* the connection, in the middle */
	DRAINS = 8,
};

static struct ev_loop *loop;

struct server {
	struct h2 *h;
	unsigned choices;
	unsigned open, downs;
};

/* One stream of it. */
struct served {
	struct server *server;
	struct h2_stream *s;
	bool ended;
};

static const struct h2_header list[] = {
	{{":status", 7}, {"200", 3}},
	{{"content-type", 12}, {"application/grpc", 16}},
};

static void on_headers(void *owner, const struct h2_headers *h)
{
	const struct served *d = owner;

	assert(d->server->open > 0 && h->count <= 128);
}

static void on_data(void *owner, struct slice bytes)
{
	struct served *d = owner;

	assert(!d->ended);
	if (d->server->choices & HOLDS)
		return;
	h2_consume(d->s, bytes.len);
	buf_append_slice(h2_output(d->s), bytes);
	h2_send(d->s);
}

static void on_end(void *owner)
{
	struct served *d = owner;

	assert(!d->ended);
	d->ended = true;
	if (!(d->server->choices & HOLDS))
		h2_finish(d->s, list + 1, 1);
}

static void on_closed(void *owner, uint32_t error)
{
	struct served *d = owner;

	(void)error;
	d->server->open--;
	free(d);
}

static const struct h2_stream_events stream_events = {
	.headers = on_headers,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
};

static void on_request(void *owner, struct h2_stream *s,
		       const struct h2_headers *h)
{
	struct server *server = owner;
	struct served *d = calloc(1, sizeof(*d));

	d->server = server;
	d->s = s;
	server->open++;
	h2_stream_listen(s, &stream_events, d);
	on_headers(d, h);
	if (server->choices & HOLDS)
		h2_expect(s, true);
	else
		h2_respond(s, list, 2);
}

static void on_down(void *owner, const struct err *why)
{
	struct server *server = owner;

	(void)why;
	server->downs++;
	assert(server->open == 0);
}

static const struct h2_events events = {
	.request = on_request,
	.down = on_down,
};

static void put_frame(struct buf *to, struct script *s)
{
	unsigned type = script_byte(s);
	unsigned flags = script_byte(s);
	unsigned stream = script_byte(s);
	struct slice body = script_bytes(s, script_byte(s));
	const unsigned char head[9] = {
		0,
		0,
		(unsigned char)body.len,
		(unsigned char)(type & 15),
		(unsigned char)flags,
		0,
		0,
		0,
		(unsigned char)stream,
	};

	if ((type & 15) != 15)
		buf_append(to, head, sizeof(head));
	buf_append_slice(to, body);
}

/* Write it, and read what comes back, so that nobody waits for room. */
static void pass(int fd, struct buf *bytes)
{
	static char answer[65536];
	ssize_t n = write(fd, bytes->data, bytes->len);

	(void)n; /* the server may be gone */
	buf_reset(bytes, SIZE_MAX);
	for (int i = 0; i < TURNS; i++) {
		ev_run(loop, EVRUN_NOWAIT);
		do
			n = read(fd, answer, sizeof(answer));
		while (n > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				    "\0\0\0\4\0\0\0\0\0"
				    "\0\0\0\4\1\0\0\0\0";
	struct h2_limits limits = h2_limits_local();
	struct script s = {{(const char *)data, size}};
	struct server server = {.choices = script_byte(&s)};
	struct buf bytes = {0};
	int fds[2];

	if (!loop) {
		signal(SIGPIPE, SIG_IGN);
		log_open(STDERR_FILENO, LOG_OFF);
		loop = ev_loop_new(EVFLAG_AUTO);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return 0;
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	limits.any_authority = !(server.choices & NGHTTP2_CHECKS);
	server.h = h2_new_server(loop, fds[0], &limits, &events, &server);
	buf_append(&bytes, hello, sizeof(hello) - 1);
	for (int i = 0; i < FRAMES && s.rest.len > 0 && !server.downs; i++) {
		put_frame(&bytes, &s);
		if (i % 3 != 2)
			continue; /* several in one read */
		pass(fds[1], &bytes);
		if (server.choices & DRAINS)
			h2_drain(server.h);
		if (i > 6 && server.choices & FREES)
			break;
	}
	pass(fds[1], &bytes);
	assert(h2_streams(server.h) >= server.open);
	h2_free(server.h);
	assert(server.open == 0 && server.downs <= 1);
	close(fds[1]);
	ev_run(loop, EVRUN_NOWAIT);
	buf_finish(&bytes);
	return 0;
}
