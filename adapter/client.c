#include "adapter/client.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>

#include "adapter/attach.h"
#include "adapter/handshake.h"
#include "proto/clock.h"
#include "proto/err.h"
#include "proto/h2.h"
#include "proto/link.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/seqset.h"
#include "proto/version.h"

enum client_state {
	CLIENT_SEEKING,
	CLIENT_GREETING,
	CLIENT_ATTACHED,
};

static const char *const state_name[] = {
	[CLIENT_SEEKING] = "seeking",
	[CLIENT_GREETING] = "greeting",
	[CLIENT_ATTACHED] = "attached",
};

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[CLIENT_SEEKING] = 1u << CLIENT_GREETING,
	[CLIENT_GREETING] = 1u << CLIENT_ATTACHED | 1u << CLIENT_SEEKING,
	[CLIENT_ATTACHED] = 1u << CLIENT_SEEKING,
};

/* Owned by main. */
struct client {
	struct ev_loop *loop;
	const struct client_events *events;
	void *owner;
	struct attach *attach;

	enum client_state state;
	struct h2 *h2;		  /* attach's; NULL while not connected */
	struct h2_stream *stream; /* NULL once it is closed */
	struct link *link;	  /* lives as long as the stream */
	struct manifest manifest; /* who should be there */
	uint64_t received;	  /* as the Hello said */
	bool may_start;
	bool leaving;

	/* A stream is given up at the edge of the loop's turn, never from
	 * inside one of its own events. */
	ev_timer edge;
	enum election_refusal how;
	struct err why; /* ERR_NONE: it is not to be given up */
	bool accused;	/* and the daemon is to blame */
};

/* The only writer of c->state. */
static void advance(struct client *c, enum client_state next)
{
	assert(may_follow[c->state] & 1u << next);
	log_debug("client", "%s -> %s", state_name[c->state], state_name[next]);
	c->state = next;
}

/* Give the stream up soon. */
static void give_up(struct client *c, enum election_refusal how,
		    const struct err *why)
{
	if (c->state == CLIENT_SEEKING)
		return;
	if (!c->accused) {
		c->how = how;
		c->why = *why;
	}
	ev_timer_start(c->loop, &c->edge);
}

/* The same for what the daemon said or did: a better reason than that the
 * stream ended, which follows from it. */
static void accuse(struct client *c, enum election_refusal how,
		   const struct err *why)
{
	give_up(c, how, why);
	c->accused = true;
	/* Clients come and go; a daemon that was told to stop stays stopped
	 * until somebody asks for something. */
	if (why->reason == ERR_DRAINING && c->state == CLIENT_ATTACHED && c->h2)
		attach_rest(c->attach);
	/* One that we cannot speak to is not tried until it is another one. */
	if (why->reason == ERR_VERSION && c->h2)
		attach_rest(c->attach);
}

static void accuse_broken(struct client *c, const char *why)
{
	struct err e;

	err_set(&e, ERR_PROTOCOL, "the daemon broke the protocol: %s", why);
	accuse(c, ELECTION_OTHER, &e);
}

static bool is_given_up(const struct client *c)
{
	return c->state == CLIENT_SEEKING || c->why.reason != ERR_NONE;
}

/* At the edge: nothing of the stream is on the stack. */
static void end_stream(struct client *c)
{
	bool was_attached = c->state == CLIENT_ATTACHED;
	struct err why = c->why;

	advance(c, CLIENT_SEEKING);
	if (c->h2) {
		c->h2 = NULL;
		attach_refuse(c->attach, c->how, &why);
	}
	assert(!c->stream && !c->link);
	if (was_attached)
		c->events->lost(c->owner, &why);
	/* What else there is to say about it the election says. */
	if (c->accused)
		c->events->trouble(c->owner, &why);
}

/* --- the link ------------------------------------------------------------- */

