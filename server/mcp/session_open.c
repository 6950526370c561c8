/* How a session gets its stream: a new one, or one that was lost. */
#include "server/mcp/session.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/router.h"
#include "server/mcp/sessions.h"

/* What we know of one request that the adapter waits for.  answered holds the
 * requests whose answers are kept. */
static Executor__Mcp__V1__Verdict__State verdict_on(const struct session *s,
						    const struct map *answered,
						    uint64_t sequence)
{
	if (map_get_u64(&s->by_sequence, sequence) ||
	    session_has_declined(s, sequence)) /* a goodbye settles it */
		return EXECUTOR__MCP__V1__VERDICT__STATE__STATE_RUNNING;
	if (map_get_u64(answered, sequence))
		return EXECUTOR__MCP__V1__VERDICT__STATE__STATE_DONE;
	if (!seqset_has(&s->received, sequence))
		return EXECUTOR__MCP__V1__VERDICT__STATE__STATE_UNKNOWN;
	return EXECUTOR__MCP__V1__VERDICT__STATE__STATE_INDETERMINATE;
}

/* One for each pending request.  A session that is not known here may have
 * been another daemon's: whatever it had in flight may have run. */
static void judge_pending(struct session *s, const envelope_hello_t *hello,
			  bool resumed, envelope_welcome_t *welcome)
{
	const envelope_verdict_t blank = EXECUTOR__MCP__V1__VERDICT__INIT;
	struct map answered = {0};

	if (hello->n_pending == 0)
		return;
	for (size_t i = 0; i < s->outbox.count; i++) {
		const struct outbox_item *kept = outbox_at(&s->outbox, i);

		if (kept->request != 0)
			map_put_u64(&answered, kept->request, kept->message);
	}
	s->verdicts = mem_alloc(hello->n_pending * sizeof(*s->verdicts));
	s->verdict_list =
		mem_alloc(hello->n_pending * sizeof(*s->verdict_list));
	for (size_t i = 0; i < hello->n_pending; i++) {
		s->verdicts[i] = blank;
		s->verdicts[i].sequence = hello->pending[i];
		s->verdicts[i].state =
			resumed ? verdict_on(s, &answered, hello->pending[i])
				: EXECUTOR__MCP__V1__VERDICT__STATE__STATE_INDETERMINATE;
		s->verdict_list[i] = &s->verdicts[i];
	}
	map_finish(&answered);
	welcome->n_verdicts = hello->n_pending;
	welcome->verdicts = s->verdict_list;
}

/* Nothing up to hello->last comes again but what is unknown here: whatever
 * else is missing was settled without us, and must not stay a gap. */
static void expect_only(struct session *s, const envelope_hello_t *hello,
			const envelope_welcome_t *welcome)
{
	struct map unknown = {0};

	for (size_t i = 0; i < welcome->n_verdicts; i++) {
		const envelope_verdict_t *v = welcome->verdicts[i];

		if (v->state ==
		    EXECUTOR__MCP__V1__VERDICT__STATE__STATE_UNKNOWN)
			map_put_u64(&unknown, v->sequence, s);
	}
	if (unknown.count == 0 && hello->last > s->received.all) {
		seqset_finish(&s->received);
		s->received.all = hello->last;
	}
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
