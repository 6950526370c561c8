#include "adapter/bridge_internal.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/batch.h"
#include "adapter/local.h"
#include "proto/buf.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/message.h"

/* --- to the host ---------------------------------------------------------- */

/* MCP, stdio: messages "MUST NOT contain embedded newlines"; outside of
 * strings JSON allows them. */
static bool is_one_line(struct slice text)
{
	return !memchr(text.ptr, '\n', text.len) &&
	       !memchr(text.ptr, '\r', text.len);
}

uint64_t bridge_write_line(struct bridge *b, struct slice text)
{
	struct buf line = {0};

	if (is_one_line(text))
		return b->sides->write(b->owner, text);
	json_one_line(&line, text);
	return b->sides->take(b->owner, &line);
}

uint64_t bridge_write_message(struct bridge *b, const struct jsonrpc *m)
{
	if (m->whole && is_one_line(m->text))
		return b->sides->take(b->owner, m->whole);
	return bridge_write_line(b, m->text);
}

static void write_if_complete(struct bridge *b, struct batch *batch)
{
	if (!batch_complete(batch))
		return;
	if (batch_text(batch).len > 0)
		bridge_write_line(b, batch_text(batch));
	batch_free(batch);
}

/* One of its requests has its answer, or will get none. */
void bridge_settle_batch(struct bridge *b, struct batch *batch)
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

void bridge_refuse(struct bridge *b, struct batch *batch, struct slice id,
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
		    const struct err *why, const envelope_known_t *known)
{
	struct bridge *b = owner;
	struct buf text = {0};

	setup_settle(&b->setup, entry->method, entry->id, false);
	local_failure(&text, entry, why, known);
	answer(b, entry->batch, buf_slice(&text));
	if (entry->batch)
		bridge_settle_batch(b, entry->batch);
	buf_finish(&text);
}

static const struct ledger_events ledger_events = {
	.send = on_send,
	.fail = on_fail,
};

/* --- from the host -------------------------------------------------------- */

static void forward(struct bridge *b, const struct jsonrpc *m,
		    struct batch *batch, int64_t now_ms)
{
	struct ledger_entry *entry;
	struct err e;

	entry = ledger_add(&b->ledger, m, now_ms, &e);
	if (entry && !setup_observe(&b->setup, m, &e)) {
		ledger_remove(&b->ledger, entry);
		entry = NULL;
	}
	if (!entry && m->kind == JSONRPC_REQUEST) {
		bridge_refuse(b, batch, m->id, &e);
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
		ledger_send(&b->ledger, entry);
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
	bool queued = entry->state == LEDGER_QUEUED;
	uint64_t sequence = entry->message->sequence;
	setup_settle(&b->setup, entry->method, entry->id, false);
	if (entry->batch)
		bridge_settle_batch(b, entry->batch);
	ledger_remove(&b->ledger, entry);
	if (queued)
		return; /* no daemon knows the request */
	entry = ledger_add(&b->ledger, m, now_ms, NULL);
	if (!entry)
		return;
	entry->after = sequence;
	if (b->attached)
		ledger_send(&b->ledger, entry);
}

static void message_from_host(struct bridge *b, struct slice text,
			      struct batch *batch, int64_t now_ms)
{
	struct jsonrpc m;
	struct err e;

	if (!jsonrpc_slice(text, &m, &e)) {
		bridge_refuse(b, batch, m.id, &e);
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
		bridge_refuse(b, NULL, (struct slice){NULL, 0}, &e);
		return;
	}
	batch = batch_new();
	while (json_next_element(text, &at, &message))
		message_from_host(b, message, batch, now_ms);
	batch_seal(batch);
	write_if_complete(b, batch);
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
