/*
 * router_clients: what lies above the router in tests/fuzz/router.c: clients
 * that know what they asked, and judge all that they are sent.
 *
 * A client is one letter; a session of it is "a~3"; a request in that is
 * "a~3~17", its id and, as the member "tag" of its params, what a source sends
 * back.  Nothing else has a ~ in it.
 */
#ifndef TESTS_FUZZ_ROUTER_CLIENTS_H
#define TESTS_FUZZ_ROUTER_CLIENTS_H

#include "proto/message.h"
#include "server/mcp/session.h"
#include "tests/fuzz/router_legs.h"

enum { CLIENTS = 3, WAITING = 48, SINGLES = 4, URIS = 4, FORMS = SOURCES + 1 };

struct client {
	struct sessions *all;
	char letter;
	unsigned generation;
	char tag[TAG_BYTES]; /* of the session */
	struct session *s;   /* while it has a stream */
	bool resumes;
	bool replaying; /* what it hears may be old */
	unsigned char id[ENVELOPE_ID_BYTES];
	uint64_t last;	/* of what it said */
	uint64_t heard; /* without a gap */
	unsigned last_request;
	struct waiting {
		unsigned number; /* 0: free */
		uint64_t sequence;
		/* resources/unsubscribe of that URI, by that form */
		bool unsubscribes;
		unsigned uri, form;
	} waiting[WAITING];
	struct shown {
		uint64_t number; /* the hub's; 0: free */
		bool progresses;
	} shown[QUESTIONS];
	/* When it last asked to be told, as a request; 0: never. */
	unsigned subscribed[URIS][FORMS];
};

/* A request without a session. */
static struct single {
	struct session *s; /* while it waits */
	char tag[TAG_BYTES];
} singles[SINGLES];
static unsigned last_single;

/* --- whose it may be ------------------------------------------------------
 */

static bool is_of(const char *tag, const char *session)
{
	size_t len = strlen(session);

	return strncmp(tag, session, len) == 0 &&
	       (tag[len] == '~' || tag[len] == '\0');
}

/* Is this session the only one that the source works for?  One that gave up a
 * minute ago or less counts, where lately says so. */
static bool is_sole(const struct fake *f, const char *session, bool lately,
		    bool *any)
{
	*any = false;
	for (size_t i = 0; i < f->held_count; i++) {
		const struct held *h = &f->held[i];

		if (h->tag[0] == '\0')
			continue;
		if (h->cancelled_us > 0 &&
		    (!lately || clock_us - h->cancelled_us >= 60000000))
			continue;
		if (!is_of(h->tag, session))
			return false;
		if (h->cancelled_us == 0)
			*any = true;
	}
	return true;
}

/* --- what a client hears --------------------------------------------------
 */

static struct waiting *find_waiting(struct client *c, const char *tag)
{
	if (!is_of(tag, c->tag))
		return NULL;
	unsigned number = (unsigned)atoi(tag + strlen(c->tag) + 1);
	for (int i = 0; number > 0 && i < WAITING; i++)
		if (c->waiting[i].number == number)
			return &c->waiting[i];
	return NULL;
}

/* An id of ours without its quotes, or empty. */
static void read_tag(char tag[TAG_BYTES], struct slice quoted)
{
	tag[0] = '\0';
	if (quoted.len > 2 && quoted.ptr[0] == '"' &&
	    memchr(quoted.ptr, '~', quoted.len))
		copy_slice(tag, TAG_BYTES,
			   (struct slice){quoted.ptr + 1, quoted.len - 2});
}

/* The last character says which; whether it is an alias, and of which source,
 * says in which form. */
static bool read_uri(struct slice quoted, unsigned *uri, unsigned *form)
{
	char text[64];
	size_t len = quoted.len > 2 ? quoted.len - 2 : 0;

	copy_slice(text, sizeof(text), (struct slice){quoted.ptr + 1, len});
	if (len < 4 || len >= sizeof(text) || text[len - 1] < '0' ||
	    text[len - 1] >= '0' + URIS)
		return false;
	*uri = (unsigned)(text[len - 1] - '0');
	*form = 0;
	for (unsigned i = 0; i + 1 < FORMS; i++) {
		char head[32];

		snprintf(head, sizeof(head), "mcp-hub://%s/", sources[i]);
		if (strncmp(text, head, strlen(head)) == 0)
			*form = i + 1;
	}
	return true;
}

