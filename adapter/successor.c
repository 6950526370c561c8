#include "adapter/successor.h"

#include "adapter/asked.h"
#include "adapter/setup.h"
#include "proto/buf.h"
#include "proto/jsonrpc.h"

void successor_withdraw(struct asked *asked, struct buf *lines)
{
	while (asked_withdraw(asked, lines))
		buf_append_text(lines, "\n");
}

void successor_announce(const struct setup *setup, struct buf *lines)
{
	/* Those that the capabilities in proto/mcp.c promise. */
	static const char *const changed[] = {
		"notifications/tools/list_changed",
		"notifications/prompts/list_changed",
		"notifications/resources/list_changed",
	};

	if (!setup->initialized)
		return;
	for (size_t i = 0; i < sizeof(changed) / sizeof(*changed); i++) {
		jsonrpc_request(lines, (struct slice){NULL, 0}, changed[i],
				(struct slice){NULL, 0});
		buf_append_text(lines, "\n");
	}
}
