/* How a session gets its stream: a new one, or one that was lost. */
#include "server/mcp/session.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/journaling.h"
#include "server/mcp/router.h"
#include "server/mcp/sessions.h"

enum { KNOWN_MOST = 1024 }; /* in one Welcome, which has a limit */

enum {
	UNKNOWN = EXECUTOR__MCP__V1__VERDICT__STATE__STATE_UNKNOWN,
	RUNNING = EXECUTOR__MCP__V1__VERDICT__STATE__STATE_RUNNING,
	DONE = EXECUTOR__MCP__V1__VERDICT__STATE__STATE_DONE,
	INDETERMINATE = EXECUTOR__MCP__V1__VERDICT__STATE__STATE_INDETERMINATE,
};

/* What the verdicts on the pending requests of a Hello rest on. */
struct trial {
	struct session *s;
	uint64_t last;	     /* as the Hello says */
	bool resumed;	     /* s was there before */
	bool vouched;	     /* what has an effect and no row never ran */
	struct map answered; /* requests whose answers are in the outbox */
	size_t known;	     /* in s->known */
};

/* Of a row that is not of a request in flight here. */
static int judge_row(struct trial *t, const struct journaling_call *call,
		     uint64_t sequence)
{
	const envelope_known_t blank = EXECUTOR__MCP__V1__KNOWN__INIT;
	bool ended = call->state == JOURNALING_ENDED;
	const char *source = NULL;
	bool again = router_may_repeat(t->s->all->router, call->name, &source);

	/* By its own number, which must not have come already. */
	if (again && !ended && !seqset_has(&t->s->received, sequence))
		return UNKNOWN;
	if (t->known == KNOWN_MOST)
		return INDETERMINATE;
	envelope_known_t *k = mem_alloc(sizeof(*k));
	*k = blank;
	k->sequence = sequence;
	k->accepted_ms = (uint64_t)call->accepted_ms;
	k->ended = ended;
	k->source = mem_text(source ? source : "");
	t->s->known[t->known++] = k;
	return INDETERMINATE;
}

static int judge_unwritten(const struct trial *t, uint64_t sequence)
{
	/* A gap that wide is not allowed. */
	if (t->last > sequence && t->last - sequence >= SEQSET_AHEAD / 2)
		return INDETERMINATE;
	if (seqset_has(&t->s->received, sequence))
		return INDETERMINATE;
	return t->resumed || t->vouched ? UNKNOWN : INDETERMINATE;
}

/* What we know of one request that the adapter waits for: that it is here, or
 * else what the journal says. */
static int judge(struct trial *t, uint64_t sequence)
{
	struct session *s = t->s;
	struct journaling_call call;

	if (map_get_u64(&s->by_sequence, sequence) ||
	    session_has_declined(s, sequence)) /* a goodbye settles it */
		return RUNNING;
	if (map_get_u64(&t->answered, sequence) ||
	    map_get_u64(&s->reading, sequence))
		return DONE;
	if (!s->all->journaling || !s->keyed)
		return judge_unwritten(t, sequence);
	switch (journaling_find(s->all->journaling, s->adapter, sequence,
				&call)) {
	case JOURNALING_DONE:
		journaled_read(s, sequence);
		return DONE;
	case JOURNALING_RUNNING:
	case JOURNALING_ENDED:
	case JOURNALING_LEFT:
		return judge_row(t, &call, sequence);
	case JOURNALING_NONE:
		break;
	}
	return judge_unwritten(t, sequence);
}

/* One verdict for each pending request. */
static void judge_pending(struct session *s, const envelope_hello_t *hello,
			  bool resumed, envelope_welcome_t *welcome)
{
	const envelope_verdict_t blank = EXECUTOR__MCP__V1__VERDICT__INIT;
	struct journaling *j = s->all->journaling;
	struct trial t = {.s = s, .last = hello->last, .resumed = resumed};

	if (hello->n_pending == 0)
		return;
	t.vouched = j && s->keyed &&
		    journaling_vouches(j, protobuf_slice(hello->session));
	for (size_t i = 0; i < s->outbox.count; i++) {
		const struct outbox_item *kept = outbox_at(&s->outbox, i);

		if (kept->request != 0)
			map_put_u64(&t.answered, kept->request, kept->message);
	}
	s->known = mem_alloc(KNOWN_MOST * sizeof(*s->known));
	s->verdicts = mem_alloc(hello->n_pending * sizeof(*s->verdicts));
	s->verdict_list =
		mem_alloc(hello->n_pending * sizeof(*s->verdict_list));
	for (size_t i = 0; i < hello->n_pending; i++) {
		envelope_verdict_t *v = &s->verdicts[i];

		*v = blank;
		v->sequence = hello->pending[i];
		v->state = (Executor__Mcp__V1__Verdict__State)judge(
			&t, v->sequence);
		s->verdict_list[i] = v;
	}
	map_finish(&t.answered);
	welcome->n_verdicts = hello->n_pending;
	welcome->verdicts = s->verdict_list;
	welcome->n_known = s->known_count = t.known;
	welcome->known = s->known;
}

void session_drop_verdicts(struct session *s)
{
	free(s->verdicts);
	free(s->verdict_list);
	for (size_t i = 0; i < s->known_count; i++) {
		free(s->known[i]->source);
		free(s->known[i]);
	}
	free(s->known);
	s->known = NULL;
	s->known_count = 0;
	s->verdicts = NULL;
	s->verdict_list = NULL;
}

