#include "server/face/line_stream.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>

#include "mcp/transport/v1/mcp.pb-c.h"
#include "proto/err.h"
#include "proto/h2.h"
#include "proto/list.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "proto/protobuf.h"
#include "proto/version.h"
#include "server/face/call.h"
#include "server/face/service.h"
#include "server/mcp/session.h"

/* Of a JsonRpcLine, beside its line. */
enum { LINE_FRAME_BYTES = 4096 };

struct line_streams {
	struct ev_loop *loop;
	struct sessions *sessions;
	struct arena arena;
	struct list due; /* of line_stream: look at them before the loop sleeps
			  */
	struct ev_watcher turn; /* fed, never started */
};

/* A message that waits for room in the call's queue. */
struct waiting {
	struct list link;
	struct message *message;
};

/* Owned by its call: freed when that is settled or closed. */
struct line_stream {
	struct line_streams *all;
	struct list link_in_due;
	struct call *call;
	struct session *session; /* NULL once it was detached */
	uint64_t heard;		 /* messages of the client, numbered from 1 */
	uint64_t said;		 /* the last message in the call's queue */
	uint64_t acked;		 /* as the session knows */
	struct list waiting;
	size_t waiting_bytes;
	bool half_closed;
	struct err why; /* of the end, when it is not OK */
};

/* --- the end -------------------------------------------------------------- */

static void forget_first(struct line_stream *s)
{
	struct waiting *w =
		LIST_ITEM(list_pop(&s->waiting), struct waiting, link);

	s->waiting_bytes -= w->message->len;
	message_unref(w->message);
	free(w);
}

static void dispose(struct line_stream *s)
{
	assert(!s->session);
	while (!list_empty(&s->waiting))
		forget_first(s);
	list_remove(&s->link_in_due);
	free(s);
}

/* The client has left. */
static void detach(struct line_stream *s)
{
	struct session *session = s->session;

	s->session = NULL;
	if (session)
		session_detach(session, true);
}

static bool in_flight(const struct line_stream *s)
{
	struct session_info info;

	session_describe(s->session, &info);
	return info.in_flight > 0;
}

/* Nothing more is to be said to it. */
static void finish(struct line_stream *s)
{
	struct call *c = s->call;
	struct err why = s->why;

	dispose(s);
	if (why.reason == ERR_NONE)
		call_end(c);
	else
		call_fail(c, &why);
}

/* --- before the loop sleeps ----------------------------------------------- */

static void look_later(struct line_stream *s)
{
	list_remove(&s->link_in_due);
	list_append(&s->all->due, &s->link_in_due);
	ev_feed_event(s->all->loop, &s->all->turn, EV_CUSTOM);
}

/* What none of the session's own functions may do: acknowledge, and end. */
static void look(struct line_stream *s)
{
	if (s->session && s->acked < s->said) {
		s->acked = s->said;
		session_acked(s->session, s->said);
	}
	if (s->session && s->half_closed && !in_flight(s))
		detach(s);
	if (!s->session && list_empty(&s->waiting))
		finish(s);
}

static void on_turn(struct ev_loop *loop, struct ev_watcher *w, int revents)
{
	struct line_streams *all = w->data;

	(void)loop;
	(void)revents;
	while (!list_empty(&all->due))
		look(LIST_ITEM(list_pop(&all->due), struct line_stream,
			       link_in_due));
}

/* --- what the session asks for -------------------------------------------- */

/* The call takes it: call_full() has been asked. */
static void say(struct line_stream *s, const struct message *m)
{
	Mcp__Transport__V1__JsonRpcLine line;
	struct err e;
	char *text = mem_ntext(m->json, m->len);

	mcp__transport__v1__json_rpc_line__init(&line);
	line.line = text;
	if (!call_send(s->call, &line.base, &e))
		log_odd("line", "a message is lost: %s", e.text);
	free(text);
	s->said = m->sequence;
	look_later(s);
}

static void on_session_send(void *stream, struct message *m)
{
	struct line_stream *s = stream;

	if (list_empty(&s->waiting) && !call_full(s->call)) {
		say(s, m);
		return;
	}
	struct waiting *w = mem_zalloc(sizeof(*w));
	w->message = message_ref(m);
	s->waiting_bytes += m->len;
	list_append(&s->waiting, &w->link);
}

static size_t on_session_queued(void *stream)
{
	const struct line_stream *s = stream;

	return s->waiting_bytes + h2_queued(call_h2(s->call));
}

static void on_session_accepted(void *stream, uint64_t sequence)
{
	(void)stream; /* this client does not number what it says */
	(void)sequence;
}

