#include "server/mcp/session.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/clock.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "server/mcp/journaling.h"
#include "server/mcp/question.h"
#include "server/mcp/router.h"
#include "server/mcp/sessions.h"

enum { NAME_BYTES = 128 }; /* of what a client calls itself */

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[SESSION_OPENING] = 1u << SESSION_ATTACHED | 1u << SESSION_DETACHED,
	[SESSION_ATTACHED] = 1u << SESSION_DETACHED,
	[SESSION_DETACHED] = 1u << SESSION_OPENING,
	[SESSION_SINGLE] = 1u << SESSION_OVER,
	[SESSION_OVER] = 0,
};

static const char *const state_name[] = {
	[SESSION_OPENING] = "opening",	 [SESSION_ATTACHED] = "attached",
	[SESSION_DETACHED] = "detached", [SESSION_SINGLE] = "single",
	[SESSION_OVER] = "over",
};

void session_advance(struct session *s, enum session_state next)
{
	assert(may_follow[s->state] & 1u << next);
	log_debug("session", "%llu: %s -> %s", (unsigned long long)s->number,
		  state_name[s->state], state_name[next]);
	s->state = next;
}

/* --- life ----------------------------------------------------------------- */

struct session *session_new(struct sessions *all, enum session_state state)
{
	struct session *s = mem_zalloc(sizeof(*s));

	s->all = all;
	s->state = state;
	s->level = MCP_LEVEL_COUNT;
	s->opened_ms = clock_now_ms();
	s->client_name = mem_text("");
	s->client_version = mem_text("");
	s->revision = mem_text("");
	list_init(&s->link);
	if (all->journaling)
		journaling_mint(all->journaling, s->id);
	else
		mem_random(s->id, sizeof(s->id));
	sessions_add(all, s);
	return s;
}

static void drop_requests(struct session *s)
{
	size_t at = 0;
	struct map_entry *entry;

	while ((entry = map_next(&s->by_sequence, &at)) != NULL) {
		struct session_request *r = entry->value;

		journaled_abandoned(s, r);
		free(r->id);
		free(r->name);
		free(r);
		s->all->in_flight--;
	}
	map_finish(&s->by_sequence);
	map_finish(&s->by_id);
}

void session_free(struct session *s)
{
	struct sessions *all = s->all;

	assert(!s->stream);
	sessions_remove(all, s);
	if (all->router)
		router_left(all->router, s->number);
	drop_requests(s);
	all->queued_bytes -= s->outbox.bytes;
	outbox_finish(&s->outbox);
	seqset_finish(&s->received);
	map_finish(&s->reading);
	session_drop_verdicts(s);
	message_unref(s->single_answer);
	free(s->declined);
	free(s->client_name);
	free(s->client_version);
	free(s->revision);
	free(s);
}

/* The stream is gone or about to be told so. */
static void *lose_stream(struct session *s)
{
	void *stream = s->stream;

	s->stream = NULL;
	s->paused = false;
	session_drop_verdicts(s);
	session_advance(s, SESSION_DETACHED);
	sessions_expect(s->all, s);
	return stream;
}

void session_end(struct session *s, Executor__Mcp__V1__Goodbye__Reason reason,
		 const char *text)
{
	bool draining =
		reason == EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING;
	envelope_untaken_t untaken;

	if (!s->stream)
		return;
	bool says = draining && session_untaken(s, &untaken);
	s->functions->end(lose_stream(s), reason, text, says ? &untaken : NULL);
	if (says)
		free(untaken.sequences);
}

/* --- requests of the client ----------------------------------------------- */

struct session_request *session_remember(struct session *s,
					 const struct jsonrpc *m,
					 uint64_t sequence, struct err *e)
{
	/* MCP 2025-11-25, Basic, Requests: "The request ID MUST NOT have been
	 * previously used by the requestor within the same session." Only
	 * those in flight can be mistaken for each other. */
	if (map_get(&s->by_id, m->id)) {
		err_set(e, ERR_INVALID_REQUEST,
			"duplicate id: a request with it is in flight");
		return NULL;
	}
	if (s->by_id.count >= s->all->limits.in_flight) {
		err_set(e, ERR_OVERLOADED,
			"%u requests of this client are in flight already",
			s->all->limits.in_flight);
		return NULL;
	}
	struct session_request *r = mem_alloc(sizeof(*r));
	*r = (struct session_request){
		.sequence = sequence,
		.id = mem_ntext(m->id.ptr, m->id.len),
		.id_len = m->id.len,
	};
	map_put(&s->by_id, m->id, r);
	map_put_u64(&s->by_sequence, sequence, r);
	s->all->in_flight++;
	s->requests++;
	return r;
}

