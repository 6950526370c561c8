/*
 * session: one conversation with one MCP client.
 *
 * Outlives its stream: when the adapter's connection is lost, the session
 * stays for a while, keeps what it could not deliver, and goes on when the
 * adapter resumes it.  Owned by the session table, which the second half of
 * this file declares.
 *
 *   ATTACHED --stream lost--> DETACHED --resumed--> ATTACHED
 *   DETACHED --too long-->  (gone)     ATTACHED --goodbye--> (gone)
 *
 * What came in and what must come out again is numbered; docs/protocol.md.
 */
#ifndef SERVER_MCP_SESSION_H
#define SERVER_MCP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/jsonrpc.h"
#include "proto/mcp.h"

struct err;
struct journaling;
struct message;
struct router;
struct seqset;
struct session;
struct sessions;

/* The way to the client: what a session calls while it is attached.  None of
 * these may call the session back before it has returned. */
struct session_stream {
	/* Queue m for the client; the stream takes its own reference. */
	void (*send)(void *stream, struct message *m);
	/* Bytes queued there. */
	size_t (*queued)(void *stream);
	/* m was accepted: acknowledge it. */
	void (*accepted)(void *stream, uint64_t sequence);
	/* Stop (and restart) taking messages from the client. */
	void (*pause)(void *stream, bool paused);
	/* End the stream with a goodbye.  The session is detached already: the
	 * stream must not call it again, not even session_detach().  untaken
	 * is borrowed, and NULL where the goodbye says nothing of that. */
	void (*end)(void *stream, Executor__Mcp__V1__Goodbye__Reason reason,
		    const char *text, const envelope_untaken_t *untaken);
};

struct session_limits {
	size_t message_bytes;
	size_t session_bytes; /* queued for one client: 8 MiB */
	size_t all_bytes;     /* queued for all: 256 MiB */
	unsigned sessions;    /* at a time, and single requests: 4096 */
	unsigned in_flight;   /* requests of one session: 1024 */
	unsigned detached_ms; /* how long one waits to be resumed: 60000 */
	/* A client over session_bytes is ended when it has acknowledged
	 * nothing for this long, but not because of several large results at
	 * once; 0 means 10000. */
	unsigned stall_ms;
};

/* --- the stream's side --------------------------------------------------- */

/* Open a session for hello, or resume the one it names.  Fills welcome's
 * session, resumed, received and verdicts (memory of the session, valid until
 * the next call); the caller fills in the rest, sends it, and then calls
 * session_attached(), which sends again what was not acknowledged.  NULL with
 * ERR_OVERLOADED or ERR_DRAINING. */
struct session *session_open(struct sessions *all,
			     const envelope_hello_t *hello,
			     const struct session_stream *functions,
			     void *stream, envelope_welcome_t *welcome,
			     struct err *e);
void session_attached(struct session *s);

/* The sequences of the client that have arrived or do not come any more, for
 * the stream to count on from. */
const struct seqset *session_received(const struct session *s);

/* A message of the client.  Never fails: what is wrong with it is answered. */
void session_accept(struct session *s, uint64_t sequence, bool effect,
		    struct slice json);

/* The client has written out everything up to this. */
void session_acked(struct session *s, uint64_t received);

/* The stream can take more. */
void session_drained(struct session *s);

/* The stream is gone.  With goodbye the client has left and what it had in
 * flight is cancelled; without, the session waits to be resumed. */
void session_detach(struct session *s, bool goodbye);

/* --- one request without a session --------------------------------------- */

struct session_single {
	/* The response, or why there is none.  Once. */
	void (*answer)(void *owner, struct slice json);
	/* Progress of the request, or a log message of who works on it; before
	 * the answer.  NULL: not wanted. */
	void (*notify)(void *owner, struct slice json);
};

/* Run one request as a session of its own, gone when .answer returns, which is
 * called from the loop and never from inside this.  source may be NULL; else
 * the tool's name in json is that source's own.  level is the least severe of
 * the log messages that .notify gets.  NULL with *e set when json is no
 * request, or there are too many. */
struct session *session_single(struct sessions *all, struct slice json,
			       const char *source, enum mcp_level level,
			       const struct session_single *events, void *owner,
			       struct err *e);

