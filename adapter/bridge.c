#include "adapter/bridge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/asked.h"
#include "adapter/batch.h"
#include "adapter/delivery.h"
#include "adapter/ledger.h"
#include "adapter/local.h"
#include "adapter/setup.h"
#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/message.h"

static const char tools_changed[] =
	"{\"jsonrpc\":\"2.0\","
	"\"method\":\"notifications/tools/list_changed\"}";

/* Owned by main. */
struct bridge {
	const struct bridge_sides *sides;
	void *owner;
	struct ledger ledger;
	struct delivery delivery;
	struct setup setup;
	struct asked asked;
	char *cwd;

	unsigned char instance[ENVELOPE_ID_BYTES]; /* ours, for life */
	unsigned char session[ENVELOPE_ID_BYTES];
	bool has_session;
	bool greeted; /* a Hello was said on this stream */
	bool attached;
	bool probing;		 /* what is queued waits for a sign of life */
	uint64_t *hello_pending; /* what the last Hello points to */
	struct err trouble;	 /* why there is no daemon */

	bool host_held;
	bool daemon_paused;
};

/* --- to the host ---------------------------------------------------------- */

/* MCP, stdio: messages "MUST NOT contain embedded newlines"; outside of
 * strings JSON allows them. */
static uint64_t write_line(struct bridge *b, struct slice text)
{
	struct buf line = {0};
	uint64_t offset;

	if (!memchr(text.ptr, '\n', text.len) &&
	    !memchr(text.ptr, '\r', text.len))
		return b->sides->write(b->owner, text);
	json_one_line(&line, text);
	offset = b->sides->write(b->owner, buf_slice(&line));
	buf_finish(&line);
	return offset;
}

static void write_if_complete(struct bridge *b, struct batch *batch)
{
	if (!batch_complete(batch))
		return;
	if (batch_text(batch).len > 0)
		write_line(b, batch_text(batch));
	batch_free(batch);
}

/* One of its requests has its answer, or will get none. */
static void settle_batch(struct bridge *b, struct batch *batch)
{
	batch_settle(batch);
	write_if_complete(b, batch);
}

/* Our own answer, alone or as a part of a batch that is still being split or
 * waits for more. */
static void answer(struct bridge *b, struct batch *batch, struct slice text)
{
	if (batch)
		batch_add(batch, text);
	else
		b->sides->write(b->owner, text);
}

static void refuse(struct bridge *b, struct batch *batch, struct slice id,
		   const struct err *why)
{
	struct buf text = {0};

	jsonrpc_error(&text, id, why, NULL);
	answer(b, batch, buf_slice(&text));
	buf_finish(&text);
}

/* --- the ledger ----------------------------------------------------------- */

static void on_send(void *owner, struct message *m, uint64_t after)
{
	struct bridge *b = owner;

	b->sides->send(b->owner, m, after);
}

static void on_fail(void *owner, const struct ledger_entry *entry,
		    const struct err *why)
{
	struct bridge *b = owner;
	struct buf text = {0};

	local_failure(&text, entry, why);
	answer(b, entry->batch, buf_slice(&text));
	if (entry->batch)
		settle_batch(b, entry->batch);
	buf_finish(&text);
}

static const struct ledger_events ledger_events = {
	.send = on_send,
	.fail = on_fail,
};

/* --- from the host -------------------------------------------------------- */

/* A request that was handed to a daemon which was killed a moment ago has an
 * unknown outcome, although nobody ever saw it.  So one that may have an
 * effect goes to a daemon that was heard this very moment, or follows a ping
 * that was answered: some 25 us, which only a busy client would notice, whose
 * daemon is heard all the time. */
static void send_alive(struct bridge *b, struct ledger_entry *entry,
		       int64_t now_ms)
{
	if (b->probing)
		return; /* it leaves with the others */
	b->probing = entry->message->effect && !b->sides->is_alive(b->owner) &&
		     ledger_probe(&b->ledger, now_ms);
	if (!b->probing)
		ledger_send(&b->ledger, entry);
}

static void forward(struct bridge *b, const struct jsonrpc *m,
		    struct batch *batch, int64_t now_ms)
{
	struct ledger_entry *entry;
	struct err e;

