/*
 * builtin: the source `executor`, an upstream inside the daemon.
 *
 * An MCP server like any other, that answers without a process: tools that
 * list sources, search and describe tools, and report status, and one that
 * tells how to add a source (adding means running a command, so the tool only
 * prints the command line to use).  What it tells comes from above, through
 * struct builtin_hub.
 */
#ifndef SERVER_UPSTREAM_BUILTIN_H
#define SERVER_UPSTREAM_BUILTIN_H

#include "server/upstream/upstream.h"

struct buf;
struct ev_loop;

#define BUILTIN_NAME "executor"

/* What the built-in source may ask.  Each appends one JSON value. */
struct builtin_hub {
	/* [{"name":..,"state":..,"tools":n,..}, ..] */
	void (*sources)(void *hub, struct buf *json);
	/* The tools whose name, title or description holds every word of
	 * query (case ignored), best first, at most limit:
	 * [{"name":..,"source":..,"description":..}, ..] */
	void (*search)(void *hub, struct slice query, unsigned limit,
		       struct buf *json);
	/* The tool of that exposed name as clients see it; false if none. */
	bool (*describe)(void *hub, struct slice name, struct buf *json);
	/* {"version":..,"pid":..,"epoch":..,"uptime_s":..,..} */
	void (*status)(void *hub, struct buf *json);
};

/* Never fails.  hub must outlive it. */
struct upstream *builtin_new(struct ev_loop *loop,
			     const struct builtin_hub *functions, void *hub,
			     const struct upstream_events *events, void *owner);

#endif
