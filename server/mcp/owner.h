/*
 * owner: whose resource a URI is.
 *
 *   1. the source in whose list it stands, or whose alias it is;
 *   2. the only source with a template that it matches;
 *   3. the source that last handed it out in a result;
 *   4. the only source that has resources at all.
 *
 * Nobody else is asked: a URI may be a secret of the source it belongs to.
 * Part of the router.
 */
#ifndef SERVER_MCP_OWNER_H
#define SERVER_MCP_OWNER_H

#include <stdbool.h>

#include "proto/buf.h"

struct routed;
struct router;

struct owner {
	struct routed *at; /* NULL: nobody's */
	struct buf uri;	   /* as the source calls it */
	bool aliased;	   /* which is not what the client calls it */
	bool listed;	   /* by rule 1 */
};

/* Whose is this (decoded) URI?  owner_finish() afterwards. */
void owner_find(struct router *r, struct slice uri, struct owner *o);

void owner_finish(struct owner *o);

#endif
