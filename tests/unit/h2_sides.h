/*
 * h2_sides: the two roles of h2 against each other over a socket pair, in one
 * loop, and a few ways to serve a request.
 */
#ifndef TESTS_UNIT_H2_SIDES_H
#define TESTS_UNIT_H2_SIDES_H

#include "proto/h2.h"

#include <ev.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/err.h"

enum { ENDS = 8, MIB = 1024 * 1024 };

enum event {
	NOTHING,
	REQUEST,
	HEADERS,
	DATA,
	END,
	DRAINED,
	CLOSED,
	GOAWAY,
	DOWN
};

/* One side's use of one stream. */
struct end {
	struct side *side;
	struct h2_stream *s;
	struct buf headers; /* "name: value\n", blocks end with an empty line */
	struct buf body;
	bool too_large;
	unsigned ends, closed;
	uint32_t error;
	bool echo; /* send back what comes, finish when it ends */
	bool hold; /* do not consume */
	size_t held_bytes;
	size_t to_send_bytes; /* of the pattern */
	size_t sent_bytes;
	size_t most_queued_bytes;
};

struct side {
	struct h2 *h;
	struct end ends[ENDS];
	unsigned count;
	unsigned goaways, downs;
	struct err why;
	enum event free_in;
	/* What the server does with a request. */
	void (*serve)(struct end *e);
};

static struct ev_loop *loop;
static struct side client, server;

static inline bool maybe_free(struct side *side, enum event now)
{
	if (side->free_in != now)
		return false;
	h2_free(side->h);
	side->h = NULL;
	return true;
}

static inline char pattern(size_t i)
{
	return (char)(i * 2654435761u >> 21);
}

/* Fill the queue up to its high mark. */
static inline void produce(struct end *e)
{
	while (e->sent_bytes < e->to_send_bytes && !h2_full(e->s)) {
		size_t len = e->to_send_bytes - e->sent_bytes;
		if (len > 100000)
			len = 100000;
		char *to = buf_reserve(h2_output(e->s), len);
		for (size_t i = 0; i < len; i++)
			to[i] = pattern(e->sent_bytes + i);
		buf_added(h2_output(e->s), len);
		e->sent_bytes += len;
		h2_send(e->s);
		if (h2_queued(e->s) > e->most_queued_bytes)
			e->most_queued_bytes = h2_queued(e->s);
	}
}

static const struct h2_header trailers[] = {{{"grpc-status", 11}, {"0", 1}}};

static inline void finish(struct end *e)
{
	h2_finish(e->s, trailers, 1);
}

static inline void on_headers(void *owner, const struct h2_headers *h)
{
	struct end *e = owner;

	e->too_large |= h->too_large;
	for (size_t i = 0; i < h->count; i++) {
		buf_append_slice(&e->headers, h->list[i].name);
		buf_append_text(&e->headers, ": ");
		buf_append_slice(&e->headers, h->list[i].value);
		buf_append_text(&e->headers, "\n");
	}
	buf_append_text(&e->headers, "\n");
	maybe_free(e->side, HEADERS);
}

static inline void on_data(void *owner, struct slice bytes)
{
	struct end *e = owner;

	if (maybe_free(e->side, DATA))
		return;
	buf_append_slice(&e->body, bytes);
	if (e->hold)
		e->held_bytes += bytes.len;
	else
		h2_consume(e->s, bytes.len);
	if (e->echo) {
		buf_append_slice(h2_output(e->s), bytes);
		h2_send(e->s);
	}
}

static inline void on_end(void *owner)
{
	struct end *e = owner;

	e->ends++;
	if (maybe_free(e->side, END))
		return;
	if (e->echo)
		finish(e);
}

static inline void on_drained(void *owner)
{
	struct end *e = owner;

	if (!maybe_free(e->side, DRAINED))
		produce(e);
}

static inline void on_closed(void *owner, uint32_t error)
{
	struct end *e = owner;

	e->closed++;
	e->error = error;
	e->s = NULL;
	maybe_free(e->side, CLOSED);
}

