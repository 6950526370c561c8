/*
 * rpc: a gRPC client for tests, as wrong as a test wants it to be.
 *
 * Speaks through proto/h2 in the loop of the test; what came back is kept as
 * text and bytes.
 */
#ifndef TESTS_SUPPORT_RPC_H
#define TESTS_SUPPORT_RPC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ev.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/h2.h"

enum { RPC_TURNS = 100000 }; /* bounds a test that waits in vain */

struct rpc_client {
	struct ev_loop *loop;
	struct h2 *h2;
	unsigned downs;
	bool goaway;
};

/* What to ask; what is NULL is left out, but for the method, POST, and the
 * authority, localhost. */
struct rpc_ask {
	const char *method;
	const char *path;
	const char *content_type;
	const char *timeout;
	const char *encoding;
	const char *te;
	const char *authority;
	const char *authorization;
	const char *origin;
	size_t ballast_bytes; /* of one more header */
	const struct h2_header *more;
	size_t more_count;
};

struct rpc {
	struct h2_stream *stream; /* NULL once closed */
	struct buf headers;	  /* "name: value\n" of every block */
	unsigned blocks;
	struct buf body;
	bool end;
	bool closed;
	uint32_t h2_error;
	/* What comes is counted, but the window stays shut. */
	bool unread;
	const struct rpc_client *client;
	bool late; /* something came behind a GOAWAY */
};

/* --- events --------------------------------------------------------------- */

static inline void rpc_on_headers(void *owner, const struct h2_headers *h)
{
	struct rpc *r = owner;

	r->blocks++;
	for (size_t i = 0; i < h->count; i++) {
		buf_append_slice(&r->headers, h->list[i].name);
		buf_append_text(&r->headers, ": ");
		buf_append_slice(&r->headers, h->list[i].value);
		buf_append_text(&r->headers, "\n");
	}
}

static inline void rpc_on_data(void *owner, struct slice bytes)
{
	struct rpc *r = owner;

	r->late |= r->client->goaway;
	buf_append_slice(&r->body, bytes);
	if (!r->unread)
		h2_consume(r->stream, bytes.len);
}

static inline void rpc_on_end(void *owner)
{
	struct rpc *r = owner;

	r->end = true;
}

static inline void rpc_on_closed(void *owner, uint32_t h2_error)
{
	struct rpc *r = owner;

	r->stream = NULL;
	r->closed = true;
	r->h2_error = h2_error;
}

static inline void rpc_on_goaway(void *owner)
{
	struct rpc_client *c = owner;

	c->goaway = true;
}

static inline void rpc_on_down(void *owner, const struct err *why)
{
	struct rpc_client *c = owner;

	(void)why;
	c->downs++;
	h2_free(c->h2);
	c->h2 = NULL;
}

static const struct h2_stream_events rpc_stream_events = {
	.headers = rpc_on_headers,
	.data = rpc_on_data,
	.end = rpc_on_end,
	.closed = rpc_on_closed,
};

static const struct h2_events rpc_events = {
	.goaway = rpc_on_goaway,
	.down = rpc_on_down,
};

/* --- asking --------------------------------------------------------------- */

static inline void rpc_connect(struct rpc_client *c, struct ev_loop *loop,
			       int fd)
{
	struct h2_limits limits = h2_limits_local();

	*c = (struct rpc_client){.loop = loop};
	c->h2 = h2_new_client(loop, fd, &limits, &rpc_events, c);
}

static inline void rpc_disconnect(struct rpc_client *c)
{
	h2_free(c->h2);
	c->h2 = NULL;
}

static inline void rpc_add(struct h2_header *list, size_t *count,
			   const char *name, const char *value)
{
	if (value)
		list[(*count)++] =
			(struct h2_header){slice_of(name), slice_of(value)};
}

