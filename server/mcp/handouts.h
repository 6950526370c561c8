/*
 * handouts: which source last handed out a URI that is in no list.
 *
 * Results carry links to resources and resources themselves; a client may read
 * or subscribe to what it was given there.  The oldest are forgotten at a
 * bound.  Owned by the router.
 */
#ifndef SERVER_MCP_HANDOUTS_H
#define SERVER_MCP_HANDOUTS_H

#include "proto/slice.h"

enum { HANDOUTS_COUNT = 4096, HANDOUTS_URI_BYTES = 8192 };

struct handouts;
struct result;

struct handouts *handouts_new(void);

/* Note every resource_link and embedded resource of a result of tools/call or
 * prompts/get. */
void handouts_note(struct handouts *h, const char *source,
		   const struct result *result);

/* The source's name, or NULL.  The source may be gone. */
const char *handouts_find(const struct handouts *h, struct slice uri);

/* h may be NULL. */
void handouts_free(struct handouts *h);

#endif