void session_forget(struct session *s, struct session_request *r)
{
	map_remove(&s->by_id, (struct slice){r->id, r->id_len});
	map_remove_u64(&s->by_sequence, r->sequence);
	s->all->in_flight--;
	free(r->id);
	free(r->name);
	free(r);
}

/* --- towards the client --------------------------------------------------- */

/* Past the bound for all, each session may keep its share, so that those that
 * read do not pay for those that do not. */
static bool is_over_share(const struct session *s)
{
	const struct sessions *all = s->all;

	return all->queued_bytes >= all->limits.all_bytes &&
	       s->outbox.count > 0 &&
	       s->outbox.bytes >= all->limits.all_bytes / sessions_count(all);
}

/* Is it at its bound?  What brought it there was still taken. */
static bool is_full(const struct session *s)
{
	return s->outbox.bytes >= s->all->limits.session_bytes ||
	       is_over_share(s);
}

/* Must one at its bound be ended?  Several large results that come at once are
 * no fault of a client that goes on reading. */
static bool is_slow(const struct session *s)
{
	return is_over_share(s) || !s->stream ||
	       clock_now_ms() - s->progress_ms >= s->all->limits.stall_ms;
}

/* A client that leaves this much unread has nothing more to say for now. */
void session_pause_if_full(struct session *s)
{
	if (s->paused ||
	    s->functions->queued(s->stream) < s->all->limits.session_bytes)
		return;
	s->paused = true;
	s->functions->pause(s->stream, true);
}

/* May one more be queued?  False when it is lost. */
static bool has_room(struct session *s, bool droppable)
{
	if (s->state == SESSION_SINGLE || s->state == SESSION_OVER)
		return false;
	if (is_full(s) && droppable)
		return false;
	if (is_full(s) && is_slow(s)) {
		log_odd("session",
			"%llu: the client does not read: %zu bytes are queued, "
			"a message is lost",
			(unsigned long long)s->number, s->outbox.bytes);
		session_end(
			s,
			EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_SLOW_READER,
			"the client does not read what it asked for");
		return false;
	}
	return true;
}

/* Takes m. */
static void put(struct session *s, struct message *m, uint64_t request)
{
	struct message *sent = m;

	if (s->outbox.count == 0)
		s->progress_ms = clock_now_ms();
	s->all->queued_bytes += outbox_cost(m->len);
	outbox_add(&s->outbox, &m, request);
	if (s->state != SESSION_ATTACHED)
		return;
	s->functions->send(s->stream, sent);
	session_pause_if_full(s);
}

/* False when it is lost. */
static bool deliver(struct session *s, struct slice json, uint64_t request,
		    bool droppable)
{
	if (s->state == SESSION_SINGLE && s->single->notify && droppable) {
		s->single->notify(s->single_owner, json);
		return true;
	}
	if (!has_room(s, droppable))
		return false;
	put(s, message_new(json, false), request);
	return true;
}

void session_deliver_answer(struct session *s, struct message *m,
			    uint64_t request)
{
	if (has_room(s, false))
		put(s, message_ref(m), request);
}

void session_deliver(struct session *s, struct slice json, bool droppable)
{
	deliver(s, json, 0, droppable);
}

/* They start anywhere, so that a late answer to what another daemon asked is
 * not taken for one to us. */
uint64_t session_question(struct session *s)
{
	uint32_t start;

	if (s->question == 0) {
		mem_random(&start, sizeof(start));
		s->question = start >> 2;
	}
	return ++s->question;
}

bool session_ask(struct session *s, struct slice json)
{
	return deliver(s, json, 0, false);
}

void session_answer(struct session *s, struct slice id, struct buf *json)
{
	struct session_request *r = map_get(&s->by_id, id);

	if (!r)
		return;
	if (r->journaled) {
		journaled_answer(s, r, json);
		return;
	}
	uint64_t sequence = r->sequence;
	session_forget(s, r);
	if (s->state == SESSION_SINGLE) {
		s->single_answer = message_take(json, false);
		session_advance(s, SESSION_OVER);
		sessions_reap_later(s->all, s);
		return;
	}
	if (has_room(s, false))
		put(s, message_take(json, false), sequence);
}

/* --- from the client ------------------------------------------------------ */

/* Answer what never became a request in flight. */
static void refuse(struct session *s, struct slice id, uint64_t sequence,
		   const struct err *e)
{
	struct buf text = {0};

	jsonrpc_error(&text, id, e, NULL);
	deliver(s, buf_slice(&text), sequence, false);
	buf_finish(&text);
}

/* MCP 2025-11-25, Cancellation: "Cancellation notifications MUST only
 * reference requests that were previously issued in the same direction" and
 * "are believed to still be in-progress"; others are ignored. */
