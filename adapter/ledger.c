#include "adapter/ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "adapter/batch.h"
#include "proto/err.h"
#include "proto/jsonrpc.h"
#include "proto/mcp.h"
#include "proto/mem.h"
#include "proto/message.h"

struct ledger_entry *ledger_entry_of(const struct list *link)
{
	/* const is the list's shape, not the entries'. */
	return LIST_ITEM((uintptr_t)link, struct ledger_entry, link);
}

bool ledger_is_request(const struct ledger_entry *entry)
{
	return entry->id.len > 0;
}

/* What part is of text, in the copy of text. */
static struct slice moved(struct slice part, struct slice text,
			  const struct message *copy)
{
	if (part.len == 0)
		return (struct slice){NULL, 0};
	return (struct slice){copy->json + (part.ptr - text.ptr), part.len};
}

static bool has_room(const struct ledger *l, const struct jsonrpc *m,
		     struct err *e)
{
	size_t len = m->text.len;

	if (l->message_limit_bytes > 0 && len > l->message_limit_bytes)
		return err_set(e, ERR_TOO_LARGE,
			       "the message has %zu bytes; the daemon takes "
			       "at most %zu",
			       len, l->message_limit_bytes);
	if (m->kind == JSONRPC_REQUEST && l->requests >= LEDGER_REQUESTS)
		return err_set(e, ERR_OVERLOADED,
			       "%zu requests are in flight already",
			       l->requests);
	/* One message may be larger than a bound, but not one of many. */
	if (!l->attached && l->queued > 0 &&
	    l->queued_bytes + len > LEDGER_QUEUED_BYTES)
		return err_set(e, ERR_OVERLOADED,
			       "%zu bytes are waiting for the daemon already",
			       l->queued_bytes);
	if (l->bytes > 0 && l->bytes + len > LEDGER_BYTES)
		return err_set(e, ERR_OVERLOADED,
			       "%zu bytes of requests are in flight already",
			       l->bytes);
	return true;
}

void ledger_set_state(struct ledger *l, struct ledger_entry *entry,
		      enum ledger_state next)
{
	if (entry->state == LEDGER_QUEUED) {
		l->queued--;
		l->queued_bytes -= entry->message->len;
	}
	if (next == LEDGER_QUEUED) {
		l->queued++;
		l->queued_bytes += entry->message->len;
	}
	entry->state = next;
}

/* Notifications and responses are kept in case a resumed session did not get
 * them; one that never acknowledges does not make us hold them for ever. */
static void forget_oldest_other(struct ledger *l)
{
	for (struct list *at = l->entries.next; at != &l->entries;
	     at = at->next) {
		if (ledger_is_request(ledger_entry_of(at)))
			continue;
		ledger_remove(l, ledger_entry_of(at));
		return;
	}
}

static void fail(struct ledger *l, struct ledger_entry *entry,
		 const struct err *why, const envelope_known_t *known)
{
	if (ledger_is_request(entry))
		l->events->fail(l->owner, entry, why, known);
	ledger_remove(l, entry);
}

void ledger_fail(struct ledger *l, struct ledger_entry *entry,
		 const struct err *why)
{
	fail(l, entry, why, NULL);
}

void ledger_fail_unknown(struct ledger *l, struct ledger_entry *entry,
			 const envelope_known_t *known)
{
	struct err why;

	if (known && known->ended)
		err_set(&why, ERR_OUTCOME_UNKNOWN,
			"This request ran to its end, but the daemon ended "
			"before its result was delivered, and does not have it "
			"any more.  It was not run again.  Check its effect "
			"before repeating it.");
	else
		err_set(&why, ERR_OUTCOME_UNKNOWN,
			"The connection to the daemon was lost while this "
			"request was running.  It may or may not have taken "
			"effect, and was not run again.  Check its effect "
			"before repeating it.");
	fail(l, entry, &why, known);
}

static void send_queued(struct ledger *l, struct ledger_entry *entry)
{
	struct err why;

	if (l->message_limit_bytes == 0 ||
	    entry->message->len <= l->message_limit_bytes) {
		ledger_send(l, entry);
		return;
	}
	err_set(&why, ERR_TOO_LARGE,
		"the message has %zu bytes; the daemon takes at most %zu",
		entry->message->len, l->message_limit_bytes);
	ledger_fail(l, entry, &why);
}

void ledger_init(struct ledger *l, const struct ledger_events *events,
		 void *owner)
{
	*l = (struct ledger){.events = events, .owner = owner};
	list_init(&l->entries);
}

struct ledger_entry *ledger_add(struct ledger *l, const struct jsonrpc *m,
				int64_t now_ms, struct err *e)
{
	bool request = m->kind == JSONRPC_REQUEST;

	if (request && map_get(&l->by_id, m->id)) {
		err_set(e, ERR_INVALID_REQUEST,
			"a request with this id is in flight already");
		return NULL;
	}
	if (!has_room(l, m, e))
		return NULL;
	if (!request && l->others >= LEDGER_OTHERS)
		forget_oldest_other(l);

	struct ledger_entry *entry = mem_zalloc(sizeof(*entry));
	entry->message = message_new(m->text, mcp_has_effect(m));
	entry->method = moved(m->method, m->text, entry->message);
	entry->params = moved(m->params, m->text, entry->message);
	entry->since_ms = now_ms;
	entry->deadline_ms = now_ms + LEDGER_WAIT_MS;
	if (request) {
		entry->id = moved(m->id, m->text, entry->message);
		map_put(&l->by_id, entry->id, entry);
		l->requests++;
	} else {
		l->others++;
	}
	l->bytes += m->text.len;
	l->queued_bytes += m->text.len;
	l->queued++;
	list_append(&l->entries, &entry->link);
	return entry;
}