/* The caller of session_single() has gone: cancel; no answer follows. */
void session_abandon(struct session *s);

/* --- the router's side ---------------------------------------------------- */

/* Ids across time: never a pointer.  0 is no session. */
uint64_t session_number(const struct session *s);
struct session *sessions_find(struct sessions *all, uint64_t number);

/* Deliver a whole message to the client; kept until it is acknowledged.
 * droppable ones (progress, log) are dropped when the queue is at its
 * bound; others end the session's stream as a slow reader, and are lost: when
 * one of them was an answer, the verdict on its request is INDETERMINATE. */
void session_deliver(struct session *s, struct slice json, bool droppable);

/* A question that a source asks of the client: its number, which no other
 * question to this client had, and the delivery, false when the client cannot
 * be reached.  The answer goes to router_response(). */
uint64_t session_question(struct session *s);
bool session_ask(struct session *s, struct slice json);
/* What the client can be asked: the bits of question.h. */
unsigned session_abilities(const struct session *s);

/* The request of that raw id is answered with this text: forget it and
 * deliver; json may be taken, or left as it was.  Nothing happens when it is
 * not in flight (cancelled). */
void session_answer(struct session *s, struct slice id, struct buf *json);

/* The request of that raw id is about to reach its source.  True: it has an
 * effect, and is being written down; router_written() follows with this
 * ticket, unless it is cancelled first.  False: go on. */
bool session_write_down(struct session *s, struct slice id, uint64_t ticket);

/* The daemon is about to stop, and nothing was done about the request of that
 * raw id: forget it.  The client's goodbye says that it was not taken over, and
 * the daemon that comes after this one gets it.  False when the client cannot
 * act on that, or has left too many: the request is to be answered. */
bool session_decline(struct session *s, struct slice id);

/* The minimum level for notifications/message.  Until the client sets one it
 * is info: MCP leaves the choice to the server, and debug is for those who ask.
 * Setting it tells the router when the most verbose level of all changes. */
int session_log_level(const struct session *s);
void session_set_log_level(struct session *s, int level);

/* What was negotiated with the client, or the newest there is. */
const char *session_revision(const struct session *s);

/* What the client said of itself: the raw params of its initialize. */
void session_set_client(struct session *s, struct slice params);

/* --- all of them ---------------------------------------------------------- */

struct ev_loop;
struct sessions *sessions_new(struct ev_loop *loop,
			      const struct session_limits *limits);
/* The router that requests go to; before the first session. */
void sessions_set_router(struct sessions *all, struct router *r);
/* Requests that have an effect go through this journal; before the first
 * session, and released after them. */
void sessions_set_journaling(struct sessions *all, struct journaling *j);

/* Refuse new sessions from now on. */
void sessions_drain(struct sessions *all);
/* End every stream with REASON_DRAINING, for good: none is resumed here any
 * more. */
void sessions_end(struct sessions *all);
/* Requests in flight in all sessions. */
unsigned sessions_in_flight(const struct sessions *all);

/* The most verbose level that any session wants; info when there is none. */
enum mcp_level sessions_log_level(const struct sessions *all);

/* Deliver to every session whose client is initialized, attached or not, and
 * for which wanted says yes (NULL: all); droppable as in session_deliver(). */
void sessions_broadcast(struct sessions *all, struct slice json, bool droppable,
			bool (*wanted)(const struct session *s, int arg),
			int arg);

struct session_info {
	const unsigned char *id; /* 16 bytes */
	const char *client_name; /* "" when unknown */
	const char *client_version;
	const char *revision;
	bool attached;
	int64_t opened_ms; /* CLOCK_MONOTONIC */
	unsigned in_flight;
	uint64_t requests;
};
/* Walk: *at starts at 0; false at the end.  Single requests are left out. */
bool sessions_next(const struct sessions *all, size_t *at,
		   struct session_info *info);
/* One of them; its id is zeroes when it is a single request. */
void session_describe(const struct session *s, struct session_info *info);
size_t sessions_count(const struct sessions *all);

/* all may be NULL; no stream may be attached any more. */
void sessions_free(struct sessions *all);

#endif
