/*
 * link: what a peer may put into a Session stream.
 *
 * Two ends over a socket pair; the client's has no link, so the input goes onto
 * the wire as it is, in DATA frames of its choosing.
 *
 * What must hold: each sequence comes up once, and none that is 0; a message is
 * no larger than the limit; once broken, nothing comes up.
 */
#include "proto/link.h"

#include <assert.h>
#include <ev.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "proto/buf.h"
#include "proto/err.h"
#include "proto/h2.h"
#include "proto/log.h"
#include "proto/seqset.h"

enum { LIMIT_BYTES = 4096, TURNS = 6 };

/* One end.  The server's has the link. */
struct end {
	struct h2 *h;
	struct h2_stream *s;
	struct link *link;
	struct seqset seen;
	bool pauses; /* after each message, until the next turn */
	bool broken;
};

static struct ev_loop *loop;

static void on_envelope(void *owner, const envelope_t *envelope)
{
	assert(!((struct end *)owner)->broken);
	assert(envelope->body_case !=
	       EXECUTOR__MCP__V1__ENVELOPE__BODY__NOT_SET);
}

static void on_message(void *owner, uint64_t sequence, bool effect,
		       struct slice json, struct buf *whole)
{
	struct end *e = owner;
	struct buf taken = {0};

	(void)effect;
	assert(!e->broken);
	assert(sequence > 0);
	assert(json.len <= LIMIT_BYTES);
	assert(!seqset_has(&e->seen, sequence));
	seqset_add(&e->seen, sequence);
	link_received(e->link, sequence);
	if (e->pauses)
		link_pause(e->link);
	if (!whole)
		return;
	assert(slice_equal(json, buf_slice(whole)));
	buf_move(&taken, whole);
	buf_finish(&taken);
}

static void on_acked(void *owner, uint64_t received)
{
	assert(!((struct end *)owner)->broken);
	assert(received > 0);
}

static void on_broken(void *owner, const struct err *why)
{
	struct end *e = owner;

	assert(!e->broken);
	assert(why->reason != ERR_NONE);
	e->broken = true;
}

static const struct link_events link_events = {
	.envelope = on_envelope,
	.message = on_message,
	.acked = on_acked,
	.broken = on_broken,
};

static void on_headers(void *owner, const struct h2_headers *h)
{
	(void)owner;
	(void)h;
}

static void on_data(void *owner, struct slice bytes)
{
	struct end *e = owner;

	if (e->link)
		link_on_data(e->link, bytes);
	else
		h2_consume(e->s, bytes.len);
}

static void on_end(void *owner)
{
	struct end *e = owner;

	if (e->link)
		(void)link_on_end(e->link, NULL);
}

static void on_drained(void *owner)
{
	struct end *e = owner;

	if (e->link)
		link_on_drained(e->link);
}

static void on_closed(void *owner, uint32_t error)
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

static void on_request(void *owner, struct h2_stream *s,
		       const struct h2_headers *h)
{
	const struct h2_header ok = {slice_of(":status"), slice_of("200")};
	struct end *e = owner;

	(void)h;
	e->s = s;
	h2_stream_listen(s, &stream_events, e);
	h2_respond(s, &ok, 1);
	e->link = link_new(loop, s, LIMIT_BYTES, &link_events, e);
}

static void on_down(void *owner, const struct err *why)
{
	(void)owner;
	(void)why;
}

static const struct h2_events events = {
	.request = on_request,
	.down = on_down,
};

static void settle(struct end *server)
{
	for (int i = 0; i < TURNS; i++) {
		ev_run(loop, EVRUN_NOWAIT);
		if (server->link && server->pauses)
			link_resume(server->link);
	}
}

/* The first byte says how; then pieces, each behind its length. */
static void send_all(struct end *client, struct end *server, struct script *s)
{
	server->pauses = script_byte(s) & 1;
	while (s->rest.len > 0 && client->s) {
		size_t len = script_byte(s);

		buf_append_slice(h2_output(client->s),
				 script_bytes(s, len + 1));
		h2_send(client->s);
		settle(server);
	}
	if (client->s)
		h2_end(client->s);
	settle(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct h2_header list[] = {
		{slice_of(":method"), slice_of("POST")},
		{slice_of(":scheme"), slice_of("http")},
		{slice_of(":path"), slice_of("/x/y")},
	};
	const struct h2_limits limits = h2_limits_local();
	struct script s = {{(const char *)data, size}};
	struct end client = {0};
	struct end server = {0};
	int fds[2];

	if (!loop) {
		log_open(STDERR_FILENO, LOG_OFF);
		loop = ev_loop_new(EVFLAG_AUTO);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return 0;
	server.h = h2_new_server(loop, fds[0], &limits, &events, &server);
	client.h = h2_new_client(loop, fds[1], &limits, &events, &client);
	client.s = h2_request(client.h, list, 3, &stream_events, &client, NULL);
	assert(client.s);
	settle(&server);
	assert(server.link);
	send_all(&client, &server, &s);
	h2_free(client.h);
	h2_free(server.h);
	ev_run(loop, EVRUN_NOWAIT);
	seqset_finish(&server.seen);
	return 0;
}
