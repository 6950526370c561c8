/*
 * session: the input as a script of what streams, clients and the router do to
 * the session table.
 *
 * What must hold: a stream is not called once it was ended; a client's
 * messages are numbered without a gap, also over a resumption; the table
 * counts as in flight exactly what the router was asked and has not answered,
 * and the client not cancelled; when all have left, nothing is left.
 */
#include "server/mcp/session.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "proto/buf.h"
#include "proto/err.h"
#include "proto/log.h"
#include "proto/message.h"
#include "proto/seqset.h"
#include "server/mcp/router.h"

enum { CLIENTS = 4, ASKED = 64, ID_BYTES = 16, STEPS = 2000 };

/* --- the router ------------------------------------------------------------
 */

/* Requests that wait for their answer. */
static struct asked {
	uint64_t session;
	char id[ID_BYTES];
} asked[ASKED];
static unsigned asked_count;

static bool is_asked(const struct asked *a, uint64_t session, struct slice id)
{
	return a->session == session && slice_is(id, a->id);
}

static void forget(unsigned i)
{
	asked[i] = asked[--asked_count];
}

void router_request(struct router *r, struct session *s,
		    const struct jsonrpc *m, const char *source)
{
	(void)r;
	(void)source;
	assert(m->kind == JSONRPC_REQUEST);
	for (unsigned i = 0; i < asked_count; i++)
		assert(!is_asked(&asked[i], session_number(s), m->id));
	if (m->id.len >= ID_BYTES || asked_count == ASKED) {
		struct buf text = {0};

		jsonrpc_result(&text, m->id, slice_of("{}"));
		session_answer(s, m->id, &text);
		buf_finish(&text);
		return;
	}
	struct asked *a = &asked[asked_count++];
	a->session = session_number(s);
	memcpy(a->id, m->id.ptr, m->id.len);
	a->id[m->id.len] = '\0';
}

void router_notification(struct router *r, struct session *s,
			 const struct jsonrpc *m)
{
	(void)r;
	(void)s;
	assert(m->kind == JSONRPC_NOTIFICATION);
}

void router_response(struct router *r, struct session *s,
		     const struct jsonrpc *m)
{
	(void)r;
	(void)s;
	(void)m;
}

void router_restore(struct router *r, struct session *s,
		    const struct slice *uris, size_t count)
{
	(void)r;
	(void)s;
	(void)uris;
	(void)count;
}

void router_written(struct router *r, uint64_t ticket, const struct err *why)
{
	(void)r;
	(void)ticket;
	(void)why;
}

bool router_may_repeat(const struct router *r, struct slice name,
		       const char **source)
{
	(void)r;
	(void)name;
	if (source)
		*source = NULL;
	return false;
}

void router_left(struct router *r, uint64_t session)
{
	(void)r;
	for (unsigned i = asked_count; i-- > 0;)
		if (asked[i].session == session)
			forget(i);
}

void router_cancel(struct router *r, uint64_t session, struct slice id,
		   struct slice reason)
{
	(void)r;
	(void)reason;
	for (unsigned i = 0; i < asked_count; i++) {
		if (is_asked(&asked[i], session, id)) {
			forget(i);
			return;
		}
	}
	assert(id.len >= ID_BYTES); /* only what is in flight is cancelled */
}

void router_set_level(struct router *r, enum mcp_level level)
{
	(void)r;
	assert(level < MCP_LEVEL_COUNT);
}

static void answer(struct sessions *all, unsigned i)
{
	struct session *s = sessions_find(all, asked[i].session);
	struct slice id = slice_of(asked[i].id);
	struct buf text = {0};

	assert(s);
	jsonrpc_result(&text, id, slice_of("{\"n\":1}"));
	session_answer(s, id, &text);
	forget(i);
	buf_finish(&text);
}

/* --- the clients -----------------------------------------------------------
 */

struct client {
	struct session *s; /* while it has a stream */
	bool ended;	   /* by the session, which is detached */
	bool resumes;	   /* id is of a session that may still be there */
	unsigned char id[ENVELOPE_ID_BYTES];
	uint64_t last;	/* of what it said */
	uint64_t heard; /* without a gap */
	size_t queued;
};

static void on_send(void *stream, struct message *m)
{
	struct client *c = stream;

	assert(!c->ended);
	/* What was heard on an older stream may come again. */
	assert(m->sequence <= c->heard + 1);
	if (m->sequence == c->heard + 1)
		c->heard++;
	c->queued += m->len;
}

static size_t on_queued(void *stream)
{
	return ((struct client *)stream)->queued;
}

static void on_accepted(void *stream, uint64_t sequence)
{
	assert(!((struct client *)stream)->ended);
	assert(sequence > 0);
}

static void on_pause(void *stream, bool paused)
{
	(void)paused;
	assert(!((struct client *)stream)->ended);
}

static void on_end(void *stream, Executor__Mcp__V1__Goodbye__Reason reason,
		   const char *text, const envelope_untaken_t *untaken)
{
	struct client *c = stream;

	assert(!c->ended);
	assert(reason !=
	       EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_UNSPECIFIED);
	assert(text[0] != '\0');
	(void)untaken;
	c->ended = true;
	c->s = NULL;
}

static const struct session_stream functions = {
	.send = on_send,
	.queued = on_queued,
	.accepted = on_accepted,
	.pause = on_pause,
	.end = on_end,
};

/* --- the script ------------------------------------------------------------
 */

