#include "server/face/mcp_stream.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>

#include "proto/err.h"
#include "proto/h2.h"
#include "proto/link.h"
#include "proto/list.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "proto/version.h"
#include "server/face/call.h"
#include "server/face/hello.h"
#include "server/mcp/session.h"

/* The generated names are long; these are the same values. */
enum goodbye {
	GOODBYE_NONE = EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_UNSPECIFIED,
	GOODBYE_DRAINING = EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING,
	GOODBYE_PROTOCOL =
		EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_PROTOCOL_ERROR,
	GOODBYE_MISMATCH = EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_MISMATCH,
};

enum stream_state {
	STREAM_WAITING,
	STREAM_OPEN,
	STREAM_FLUSHING,
	STREAM_ENDING,
};

struct mcp_streams {
	struct ev_loop *loop;
	struct sessions *sessions;
	struct mcp_options options;
	struct list open;   /* of mcp_stream: WAITING and OPEN */
	struct list ending; /* of mcp_stream: FLUSHING and ENDING */
	/* Before the loop sleeps, while any is ending: ending one frees its
	 * link, which may be the very caller of the event that ended it. */
	ev_prepare sweep;
};

/* Owned by its call: freed when that is settled or closed. */
struct mcp_stream {
	struct mcp_streams *all;
	struct list link_in_all;
	enum stream_state state;
	struct call *call;
	struct link *link;
	struct session *session; /* while attached to one */
	ev_timer hello;
	/* How it ends: a goodbye (or nothing), and a status. */
	struct buf goodbye;
	struct err why; /* ERR_NONE: OK; its text is the goodbye's, too */
};

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[STREAM_WAITING] = 1u << STREAM_OPEN | 1u << STREAM_ENDING,
	[STREAM_OPEN] = 1u << STREAM_FLUSHING | 1u << STREAM_ENDING,
	[STREAM_FLUSHING] = 1u << STREAM_ENDING,
	[STREAM_ENDING] = 0,
};

/* The only writer of s->state. */
static void advance(struct mcp_stream *s, enum stream_state next)
{
	assert(may_follow[s->state] & 1u << next);
	s->state = next;
}

static bool over(const struct mcp_stream *s)
{
	return s->state == STREAM_FLUSHING || s->state == STREAM_ENDING;
}

/* --- the end -------------------------------------------------------------- */

/* Release everything but the call. */
static void dispose(struct mcp_stream *s)
{
	struct mcp_streams *all = s->all;

	assert(!s->session);
	ev_timer_stop(all->loop, &s->hello);
	list_remove(&s->link_in_all);
	link_free(s->link);
	buf_finish(&s->goodbye);
	free(s);
}

static void finish(struct mcp_stream *s)
{
	struct call *c = s->call;
	struct err why = s->why;

	if (s->goodbye.len > 0) {
		buf_append_slice(h2_output(call_h2(c)), buf_slice(&s->goodbye));
		h2_send(call_h2(c));
	}
	dispose(s);
	if (why.reason == ERR_NONE)
		call_end(c);
	else
		call_fail(c, &why);
}

/* Is everything that the link kept in the stream's own queue, which leaves
 * before the trailers? */
static bool flushed(const struct mcp_stream *s)
{
	return link_queued(s->link) <= h2_queued(call_h2(s->call));
}

static void sweep(struct mcp_streams *all)
{
	struct list *next;

	for (struct list *l = all->ending.next; l != &all->ending; l = next) {
		struct mcp_stream *s =
			LIST_ITEM(l, struct mcp_stream, link_in_all);

		next = l->next;
		if (s->state == STREAM_FLUSHING && flushed(s))
			advance(s, STREAM_ENDING);
		if (s->state == STREAM_ENDING)
			finish(s);
	}
	if (list_empty(&all->ending))
		ev_prepare_stop(all->loop, &all->sweep);
}

static void on_sweep(struct ev_loop *loop, ev_prepare *w, int revents)
{
	(void)loop;
	(void)revents;
	sweep(w->data);
}

/* Begin to end it.  Nothing more goes up to the session. */
static void end_with(struct mcp_stream *s, enum stream_state how,
		     enum goodbye goodbye, const envelope_untaken_t *untaken)
{
	struct mcp_streams *all = s->all;

	advance(s, how);
	if (goodbye != GOODBYE_NONE)
		envelope_encode_goodbye(
			&s->goodbye,
			(Executor__Mcp__V1__Goodbye__Reason)goodbye,
			s->why.text, untaken);
	ev_timer_stop(all->loop, &s->hello);
	list_remove(&s->link_in_all);
	list_append(&all->ending, &s->link_in_all);
	ev_prepare_start(all->loop, &all->sweep);
	/* Also now: this may be the last callback before the loop sleeps. */
	ev_feed_event(all->loop, &all->sweep, EV_PREPARE);
}

