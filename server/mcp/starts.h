/*
 * starts: how many sources start at once, and how many run.
 *
 * A source asks for a turn before it starts.  A few start at a time, the
 * others wait in the order in which they asked; one that takes long gives its
 * turn to the next and goes on.  Counts only: no process, no loop, no time.
 * Owned by the router, a turn by its source.
 *
 *   NONE --ask--> STARTING | WAITING --another's start is over--> STARTING
 *   STARTING --turn_started()--> RUNNING
 *   any --turn_end()--> NONE
 */
#ifndef SERVER_MCP_STARTS_H
#define SERVER_MCP_STARTS_H

#include <stdbool.h>

#include "proto/list.h"

struct err;

struct starts {
	struct list waiting; /* struct turn */
	unsigned at_once;
	unsigned most;
	unsigned starting;
	unsigned taken; /* turns that are not NONE */
};

enum turn_state { TURN_NONE, TURN_WAITING, TURN_STARTING, TURN_RUNNING };

struct turn {
	struct starts *starts; /* NULL: there is no limit */
	struct list link;
	enum turn_state state;
	/* A turn that waited has become STARTING.  From inside a call of
	 * another's: it may only take note. */
	void (*come)(void *owner);
	void *owner;
};

void starts_init(struct starts *s, unsigned at_once, unsigned most);

void turn_init(struct turn *t, void (*come)(void *owner), void *owner);

/* STARTING or WAITING afterwards, as before if it is one of them already;
 * ERR_OVERLOADED when as many run or wait as may. */
bool turn_ask(struct turn *t, struct err *e);

/* The start is over, or takes too long to be waited for. */
void turn_started(struct turn *t);

/* It does not run any more, or was not started. */
void turn_end(struct turn *t);

#endif