struct play {
	struct script script;
	struct sessions *all;
	struct client clients[CLIENTS];
};

static void open_stream(struct play *p, struct client *c)
{
	static unsigned char adapter[ENVELOPE_ID_BYTES] = "one for each run";
	envelope_hello_t hello;
	envelope_welcome_t welcome;
	uint64_t pending[4];
	uint64_t received = c->heard;

	if (c->s)
		return;
	executor__mcp__v1__hello__init(&hello);
	executor__mcp__v1__welcome__init(&welcome);
	hello.adapter_instance =
		(ProtobufCBinaryData){sizeof(adapter), adapter};
	if (c->resumes) {
		hello.session = (ProtobufCBinaryData){sizeof(c->id), c->id};
		hello.received = received;
		hello.n_pending = script_byte(&p->script) % 4;
		for (size_t i = 0; i < hello.n_pending; i++)
			pending[i] =
				1 + script_byte(&p->script) % (c->last + 1);
		hello.pending = pending;
		hello.last = c->last;
	}
	c->ended = false;
	c->queued = 0;
	c->s = session_open(p->all, &hello, &functions, c, &welcome, NULL);
	if (!c->s)
		return;
	assert(welcome.n_verdicts == hello.n_pending);
	assert(welcome.session.len == sizeof(c->id));
	memcpy(c->id, welcome.session.data, sizeof(c->id));
	if (!welcome.resumed)
		c->heard = 0;
	c->resumes = true;
	session_attached(c->s);
}

static void say(struct client *c, const char *before, unsigned n,
		const char *after)
{
	struct buf text = {0};

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",%s%u%s}", before, n, after);
	session_accept(c->s, ++c->last, false, buf_slice(&text));
	buf_finish(&text);
}

static void on_single(void *owner, struct slice json)
{
	(void)owner;
	assert(json.len > 0);
}

static const struct session_single single = {.answer = on_single};

/* What a client does with its stream. */
static void act(struct play *p, struct client *c, unsigned what)
{
	unsigned n = script_byte(&p->script);

	switch (what) {
	case 0:
		say(c, "\"id\":", n % 8, ",\"method\":\"m\"");
		return;
	case 1:
		say(c,
		    "\"method\":\"notifications/cancelled\","
		    "\"params\":{\"requestId\":",
		    n % 8, "}");
		return;
	case 2: /* whatever it likes, under any number */
		session_accept(c->s, 1 + n, false,
			       script_bytes(&p->script, n % 64));
		if (c->last < 1 + n)
			c->last = 1 + n;
		return;
	case 3:
		session_acked(c->s, c->heard - (n < c->heard ? n : c->heard));
		return;
	case 4:
		c->queued = n * 64;
		session_drained(c->s);
		return;
	case 5:
		session_detach(c->s, false);
		c->s = NULL;
		return;
	case 6:
		session_detach(c->s, true);
		c->s = NULL;
		c->resumes = false;
		c->last = 0;
		c->heard = 0;
		return;
	default:
		say(c, "\"method\":\"x", n, "\"");
		return;
	}
}

static void deliver(struct play *p, struct client *c, bool droppable)
{
	static const char text[4096] = "{}";
	size_t len = 16 * (size_t)script_byte(&p->script);

	session_deliver(c->s, (struct slice){text, len}, droppable);
}

static void step(struct play *p)
{
	unsigned op = script_byte(&p->script);
	struct client *c = &p->clients[op % CLIENTS];
	unsigned what = op / CLIENTS % 16;

	if (what == 8)
		open_stream(p, c);
	else if (what == 9 && asked_count > 0)
		answer(p->all, script_byte(&p->script) % asked_count);
	else if (what == 10)
		sessions_broadcast(p->all, slice_of("{\"b\":1}"), op >= 128,
				   NULL, 0);
	else if (what == 11)
		session_single(p->all, script_bytes(&p->script, 48), NULL,
			       MCP_LEVEL_INFO, &single, NULL, NULL);
	else if (c->s && what < 8)
		act(p, c, what);
	else if (c->s && what < 14)
		deliver(p, c, what == 12);
	else if (c->s)
		session_set_log_level(c->s, (int)(op % MCP_LEVEL_COUNT));
	assert(sessions_in_flight(p->all) == asked_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ev_loop *loop;
	static char router;
	struct play p = {.script = {{(const char *)data, size}}};

	if (!loop) {
		log_open(STDERR_FILENO, LOG_OFF);
		loop = ev_loop_new(EVFLAG_AUTO);
	}
	const struct session_limits limits = {
		.message_bytes = 1 << 20,
		.session_bytes = 4096,
		.all_bytes = 16384,
		.sessions = CLIENTS + 2,
		.in_flight = 6,
		.detached_ms = 60000,
	};
	asked_count = 0;
	p.all = sessions_new(loop, &limits);
	/* Only its address is used. */
	sessions_set_router(p.all, (struct router *)(void *)&router);
	for (unsigned i = 0; i < STEPS && p.script.rest.len > 0; i++)
		step(&p);
	while (asked_count > 0)
		answer(p.all, 0);
	assert(sessions_in_flight(p.all) == 0);
	ev_run(loop, EVRUN_NOWAIT); /* single ones go */
	for (int i = 0; i < CLIENTS; i++)
		if (p.clients[i].s)
			session_detach(p.clients[i].s, true);
	sessions_free(p.all);
	return 0;
}