/* What the adapter does not wait for is settled, however it ended. */
static void settle_others(struct session *s, const envelope_hello_t *hello)
{
	if (s->all->journaling && s->keyed)
		journaling_keep(s->all->journaling, s->adapter, hello->last,
				hello->pending, hello->n_pending);
}

/* Nothing up to hello->last comes again but what is unknown here: whatever
 * else is missing was settled without us, and must not stay a gap. */
static void expect_only(struct session *s, const envelope_hello_t *hello,
			const envelope_welcome_t *welcome)
{
	struct map unknown = {0};
	uint64_t settled = hello->last;

	for (size_t i = 0; i < welcome->n_verdicts; i++) {
		const envelope_verdict_t *v = welcome->verdicts[i];

		if ((int)v->state != UNKNOWN)
			continue;
		map_put_u64(&unknown, v->sequence, s);
		if (v->sequence - 1 < settled)
			settled = v->sequence - 1;
	}
	seqset_raise(&s->received, settled);
	/* Not s->received.all, which moves along. */
	const uint64_t before = s->received.all;
	for (uint64_t n = before + 1;
	     n <= hello->last && n - before < SEQSET_AHEAD; n++)
		if (!map_get_u64(&unknown, n))
			seqset_add(&s->received, n);
	map_finish(&unknown);
}

/* The session that hello names, if it is this adapter's. */
static struct session *find_resumed(struct sessions *all,
				    const envelope_hello_t *hello)
{
	struct slice id = protobuf_slice(hello->session);
	struct slice adapter = protobuf_slice(hello->adapter_instance);

	if (id.len != ENVELOPE_ID_BYTES || all->ended)
		return NULL;
	struct session *s = map_get(&all->by_id, id);
	if (!s || !slice_equal(adapter, (struct slice){(char *)s->adapter,
						       sizeof(s->adapter)}))
		return NULL;
	return s;
}

static struct session *open_new(struct sessions *all,
				const envelope_hello_t *hello, struct err *e)
{
	struct slice adapter = protobuf_slice(hello->adapter_instance);

	if (!sessions_admit(all, false, e))
		return NULL;
	struct session *s = session_new(all, SESSION_OPENING);
	if (adapter.len == sizeof(s->adapter))
		memcpy(s->adapter, adapter.ptr, adapter.len);
	s->keyed = adapter.len == sizeof(s->adapter);
	session_set_log_level(s, MCP_LEVEL_INFO);
	return s;
}

/* What the client had set up with an adapter that spoke for us. */
static void take_setup(struct session *s, const envelope_hello_t *hello)
{
	struct slice params = protobuf_slice(hello->initialize_params);
	enum mcp_level level;

	if (params.len > 0 && json_check(params, NULL))
		session_set_client(s, params);
	if (hello->revision[0] != '\0') {
		free(s->revision);
		s->revision = mem_text(hello->revision);
	}
	if (mcp_level_parse(slice_of(hello->log_level), &level))
		session_set_log_level(s, (int)level);
}

/* Once the session can be told of them. */
static void take_subscriptions(struct session *s, const envelope_hello_t *hello)
{
	size_t count = hello->n_subscriptions;
	struct slice *uris;

	if (count == 0)
		return;
	uris = mem_alloc(count * sizeof(*uris));
	for (size_t i = 0; i < count; i++)
		uris[i] = protobuf_slice(hello->subscriptions[i]);
	router_restore(s->all->router, s, uris, count);
	free(uris);
}

struct session *session_open(struct sessions *all,
			     const envelope_hello_t *hello,
			     const struct session_stream *functions,
			     void *stream, envelope_welcome_t *welcome,
			     struct err *e)
{
	struct session *s = find_resumed(all, hello);
	bool resumed = s != NULL;

	if (resumed) {
		session_end(
			s,
			EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_SUPERSEDED,
			"the session was resumed on another stream");
		sessions_expect_not(all, s);
		session_advance(s, SESSION_OPENING);
		session_acked(s, hello->received);
	} else {
		s = open_new(all, hello, e);
		if (!s)
			return NULL;
	}
	s->functions = functions;
	s->stream = stream;
	s->progress_ms = clock_now_ms();
	s->keeps_untaken = hello->keeps_untaken;
	take_setup(s, hello);
	if (!resumed)
		take_subscriptions(s, hello);
	welcome->session = protobuf_bytes(
		(struct slice){(const char *)s->id, sizeof(s->id)});
	welcome->resumed = resumed;
	settle_others(s, hello);
	judge_pending(s, hello, resumed, welcome);
	expect_only(s, hello, welcome);
	welcome->received = s->received.all;
	log_info("session", "%llu: %s, client \"%s\"",
		 (unsigned long long)s->number, resumed ? "resumed" : "opened",
		 s->client_name);
	return s;
}

const struct seqset *session_received(const struct session *s)
{
	return &s->received;
}

void session_attached(struct session *s)
{
	session_drop_verdicts(s);
	session_advance(s, SESSION_ATTACHED);
	for (size_t i = 0; i < s->outbox.count; i++)
		s->functions->send(s->stream,
				   outbox_at(&s->outbox, i)->message);
	session_pause_if_full(s);
}