static void from_welcome(struct client *c, const envelope_welcome_t *w)
{
	struct err e;

	if (c->state != CLIENT_GREETING) {
		accuse_broken(c, "a second Welcome");
		return;
	}
	if (!handshake_check(w, &c->manifest, &e)) {
		accuse(c, ELECTION_OTHER, &e);
		return;
	}
	link_start(c->link,
		   &(struct seqset){.all = w->resumed ? c->received : 0});
	attach_confirm(c->attach);
	advance(c, CLIENT_ATTACHED);
	c->events->attached(c->owner, w);
}

static void from_goodbye(struct client *c, const envelope_goodbye_t *goodbye)
{
	bool was_attached = c->state == CLIENT_ATTACHED;
	struct err e;

	accuse(c, handshake_goodbye(goodbye, &e), &e);
	if (was_attached)
		c->events->goodbye(c->owner, goodbye);
}

static void on_envelope(void *owner, const envelope_t *envelope)
{
	struct client *c = owner;

	if (is_given_up(c))
		return;
	if (envelope->body_case == EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME)
		from_welcome(c, envelope->welcome);
	else if (envelope->body_case ==
		 EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE)
		from_goodbye(c, envelope->goodbye);
	else
		accuse_broken(c, "a Hello from the daemon");
}

static void on_message(void *owner, uint64_t sequence, bool effect,
		       struct slice json, struct buf *whole)
{
	struct client *c = owner;

	(void)effect;
	if (is_given_up(c))
		return;
	if (c->state == CLIENT_ATTACHED)
		c->events->message(c->owner, sequence, json, whole);
	else
		accuse_broken(c, "a message before the Welcome");
}

static void on_acked(void *owner, uint64_t received)
{
	struct client *c = owner;

	if (!is_given_up(c) && c->state == CLIENT_ATTACHED)
		c->events->acked(c->owner, received);
}

static void on_broken(void *owner, const struct err *why)
{
	accuse(owner, ELECTION_OTHER, why);
}

static const struct link_events link_events = {
	.envelope = on_envelope,
	.message = on_message,
	.acked = on_acked,
	.broken = on_broken,
};

/* --- the stream ----------------------------------------------------------- */

static void on_headers(void *owner, const struct h2_headers *h)
{
	struct client *c = owner;
	enum election_refusal how;
	struct err e;

	if (handshake_status(h, &how, &e))
		accuse(c, how, &e);
}

static void on_data(void *owner, struct slice bytes)
{
	struct client *c = owner;

	link_on_data(c->link, bytes);
}

static void on_end(void *owner)
{
	struct client *c = owner;
	struct err e;

	if (link_on_end(c->link, &e))
		err_set(&e, ERR_LOST, "the daemon ended the session");
	give_up(c, ELECTION_GONE, &e);
}

static void on_stream_drained(void *owner)
{
	struct client *c = owner;

	/* Behind a goodbye nothing follows. */
	if (!c->leaving)
		link_on_drained(c->link);
}

static void on_closed(void *owner, uint32_t h2_error)
{
	struct client *c = owner;
	struct err e;

	link_free(c->link);
	c->link = NULL;
	c->stream = NULL;
	err_set(&e, ERR_LOST, "the stream to the daemon was reset (%u)",
		(unsigned)h2_error);
	give_up(c, ELECTION_GONE, &e);
}

static const struct h2_stream_events stream_events = {
	.headers = on_headers,
	.data = on_data,
	.end = on_end,
	.drained = on_stream_drained,
	.closed = on_closed,
};

/* gRPC over HTTP/2, Request-Headers: "TE ... Used to detect incompatible
 * proxies", and a content-type that starts with application/grpc. */
static struct h2_stream *open_stream(struct client *c, struct err *e)
{
	const struct h2_header headers[] = {
		{slice_of(":method"), slice_of("POST")},
		{slice_of(":scheme"), slice_of("http")},
		{slice_of(":path"),
		 slice_of("/executor.mcp.v1.McpService/Session")},
		{slice_of(":authority"), slice_of("localhost")},
		{slice_of("te"), slice_of("trailers")},
		{slice_of("content-type"), slice_of("application/grpc")},
		{slice_of("user-agent"), slice_of(version_user_agent)},
	};