static void end(struct mcp_stream *s, enum stream_state how,
		enum goodbye goodbye)
{
	end_with(s, how, goodbye, NULL);
}

static void detach(struct mcp_stream *s, bool goodbye)
{
	struct session *session = s->session;

	s->session = NULL;
	if (session)
		session_detach(session, goodbye);
}

/* --- what the session asks for -------------------------------------------- */

static void on_session_send(void *stream, struct message *m)
{
	struct mcp_stream *s = stream;

	link_send(s->link, m, 0);
}

static size_t on_session_queued(void *stream)
{
	const struct mcp_stream *s = stream;

	return link_queued(s->link);
}

static void on_session_accepted(void *stream, uint64_t sequence)
{
	struct mcp_stream *s = stream;

	link_received(s->link, sequence);
}

static void on_session_pause(void *stream, bool paused)
{
	struct mcp_stream *s = stream;

	if (paused)
		link_pause(s->link);
	else
		link_resume(s->link);
}

static void on_session_end(void *stream,
			   Executor__Mcp__V1__Goodbye__Reason reason,
			   const char *text, const envelope_untaken_t *untaken)
{
	struct mcp_stream *s = stream;

	s->session = NULL;
	/* The goodbye says why; for gRPC the call went well.  What was
	 * answered must get out before a daemon ends. */
	err_set(&s->why, ERR_NONE, "%s", text);
	end_with(s,
		 (enum goodbye)reason == GOODBYE_DRAINING ? STREAM_FLUSHING
							  : STREAM_ENDING,
		 (enum goodbye)reason, untaken);
}

static const struct session_stream session_functions = {
	.send = on_session_send,
	.queued = on_session_queued,
	.accepted = on_session_accepted,
	.pause = on_session_pause,
	.end = on_session_end,
};

/* --- hello ---------------------------------------------------------------- */

static void send_welcome(struct mcp_stream *s, const envelope_hello_t *hello,
			 envelope_welcome_t *welcome)
{
	Executor__Mcp__V1__Limits limits;
	envelope_t envelope;

	hello_welcome(hello, &s->all->options, welcome, &limits);
	executor__mcp__v1__envelope__init(&envelope);
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME;
	envelope.welcome = welcome;
	link_send_envelope(s->link, &envelope);
}

static void refuse_hello(struct mcp_stream *s, const envelope_hello_t *hello)
{
	const struct mcp_options *o = &s->all->options;

	if (s->why.reason != ERR_VERSION || !o->outdated ||
	    !hello_replaces(hello)) {
		end(s, STREAM_ENDING, GOODBYE_MISMATCH);
		return;
	}
	err_set(&s->why, ERR_DRAINING,
		"this daemon (version %s) makes way for version %s",
		version_text, hello->version);
	end(s, STREAM_ENDING, GOODBYE_DRAINING);
	o->outdated(o->owner, hello->version);
}

static void accept_hello(struct mcp_stream *s, const envelope_hello_t *hello)
{
	envelope_welcome_t welcome;

	executor__mcp__v1__welcome__init(&welcome);
	if (!hello_check(hello, &s->all->options, &s->why)) {
		refuse_hello(s, hello);
		return;
	}
	s->session = session_open(s->all->sessions, hello, &session_functions,
				  s, &welcome, &s->why);
	if (!s->session) {
		end(s, STREAM_ENDING,
		    s->why.reason == ERR_DRAINING ? GOODBYE_DRAINING
						  : GOODBYE_NONE);
		return;
	}
	advance(s, STREAM_OPEN);
	ev_timer_stop(s->all->loop, &s->hello);
	link_start(s->link, session_received(s->session));
	send_welcome(s, hello, &welcome);
	session_attached(s->session);
}

static void on_hello_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct mcp_stream *s = w->data;

	(void)loop;
	(void)revents;
	err_set(&s->why, ERR_DEADLINE, "no hello within %u ms",
		s->all->options.hello_ms);
	end(s, STREAM_ENDING, GOODBYE_NONE);
}

/* --- events of the link --------------------------------------------------- */

static void break_off(struct mcp_stream *s, const struct err *why)
{
	s->why = *why;
	detach(s, false);
	end(s, STREAM_ENDING, GOODBYE_PROTOCOL);
}

