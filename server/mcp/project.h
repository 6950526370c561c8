/*
 * project: what a source says, as the revision of a client can take it.
 *
 * A client of an older revision fails a whole call on one block of a kind that
 * it does not know, and every client with an `initialize` a whole list on one
 * tool whose outputSchema is no object's, which is legal since.  Such a thing
 * is written otherwise; every other byte passes as it is.  No I/O.
 *
 *   audio in a result            a text that says so   before 2025-03-26
 *   resource_link in a result    a text with name, URI and MIME type
 *                                                      before 2025-06-18
 *   the error that a URL is to be visited (-32042)
 *                                an internal error whose message has the URLs
 *                                                      before 2025-11-25
 *   an outputSchema of no object, and what is made by it:
 *                                {"result": ...} around it       always
 */
#ifndef SERVER_MCP_PROJECT_H
#define SERVER_MCP_PROJECT_H

#include <stdbool.h>

#include "proto/slice.h"

struct buf;
struct jsonrpc;
struct result;

/* Append tool, the JSON of one in a list.  True when its outputSchema was
 * wrapped, and so is to be what its calls return. */
bool project_tool(struct buf *to, struct slice tool);

/* Append m, a response, with id in the place of its own, for a client of that
 * revision.  result is m's, empty when m is an error.  wrapped: it is the
 * result of a tool whose outputSchema was.  When nothing else changes, *to,
 * which is empty, may get m->whole: of m only the kind means something
 * afterwards. */
void project_response(struct buf *to, const struct jsonrpc *m,
		      const struct result *result, struct slice id,
		      const char *revision, bool wrapped);

#endif