static void cancel(struct session *s, const struct jsonrpc *m)
{
	struct slice id = json_get(m->params, "requestId");
	struct session_request *r = map_get(&s->by_id, id);

	if (!r)
		return;
	router_cancel(s->all->router, s->number, id,
		      json_get(m->params, "reason"));
	journaled_cancelled(s, r);
	session_forget(s, r);
}

static void take_over(struct session *s, uint64_t sequence, struct slice json)
{
	struct session_request *r;
	struct jsonrpc m = {0};
	struct err e = {0};

	if (!jsonrpc_slice(json, &m, &e)) {
		refuse(s, m.id, sequence, &e);
		return;
	}
	switch (m.kind) {
	case JSONRPC_REQUEST:
		r = session_remember(s, &m, sequence, &e);
		if (!r) {
			refuse(s, m.id, sequence, &e);
			return;
		}
		s->initialized = true;
		if (journaled_admit(s, r, &m))
			router_request(s->all->router, s, &m, NULL);
		return;
	case JSONRPC_NOTIFICATION:
		if (jsonrpc_method_is(&m, "notifications/cancelled"))
			cancel(s, &m);
		else
			router_notification(s->all->router, s, &m);
		return;
	case JSONRPC_RESULT:
	case JSONRPC_ERROR:
		router_response(s->all->router, s, &m);
		return;
	}
}

void session_accept(struct session *s, uint64_t sequence, bool effect,
		    struct slice json)
{
	/* The flag is the adapter's note to itself: we slice the message. */
	(void)effect;
	bool fresh = seqset_add(&s->received, sequence);

	if (!fresh && !seqset_has(&s->received, sequence)) {
		session_end(
			s,
			EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_PROTOCOL_ERROR,
			"a sequence too far ahead of one that is missing");
		return;
	}
	if (fresh)
		take_over(s, sequence, json);
	if (s->stream)
		s->functions->accepted(s->stream, sequence);
}

/* Read from the client again. */
static void go_on(struct session *s)
{
	s->paused = false;
	s->functions->pause(s->stream, false);
}

void session_acked(struct session *s, uint64_t received)
{
	size_t before = s->outbox.bytes;

	journaled_acked(s, received);
	outbox_ack(&s->outbox, received);
	if (s->outbox.bytes == before)
		return;
	s->all->queued_bytes -= before - s->outbox.bytes;
	s->progress_ms = clock_now_ms();
	/* The stream's own low mark may lie above our bound. */
	if (s->paused &&
	    s->functions->queued(s->stream) < s->all->limits.session_bytes)
		go_on(s);
}

void session_drained(struct session *s)
{
	s->progress_ms = clock_now_ms();
	if (s->paused)
		go_on(s);
}

void session_detach(struct session *s, bool goodbye)
{
	lose_stream(s);
	if (!goodbye)
		return;
	if (s->all->journaling && s->keyed)
		journaling_forget_all(s->all->journaling, s->adapter);
	session_free(s);
}

/* --- what the router sets ------------------------------------------------- */

uint64_t session_number(const struct session *s)
{
	return s->number;
}

unsigned session_abilities(const struct session *s)
{
	return s->abilities;
}

int session_log_level(const struct session *s)
{
	return (int)s->level;
}

void session_set_log_level(struct session *s, int level)
{
	enum mcp_level before = s->level;

	assert(level >= 0 && level < MCP_LEVEL_COUNT);
	if (s->state == SESSION_SINGLE && !s->single->notify)
		return; /* it hears no log */
	s->level = (enum mcp_level)level;
	sessions_count_level(s->all, before, s->level);
}

/* A string of params.clientInfo, short enough to show. */
static char *client_text(struct slice params, const char *member)
{
	struct slice value = json_path(params, "clientInfo", member, NULL);
	struct buf text = {0};

	if (json_kind(value) == JSON_STRING)
		json_unquote(&text, value);
	size_t len = text.len < NAME_BYTES ? text.len : NAME_BYTES;
	while (len < text.len && len > 0 &&
	       ((unsigned char)text.data[len] & 0xc0) == 0x80)
		len--; /* not inside a character */
	char *copy = mem_ntext(text.data, len);
	buf_finish(&text);
	return copy;
}

void session_set_client(struct session *s, struct slice params)
{
	free(s->client_name);
	free(s->client_version);
	free(s->revision);
	s->client_name = client_text(params, "name");
	s->client_version = client_text(params, "version");
	s->revision = mem_text(mcp_revision(params));
	s->abilities = question_abilities(params);
	s->initialized = true;
}

const char *session_revision(const struct session *s)
{
	return *s->revision ? s->revision : MCP_REVISION_NEWEST;
}
