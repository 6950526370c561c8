#include "server/mcp/kind.h"

const struct kind_row kind_rows[KIND_COUNT] = {
	[KIND_TOOL] =
		{
			.noun = "tool",
			.method = "tools/list",
			.member = "tools",
			.key = "name",
			.capability = "tools",
			.changed = "notifications/tools/list_changed",
			.key_bytes = 256,
			.renamed = true,
		},
	[KIND_RESOURCE] =
		{
			.noun = "resource",
			.method = "resources/list",
			.member = "resources",
			.key = "uri",
			.capability = "resources",
			.changed = "notifications/resources/list_changed",
			.key_bytes = 8192,
		},
	[KIND_TEMPLATE] =
		{
			.noun = "resource template",
			.method = "resources/templates/list",
			.member = "resourceTemplates",
			.key = "uriTemplate",
			.capability = "resources",
			.changed = "notifications/resources/list_changed",
			.key_bytes = 8192,
		},
	[KIND_PROMPT] =
		{
			.noun = "prompt",
			.method = "prompts/list",
			.member = "prompts",
			.key = "name",
			.capability = "prompts",
			.changed = "notifications/prompts/list_changed",
			.key_bytes = 256,
			.renamed = true,
		},
};
