/*
 * session_room: sessions between a fake stream and a fake router.
 *
 * Both are small enough to be seen whole; the router's functions here take the
 * place of the real ones, so a program includes this once and links no router.
 */
#ifndef TESTS_SUPPORT_SESSION_ROOM_H
#define TESTS_SUPPORT_SESSION_ROOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ev.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "server/mcp/question.h"
#include "server/mcp/router.h"
#include "server/mcp/session.h"

#define GOODBYE(x) EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_##x
#define VERDICT(x) EXECUTOR__MCP__V1__VERDICT__STATE__STATE_##x

/* --- the fake router ------------------------------------------------------ */

static struct {
	unsigned requests;
	unsigned notifications;
	unsigned cancelled;
	unsigned responses;
	char response_id[64];
	unsigned left;
	unsigned restored;
	char cancelled_id[64];
	char cancelled_reason[64];
	bool answer_at_once;
	uint64_t ticket; /* of the last request that is written down */
	char ticket_id[64];
	struct session *ticket_session;
	int level;
} router;

static inline void copy_text(char *to, size_t size, struct slice from)
{
	assert_true(from.len < size);
	if (from.len > 0)
		memcpy(to, from.ptr, from.len);
	to[from.len] = '\0';
}

static inline void answer(struct session *s, const char *id, const char *result)
{
	struct buf text = {0};

	jsonrpc_result(&text, slice_of(id), slice_of(result));
	session_answer(s, slice_of(id), &text);
	buf_finish(&text);
}

/* It reaches its source. */
static inline void pass_on(struct session *s, const char *id)
{
	router.requests++;
	if (router.answer_at_once)
		answer(s, id, "{}");
}

void router_request(struct router *r, struct session *s,
		    const struct jsonrpc *m, const char *source)
{
	(void)r;
	(void)source;
	copy_text(router.ticket_id, sizeof(router.ticket_id), m->id);
	router.ticket_session = s;
	if (!session_write_down(s, m->id, router.ticket + 1))
		pass_on(s, router.ticket_id);
	else
		router.ticket++;
}

void router_written(struct router *r, uint64_t ticket, const struct err *why)
{
	struct buf text = {0};

	(void)r;
	assert_true(ticket <= router.ticket);
	if (!why) {
		pass_on(router.ticket_session, router.ticket_id);
		return;
	}
	jsonrpc_error(&text, slice_of(router.ticket_id), why, NULL);
	session_answer(router.ticket_session, slice_of(router.ticket_id),
		       &text);
	buf_finish(&text);
}

void router_notification(struct router *r, struct session *s,
			 const struct jsonrpc *m)
{
	(void)r;
	(void)s;
	(void)m;
	router.notifications++;
}

void router_response(struct router *r, struct session *s,
		     const struct jsonrpc *m)
{
	(void)r;
	(void)s;
	router.responses++;
	copy_text(router.response_id, sizeof(router.response_id), m->id);
}

void router_restore(struct router *r, struct session *s,
		    const struct slice *uris, size_t count)
{
	(void)r;
	(void)s;
	(void)uris;
	router.restored += (unsigned)count;
}

void router_left(struct router *r, uint64_t session_number)
{
	(void)r;
	(void)session_number;
	router.left++;
}

void router_cancel(struct router *r, uint64_t session_number, struct slice id,
		   struct slice reason)
{
	(void)r;
	(void)session_number;
	router.cancelled++;
	copy_text(router.cancelled_id, sizeof(router.cancelled_id), id);
	copy_text(router.cancelled_reason, sizeof(router.cancelled_reason),
		  reason);
}

void router_set_level(struct router *r, enum mcp_level level)
{
	(void)r;
	router.level = (int)level;
}

bool router_may_repeat(const struct router *r, struct slice name,
		       const char **source)
{
	(void)r;
	if (source)
		*source = "src";
	return slice_is(name, "\"harmless\"");
}

/* --- the fake stream ------------------------------------------------------ */

struct stream {
	struct buf sent; /* "sequence text\n" for each */
	unsigned sends;
	size_t queued;
	unsigned accepted;
	uint64_t last_accepted;
	bool paused;
	int ended;	    /* the reason, or -1 */
	struct buf untaken; /* "above: sequence .. ", of the goodbye */
};

static inline void on_send(void *stream, struct message *m)
{
	struct stream *t = stream;

	buf_printf(&t->sent, "%llu ", (unsigned long long)m->sequence);
	buf_append_slice(&t->sent, message_text(m));
	buf_append_text(&t->sent, "\n");
	t->sends++;
}

static inline size_t on_queued(void *stream)
{
	return ((struct stream *)stream)->queued;
}

static inline void on_accepted(void *stream, uint64_t sequence)
{
	struct stream *t = stream;

	t->accepted++;
	t->last_accepted = sequence;
}

static inline void on_pause(void *stream, bool paused)
{
	((struct stream *)stream)->paused = paused;
}

