/*
 * link_ends.h: both ends of one stream over a socket pair; the client's may be
 * without a link, for envelopes written by hand.
 */
#ifndef TESTS_UNIT_LINK_ENDS_H
#define TESTS_UNIT_LINK_ENDS_H

#include "proto/link.h"

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
#include "proto/grpc.h"
#include "proto/h2.h"
#include "proto/message.h"

enum { KIB = 1024, MIB = 1024 * 1024, LIMIT = 32 * MIB, SEEN = 4096 };

enum event { NOTHING, ENVELOPE, MESSAGE, ACKED, DRAINED, BROKEN };

struct end {
	struct h2 *h;
	struct h2_stream *s;
	struct link *link; /* NULL: by hand */
	struct buf raw;	   /* what came, by hand */
	uint64_t order[SEEN];
	unsigned messages, envelopes, drains;
	uint64_t acked;
	size_t bytes, most_queued_bytes;
	bool corrupt, ended_well;
	unsigned ends;
	enum reason broken;
	bool deliver; /* at once */
	bool pause_in_message;
	enum event free_in;
};

static struct ev_loop *loop;
static struct end client, server;
static bool by_hand;
static size_t limit_bytes;

static inline char pattern(uint64_t sequence, size_t i)
{
	return (char)((i + sequence * 7919) * 2654435761u >> 19);
}

static inline void maybe_free(struct end *e, enum event now)
{
	if (e->free_in != now)
		return;
	link_free(e->link);
	e->link = NULL;
}

/* --- events of the link --- */

static inline void on_envelope(void *owner, const envelope_t *envelope)
{
	struct end *e = owner;

	assert_int_equal(envelope->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE);
	e->envelopes++;
	maybe_free(e, ENVELOPE);
}

static inline void on_message(void *owner, uint64_t sequence, bool effect,
			      struct slice json, struct buf *whole)
{
	struct end *e = owner;

	assert_true(!whole || slice_equal(json, buf_slice(whole)));
	e->order[e->messages++ % SEEN] = sequence;
	e->bytes += json.len;
	e->corrupt |= effect != (sequence % 2 == 0);
	for (size_t i = 0; i < json.len; i++)
		e->corrupt |= json.ptr[i] != pattern(sequence, i);
	if (e->pause_in_message)
		link_pause(e->link);
	if (e->deliver)
		link_received(e->link, sequence);
	maybe_free(e, MESSAGE);
}

static inline void on_acked(void *owner, uint64_t received)
{
	struct end *e = owner;

	assert_true(received > e->acked);
	e->acked = received;
	maybe_free(e, ACKED);
}

static inline void on_link_drained(void *owner)
{
	struct end *e = owner;

	e->drains++;
	maybe_free(e, DRAINED);
}

static inline void on_broken(void *owner, const struct err *why)
{
	struct end *e = owner;

	assert_int_equal(e->broken, ERR_NONE);
	e->broken = why->reason;
	maybe_free(e, BROKEN);
}

static const struct link_events link_events = {
	.envelope = on_envelope,
	.message = on_message,
	.acked = on_acked,
	.drained = on_link_drained,
	.broken = on_broken,
};

/* --- events of h2 --- */

static inline void on_headers(void *owner, const struct h2_headers *h)
{
	(void)owner;
	(void)h;
}

static inline void on_data(void *owner, struct slice bytes)
{
	struct end *e = owner;

	if (e->link) {
		link_on_data(e->link, bytes);
		return;
	}
	buf_append_slice(&e->raw, bytes);
	h2_consume(e->s, bytes.len);
}

static inline void on_end(void *owner)
{
	struct end *e = owner;
	struct err err;

	e->ends++;
	if (e->link)
		e->ended_well = link_on_end(e->link, &err);
}

static inline void on_drained(void *owner)
{
	struct end *e = owner;

	if (!e->link)
		return;
	if (h2_queued(e->s) > e->most_queued_bytes)
		e->most_queued_bytes = h2_queued(e->s);
	link_on_drained(e->link);
	if (e->link && h2_queued(e->s) > e->most_queued_bytes)
		e->most_queued_bytes = h2_queued(e->s);
}

static inline void on_closed(void *owner, uint32_t error)
{
	struct end *e = owner;

	(void)error;
	link_free(e->link);
	e->link = NULL;
	e->s = NULL;
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
	const struct h2_header ok = {slice_of(":status"), slice_of("200")};
	struct end *e = owner;

	(void)h;
	e->s = s;
	h2_stream_listen(s, &stream_events, e);
	h2_respond(s, &ok, 1);
	e->link = link_new(loop, s, limit_bytes, &link_events, e);
}

static inline void on_down(void *owner, const struct err *why)
{
	(void)owner;
	(void)why;
}

static const struct h2_events events = {
	.request = on_request,
	.down = on_down,
};

/* --- set-up --- */

#define run_until(condition)                                                   \
	while (!(condition))                                                   \
	ev_run(loop, EVRUN_ONCE)

static inline void settle(void)
{
	for (int i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static inline void set_up(void)
{
	const struct h2_header list[] = {
		{slice_of(":method"), slice_of("POST")},
		{slice_of(":scheme"), slice_of("http")},
		{slice_of(":path"), slice_of("/x/y")},
	};
	struct h2_limits limits = h2_limits_local();
	struct err err;
	int fds[2];

	client = (struct end){0};
	server = (struct end){.deliver = true};
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server.h = h2_new_server(loop, fds[0], &limits, &events, &server);
	client.h = h2_new_client(loop, fds[1], &limits, &events, &client);
	client.s = h2_request(client.h, list, 3, &stream_events, &client, &err);
	assert_non_null(client.s);
	if (!by_hand)
		client.link = link_new(loop, client.s, limit_bytes,
				       &link_events, &client);
	run_until(server.link);
}

static inline int set_up_links(void **state)
{
	(void)state;
	by_hand = false;
	limit_bytes = LIMIT;
	set_up();
	return 0;
}

static inline int set_up_by_hand(void **state)
{
	(void)state;
	by_hand = true;
	limit_bytes = 1 * MIB;
	set_up();
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	h2_free(client.h);
	h2_free(server.h);
	buf_finish(&client.raw);
	buf_finish(&server.raw);
	return 0;
}

static inline void post_after(struct end *e, uint64_t sequence, size_t len,
			      uint64_t after)
{
	char *json = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		json[i] = pattern(sequence, i);
	struct message *m =
		message_new((struct slice){json, len}, sequence % 2 == 0);
	m->sequence = sequence;
	link_send(e->link, m, after);
	message_unref(m);
	free(json);
	if (h2_queued(e->s) > e->most_queued_bytes)
		e->most_queued_bytes = h2_queued(e->s);
}

static inline void post(struct end *e, uint64_t sequence, size_t len)
{
	post_after(e, sequence, len, 0);
}

static inline void assert_order(const struct end *e, const uint64_t *order,
				unsigned count)
{
	assert_int_equal(e->messages, count);
	assert_false(e->corrupt);
	assert_int_equal(e->broken, ERR_NONE);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(e->order[i], order[i]);
}

#endif
