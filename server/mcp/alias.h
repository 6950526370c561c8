/*
 * alias: the URI of a resource that two sources have.
 *
 * The first source keeps the URI; the other one's is listed as
 * mcp-hub://<source>/<the URI, percent-encoded>, and whoever reads that gets
 * contents under URIs of the same form.  No I/O.
 */
#ifndef SERVER_MCP_ALIAS_H
#define SERVER_MCP_ALIAS_H

#include <stdbool.h>

#include "proto/slice.h"

struct buf;

/* Append the alias of that source's URI. */
void alias_make(struct buf *to, const char *source, struct slice uri);

/* Is that the form of an alias?  *source points into it, own gets the URI. */
bool alias_read(struct slice alias, struct slice *source, struct buf *own);

/* Append text, a message, with every contents[].uri of its raw result as that
 * source's alias. */
void alias_contents(struct buf *to, struct slice text, struct slice result,
		    const char *source);

#endif