/* Send the headers. */
static inline void rpc_ask(struct rpc_client *c, struct rpc *r,
			   const struct rpc_ask *ask)
{
	char *ballast = calloc(1, ask->ballast_bytes + 1);
	struct h2_header list[32];
	size_t count = 0;
	struct err e;

	memset(ballast, 'x', ask->ballast_bytes);
	*r = (struct rpc){.client = c};
	rpc_add(list, &count, ":method", ask->method ? ask->method : "POST");
	rpc_add(list, &count, ":scheme", "http");
	rpc_add(list, &count, ":path", ask->path);
	rpc_add(list, &count, ":authority",
		ask->authority ? ask->authority : "localhost");
	rpc_add(list, &count, "te", ask->te);
	rpc_add(list, &count, "grpc-timeout", ask->timeout);
	rpc_add(list, &count, "content-type", ask->content_type);
	rpc_add(list, &count, "grpc-encoding", ask->encoding);
	rpc_add(list, &count, "authorization", ask->authorization);
	rpc_add(list, &count, "origin", ask->origin);
	if (ask->ballast_bytes > 0)
		rpc_add(list, &count, "ballast", ballast);
	for (size_t i = 0; i < ask->more_count; i++)
		list[count++] = ask->more[i];
	r->stream = h2_request(c->h2, list, count, &rpc_stream_events, r, &e);
	free(ballast);
	assert_non_null(r->stream);
}

static inline struct rpc_ask rpc_good(const char *path)
{
	return (struct rpc_ask){.path = path,
				.content_type = "application/grpc",
				.te = "trailers"};
}

/* Begin a good call. */
static inline void rpc_begin(struct rpc_client *c, struct rpc *r,
			     const char *path)
{
	struct rpc_ask ask = rpc_good(path);

	rpc_ask(c, r, &ask);
}

static inline void rpc_send(struct rpc *r, const void *bytes, size_t len)
{
	buf_append(h2_output(r->stream), bytes, len);
	h2_send(r->stream);
}

/* A message with that first byte of its prefix. */
static inline void rpc_flagged(struct rpc *r, unsigned char flag,
			       const void *bytes, size_t len)
{
	unsigned char prefix[GRPC_PREFIX_BYTES];

	grpc_prefix(prefix, (uint32_t)len);
	prefix[0] = flag;
	rpc_send(r, prefix, sizeof(prefix));
	rpc_send(r, bytes, len);
}

static inline void rpc_message(struct rpc *r, const void *bytes, size_t len)
{
	rpc_flagged(r, 0, bytes, len);
}

/* --- waiting -------------------------------------------------------------- */

static inline void rpc_turn(struct rpc_client *c)
{
	ev_run(c->loop, EVRUN_ONCE);
}

static inline void rpc_wait(struct rpc_client *c, const bool *until)
{
	for (int i = 0; i < RPC_TURNS && !*until; i++)
		rpc_turn(c);
	assert_true(*until);
}

static inline void rpc_wait_closed(struct rpc_client *c, struct rpc *r)
{
	rpc_wait(c, &r->closed);
}

static inline bool rpc_has(const struct rpc *r, const char *line)
{
	return r->headers.len > 0 &&
	       memmem(r->headers.data, r->headers.len, line, strlen(line));
}

/* The status that came, or -1. */
static inline int rpc_status(const struct rpc *r)
{
	static const char name[] = "grpc-status: ";
	const char *at = r->headers.len == 0
				 ? NULL
				 : memmem(r->headers.data, r->headers.len, name,
					  strlen(name));

	return at ? (int)strtol(at + strlen(name), NULL, 10) : -1;
}

/* The call has ended with this status, and nothing else is wrong. */
static inline void rpc_ended(struct rpc_client *c, struct rpc *r, int status)
{
	rpc_wait_closed(c, r);
	if (rpc_status(r) != status)
		print_error("%.*s\n", (int)r->headers.len, r->headers.data);
	assert_int_equal(rpc_status(r), status);
	assert_int_equal(r->h2_error, H2_NO_ERROR);
	assert_true(r->end);
}

static inline void rpc_finish(struct rpc *r)
{
	buf_finish(&r->headers);
	buf_finish(&r->body);
}

#endif