static void on_session_pause(void *stream, bool paused)
{
	struct line_stream *s = stream;

	if (paused)
		call_pause(s->call);
	else
		call_resume(s->call);
}

static void on_session_end(void *stream,
			   Executor__Mcp__V1__Goodbye__Reason reason,
			   const char *text, const envelope_untaken_t *untaken)
{
	struct line_stream *s = stream;
	bool draining =
		reason == EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING;

	(void)untaken;
	s->session = NULL;
	err_set(&s->why, draining ? ERR_DRAINING : ERR_OVERLOADED, "%s", text);
	/* What was answered must get out before a daemon ends; who does not
	 * read gets no more. */
	while (!draining && !list_empty(&s->waiting))
		forget_first(s);
	look_later(s);
}

static const struct session_stream session_functions = {
	.send = on_session_send,
	.queued = on_session_queued,
	.accepted = on_session_accepted,
	.pause = on_session_pause,
	.end = on_session_end,
};

/* --- events of the call --------------------------------------------------- */

static void on_message(void *owner, struct slice message)
{
	const Mcp__Transport__V1__JsonRpcLine *line;
	struct line_stream *s = owner;
	struct err e;

	if (!s->session)
		return;
	arena_reset(&s->all->arena);
	line = protobuf_unpack(&s->all->arena,
			       &mcp__transport__v1__json_rpc_line__descriptor,
			       message, &e);
	if (!line) {
		s->why = e;
		detach(s);
		look_later(s);
	} else if (line->line[0] != '\0') {
		session_accept(s->session, ++s->heard, true,
			       slice_of(line->line));
	}
}

static void on_end(void *owner)
{
	struct line_stream *s = owner;

	s->half_closed = true;
	look_later(s);
}

static void on_drained(void *owner)
{
	struct line_stream *s = owner;

	while (!list_empty(&s->waiting) && !call_full(s->call)) {
		say(s,
		    LIST_ITEM(s->waiting.next, struct waiting, link)->message);
		forget_first(s);
	}
	if (s->session)
		session_drained(s->session);
}

static void on_closed(void *owner)
{
	struct line_stream *s = owner;

	detach(s);
	dispose(s);
}

static const struct call_events call_events = {
	.message = on_message,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

/* --- the service ---------------------------------------------------------- */

/* A session like an adapter's that says nothing of itself yet: initialize
 * comes as a message. */
static struct session *open_session(struct line_stream *s, struct err *e)
{
	unsigned char instance[ENVELOPE_ID_BYTES];
	envelope_welcome_t welcome;
	envelope_hello_t hello;

	executor__mcp__v1__hello__init(&hello);
	executor__mcp__v1__welcome__init(&welcome);
	mem_random(instance, sizeof(instance));
	hello.protocol_min = version_protocol_min;
	hello.protocol_max = version_protocol_max;
	hello.adapter_instance =
		(ProtobufCBinaryData){sizeof(instance), instance};
	return session_open(s->all->sessions, &hello, &session_functions, s,
			    &welcome, e);
}

static struct fate *on_session(void *service, struct call *c)
{
	struct line_streams *all = service;
	struct line_stream *s = mem_zalloc(sizeof(*s));
	struct err e;

	s->all = all;
	s->call = c;
	list_init(&s->link_in_due);
	list_init(&s->waiting);
	s->session = open_session(s, &e);
	if (!s->session) {
		dispose(s);
		return call_fail(c, &e);
	}
	struct fate *fate = call_stream(c, &call_events, s);
	session_attached(s->session);
	return fate;
}

static const struct method methods[] = {
	{.name = "Session", .bidi = on_session},
};

struct line_streams *line_streams_new(struct ev_loop *loop,
				      struct services *services,
				      struct sessions *sessions,
				      size_t message_bytes)
{
	struct line_streams *all = mem_zalloc(sizeof(*all));

	all->loop = loop;
	all->sessions = sessions;
	list_init(&all->due);
	ev_init(&all->turn, on_turn);
	ev_set_priority(&all->turn, EV_MINPRI);
	all->turn.data = all;
	services_add(
		services,
		&(struct service){
			.name = "mcp.transport.v1.Mcp",
			.methods = methods,
			.method_count = sizeof(methods) / sizeof(methods[0]),
			.limit_bytes = message_bytes + LINE_FRAME_BYTES,
			.object = all,
		});
	return all;
}

void line_streams_free(struct line_streams *all)
{
	if (!all)
		return;
	ev_clear_pending(all->loop, &all->turn);
	arena_finish(&all->arena);
	free(all);
}
