/*
 * ledger: what the host said and the daemon has not settled yet.
 *
 * Requests until they are answered, everything else until it is acknowledged,
 * in the host's order.  Here it is decided what happens to each of them when
 * the connection is lost: what may have an effect is never sent twice unless
 * the daemon says that it never saw it.  Owned by the bridge.  No I/O.
 *
 *   QUEUED --handed to a stream--> SENT --stream lost--> LOST
 *   LOST --the daemon never saw it--> SENT      (the same number again)
 *   LOST --the daemon works on it-->  SENT
 *   LOST --nobody knows, or too late--> .fail
 *   SENT --the daemon left it to the next one--> QUEUED
 *   any  --answered, acknowledged, cancelled--> (gone)
 */
#ifndef ADAPTER_LEDGER_H
#define ADAPTER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/list.h"
#include "proto/map.h"
#include "proto/slice.h"

struct batch;
struct err;
struct jsonrpc;
struct message;

enum {
	LEDGER_REQUESTS = 1024,
	LEDGER_OTHERS = 1024, /* not requests: the oldest are forgotten */
	LEDGER_QUEUED_BYTES = 8 * 1024 * 1024, /* while there is no daemon */
	LEDGER_BYTES = 128 * 1024 * 1024,      /* in all */
	LEDGER_WAIT_MS = 20 * 1000,	 /* for a daemon, silent or not there */
	LEDGER_WAIT_MAX_MS = 60 * 1000,	 /* while one says it makes progress */
	LEDGER_WAIT_LEAST_MS = 2 * 1000, /* while waiting mends nothing */
	LEDGER_SENDINGS = 3,		 /* a request may kill a daemon */
	LEDGER_SENDINGS_UNSEEN = 16,	 /* before it saw it, not likely */
};

enum ledger_state {
	LEDGER_QUEUED,
	LEDGER_SENT,
	LEDGER_LOST,
};

/* Owned by struct ledger. */
struct ledger_entry {
	struct list link;
	enum ledger_state state;
	struct message *message; /* has its number once it was sent */
	struct slice id;	 /* raw, inside the message; empty: none */
	struct slice method;	 /* raw, inside the message */
	struct slice params;	 /* raw, inside the message */
	uint64_t after;		 /* must not overtake this number */
	unsigned sendings;
	int64_t since_ms; /* waits for a daemon since */
	int64_t deadline_ms;
	struct batch *batch; /* that its answer belongs to, or NULL */
};

struct ledger_events {
	/* Hand m to the stream.  after: see link_send(). */
	void (*send)(void *owner, struct message *m, uint64_t after);
	/* There will be no answer, and this is why; known is what the daemon
	 * knows of it, or NULL.  The entry is gone when this has returned. */
	void (*fail)(void *owner, const struct ledger_entry *entry,
		     const struct err *why, const envelope_known_t *known);
};

/* Owned by the bridge. */
struct ledger {
	const struct ledger_events *events;
	void *owner;
	struct list entries;	    /* first all that were sent, by number */
	struct map by_id;	    /* raw id -> request */
	uint64_t last;		    /* number given */
	bool attached;		    /* from welcome to lost */
	size_t message_limit_bytes; /* the daemon's; 0: not known */
	size_t requests, others;
	size_t queued, queued_bytes;
	size_t bytes;
};

void ledger_init(struct ledger *l, const struct ledger_events *events,
		 void *owner);

/* Keep a copy of m, QUEUED.  For a request NULL with *e set when its id is in
 * flight (JSON-RPC ids tell requests apart), or a bound is reached; for
 * anything else NULL when a bound is reached. */
struct ledger_entry *ledger_add(struct ledger *l, const struct jsonrpc *m,
				int64_t now_ms, struct err *e);

/* The request of that raw id, or NULL. */
struct ledger_entry *ledger_find(struct ledger *l, struct slice id);

/* Number it if it is new, and .send it. */
void ledger_send(struct ledger *l, struct ledger_entry *entry);

/* .send everything that is QUEUED. */
void ledger_flush(struct ledger *l);

/* Settled: forget it. */
void ledger_remove(struct ledger *l, struct ledger_entry *entry);

/* The daemon has accepted everything up to this. */
void ledger_acked(struct ledger *l, uint64_t received);

/* The daemon says goodbye, and that it did not take these over: queue them, to
 * be sent as new. */
void ledger_untaken(struct ledger *l, const envelope_untaken_t *untaken);

/* The stream is gone. */
void ledger_lost(struct ledger *l, int64_t now_ms);

/* The numbers of what was lost, for Hello.pending.  The caller frees. */
uint64_t *ledger_numbers(const struct ledger *l, size_t *count);

/* A daemon accepted the Hello: settle what was lost by its verdicts, then send
 * what is queued. */
void ledger_welcome(struct ledger *l, const envelope_welcome_t *welcome);

/* Forget the responses of the host that were not sent: whoever asked is gone.
 */
void ledger_forget_answers(struct ledger *l);

/* A daemon says that it makes progress: wait for it a little longer. */
void ledger_extend(struct ledger *l, int64_t now_ms);

/* Waiting mends nothing: wait only a little. */
void ledger_hurry(struct ledger *l);

/* .fail what has waited long enough for a daemon; trouble is why there is
 * none. */
void ledger_expire(struct ledger *l, const struct err *trouble, int64_t now_ms);

/* The next deadline, or -1. */
int64_t ledger_deadline_ms(const struct ledger *l);

void ledger_finish(struct ledger *l);

/* --- between ledger.c and ledger_settle.c --------------------------------- */

struct ledger_entry *ledger_entry_of(const struct list *link);
bool ledger_is_request(const struct ledger_entry *entry);

/* The only writer of entry->state. */
void ledger_set_state(struct ledger *l, struct ledger_entry *entry,
		      enum ledger_state next);

/* .fail it, and forget it. */
void ledger_fail(struct ledger *l, struct ledger_entry *entry,
		 const struct err *why);
void ledger_fail_unknown(struct ledger *l, struct ledger_entry *entry,
			 const envelope_known_t *known);

#endif