static void hear_result(struct client *c, const struct jsonrpc *m)
{
	char tag[TAG_BYTES];
	struct slice echo = json_get(m->result, "tag");

	read_tag(tag, m->id);
	if (tag[0] == '\0')
		return; /* to something strange that it said */
	struct waiting *w = find_waiting(c, tag);
	assert(w); /* its own, wanted, and for the first time */
	if (json_kind(echo) == JSON_STRING)
		assert(json_string_is(echo, tag));
	if (w->unsubscribes && m->kind == JSONRPC_RESULT &&
	    c->subscribed[w->uri][w->form] < w->number)
		c->subscribed[w->uri][w->form] = 0;
	w->number = 0;
}

static void hear_question(struct client *c, const struct jsonrpc *m)
{
	unsigned number = question_number(json_get(m->params, "q"));
	unsigned long long hubs;
	struct put *p = NULL;
	bool any;
	int i = 0;

	assert(json_u64(m->id, &hubs));
	while (i < QUESTIONS && c->shown[i].number > 0) {
		assert(c->shown[i].number != hubs);
		i++;
	}
	if (i < QUESTIONS)
		c->shown[i] = (struct shown){hubs, true};
	for (int l = 0; number > 0 && !p && l < LEGS; l++) {
		if (!legs[l] || !(p = find_put(legs[l], number)))
			continue;
		assert(p->asked[0] == '\0');
		if (!legs[l]->muddled && !c->replaying)
			assert(is_sole(legs[l], c->tag, true, &any) && any);
	}
	if (p)
		snprintf(p->asked, sizeof(p->asked), "%s", c->tag);
}

/* A log message says which source it is of. */
static void hear_log(const struct client *c, const struct jsonrpc *m)
{
	struct slice from = json_path(m->params, "data", "from", NULL);
	bool any;

	for (int i = 0; !c->replaying && i < LEGS; i++)
		if (legs[i] && json_string_is(from, legs[i]->name) &&
		    !legs[i]->stopping && !legs[i]->muddled)
			assert(is_sole(legs[i], c->tag, false, &any));
}

static void hear_update(const struct client *c, const struct jsonrpc *m)
{
	bool wanted = false;
	unsigned uri;
	unsigned form;

	if (c->replaying || !read_uri(json_get(m->params, "uri"), &uri, &form))
		return;
	for (int i = 0; i < FORMS; i++)
		wanted = wanted || c->subscribed[uri][i] > 0;
	assert(wanted);
}

static void hear_notification(struct client *c, const struct jsonrpc *m)
{
	unsigned long long number;
	char tag[TAG_BYTES];

	if (jsonrpc_method_is(m, "notifications/progress")) {
		read_tag(tag, json_get(m->params, "progressToken"));
		assert(tag[0] == '\0' || find_waiting(c, tag));
	} else if (jsonrpc_method_is(m, "notifications/cancelled")) {
		assert(json_u64(json_get(m->params, "requestId"), &number));
		for (int i = 0; i < QUESTIONS; i++)
			if (c->shown[i].number == number)
				c->shown[i].number = 0;
	} else if (jsonrpc_method_is(m, "notifications/message")) {
		hear_log(c, m);
	} else if (jsonrpc_method_is(m, "notifications/resources/updated")) {
		hear_update(c, m);
	}
}

static void client_on_send(void *stream, struct message *message)
{
	struct client *c = stream;
	struct jsonrpc m;

	assert(message->sequence <= c->heard + 1);
	if (message->sequence <= c->heard)
		return;
	c->heard++;
	assert(jsonrpc_slice(message_text(message), &m, NULL));
	switch (m.kind) {
	case JSONRPC_RESULT:
	case JSONRPC_ERROR:
		hear_result(c, &m);
		break;
	case JSONRPC_REQUEST:
		hear_question(c, &m);
		break;
	case JSONRPC_NOTIFICATION:
		hear_notification(c, &m);
		break;
	}
}

static size_t client_on_queued(void *stream)
{
	(void)stream;
	return 0;
}

static void client_on_accepted(void *stream, uint64_t sequence)
{
	(void)stream;
	(void)sequence;
}

static void client_on_pause(void *stream, bool paused)
{
	(void)stream;
	(void)paused;
}

static void client_on_end(void *stream,
			  Executor__Mcp__V1__Goodbye__Reason reason,
			  const char *text, const envelope_untaken_t *untaken)
{
	(void)stream;
	(void)reason;
	(void)text;
	(void)untaken;
	abort(); /* who reads is ended by nobody */
}

static const struct session_stream client_functions = {
	.send = client_on_send,
	.queued = client_on_queued,
	.accepted = client_on_accepted,
	.pause = client_on_pause,
	.end = client_on_end,
};

