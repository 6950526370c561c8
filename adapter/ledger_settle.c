/* What a new stream settles: the ledger between lost and attached. */
#include "adapter/ledger.h"

#include "proto/err.h"
#include "proto/message.h"

/* A request may be what kills daemons. */
static bool may_send_again(struct ledger *l, struct ledger_entry *entry,
			   bool unseen)
{
	struct err why;

	if (entry->sendings <
	    (unseen ? LEDGER_SENDINGS_UNSEEN : LEDGER_SENDINGS))
		return true;
	err_set(&why, ERR_LOST,
		unseen ? "The connection to the daemon was lost %u times when "
			 "it was about to take this request over."
		       : "The connection to the daemon was lost %u times while "
			 "it worked on this request.",
		entry->sendings);
	ledger_fail(l, entry, &why);
	return false;
}

/* To be sent as new. */
static void queue_again(struct ledger *l, struct ledger_entry *entry,
			struct list *queue)
{
	if (!may_send_again(l, entry, false))
		return;
	ledger_set_state(l, entry, LEDGER_QUEUED);
	list_remove(&entry->link);
	list_append(queue, &entry->link);
}

static Executor__Mcp__V1__Verdict__State
verdict_of(const envelope_welcome_t *welcome, uint64_t sequence)
{
	for (size_t i = 0; i < welcome->n_verdicts; i++)
		if (welcome->verdicts[i]->sequence == sequence)
			return welcome->verdicts[i]->state;
	return EXECUTOR__MCP__V1__VERDICT__STATE__STATE_UNSPECIFIED;
}

/* What the daemon knows of it, or NULL. */
static const envelope_known_t *known_of(const envelope_welcome_t *welcome,
					uint64_t sequence)
{
	for (size_t i = 0; i < welcome->n_known; i++)
		if (welcome->known[i]->sequence == sequence)
			return welcome->known[i];
	return NULL;
}

static void settle_request(struct ledger *l, struct ledger_entry *entry,
			   const envelope_welcome_t *welcome,
			   struct list *queue)
{
	int verdict = (int)verdict_of(welcome, entry->message->sequence);

	switch (verdict) {
	case EXECUTOR__MCP__V1__VERDICT__STATE__STATE_RUNNING:
	case EXECUTOR__MCP__V1__VERDICT__STATE__STATE_DONE:
		ledger_set_state(l, entry, LEDGER_SENT);
		return;
	case EXECUTOR__MCP__V1__VERDICT__STATE__STATE_UNKNOWN:
		if (may_send_again(l, entry, true))
			ledger_send(l, entry); /* by the same number */
		return;
	default: /* indeterminate, unspecified, or of a later protocol */
		if (entry->message->effect)
			ledger_fail_unknown(
				l, entry,
				known_of(welcome, entry->message->sequence));
		else
			queue_again(l, entry, queue);
	}
}

/* What is no request is sent again only where it surely never arrived: a new
 * session has no use for what belonged to the old one. */
static void settle_other(struct ledger *l, struct ledger_entry *entry,
			 const envelope_welcome_t *welcome)
{
	if (welcome->resumed &&
	    verdict_of(welcome, entry->message->sequence) ==
		    EXECUTOR__MCP__V1__VERDICT__STATE__STATE_UNKNOWN)
		ledger_send(l, entry);
	else
		ledger_remove(l, entry);
}

/* Settle what was lost; what is to be sent as new goes to queue, in order. */
static void settle(struct ledger *l, const envelope_welcome_t *welcome,
		   struct list *queue)
{
	struct list *next;

	for (struct list *at = l->entries.next; at != &l->entries; at = next) {
		struct ledger_entry *entry = ledger_entry_of(at);

		next = at->next;
		if (entry->state == LEDGER_QUEUED) {
			list_remove(at);
			list_append(queue, at);
		} else if (ledger_is_request(entry)) {
			settle_request(l, entry, welcome, queue);
		} else {
			settle_other(l, entry, welcome);
		}
	}
}

/* It was not this one that made the daemon go. */
static void take_back(struct ledger *l, struct ledger_entry *entry)
{
	ledger_set_state(l, entry, LEDGER_QUEUED);
	entry->sendings--;
}

void ledger_untaken(struct ledger *l, const envelope_untaken_t *untaken)
{
	struct map numbers = {0};

	for (size_t i = 0; i < untaken->n_sequences; i++)
		map_put_u64(&numbers, untaken->sequences[i], l);
	for (struct list *at = l->entries.next; at != &l->entries;
	     at = at->next) {
		struct ledger_entry *entry = ledger_entry_of(at);
		uint64_t n = entry->message->sequence;

		if (entry->state == LEDGER_SENT &&
		    (n > untaken->above || map_get_u64(&numbers, n)))
			take_back(l, entry);
	}
	map_finish(&numbers);
}

void ledger_welcome(struct ledger *l, const envelope_welcome_t *welcome)
{
	struct list queue;

	list_init(&queue);
	l->attached = true;
	l->message_limit_bytes = 0;
	if (welcome->limits)
		l->message_limit_bytes = (size_t)welcome->limits->message_bytes;
	settle(l, welcome, &queue);
	while (!list_empty(&queue)) {
		struct ledger_entry *entry = ledger_entry_of(list_pop(&queue));

		list_append(&l->entries, &entry->link);
		/* Nothing of the last stream holds it any more. */
		entry->message->sequence = 0;
		entry->after = 0; /* that one is not on this stream */
	}
	ledger_flush(l);
}