static void on_envelope(void *owner, const envelope_t *envelope)
{
	struct mcp_stream *s = owner;
	bool hello =
		envelope->body_case == EXECUTOR__MCP__V1__ENVELOPE__BODY_HELLO;
	bool goodbye = envelope->body_case ==
		       EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE;
	struct err e;

	if (over(s))
		return;
	if (hello && s->state == STREAM_WAITING) {
		accept_hello(s, envelope->hello);
	} else if (goodbye && s->state == STREAM_OPEN) {
		detach(s, true);
		end(s, STREAM_ENDING, GOODBYE_NONE);
	} else {
		err_set(&e, ERR_PROTOCOL,
			s->state == STREAM_WAITING
				? "the first envelope was no hello"
				: "an envelope that only a daemon may send, "
				  "or a second hello");
		break_off(s, &e);
	}
}

/* What only an open stream may carry. */
static bool is_open(struct mcp_stream *s)
{
	struct err e;

	if (s->state == STREAM_WAITING) {
		err_set(&e, ERR_PROTOCOL, "the first envelope was no hello");
		break_off(s, &e);
	}
	return s->state == STREAM_OPEN;
}

static void on_message(void *owner, uint64_t sequence, bool effect,
		       struct slice json, struct buf *whole)
{
	struct mcp_stream *s = owner;

	(void)whole;
	if (is_open(s))
		session_accept(s->session, sequence, effect, json);
}

static void on_acked(void *owner, uint64_t received)
{
	struct mcp_stream *s = owner;

	if (is_open(s))
		session_acked(s->session, received);
}

static void on_link_drained(void *owner)
{
	struct mcp_stream *s = owner;

	if (s->state == STREAM_OPEN)
		session_drained(s->session);
}

static void on_broken(void *owner, const struct err *why)
{
	struct mcp_stream *s = owner;

	if (!over(s))
		break_off(s, why);
}

static const struct link_events link_events = {
	.envelope = on_envelope,
	.message = on_message,
	.acked = on_acked,
	.drained = on_link_drained,
	.broken = on_broken,
};

/* --- events of the call --------------------------------------------------- */

static void on_call_data(void *owner, struct slice bytes)
{
	struct mcp_stream *s = owner;

	/* What is not wanted any more must not keep the window shut. */
	if (over(s))
		h2_consume(call_h2(s->call), bytes.len);
	else
		link_on_data(s->link, bytes);
}

static void on_call_end(void *owner)
{
	struct mcp_stream *s = owner;
	struct err e;

	if (over(s))
		return;
	if (!link_on_end(s->link, &e)) {
		break_off(s, &e);
		return;
	}
	/* A half-close without a goodbye may be an adapter that is being
	 * killed: its session waits for another one. */
	detach(s, false);
	end(s, STREAM_ENDING, GOODBYE_NONE);
}

static void on_call_drained(void *owner)
{
	struct mcp_stream *s = owner;

	link_on_drained(s->link);
}

static void on_call_closed(void *owner)
{
	struct mcp_stream *s = owner;

	detach(s, false);
	dispose(s);
}

static const struct call_events call_events = {
	.data = on_call_data,
	.end = on_call_end,
	.drained = on_call_drained,
	.closed = on_call_closed,
};

/* --- public --------------------------------------------------------------- */

struct mcp_streams *mcp_streams_new(struct ev_loop *loop,
				    struct sessions *sessions,
				    const struct mcp_options *options)
{
	struct mcp_streams *all = mem_zalloc(sizeof(*all));

	all->loop = loop;
	all->sessions = sessions;
	all->options = *options;
	list_init(&all->open);
	list_init(&all->ending);
	ev_prepare_init(&all->sweep, on_sweep);
	/* Before those who write what it queues. */
	ev_set_priority(&all->sweep, EV_MAXPRI);
	all->sweep.data = all;
	return all;
}

struct fate *mcp_stream_open(struct mcp_streams *all, struct call *c)
{
	struct mcp_stream *s = mem_zalloc(sizeof(*s));

	s->all = all;
	s->call = c;
	list_append(&all->open, &s->link_in_all);
	s->link = link_new(all->loop, call_h2(c), all->options.message_bytes,
			   &link_events, s);
	ev_timer_init(&s->hello, on_hello_late, all->options.hello_ms / 1e3,
		      0.);
	s->hello.data = s;
	ev_timer_start(all->loop, &s->hello);
	return call_stream(c, &call_events, s);
}

void mcp_streams_free(struct mcp_streams *all)
{
	if (!all)
		return;
	assert(list_empty(&all->open) && list_empty(&all->ending));
	ev_prepare_stop(all->loop, &all->sweep);
	free(all);
}
