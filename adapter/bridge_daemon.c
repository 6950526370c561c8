/* What the daemon says and does, and what becomes of it. */
#include "adapter/bridge_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/batch.h"
#include "adapter/successor.h"
#include "proto/buf.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"

/* --- its messages ----------------------------------------------------------
 */

static void deliver(struct bridge *b, uint64_t sequence,
		    const struct jsonrpc *m)
{
	delivery_wait(&b->delivery, sequence, bridge_write_message(b, m));
}

/* The host needs to hear nothing of it. */
static void swallow(struct bridge *b, uint64_t sequence)
{
	delivery_done(&b->delivery, sequence);
	b->sides->received(b->owner, sequence);
}

/* Acknowledged before it is written: the daemon holds only so much for us that
 * is not, and would never see the end of a batch larger than that. */
static void answer_in_batch(struct bridge *b, struct batch *batch,
			    const struct jsonrpc *m)
{
	struct err e;

	if (batch_has_room(batch, m->text.len)) {
		batch_add(batch, m->text);
	} else {
		err_set(&e, ERR_TOO_LARGE,
			"the batch's answers have more than "
			"%zu bytes",
			BATCH_BYTES);
		bridge_refuse(b, batch, m->id, &e);
	}
	bridge_settle_batch(b, batch);
}

static void answer_from_daemon(struct bridge *b, uint64_t sequence,
			       const struct jsonrpc *m)
{
	struct ledger_entry *entry = ledger_find(&b->ledger, m->id);

	if (!entry || entry->state != LEDGER_SENT) {
		swallow(b, sequence); /* cancelled, or given up */
		return;
	}
	setup_settle(&b->setup, entry->method, entry->id,
		     m->kind == JSONRPC_RESULT);
	if (entry->batch) {
		answer_in_batch(b, entry->batch, m);
		swallow(b, sequence);
	} else {
		deliver(b, sequence, m);
	}
	ledger_remove(&b->ledger, entry);
}

/* --- its life --------------------------------------------------------------
 */

static void write_lines(struct bridge *b, const struct buf *lines)
{
	const char *at = lines->data;
	const char *end = at + lines->len;

	while (at < end) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));

		b->sides->write(b->owner,
				(struct slice){at, (size_t)(eol - at)});
		at = eol + 1;
	}
}

/* There is another session now, perhaps of another daemon. */
static void begin_session(struct bridge *b)
{
	struct buf lines = {0};

	delivery_reset(&b->delivery);
	ledger_forget_answers(&b->ledger);
	successor_withdraw(&b->asked, &lines);
	write_lines(b, &lines);
	buf_finish(&lines);
}

static void announce(struct bridge *b)
{
	struct buf lines = {0};

	successor_announce(&b->setup, &lines);
	write_lines(b, &lines);
	buf_finish(&lines);
}

void bridge_hello(struct bridge *b, envelope_hello_t *hello)
{
	b->greeted = true;
	hello->adapter_instance.data = b->instance;
	hello->adapter_instance.len = sizeof(b->instance);
	if (b->has_session) {
		hello->session.data = b->session;
		hello->session.len = sizeof(b->session);
	}
	hello->received = delivery_all(&b->delivery);
	free(b->hello_pending);
	b->hello_pending = ledger_numbers(&b->ledger, &hello->n_pending);
	hello->pending = b->hello_pending;
	hello->last = b->ledger.last;
	hello->cwd = protobuf_bytes(slice_of(b->cwd));
	setup_hello(&b->setup, hello);
}

void bridge_attached(struct bridge *b, const envelope_welcome_t *welcome)
{
	bool other_daemon = b->has_session && !welcome->resumed;

	assert(welcome->session.len == sizeof(b->session));
	if (!welcome->resumed)
		begin_session(b);
	memcpy(b->session, welcome->session.data, sizeof(b->session));
	b->has_session = true;
	b->attached = true;
	b->daemon_paused = false;
	ledger_welcome(&b->ledger, welcome);
	if (other_daemon)
		announce(b);
}

void bridge_from_daemon(struct bridge *b, uint64_t sequence, struct slice json,
			struct buf *whole)
{
	struct jsonrpc m;
	struct err e;

	if (!delivery_see(&b->delivery, sequence)) {
		/* Sent again, because we were lost before we could say that
		 * it is written. */
		if (delivery_is_done(&b->delivery, sequence))
			b->sides->received(b->owner, sequence);
		return;
	}
	if (!jsonrpc_slice(json, &m, &e)) {
		log_odd("bridge", "the daemon sent no message: %s", e.text);
		swallow(b, sequence);
		return;
	}
	m.whole = whole;
	asked_observe(&b->asked, &m);
	if (m.kind == JSONRPC_RESULT || m.kind == JSONRPC_ERROR)
		answer_from_daemon(b, sequence, &m);
	else
		deliver(b, sequence, &m);
}

void bridge_acked(struct bridge *b, uint64_t received)
{
	ledger_acked(&b->ledger, received);
}

void bridge_goodbye(struct bridge *b, const envelope_goodbye_t *goodbye)
{
	b->attached = false;
	if (goodbye->untaken)
		ledger_untaken(&b->ledger, goodbye->untaken);
}

void bridge_lost(struct bridge *b, const struct err *why, int64_t now_ms)
{
	log_info("bridge", "lost the daemon: %s", why->text);
	b->attached = false;
	b->greeted = false;
	b->trouble = *why;
	ledger_lost(&b->ledger, now_ms);
	if (b->ledger.requests > 0)
		b->sides->seek(b->owner);
}

void bridge_trouble(struct bridge *b, const struct err *why, int64_t now_ms)
{
	bool progress = why->reason == ERR_DAEMON_STARTING &&
			b->trouble.reason == ERR_DAEMON_STARTING &&
			strcmp(why->text, b->trouble.text) != 0;

	log_info("bridge", "no daemon: %s", why->text);
	b->greeted = false;
	b->trouble = *why;
	if (progress)
		ledger_extend(&b->ledger, now_ms);
}
