/* Requests of a session that go through the journal: written down before their
 * source sees them, and their answers before the client does. */
#include "server/mcp/sessions.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/hash.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "server/mcp/journaling.h"
#include "server/mcp/router.h"

/* What the journal is asked for one request.  Owned by all->writes. */
struct write {
	struct list link;
	struct sessions *all;
	uint64_t session; /* its number */
	unsigned char adapter[ENVELOPE_ID_BYTES];
	uint64_t sequence;
	struct message *message; /* the answer, once there is one */
	uint64_t ticket;	 /* the router's, of a request */
};

static struct write *write_new(struct session *s, uint64_t sequence,
			       struct message *m)
{
	struct write *w = mem_zalloc(sizeof(*w));

	w->all = s->all;
	w->session = s->number;
	memcpy(w->adapter, s->adapter, sizeof(w->adapter));
	w->sequence = sequence;
	w->message = m;
	list_append(&s->all->writes, &w->link);
	return w;
}

static void write_free(struct write *w)
{
	list_remove(&w->link);
	message_unref(w->message);
	free(w);
}

void journaled_drop_all(struct sessions *all)
{
	while (!list_empty(&all->writes))
		write_free(
			LIST_ITEM(list_pop(&all->writes), struct write, link));
}

/* The session, if it is still there and waits for this. */
static struct session *session_of(const struct write *w)
{
	return sessions_find(w->all, w->session);
}

static struct session_request *request_of(const struct write *w)
{
	const struct session *s = session_of(w);

	return s ? map_get_u64(&s->by_sequence, w->sequence) : NULL;
}

/* Of a request in flight, when it is answered without having run. */
static void refuse(struct session *s, struct session_request *r,
		   const struct err *why)
{
	struct slice id = {r->id, r->id_len};
	struct buf text = {0};

	jsonrpc_error(&text, id, why, NULL);
	r->journaled = false;
	session_answer(s, id, &text);
	buf_finish(&text);
}

/* --- accepted ------------------------------------------------------------- */

/* Idempotency keys: what came under this one before decides. */
static bool admit_again(struct session *s, struct session_request *r)
{
	struct journaling *j = s->all->journaling;
	struct journaling_call call;
	uint64_t sequence = r->sequence;
	struct err e;

	switch (journaling_find(j, s->adapter, sequence, &call)) {
	case JOURNALING_NONE:
		return true;
	case JOURNALING_DONE:
		session_forget(s, r);
		journaled_read(s, sequence);
		return false;
	case JOURNALING_LEFT:
	case JOURNALING_RUNNING:
		if (router_may_repeat(s->all->router, call.name, NULL))
			return true;
		break;
	case JOURNALING_ENDED:
		break;
	}
	err_set(&e, ERR_OUTCOME_UNKNOWN,
		"this request was sent before; it may have taken effect, and "
		"was not run again");
	refuse(s, r, &e);
	return false;
}

bool journaled_admit(struct session *s, struct session_request *r,
		     const struct jsonrpc *m)
{
	struct slice name = json_get(m->params, "name");

	if (!s->all->journaling || !s->keyed || !mcp_has_effect(m))
		return true;
	r->effect = true;
	r->hash = hash_text(m->text);
	if (name.len > 0 && name.len <= JOURNALING_NAME_BYTES)
		r->name = mem_ntext(name.ptr, name.len);
	if (!journaling_differs(s->all->journaling, s->adapter, r->sequence,
				r->hash))
		return admit_again(s, r);
	session_forget(s, r);
	session_end(s,
		    EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_PROTOCOL_ERROR,
		    "another request had this sequence before");
	return false;
}