	setup_observe(&b->setup, m);
	entry = ledger_add(&b->ledger, m, now_ms, &e);
	if (!entry && m->kind == JSONRPC_REQUEST) {
		refuse(b, batch, m->id, &e);
		return;
	}
	if (!entry) {
		log_odd("bridge", "a message was dropped: %s", e.text);
		return;
	}
	if (batch && m->kind == JSONRPC_REQUEST) {
		entry->batch = batch;
		batch_expect(batch);
	}
	if (b->attached)
		send_alive(b, entry, now_ms);
	else
		b->sides->seek(b->owner);
}

static void request_from_host(struct bridge *b, const struct jsonrpc *m,
			      struct batch *batch, int64_t now_ms)
{
	struct buf text = {0};

	if (!local_answer(&text, m, b->attached, batch != NULL)) {
		forward(b, m, batch, now_ms);
		return;
	}
	answer(b, batch, buf_slice(&text));
	buf_finish(&text);
	if (batch || !jsonrpc_method_is(m, "initialize"))
		return;
	/* The daemon hears of it by the Hello. */
	setup_initialize(&b->setup, m->params);
	if (b->greeted)
		b->sides->renew(b->owner);
	else
		b->sides->seek(b->owner);
}

/* MCP, Cancellation: "The receiver of a cancellation notification SHOULD ...
 * Not send a response for the cancelled request", and may ignore it when "the
 * referenced request is unknown". */
static void cancel_from_host(struct bridge *b, const struct jsonrpc *m,
			     int64_t now_ms)
{
	struct slice id = json_get(m->params, "requestId");
	struct ledger_entry *entry = ledger_find(&b->ledger, id);

	if (!entry)
		return;
	uint64_t sequence = entry->message->sequence;
	if (entry->batch)
		settle_batch(b, entry->batch);
	ledger_remove(&b->ledger, entry);
	if (sequence == 0)
		return; /* no daemon ever saw the request */
	entry = ledger_add(&b->ledger, m, now_ms, NULL);
	if (!entry)
		return;
	entry->after = sequence;
	if (b->attached)
		send_alive(b, entry, now_ms);
}

static void message_from_host(struct bridge *b, struct slice text,
			      struct batch *batch, int64_t now_ms)
{
	struct jsonrpc m;
	struct err e;

	if (!jsonrpc_slice(text, &m, &e)) {
		refuse(b, batch, m.id, &e);
		return;
	}
	switch (m.kind) {
	case JSONRPC_REQUEST:
		request_from_host(b, &m, batch, now_ms);
		return;
	case JSONRPC_NOTIFICATION:
		if (jsonrpc_method_is(&m, "notifications/cancelled"))
			cancel_from_host(b, &m, now_ms);
		else
			forward(b, &m, NULL, now_ms);
		return;
	case JSONRPC_RESULT:
	case JSONRPC_ERROR:
		if (asked_take(&b->asked, m.id))
			forward(b, &m, NULL, now_ms);
		return;
	}
}

static void batch_from_host(struct bridge *b, struct slice text, int64_t now_ms)
{
	struct slice message;
	struct batch *batch;
	struct err e;
	size_t at = 0;

	if (!local_check_batch(text, b->setup.revision, &e)) {
		refuse(b, NULL, (struct slice){NULL, 0}, &e);
		return;
	}
	batch = batch_new();
	while (json_next_element(text, &at, &message))
		message_from_host(b, message, batch, now_ms);
	batch_seal(batch);
	write_if_complete(b, batch);
}

/* --- from the daemon ------------------------------------------------------ */

static void deliver(struct bridge *b, uint64_t sequence, struct slice text)
{
	delivery_wait(&b->delivery, sequence, write_line(b, text));
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
		refuse(b, batch, m->id, &e);
	}
	settle_batch(b, batch);
}

static void answer_from_daemon(struct bridge *b, uint64_t sequence,
			       const struct jsonrpc *m)
{
	struct ledger_entry *entry = ledger_find(&b->ledger, m->id);

	if (!entry || entry->state != LEDGER_SENT) {
		swallow(b, sequence); /* cancelled, or given up */
		return;
	}
	if (entry->probe) {
		b->probing = false;
		swallow(b, sequence);
		ledger_remove(&b->ledger, entry);
		ledger_flush(&b->ledger);
		return;
	}
	if (entry->batch) {
		answer_in_batch(b, entry->batch, m);
		swallow(b, sequence);
	} else {
		deliver(b, sequence, m->text);
	}
	ledger_remove(&b->ledger, entry);
}