/* --- what a client does ---------------------------------------------------
 */

static void client_forget(struct client *c)
{
	memset(c->waiting, 0, sizeof(c->waiting));
	memset(c->shown, 0, sizeof(c->shown));
	memset(c->subscribed, 0, sizeof(c->subscribed));
	c->last = 0;
	c->heard = 0;
	c->last_request = 0;
	c->resumes = false;
}

static void client_open(struct client *c)
{
	static const unsigned char adapter[ENVELOPE_ID_BYTES] = "fuzz";
	envelope_hello_t hello;
	envelope_welcome_t welcome;
	uint64_t pending[WAITING];

	if (c->s)
		return;
	executor__mcp__v1__hello__init(&hello);
	executor__mcp__v1__welcome__init(&welcome);
	hello.adapter_instance = (ProtobufCBinaryData){
		sizeof(adapter), (uint8_t *)(uintptr_t)adapter};
	if (c->resumes) {
		hello.session = (ProtobufCBinaryData){sizeof(c->id), c->id};
		hello.received = c->heard;
		hello.last = c->last;
		for (int i = 0; i < WAITING; i++)
			if (c->waiting[i].number > 0)
				pending[hello.n_pending++] =
					c->waiting[i].sequence;
		hello.pending = pending;
	}
	c->s = session_open(c->all, &hello, &client_functions, c, &welcome,
			    NULL);
	assert(c->s);
	memcpy(c->id, welcome.session.data, sizeof(c->id));
	if (!welcome.resumed) {
		/* It counts on: what it said before does not come again. */
		uint64_t last = c->last;

		client_forget(c);
		c->last = last;
		snprintf(c->tag, sizeof(c->tag), "%c~%u", c->letter,
			 ++c->generation);
	}
	/* Nothing was lost: it runs, or its answer comes now. */
	for (size_t i = 0; welcome.resumed && i < welcome.n_verdicts; i++)
		assert(welcome.verdicts[i]->state !=
			       EXECUTOR__MCP__V1__VERDICT__STATE__STATE_UNKNOWN &&
		       welcome.verdicts[i]->state !=
			       EXECUTOR__MCP__V1__VERDICT__STATE__STATE_INDETERMINATE);
	c->resumes = true;
	c->replaying = true;
	session_attached(c->s);
	c->replaying = false;
}

static void client_leave(struct client *c, bool goodbye)
{
	if (!c->s)
		return;
	session_detach(c->s, goodbye);
	c->s = NULL;
	if (goodbye)
		client_forget(c);
}

static void client_say(struct client *c, struct slice text)
{
	session_accept(c->s, ++c->last, false, text);
}

/* A request to be: params is what stands in their braces before the tag. */
struct request {
	const char *method;
	const char *params;
	bool progress;
	bool subscribes, unsubscribes;
	unsigned uri, form;
};

/* Nothing happens when enough is waited for already. */
static void client_ask(struct client *c, const struct request *r)
{
	struct buf text = {0};
	struct waiting *w = c->waiting;
	char tag[TAG_BYTES];

	while (w < &c->waiting[WAITING] && w->number > 0)
		w++;
	if (w == &c->waiting[WAITING])
		return;
	/* It may be answered before it is said to the end. */
	*w = (struct waiting){++c->last_request, c->last + 1, r->unsubscribes,
			      r->uri, r->form};
	if (r->subscribes)
		c->subscribed[r->uri][r->form] = w->number;
	snprintf(tag, sizeof(tag), "%.16s~%u", c->tag, w->number);
	buf_printf(&text,
		   "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"%s\","
		   "\"params\":{%s%s\"tag\":\"%s\"",
		   tag, r->method, r->params, *r->params ? "," : "", tag);
	if (r->progress)
		buf_printf(&text, ",\"_meta\":{\"progressToken\":\"%s\"}", tag);
	buf_append_text(&text, "}}");
	client_say(c, buf_slice(&text));
	buf_finish(&text);
}

static void client_cancel(struct client *c, unsigned which)
{
	struct buf text = {0};
	struct waiting *w = &c->waiting[which % WAITING];

	if (w->number == 0)
		return;
	buf_printf(&text,
		   "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\""
		   ",\"params\":{\"requestId\":\"%s~%u\"}}",
		   c->tag, w->number);
	w->number = 0; /* no answer is taken from now on */
	client_say(c, buf_slice(&text));
	buf_finish(&text);
}

#endif
