#include "proto/link_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/mem.h"
#include "proto/message.h"

enum { ACK_MESSAGES = 64, ACK_BYTES = 256 * 1024 };

static const double ack_after_s = 0.1;

/* A message that waits to be sent, or the rest of one.  Owned by its link. */
struct parcel {
	struct list link;
	struct message *m;
	size_t sent_bytes;
	uint64_t after;
};

/* --- acknowledgements --- */

/* What to tell now, or 0; it counts as told. */
static uint64_t take_ack(struct link *l)
{
	if (l->delivered.all == l->told)
		return 0;
	ev_timer_stop(l->loop, &l->ack);
	l->told = l->delivered.all;
	l->handed_bytes = 0;
	return l->told;
}

static void send_ack(struct link *l)
{
	envelope_encode_ack(h2_output(l->stream), take_ack(l));
	h2_send(l->stream);
}

static void on_ack_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	send_ack(w->data);
}

/* --- out --- */

static bool is_small(const struct message *m)
{
	return m->len <= ENVELOPE_CHUNK_BYTES;
}

static bool may_go(const struct link *l, uint64_t after)
{
	return after == 0 || !map_get_u64(&l->queued, after);
}

static void send_whole(struct link *l, const struct message *m)
{
	envelope_encode_message(h2_output(l->stream), m->sequence, m->effect,
				take_ack(l), message_text(m));
	h2_send(l->stream);
}

static void parcel_done(struct link *l, struct parcel *p)
{
	list_remove(&p->link);
	map_remove_u64(&l->queued, p->m->sequence);
	message_unref(p->m);
	free(p);
}

/* Small messages that waited for one that has left.  A follower stands behind
 * what it follows, so one pass finds followers of followers too. */
static void send_followers(struct link *l)
{
	struct list *next;

	for (struct list *at = l->parcels.next; at != &l->parcels; at = next) {
		struct parcel *p = LIST_ITEM(at, struct parcel, link);

		next = at->next;
		if (!is_small(p->m) || !may_go(l, p->after))
			continue;
		l->waiting_bytes -= p->m->len;
		send_whole(l, p->m);
		parcel_done(l, p);
	}
}

static void send_chunk(struct link *l, struct parcel *p)
{
	struct slice rest = message_text(p->m);
	size_t len = rest.len - p->sent_bytes;

	if (len > ENVELOPE_CHUNK_BYTES)
		len = ENVELOPE_CHUNK_BYTES;
	rest = (struct slice){rest.ptr + p->sent_bytes, len};
	envelope_encode_chunk(h2_output(l->stream), p->m->sequence,
			      p->m->effect, p->m->len, p->sent_bytes, rest);
	h2_send(l->stream);
	p->sent_bytes += len;
	l->waiting_bytes -= len;
}

/* Chunks, as long as the stream's queue is below its high mark.  The first two
 * large messages take turns, so that a middling one does not wait for a huge
 * one; never more, because the receiver keeps at most two messages' worth of
 * parts.  The first parcel never waits for another: what it follows stood
 * before it. */
static void send_chunks(struct link *l)
{
	while (!list_empty(&l->parcels) && !h2_full(l->stream)) {
		struct list *first = l->parcels.next;
		struct list *second = first->next;
		struct parcel *p = LIST_ITEM(first, struct parcel, link);

		assert(may_go(l, p->after));
		send_chunk(l, p);
		if (p->sent_bytes == p->m->len) {
			parcel_done(l, p);
			send_followers(l);
		} else if (second != &l->parcels &&
			   may_go(l, LIST_ITEM(second, struct parcel, link)
					     ->after)) {
			list_remove(first);
			list_append(second->next, first);
		}
	}
}

void link_sending_init(struct link *l)
{
	list_init(&l->parcels);
	ev_timer_init(&l->ack, on_ack_due, 0, ack_after_s);
	l->ack.data = l;
}

void link_sending_finish(struct link *l)
{
	while (!list_empty(&l->parcels))
		parcel_done(l, LIST_ITEM(list_pop(&l->parcels), struct parcel,
					 link));
	map_finish(&l->queued);
}

/* --- the owner --- */

void link_on_drained(struct link *l)
{
	l->busy++;
	send_chunks(l);
	if (!h2_full(l->stream) && l->events->drained)
		l->events->drained(l->owner);
	link_leave(l);
}

void link_send(struct link *l, struct message *m, uint64_t after)
{
	assert(m->sequence > 0 && after < m->sequence);
	if (is_small(m) && may_go(l, after)) {
		send_whole(l, m);
		return;
	}
	struct parcel *p = mem_zalloc(sizeof(*p));
	p->m = message_ref(m);
	p->after = may_go(l, after) ? 0 : after;
	list_append(&l->parcels, &p->link);
	map_put_u64(&l->queued, m->sequence, p);
	l->waiting_bytes += m->len;
	send_chunks(l);
}

void link_send_envelope(struct link *l, const envelope_t *envelope)
{
	envelope_encode(h2_output(l->stream), envelope);
	h2_send(l->stream);
}

void link_received(struct link *l, uint64_t sequence)
{
	/* One that is in already was delivered before the stream was resumed,
	 * and told then. */
	if (!seqset_add(&l->delivered, sequence) || l->delivered.all == l->told)
		return;
	if (l->delivered.all - l->told >= ACK_MESSAGES ||
	    l->handed_bytes >= ACK_BYTES)
		send_ack(l);
	else if (!ev_is_active(&l->ack))
		/* Not ev_timer_start(): libev keeps what was left of the time
		 * when a timer was stopped. */
		ev_timer_again(l->loop, &l->ack);
}

uint64_t link_received_all(const struct link *l)
{
	return l->delivered.all;
}

size_t link_queued(const struct link *l)
{
	return h2_queued(l->stream) + l->waiting_bytes;
}
