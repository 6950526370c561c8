#include "proto/mcp.h"

#include <stddef.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/version.h"

static const char *const revisions[] = {
	"2024-11-05",
	"2025-03-26",
	"2025-06-18",
	MCP_REVISION_NEWEST,
};

/* One constant for every client, whatever is connected now: a session cannot
 * learn later that the server can do more.  What no source has is an empty
 * list.  What is not declared here is answered with -32601. */
static const char capabilities[] =
	"{\"tools\":{\"listChanged\":true},\"prompts\":{\"listChanged\":true},"
	"\"resources\":{\"subscribe\":true,\"listChanged\":true},"
	"\"logging\":{},\"completions\":{}}";

/* Requests that may run twice without harm.  What is not here has an effect:
 * a method that we do not know may do anything. */
static const char *const harmless[] = {
	"completion/complete",
	"initialize",
	"logging/setLevel",
	"ping",
	"prompts/get",
	"prompts/list",
	"resources/list",
	"resources/read",
	"resources/subscribe",
	"resources/templates/list",
	"resources/unsubscribe",
	"server/discover",
	"tools/list",
};

static const char *const level_names[MCP_LEVEL_COUNT] = {
	[MCP_LEVEL_DEBUG] = "debug",   [MCP_LEVEL_INFO] = "info",
	[MCP_LEVEL_NOTICE] = "notice", [MCP_LEVEL_WARNING] = "warning",
	[MCP_LEVEL_ERROR] = "error",   [MCP_LEVEL_CRITICAL] = "critical",
	[MCP_LEVEL_ALERT] = "alert",   [MCP_LEVEL_EMERGENCY] = "emergency",
};

/* MCP 2025-11-25, Lifecycle, Version Negotiation: "If the server supports the
 * requested protocol version, it MUST respond with the same version.
 * Otherwise, the server MUST respond with another protocol version it
 * supports." */
const char *mcp_revision(struct slice params)
{
	struct slice asked = json_get(params, "protocolVersion");

	if (json_kind(asked) != JSON_STRING)
		return MCP_REVISION_NEWEST;
	for (size_t i = 0; i < sizeof(revisions) / sizeof(*revisions); i++)
		if (json_string_is(asked, revisions[i]))
			return revisions[i];
	return MCP_REVISION_NEWEST;
}

void mcp_initialize_result(struct buf *to, struct slice params,
			   struct slice instructions)
{
	buf_printf(to,
		   "{\"protocolVersion\":\"%s\",\"capabilities\":%s,"
		   "\"serverInfo\":{\"name\":\"executor\","
		   "\"title\":\"Executor\",\"version\":\"%s\"}",
		   mcp_revision(params), capabilities, version_text);
	if (instructions.len > 0) {
		buf_append_text(to, ",\"instructions\":");
		json_quote(to, instructions);
	}
	buf_append_text(to, "}");
}

bool mcp_has_effect(const struct jsonrpc *m)
{
	if (m->kind != JSONRPC_REQUEST)
		return false;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		if (jsonrpc_method_is(m, harmless[i]))
			return false;
	return true;
}

const char *mcp_level_name(enum mcp_level level)
{
	return level_names[level];
}

bool mcp_level_parse(struct slice name, enum mcp_level *level)
{
	for (int i = 0; i < MCP_LEVEL_COUNT; i++) {
		if (!slice_is(name, level_names[i]))
			continue;
		*level = (enum mcp_level)i;
		return true;
	}
	return false;
}
