#include "server/mcp/instructions.h"

#include "server/mcp/routing.h"

void instructions_merge(const struct router *r, struct buf *text)
{
	for (size_t i = 0; i < r->source_count; i++) {
		const struct routed *at = r->sources[i];
		struct buf section = {0};

		if (at->instructions.len == 0 || routed_disabled(at))
			continue;
		buf_printf(&section, "%s## %s\n", text->len > 0 ? "\n\n" : "",
			   source_name(at->source));
		buf_append_slice(&section, buf_slice(&at->instructions));
		/* A section that does not fit is left out whole. */
		if (text->len + section.len <= INSTRUCTIONS_BYTES)
			buf_append_slice(text, buf_slice(&section));
		buf_finish(&section);
	}
}
