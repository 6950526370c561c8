/*
 * What the files of a source share: source.c, which does what the router says,
 * and source_life.c, which does what its leg says and what time brings.
 */
#ifndef SERVER_MCP_SOURCE_INTERNAL_H
#define SERVER_MCP_SOURCE_INTERNAL_H

#include "proto/buf.h"
#include "proto/err.h"
#include "server/mcp/alarm.h"
#include "server/mcp/backoff.h"
#include "server/mcp/handshake.h"
#include "server/mcp/itemlist.h"
#include "server/mcp/leg.h"
#include "server/mcp/pending.h"
#include "server/mcp/recipe.h"
#include "server/mcp/source.h"
#include "server/mcp/starts.h"

/* Owned by the router. */
struct source {
	struct ev_loop *loop;
	struct recipe recipe;
	const struct builtin_hub *functions; /* of the built-in one, or NULL */
	void *hub;
	struct source_limits limits;
	const struct source_events *events;
	void *owner;

	struct turn turn; /* to start, and to run */
	struct children *children;
	struct survey *survey; /* NULL: it makes its own */

	enum source_state state;
	struct leg *leg; /* in STARTING, READY and STOPPING */
	struct handshake handshake;
	struct itemlist items[KIND_COUNT];
	char *level; /* the log level that is wanted, or NULL */

	struct pending_table waiting; /* requests, until READY */
	struct pending_table held;    /* those, until source_send() */
	uint64_t last_number;
	uint64_t stopped_below; /* requests that source_stop() ended */
	struct buf line;	/* kept from request to request */

	unsigned owed;	       /* kinds for which .listed or .failed is */
	unsigned owed_stopped; /* source_stop() ends those, when it is down */
	unsigned stale;	       /* kinds that are to be read, once READY .. */
	double list_at;	       /* .. at this time */
	bool kept;	       /* source_keep() */
	double ready_since;    /* of this start; 0 before that */
	double started_at;
	double look_at; /* when to look at its memory */
	double looked_at;
	uint64_t rss_bytes;
	struct backoff backoff;
	unsigned starts;
	struct err last_error;
	struct err unopened; /* why it cannot start; its text "" if it can */

	struct alarm alarm;
	unsigned depth; /* of our own callbacks that are running */
	bool freed;	/* inside one of them */
};

/* Have source_on_alarm() called when there is something to do: everything
 * that may call the owner happens there or in an event of the leg. */
void source_set_alarm(struct source *s);
void source_on_alarm(void *owner);

/* From STARTING or READY: end the leg in good order, for that reason or, when
 * it is NULL, because we were asked to. */
void source_begin_stop(struct source *s, const struct err *why);

/* A request was sent to it, or it became ready: look at its memory soon. */
void source_look_soon(struct source *s);

/* Look at it now, in READY, and end the source if it uses too much. */
void source_look(struct source *s, double now);

/* Say in *e why a source that rests or failed takes no request. */
bool source_refuse(const struct source *s, double left, struct err *e);

/* What is left when alarm, leg and waiting requests are gone. */
void source_release(struct source *s);

#endif