	return h2_request(c->h2, headers, sizeof(headers) / sizeof(*headers),
			  &stream_events, c, e);
}

static void say_hello(struct client *c)
{
	envelope_hello_t hello;
	envelope_t envelope;

	handshake_hello(&hello, &c->manifest, c->may_start);
	c->events->hello(c->owner, &hello);
	c->received = hello.received;
	executor__mcp__v1__envelope__init(&envelope);
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_HELLO;
	envelope.hello = &hello;
	link_send_envelope(c->link, &envelope);
}

/* --- attach and the loop -------------------------------------------------- */

static void on_connected(void *owner, struct h2 *h2, const struct manifest *m)
{
	struct client *c = owner;
	struct err e;

	assert(c->state == CLIENT_SEEKING);
	c->h2 = h2;
	c->manifest = *m;
	c->why.reason = ERR_NONE;
	c->accused = false;
	advance(c, CLIENT_GREETING);
	if (!handshake_fits(m, c->may_start, &e)) {
		accuse(c, ELECTION_GONE, &e);
		return;
	}
	c->stream = open_stream(c, &e);
	if (!c->stream) {
		give_up(c, ELECTION_GONE, &e);
		return;
	}
	c->link = link_new(c->loop, c->stream, ENVELOPE_MESSAGE_BYTES,
			   &link_events, c);
	say_hello(c);
}

static void on_lost(void *owner, const struct err *why)
{
	struct client *c = owner;

	c->h2 = NULL;
	give_up(c, ELECTION_GONE, why);
}

static void on_trouble(void *owner, const struct err *why)
{
	struct client *c = owner;

	c->events->trouble(c->owner, why);
}

static const struct attach_events attach_events = {
	.connected = on_connected,
	.lost = on_lost,
	.trouble = on_trouble,
};

static void on_edge(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	end_stream(w->data);
}

/* --- public --------------------------------------------------------------- */

struct client *client_new(struct ev_loop *loop,
			  const struct attach_options *options,
			  const struct client_events *events, void *owner)
{
	struct client *c = mem_zalloc(sizeof(*c));

	c->loop = loop;
	c->events = events;
	c->owner = owner;
	c->may_start = options->may_start;
	c->attach = attach_new(loop, options, &attach_events, c);
	ev_timer_init(&c->edge, on_edge, 0, 0);
	/* Before attach connects again. */
	ev_set_priority(&c->edge, EV_MAXPRI);
	c->edge.data = c;
	return c;
}

void client_start(struct client *c)
{
	attach_start(c->attach);
}

void client_send(struct client *c, struct message *m, uint64_t after)
{
	if (c->state == CLIENT_ATTACHED && c->link)
		link_send(c->link, m, after);
}

void client_received(struct client *c, uint64_t sequence)
{
	if (c->state == CLIENT_ATTACHED && c->link)
		link_received(c->link, sequence);
}

size_t client_queued(const struct client *c)
{
	return c->link ? link_queued(c->link) : 0;
}

void client_pause(struct client *c, bool paused)
{
	if (!c->link)
		return;
	if (paused)
		link_pause(c->link);
	else
		link_resume(c->link);
}

void client_renew(struct client *c)
{
	struct err e;

	err_set(&e, ERR_LOST, "the client shook hands again");
	give_up(c, ELECTION_GONE, &e);
}

bool client_leave(struct client *c)
{
	envelope_t envelope;
	envelope_goodbye_t goodbye;

	if (!c->link)
		return true;
	if (!c->leaving) {
		executor__mcp__v1__goodbye__init(&goodbye);
		goodbye.reason =
			EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_CLIENT_LEFT;
		executor__mcp__v1__envelope__init(&envelope);
		envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE;
		envelope.goodbye = &goodbye;
		link_send_envelope(c->link, &envelope);
		h2_end(c->stream);
		c->leaving = true;
	}
	return h2_flush(c->h2);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	/* Closes the stream, which still tells us. */
	attach_free(c->attach);
	ev_timer_stop(c->loop, &c->edge);
	free(c);
}