static const struct h2_stream_events stream_events = {
	.headers = on_headers,
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

static inline void on_request(void *owner, struct h2_stream *s,
			      const struct h2_headers *h)
{
	struct side *side = owner;
	struct end *e = &side->ends[side->count++];

	assert_true(side->count <= ENDS);
	e->side = side;
	e->s = s;
	h2_stream_listen(s, &stream_events, e);
	on_headers(e, h);
	if (side->h && !maybe_free(side, REQUEST))
		side->serve(e);
}

static inline void on_goaway(void *owner)
{
	struct side *side = owner;

	side->goaways++;
	maybe_free(side, GOAWAY);
}

static inline void on_down(void *owner, const struct err *why)
{
	struct side *side = owner;

	side->downs++;
	side->why = *why;
	maybe_free(side, DOWN);
}

static const struct h2_events events = {
	.request = on_request,
	.goaway = on_goaway,
	.down = on_down,
};

/* --- ways to serve --- */

static const struct h2_header ok[] = {
	{{":status", 7}, {"200", 3}},
	{{"content-type", 12}, {"application/grpc", 16}},
};

static inline void serve_echo(struct end *e)
{
	e->echo = true;
	h2_respond(e->s, ok, 2);
}

static inline void serve_trailers_only(struct end *e)
{
	const struct h2_header list[] = {
		ok[0], ok[1], {slice_of("grpc-status"), slice_of("12")}};

	h2_finish(e->s, list, 3);
}

static inline void serve_early_end(struct end *e)
{
	h2_respond(e->s, ok, 2);
	buf_append_text(h2_output(e->s), "enough");
	h2_send(e->s);
	finish(e);
}

static inline void serve_much(struct end *e)
{
	h2_respond(e->s, ok, 2);
	e->to_send_bytes = 20 * MIB;
	produce(e);
}

static inline void serve_much_then_little(struct end *e)
{
	if (server.count == 1)
		serve_much(e);
	else
		serve_early_end(e);
}

static inline void serve_later(struct end *e)
{
	(void)e;
}

static inline void serve_hold(struct end *e)
{
	e->hold = true;
	h2_respond(e->s, ok, 2);
}

static inline void serve_reset(struct end *e)
{
	h2_reset(e->s, H2_ENHANCE_YOUR_CALM);
}

/* --- set-up --- */

static inline void set_up_with(const struct h2_limits *limits,
			       void (*serve)(struct end *))
{
	int fds[2];

	client = (struct side){0};
	server = (struct side){.serve = serve};
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server.h = h2_new_server(loop, fds[0], limits, &events, &server);
	client.h = h2_new_client(loop, fds[1], limits, &events, &client);
}

static inline void set_up(void (*serve)(struct end *))
{
	struct h2_limits limits = h2_limits_local();

	set_up_with(&limits, serve);
}

static inline void release_side(struct side *side)
{
	h2_free(side->h);
	for (unsigned i = 0; i < side->count; i++) {
		assert_int_equal(side->ends[i].closed, 1);
		buf_finish(&side->ends[i].headers);
		buf_finish(&side->ends[i].body);
	}
}

static inline void tear_down(void)
{
	release_side(&client);
	release_side(&server);
}

#define run_until(condition)                                                   \
	while (!(condition))                                                   \
	ev_run(loop, EVRUN_ONCE)

/* A few turns in which nothing has to happen. */
static inline void settle(void)
{
	for (int i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static inline struct end *request_with(const struct h2_header *more,
				       size_t count)
{
	struct h2_header list[64] = {
		{slice_of(":method"), slice_of("POST")},
		{slice_of(":scheme"), slice_of("http")},
		{slice_of(":path"), slice_of("/test.Service/Method")},
		{slice_of(":authority"), slice_of("localhost")},
		{slice_of("te"), slice_of("trailers")},
	};
	struct end *e = &client.ends[client.count++];
	struct err err;

	assert_true(client.count <= ENDS);
	for (size_t i = 0; i < count; i++)
		list[5 + i] = more[i];
	*e = (struct end){.side = &client};
	e->s = h2_request(client.h, list, 5 + count, &stream_events, e, &err);
	assert_non_null(e->s);
	assert_ptr_equal(h2_of(e->s), client.h);
	return e;
}

static inline struct end *request(void)
{
	return request_with(NULL, 0);
}

static inline void say(struct end *e, const char *text)
{
	buf_append_text(h2_output(e->s), text);
	h2_send(e->s);
}

static inline void assert_text(const struct buf *b, const char *text)
{
	assert_int_equal(b->len, strlen(text));
	assert_memory_equal(b->data, text, b->len);
}

static inline void assert_pattern(const struct buf *b, size_t len)
{
	assert_int_equal(b->len, len);
	for (size_t i = 0; i < len; i++)
		if (b->data[i] != pattern(i))
			fail_msg("byte %zu differs", i);
}

#endif
