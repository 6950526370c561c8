/*
 * tools: the tools of the built-in source, one row each.
 *
 * What they tell comes from struct builtin_hub.  Arguments come from a client
 * and are valid JSON, nothing more.  No I/O, no state.
 */
#ifndef SERVER_UPSTREAM_TOOLS_H
#define SERVER_UPSTREAM_TOOLS_H

#include <stdbool.h>

#include "proto/slice.h"

struct buf;
struct builtin_hub;
struct err;

/* Append the result of tools/list. */
void tools_list(struct buf *result);

/* Append the result of tools/call; name is raw, arguments raw or empty.
 * ERR_UNKNOWN_TOOL when there is none of that name.  Wrong arguments are a
 * result with isError: MCP, Tools, Error Handling counts input validation
 * among the errors that a model can correct. */
bool tools_call(const struct builtin_hub *functions, void *hub,
		struct slice name, struct slice arguments, struct buf *result,
		struct err *e);

#endif
