/*
 * What the files of a leg share: leg.c, which does what its source says and
 * keeps the time, and leg_heard.c, which does what the upstream says.
 */
#ifndef SERVER_MCP_LEG_INTERNAL_H
#define SERVER_MCP_LEG_INTERNAL_H

#include "proto/buf.h"
#include "proto/err.h"
#include "server/mcp/alarm.h"
#include "server/mcp/itemlist.h"
#include "server/mcp/leg.h"
#include "server/mcp/pending.h"
#include "server/mcp/sorter.h"
#include "server/upstream/upstream.h"

enum leg_state { LEG_OPENING, LEG_OPEN, LEG_ENDING, LEG_DOWN };

struct leg {
	struct ev_loop *loop;
	const char *name;
	const struct leg_events *events;
	void *owner;
	const struct source_limits *limits;
	struct handshake *handshake;
	uint64_t *last_number;
	bool may_ask, has_roots; /* as initialize declares it */

	enum leg_state state;
	struct upstream *upstream;
	struct pending_table flying; /* the one due first comes first */
	unsigned asking;	     /* its requests that are not answered */
	struct err why;		     /* why we end it, if we do */

	uint64_t initialize; /* our own requests; 0 when none is under way */
	double initialize_due;
	struct leg_list {
		uint64_t number; /* of the request for a page, or 0 */
		double due;	 /* of the whole list */
		struct itemlist items;
	} lists[KIND_COUNT];

	struct alarm alarm;
	double idle_since;
	struct buf line; /* kept from message to message */
	struct sorter sorter;

	unsigned depth; /* of our own callbacks that are running */
	bool freed;	/* inside one of them */
};

/* For the upstream; its owner is the leg. */
extern const struct upstream_events leg_upstream_events;

/* The only writer of l->state. */
void leg_advance(struct leg *l, enum leg_state next);

/* Around whatever may call our owner: it may free us there. */
void leg_enter(struct leg *l);
void leg_leave(struct leg *l);

/* Have leg.c look at what is due, when it is. */
void leg_set_alarm(struct leg *l);
double leg_due(unsigned ms);

/* Something ended: from now on nothing may be under way. */
void leg_note_idle(struct leg *l);

/* End the upstream in good order, for that reason. */
void leg_end(struct leg *l, const struct err *why);

/* Send l->line, a message of our own.  What cannot be sent is not missed: the
 * upstream is ending, or does not read. */
void leg_send_line(struct leg *l);

/* Take a request out of flight; NULL when it is not there. */
struct pending *leg_take(struct leg *l, uint64_t number);

/* Ask for the next page of a list; tell that it is all there, or that it
 * cannot be had. */
void leg_ask_page(struct leg *l, enum kind kind);
void leg_give_list(struct leg *l, enum kind kind);
void leg_give_up_list(struct leg *l, enum kind kind, const struct err *why);

#endif