/* What is not wanted any more never ran, and its row goes again. */
static void on_accepted(void *owner, const struct err *why)
{
	struct write *w = owner;
	struct sessions *all = w->all;
	struct session_request *r = request_of(w);
	uint64_t ticket = w->ticket;

	if (why) {
		log_odd("journal", "a request is refused: %s", why->text);
		journaling_drop(all->journaling, w->adapter, w->sequence);
	} else if (!r) {
		journaling_forget(all->journaling, w->adapter, &w->sequence, 1);
	}
	if (r && why)
		r->journaled = false;
	write_free(w);
	if (r)
		router_written(all->router, ticket, why);
}

bool session_write_down(struct session *s, struct slice id, uint64_t ticket)
{
	struct session_request *r = map_get(&s->by_id, id);
	struct write *w;

	if (!r || !r->effect)
		return false;
	r->journaled = true;
	w = write_new(s, r->sequence, NULL);
	w->ticket = ticket;
	journaling_accept(s->all->journaling, s->adapter, r->sequence, r->hash,
			  slice_of(r->name ? r->name : ""), on_accepted, w);
	return true;
}

/* --- answered ------------------------------------------------------------- */

static void on_answered(void *owner, const struct err *why)
{
	struct write *w = owner;
	struct session_request *r = request_of(w);
	struct session *s = session_of(w);

	if (why) {
		log_odd("journal", "an answer is delivered and not kept: %s",
			why->text);
		journaling_leave(w->all->journaling, w->adapter, w->sequence);
	}
	if (r) {
		session_forget(s, r);
		session_deliver_answer(s, w->message, w->sequence);
	}
	write_free(w);
}

void journaled_answer(struct session *s, struct session_request *r,
		      struct buf *json)
{
	struct message *m = message_take(json, false);

	assert(!r->answered);
	r->answered = true;
	journaling_answer(s->all->journaling, s->adapter, r->sequence, m,
			  on_answered, write_new(s, r->sequence, m));
}

/* --- answered by another daemon, or lost on its way ----------------------- */

static void on_result(void *owner, struct slice result)
{
	struct write *w = owner;

	w->message = message_new(result, false);
}

static void on_read(void *owner, const struct err *why)
{
	struct write *w = owner;
	struct session *s = session_of(w);

	if (why) {
		log_odd("journal", "a result cannot be read: %s", why->text);
		journaling_leave(w->all->journaling, w->adapter, w->sequence);
	}
	if (s)
		map_remove_u64(&s->reading, w->sequence);
	if (s && why)
		session_end(
			s,
			EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_UNSPECIFIED,
			"a result cannot be read; ask again");
	else if (s)
		session_deliver_answer(s, w->message, w->sequence);
	write_free(w);
}

void journaled_read(struct session *s, uint64_t sequence)
{
	if (map_put_u64(&s->reading, sequence, s))
		return;
	journaling_read(s->all->journaling, s->adapter, sequence, on_result,
			on_read, write_new(s, sequence, NULL));
}

/* --- settled -------------------------------------------------------------- */

void journaled_acked(struct session *s, uint64_t received)
{
	uint64_t few[64];
	size_t count = 0;

	if (!s->all->journaling)
		return;
	for (size_t i = 0; i < s->outbox.count; i++) {
		const struct outbox_item *item = outbox_at(&s->outbox, i);

		if (item->message->sequence > received)
			break;
		if (item->request == 0)
			continue;
		few[count++] = item->request;
		if (count < sizeof(few) / sizeof(few[0]))
			continue;
		journaling_forget(s->all->journaling, s->adapter, few, count);
		count = 0;
	}
	if (count > 0)
		journaling_forget(s->all->journaling, s->adapter, few, count);
}

void journaled_cancelled(struct session *s, const struct session_request *r)
{
	if (r->journaled)
		journaling_forget(s->all->journaling, s->adapter, &r->sequence,
				  1);
}

/* Cancelled, for nobody resumed the session; but somebody may still ask. */
void journaled_abandoned(struct session *s, const struct session_request *r)
{
	if (r->journaled && !r->answered)
		journaling_leave(s->all->journaling, s->adapter, r->sequence);
}
