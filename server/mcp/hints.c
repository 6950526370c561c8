/* What a tool says of itself, and whether that counts. */
#include "proto/buf.h"
#include "proto/json.h"
#include "server/mcp/nametable.h"
#include "server/mcp/routing.h"

/* MCP 2025-11-25, ToolAnnotations: "If true, the tool does not modify its
 * environment", and "calling the tool repeatedly with the same arguments will
 * have no additional effect on its environment".  Tools: "clients MUST consider
 * tool annotations to be untrusted unless they come from trusted servers". */
static bool is_harmless(const struct catalogue_item *tool)
{
	return slice_is(json_path(tool->json, "annotations", "readOnlyHint",
				  NULL),
			"true") ||
	       slice_is(json_path(tool->json, "annotations", "idempotentHint",
				  NULL),
			"true");
}

static bool may_repeat(const struct router *r, struct slice name)
{
	const struct catalogue_item *tool =
		catalogue_find(r->catalogues[KIND_TOOL], name);
	const struct routed *at = tool ? router_routed(r, tool->source) : NULL;
	struct source_info info;

	if (!at)
		return false;
	source_info(at->source, &info);
	return info.trusted && is_harmless(tool);
}

bool router_may_repeat(const struct router *r, struct slice name,
		       const char **source)
{
	struct buf text = {0};

	if (source)
		*source = NULL;
	if (json_kind(name) != JSON_STRING)
		return false;
	json_unquote(&text, name);
	bool again = may_repeat(r, buf_slice(&text));
	if (source)
		*source = nametable_whose(r->names, buf_slice(&text));
	buf_finish(&text);
	return again;
}
