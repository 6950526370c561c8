/*
 * leg: one conversation with a running upstream, as its client.
 *
 * Owns the upstream from its start to its end, the requests in flight on it,
 * and what must be answered in time.  Speaks initialize, reads the lists,
 * answers what the upstream asks, and brings every answer and progress to
 * whoever asked.  Knows nothing of restarts.  Owned by a source; one life
 * each.
 *
 *   OPENING --initialize answered--> OPEN
 *   OPENING, OPEN --leg_stop(), fault--> ENDING --upstream down--> .down
 *   OPENING, OPEN --upstream down-->                               .down
 */
#ifndef SERVER_MCP_LEG_H
#define SERVER_MCP_LEG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"
#include "server/mcp/kind.h"

struct builtin_hub;
struct err;
struct ev_loop;
struct handshake;
struct jsonrpc;
struct leg;
struct pending;
struct process_options;
struct source_limits;
struct itemlist;

/* How a leg speaks to its owner: from the loop, or from leg_list(). */
struct leg_events {
	/* The handshake is done; requests are taken from now on. */
	void (*ready)(void *owner);
	/* One kind was read; the owner may move *items away (zero it). */
	void (*listed)(void *owner, struct itemlist *items);
	/* It could not be read; the leg goes on. */
	void (*unlisted)(void *owner, enum kind kind, const struct err *why);
	/* The upstream says that it has others of these kinds now. */
	void (*changed)(void *owner, unsigned kinds);
	/* A notification that is nobody's. */
	void (*notification)(void *owner, const struct jsonrpc *m);
	/* The upstream asks for something.  True: leg_answer() follows, once,
	 * perhaps before this returns.  False: it is refused. */
	bool (*request)(void *owner, const struct jsonrpc *m);
	/* It is over; why->text is a sentence.  Once.  The owner fails what
	 * was in flight, and frees the leg. */
	void (*down)(void *owner, const struct err *why);
};

/* What to start: process, or the built-in one when that is NULL. */
struct leg_start {
	const char *name;
	const struct process_options *process;
	const struct builtin_hub *functions;
	void *hub;
	const struct source_limits *limits; /* outlives the leg, like name */
	bool may_ask;			    /* clients may be asked for it */
	bool has_roots;
	struct handshake *handshake; /* what is learnt goes there */
	uint64_t *last_number;	     /* of requests, counted up */
};

/* Start it and send initialize.  NULL with *e set when it cannot be started. */
struct leg *leg_new(struct ev_loop *loop, const struct leg_start *start,
		    const struct leg_events *events, void *owner,
		    struct err *e);

/* Send a request; needs .ready.  Takes *p, and sets it to NULL, when it is
 * sent; else it says why in *e.  line is the message, p->line is not read. */
bool leg_request(struct leg *l, struct pending **p, struct slice line,
		 struct err *e);

/* Take it back if it is in flight here; false when it is not. */
bool leg_cancel(struct leg *l, uint64_t number, struct slice reason);

/* After .down: fail the oldest request that was in flight; false when there is
 * none left.  One at a time, since its owner may free whatever owns the leg. */
bool leg_fail_one(struct leg *l);

/* Read what there is of a kind; needs .ready, and that it is not being read.
 * .listed or .unlisted follows, perhaps before this returns. */
void leg_list(struct leg *l, enum kind kind);

/* The kinds that are being read. */
unsigned leg_listing(const struct leg *l);

/* What .request is answered with, or empty when the upstream took it back.
 * While something is unanswered nobody's time runs out: a person may be
 * thinking. */
void leg_answer(struct leg *l, struct slice text);

/* Send a notification. */
void leg_notify(struct leg *l, struct slice text);

/* Tell the upstream which log level is wanted, if it takes that. */
void leg_set_level(struct leg *l, const char *level);

/* End it in good order; why is a sentence, or NULL when we were asked to. */
void leg_stop(struct leg *l, const struct err *why);

unsigned leg_in_flight(const struct leg *l);
/* Since when (alarm_now()) nothing is under way; INFINITY when something is. */
double leg_idle_since(const struct leg *l);
int64_t leg_pid(const struct leg *l);

/* End it at once; nobody hears of it.  l may be NULL. */
void leg_free(struct leg *l);

#endif
