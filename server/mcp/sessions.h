/*
 * sessions: the inside of the session table, for sessions.c, session*.c,
 * journaled.c and single.c alone.  What everybody else needs stands in
 * session.h.
 *
 * The table finds sessions by number and by id, keeps the sums over all of
 * them, expires those that nobody resumed, and frees what ended in a callback
 * once that has returned.  Owned by the daemon; owns the sessions.
 */
#ifndef SERVER_MCP_SESSIONS_H
#define SERVER_MCP_SESSIONS_H

#include <ev.h>

#include "proto/list.h"
#include "proto/map.h"
#include "proto/mcp.h"
#include "proto/seqset.h"
#include "server/mcp/outbox.h"
#include "server/mcp/session.h"

enum session_state {
	SESSION_OPENING, /* has a stream; its Welcome is not yet out */
	SESSION_ATTACHED,
	SESSION_DETACHED,
	SESSION_SINGLE, /* one request, no stream, no id */
	SESSION_OVER,	/* a single that was answered, about to be freed */
};

/* A request of the client for which no answer was delivered. */
struct session_request {
	uint64_t sequence;
	char *id; /* raw */
	size_t id_len;
	bool effect;	/* it is to be written down before it runs: */
	uint64_t hash;	/* .. of its text */
	char *name;	/* .. raw, of what it calls; or NULL */
	bool journaled; /* it has a row */
	bool answered;	/* and the answer is being written there */
};

/* Owned by the table. */
struct session {
	struct sessions *all;
	uint64_t number;
	enum session_state state;
	struct list link; /* in all->detached or all->over */

	unsigned char id[ENVELOPE_ID_BYTES];
	unsigned char adapter[ENVELOPE_ID_BYTES];
	bool keyed; /* the adapter said who it is */
	const struct session_stream *functions;
	void *stream; /* NULL when there is none */
	bool paused;  /* the stream was told so */
	envelope_verdict_t *verdicts;
	envelope_verdict_t **verdict_list;
	envelope_known_t **known; /* as they, for a Welcome */
	size_t known_count;

	struct seqset received; /* or not to come any more */
	struct outbox outbox;
	int64_t progress_ms; /* the client took something, or owed nothing */
	int64_t expires_ms;  /* while it is detached */
	struct map by_id;    /* raw id -> struct session_request */
	struct map by_sequence;
	struct map reading; /* sequences whose results are being read */

	bool keeps_untaken; /* the caller acts on Goodbye.untaken */
	uint64_t *declined; /* sequences of requests left to the next daemon */
	size_t declined_count;

	bool initialized;   /* the client may be told what it did not ask */
	unsigned abilities; /* what it can be asked */
	uint64_t question;  /* the number of the last one; 0: none */
	enum mcp_level level;
	char *client_name;
	char *client_version;
	char *revision;
	int64_t opened_ms;
	uint64_t requests;

	const struct session_single *single;
	void *single_owner;
	struct message *single_answer; /* until it is handed up */
};

struct sessions {
	struct ev_loop *loop;
	struct session_limits limits;
	struct router *router;
	struct journaling *journaling; /* NULL: none is kept */
	struct list writes;	       /* struct write, of journaled.c */
	struct map by_number;
	struct map by_id;     /* without the single ones */
	struct list detached; /* in the order in which they expire */
	struct list over;
	struct ev_timer expiry;		  /* runs while something is detached */
	struct ev_watcher reaper;	  /* fed an event when over has one */
	unsigned levels[MCP_LEVEL_COUNT]; /* sessions that want each */
	uint64_t last_number;
	size_t singles;
	size_t queued_bytes;
	unsigned in_flight;
	bool draining;
	bool ended; /* nothing is taken over any more */
};

/* May one more be opened? */
bool sessions_admit(const struct sessions *all, bool single, struct err *e);

/* Number s and keep it; a single one has no id. */
void sessions_add(struct sessions *all, struct session *s);
void sessions_remove(struct sessions *all, struct session *s);

/* s waits to be resumed, or does so no more. */
void sessions_expect(struct sessions *all, struct session *s);
void sessions_expect_not(struct sessions *all, struct session *s);

/* s is SESSION_OVER: hand its answer up and free it, from the loop. */
void sessions_reap_later(struct sessions *all, struct session *s);

/* The level of a session changes, from or to none (MCP_LEVEL_COUNT). */
void sessions_count_level(struct sessions *all, enum mcp_level from,
			  enum mcp_level to);

/* --- what these files need of each other ---------------------------------- */

/* End its stream, if it has one, and wait to be resumed. */
void session_end(struct session *s, Executor__Mcp__V1__Goodbye__Reason reason,
		 const char *text);

/* What the client sent and was not taken over, for a goodbye; the caller frees
 * the sequences.  False when there is too much of it to say. */
bool session_untaken(const struct session *s, envelope_untaken_t *untaken);
bool session_has_declined(const struct session *s, uint64_t sequence);

/* Stop reading from a client that has too much unread. */
void session_pause_if_full(struct session *s);

/* The memory that a Welcome borrowed. */
void session_drop_verdicts(struct session *s);

/* Forget the request; frees it. */
void session_forget(struct session *s, struct session_request *r);

/* Deliver what answers the request of that sequence; takes a reference. */
void session_deliver_answer(struct session *s, struct message *m,
			    uint64_t request);

/* The only writer of s->state. */
void session_advance(struct session *s, enum session_state next);

/* A zeroed session of this table, with a number. */
struct session *session_new(struct sessions *all, enum session_state state);

/* Cancel what it had in flight and release it.  Its stream is gone. */
void session_free(struct session *s);

/* Keep and number a request; NULL with *e set for a duplicate id or too many
 * of them. */
struct session_request *session_remember(struct session *s,
					 const struct jsonrpc *m,
					 uint64_t sequence, struct err *e);

/* --- journaled.c ---------------------------------------------------------- */

/* Is it to go through the journal?  False when it must not go to the router,
 * for its key was used before; r may be gone then. */
bool journaled_admit(struct session *s, struct session_request *r,
		     const struct jsonrpc *m);

/* Write its answer down, then deliver it. */
void journaled_answer(struct session *s, struct session_request *r,
		      struct buf *json);

/* Deliver the answer that the journal has. */
void journaled_read(struct session *s, uint64_t sequence);

/* The client has everything up to this, which is still in the outbox. */
void journaled_acked(struct session *s, uint64_t received);

/* The request is about to be forgotten: the client does not want it, or the
 * session goes. */
void journaled_cancelled(struct session *s, const struct session_request *r);
void journaled_abandoned(struct session *s, const struct session_request *r);

/* Forget what is being written; nobody hears of it. */
void journaled_drop_all(struct sessions *all);

#endif