/* There is another one now: what was asked in the last one is over. */
static void forget_session(struct bridge *b)
{
	struct buf text = {0};

	delivery_reset(&b->delivery);
	ledger_forget_answers(&b->ledger);
	while (asked_withdraw(&b->asked, &text)) {
		b->sides->write(b->owner, buf_slice(&text));
		buf_finish(&text);
	}
}

/* --- public --------------------------------------------------------------- */

struct bridge *bridge_new(const char *cwd, const struct bridge_sides *sides,
			  void *owner)
{
	struct bridge *b = mem_zalloc(sizeof(*b));

	b->sides = sides;
	b->owner = owner;
	b->cwd = mem_text(cwd ? cwd : "");
	mem_random(b->instance, sizeof(b->instance));
	ledger_init(&b->ledger, &ledger_events, b);
	err_set(&b->trouble, ERR_DAEMON_STARTING,
		"the daemon has not answered yet");
	return b;
}

void bridge_from_host(struct bridge *b, struct slice line, int64_t now_ms)
{
	if (jsonrpc_is_batch(line))
		batch_from_host(b, line, now_ms);
	else
		message_from_host(b, line, NULL, now_ms);
}

void bridge_overlong(struct bridge *b, struct slice start)
{
	struct buf text = {0};

	local_overlong(&text, start);
	b->sides->write(b->owner, buf_slice(&text));
	buf_finish(&text);
}

void bridge_written(struct bridge *b, uint64_t offset)
{
	uint64_t sequence;

	while ((sequence = delivery_next(&b->delivery, offset)) != 0)
		b->sides->received(b->owner, sequence);
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
		forget_session(b);
	memcpy(b->session, welcome->session.data, sizeof(b->session));
	b->has_session = true;
	b->attached = true;
	b->daemon_paused = false;
	ledger_welcome(&b->ledger, welcome);
	if (other_daemon && b->setup.initialized)
		b->sides->write(b->owner, slice_of(tools_changed));
}

void bridge_from_daemon(struct bridge *b, uint64_t sequence, struct slice json)
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
	asked_observe(&b->asked, &m);
	if (m.kind == JSONRPC_RESULT || m.kind == JSONRPC_ERROR)
		answer_from_daemon(b, sequence, &m);
	else
		deliver(b, sequence, m.text);
}

void bridge_acked(struct bridge *b, uint64_t received)
{
	ledger_acked(&b->ledger, received);
}

void bridge_lost(struct bridge *b, const struct err *why, int64_t now_ms)
{
	log_info("bridge", "lost the daemon: %s", why->text);
	b->attached = false;
	b->probing = false;
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

int64_t bridge_turn(struct bridge *b, int64_t now_ms)
{
	size_t host = b->sides->host_queued(b->owner);
	size_t daemon = b->sides->daemon_queued(b->owner);

	if (!b->attached && !local_waiting_helps(b->trouble.reason))
		ledger_hurry(&b->ledger);
	if (!b->attached)
		ledger_expire(&b->ledger, &b->trouble, now_ms);
	bool hold =
		host > BRIDGE_HOST_MOST_BYTES || daemon > BRIDGE_DAEMON_BYTES;
	if (hold != b->host_held) {
		b->host_held = hold;
		b->sides->hold_host(b->owner, hold);
	}
	bool pause = host > BRIDGE_HOST_BYTES;
	if (pause != b->daemon_paused) {
		b->daemon_paused = pause;
		b->sides->pause_daemon(b->owner, pause);
	}
	return b->attached ? -1 : ledger_deadline_ms(&b->ledger);
}

void bridge_free(struct bridge *b)
{
	if (!b)
		return;
	ledger_finish(&b->ledger);
	delivery_reset(&b->delivery);
	setup_finish(&b->setup);
	free(b->hello_pending);
	free(b->cwd);
	free(b);
}
