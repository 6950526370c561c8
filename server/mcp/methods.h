/*
 * methods: the requests of clients that take more than a few lines to answer.
 *
 * One function for each row of the router's table; part of the router.
 * listing.c answers from the catalogues, forwarding.c hands requests to their
 * sources, subscriptions.c keeps who wants to hear of which resource.
 */
#ifndef SERVER_MCP_METHODS_H
#define SERVER_MCP_METHODS_H

#include <stdbool.h>

#include "server/mcp/replies.h"
#include "server/mcp/routing.h"

struct owner;

/* A request, as a method is given it. */
struct asked {
	struct session *session;
	const struct jsonrpc *m;
	struct reply_to to;
	const char *source; /* of session_single(), or NULL */
	bool waited;	    /* for the first list */
};

/* As much of a name as an error shows. */
struct slice asked_shown(struct slice name);

/* Ask again once these kinds are known, if they are not.  False when there is
 * nothing to wait for. */
bool asked_waits(struct router *r, const struct asked *a, unsigned kinds);

typedef void method_fn(struct router *r, const struct asked *a);

/* Whose is the URI of that (quoted) value?  False when a has an answer, or
 * waits.  owner_finish() afterwards. */
bool method_find_uri(struct router *r, const struct asked *a,
		     struct slice quoted, struct owner *o);

method_fn method_list_tools, method_list_resources, method_list_templates,
	method_list_prompts;
method_fn method_call_tool, method_get_prompt, method_read_resource,
	method_complete;
method_fn method_subscribe, method_unsubscribe;

#endif