static inline void on_end(void *stream,
			  Executor__Mcp__V1__Goodbye__Reason reason,
			  const char *text, const envelope_untaken_t *untaken)
{
	struct stream *t = stream;

	assert_true(text[0] != '\0');
	t->ended = (int)reason;
	buf_reset(&t->untaken, 0);
	if (untaken)
		buf_printf(&t->untaken,
			   "%llu:", (unsigned long long)untaken->above);
	for (size_t i = 0; untaken && i < untaken->n_sequences; i++)
		buf_printf(&t->untaken, " %llu",
			   (unsigned long long)untaken->sequences[i]);
	buf_append(&t->untaken, "", 1);
}

static const struct session_stream functions = {
	.send = on_send,
	.queued = on_queued,
	.accepted = on_accepted,
	.pause = on_pause,
	.end = on_end,
};

/* --- the room ------------------------------------------------------------- */

struct room {
	struct ev_loop *loop;
	struct sessions *all;
	struct stream a;
	struct stream b;
	unsigned char adapter[ENVELOPE_ID_BYTES];
	unsigned char id[ENVELOPE_ID_BYTES]; /* of the session opened last */
	uint64_t last; /* of the Hellos that resume() says */
	envelope_welcome_t welcome;
};

static inline struct session_limits small_limits(void)
{
	return (struct session_limits){
		.message_bytes = 1 << 20,
		.session_bytes = 4096,
		.all_bytes = 1 << 20,
		.sessions = 4,
		.in_flight = 3,
		.detached_ms = 60000,
	};
}

static inline void enter(struct room *room, const struct session_limits *limits)
{
	memset(&router, 0, sizeof(router));
	router.level = -1;
	*room = (struct room){.a.ended = -1, .b.ended = -1};
	room->loop = ev_loop_new(EVFLAG_AUTO);
	room->all = sessions_new(room->loop, limits);
	/* Only its address is used. */
	sessions_set_router(room->all, (struct router *)(void *)&router);
	mem_random(room->adapter, sizeof(room->adapter));
}

static inline void leave(struct room *room)
{
	sessions_free(room->all);
	ev_loop_destroy(room->loop);
	buf_finish(&room->a.sent);
	buf_finish(&room->b.sent);
	buf_finish(&room->a.untaken);
	buf_finish(&room->b.untaken);
}

static inline ProtobufCBinaryData bytes_of(unsigned char *id)
{
	return (ProtobufCBinaryData){ENVELOPE_ID_BYTES, id};
}

static inline struct session *open_with(struct room *room, struct stream *t,
					envelope_hello_t *hello)
{
	const envelope_welcome_t blank = EXECUTOR__MCP__V1__WELCOME__INIT;
	struct err e = {0};

	hello->adapter_instance = bytes_of(room->adapter);
	room->welcome = blank;
	struct session *s = session_open(room->all, hello, &functions, t,
					 &room->welcome, &e);
	if (!s)
		fail_msg("%s", e.text);
	assert_int_equal(room->welcome.session.len, ENVELOPE_ID_BYTES);
	memcpy(room->id, room->welcome.session.data, ENVELOPE_ID_BYTES);
	return s;
}

static inline struct session *open_session(struct room *room, struct stream *t)
{
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;
	struct session *s = open_with(room, t, &hello);

	assert_false(room->welcome.resumed);
	session_attached(s);
	return s;
}

static inline void say(struct session *s, uint64_t sequence, const char *json)
{
	session_accept(s, sequence, false, slice_of(json));
}

static inline void ask(struct session *s, uint64_t sequence, const char *id)
{
	struct buf text = {0};

	jsonrpc_request(&text, slice_of(id), "tools/call", slice_of("{}"));
	session_accept(s, sequence, true, buf_slice(&text));
	buf_finish(&text);
}

static inline void assert_sent(struct stream *t, const char *want)
{
	buf_append(&t->sent, "", 1);
	assert_string_equal(t->sent.data, want);
	buf_reset(&t->sent, 0);
}

/* The error that was sent, without its text. */
static inline void assert_refusal(struct stream *t, const char *id, int code)
{
	const char *space = memchr(t->sent.data, ' ', t->sent.len);
	struct slice json = {space + 1,
			     t->sent.len - 1 -
				     (size_t)(space + 1 - t->sent.data)};
	struct jsonrpc m;
	char number[16];

	assert_true(jsonrpc_slice(json, &m, NULL));
	assert_int_equal(m.kind, JSONRPC_ERROR);
	assert_true(slice_is(m.id, id));
	copy_text(number, sizeof(number), json_get(m.error, "code"));
	assert_int_equal(atoi(number), code);
	buf_reset(&t->sent, 0);
}

static inline struct session *resume(struct room *room, struct stream *t,
				     uint64_t received, uint64_t *pending,
				     size_t n)
{
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;
	unsigned char id[ENVELOPE_ID_BYTES];

	memcpy(id, room->id, sizeof(id));
	hello.session = bytes_of(id);
	hello.received = received;
	hello.pending = pending;
	hello.n_pending = n;
	hello.last = room->last;
	return open_with(room, t, &hello);
}

static inline int verdict(const struct room *room, size_t i)
{
	assert_true(i < room->welcome.n_verdicts);
	return (int)room->welcome.verdicts[i]->state;
}

static inline void fill(struct session *s, size_t bytes)
{
	struct slice text = {mem_zalloc(bytes), bytes};

	session_deliver(s, text, false);
	free((void *)(uintptr_t)text.ptr);
}

#endif
