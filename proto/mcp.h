/*
 * mcp: what both ends must say alike about MCP itself.
 *
 * The adapter answers `initialize` on its own, within milliseconds; the daemon
 * answers the callers that have no adapter.  Revisions, the capabilities we
 * declare, and which methods may be repeated stand here and nowhere else.
 * No I/O.
 */
#ifndef PROTO_MCP_H
#define PROTO_MCP_H

#include <stdbool.h>

#include "proto/slice.h"

struct buf;
struct jsonrpc;

/* The newest revision with `initialize` and sessions. */
#define MCP_REVISION_NEWEST "2025-11-25"

/* The revision to answer for the raw params of an initialize request: the one
 * they ask for when we know it, else MCP_REVISION_NEWEST.  Static text. */
const char *mcp_revision(struct slice params);

/* Append the result of initialize for these raw params (empty for none), with
 * these instructions (a text, or empty). */
void mcp_initialize_result(struct buf *to, struct slice params,
			   struct slice instructions);

/* May running this message twice change something twice?  Yes for tools/call
 * and for every request whose method we do not know; no for the methods that
 * only read or set, and for whatever is not a request. */
bool mcp_has_effect(const struct jsonrpc *m);

/* Levels of notifications/message, by their numbers from debug to emergency. */
enum mcp_level {
	MCP_LEVEL_DEBUG,
	MCP_LEVEL_INFO,
	MCP_LEVEL_NOTICE,
	MCP_LEVEL_WARNING,
	MCP_LEVEL_ERROR,
	MCP_LEVEL_CRITICAL,
	MCP_LEVEL_ALERT,
	MCP_LEVEL_EMERGENCY,
	MCP_LEVEL_COUNT
};

const char *mcp_level_name(enum mcp_level level);

/* The level of that name (not quoted); false when there is none. */
bool mcp_level_parse(struct slice name, enum mcp_level *level);

#endif