struct ledger_entry *ledger_find(struct ledger *l, struct slice id)
{
	return id.len > 0 ? map_get(&l->by_id, id) : NULL;
}

void ledger_send(struct ledger *l, struct ledger_entry *entry)
{
	if (entry->message->sequence == 0)
		entry->message->sequence = ++l->last;
	entry->sendings++;
	ledger_set_state(l, entry, LEDGER_SENT);
	l->events->send(l->owner, entry->message, entry->after);
}

void ledger_flush(struct ledger *l)
{
	struct list *next;

	for (struct list *at = l->entries.next; at != &l->entries; at = next) {
		next = at->next;
		if (ledger_entry_of(at)->state == LEDGER_QUEUED)
			send_queued(l, ledger_entry_of(at));
	}
}

void ledger_remove(struct ledger *l, struct ledger_entry *entry)
{
	ledger_set_state(l, entry, LEDGER_SENT);
	l->bytes -= entry->message->len;
	if (ledger_is_request(entry)) {
		map_remove(&l->by_id, entry->id);
		l->requests--;
	} else {
		l->others--;
	}
	list_remove(&entry->link);
	message_unref(entry->message);
	free(entry);
}

void ledger_acked(struct ledger *l, uint64_t received)
{
	struct list *next;

	for (struct list *at = l->entries.next; at != &l->entries; at = next) {
		struct ledger_entry *entry = ledger_entry_of(at);

		next = at->next;
		if (entry->state == LEDGER_SENT && !ledger_is_request(entry) &&
		    entry->message->sequence <= received)
			ledger_remove(l, entry);
	}
}

void ledger_lost(struct ledger *l, int64_t now_ms)
{
	struct list *next;

	l->attached = false;
	for (struct list *at = l->entries.next; at != &l->entries; at = next) {
		struct ledger_entry *entry = ledger_entry_of(at);

		next = at->next;
		if (entry->state == LEDGER_SENT)
			ledger_set_state(l, entry, LEDGER_LOST);
		entry->since_ms = now_ms;
		entry->deadline_ms = now_ms + LEDGER_WAIT_MS;
	}
}

uint64_t *ledger_numbers(const struct ledger *l, size_t *count)
{
	uint64_t *numbers =
		mem_alloc((l->requests + l->others) * sizeof(*numbers));

	*count = 0;
	for (const struct list *at = l->entries.next; at != &l->entries;
	     at = at->next) {
		const struct ledger_entry *entry = ledger_entry_of(at);

		if (entry->state == LEDGER_LOST)
			numbers[(*count)++] = entry->message->sequence;
	}
	return numbers;
}

void ledger_forget_answers(struct ledger *l)
{
	struct list *next;

	for (struct list *at = l->entries.next; at != &l->entries; at = next) {
		struct ledger_entry *entry = ledger_entry_of(at);

		next = at->next;
		if (!ledger_is_request(entry) && entry->method.len == 0)
			ledger_remove(l, entry);
	}
}

void ledger_extend(struct ledger *l, int64_t now_ms)
{
	for (struct list *at = l->entries.next; at != &l->entries;
	     at = at->next) {
		struct ledger_entry *entry = ledger_entry_of(at);
		int64_t latest = entry->since_ms + LEDGER_WAIT_MAX_MS;
		int64_t wanted = now_ms + LEDGER_WAIT_MS;

		entry->deadline_ms = wanted < latest ? wanted : latest;
	}
}

void ledger_hurry(struct ledger *l)
{
	for (struct list *at = l->entries.next; at != &l->entries;
	     at = at->next) {
		struct ledger_entry *entry = ledger_entry_of(at);

		entry->deadline_ms = entry->since_ms + LEDGER_WAIT_LEAST_MS;
	}
}

void ledger_expire(struct ledger *l, const struct err *trouble, int64_t now_ms)
{
	struct list *next;

	for (struct list *at = l->entries.next; at != &l->entries; at = next) {
		struct ledger_entry *entry = ledger_entry_of(at);

		next = at->next;
		if (!ledger_is_request(entry) || entry->state == LEDGER_SENT ||
		    entry->deadline_ms > now_ms)
			continue;
		if (entry->state == LEDGER_LOST && entry->message->effect)
			ledger_fail_unknown(l, entry, NULL);
		else
			ledger_fail(l, entry, trouble);
	}
}

int64_t ledger_deadline_ms(const struct ledger *l)
{
	int64_t first = -1;

	for (const struct list *at = l->entries.next; at != &l->entries;
	     at = at->next) {
		const struct ledger_entry *entry = ledger_entry_of(at);

		if (!ledger_is_request(entry) || entry->state == LEDGER_SENT)
			continue;
		if (first < 0 || entry->deadline_ms < first)
			first = entry->deadline_ms;
	}
	return first;
}

void ledger_finish(struct ledger *l)
{
	while (!list_empty(&l->entries)) {
		struct ledger_entry *entry =
			ledger_entry_of(list_pop(&l->entries));
		struct batch *batch = entry->batch;

		ledger_remove(l, entry);
		if (!batch)
			continue;
		batch_settle(batch);
		if (batch_complete(batch))
			batch_free(batch);
	}
	map_finish(&l->by_id);
}
