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
	if (!setup->initialized)
		return;
	jsonrpc_request(lines, (struct slice){NULL, 0},
			"notifications/tools/list_changed",
			(struct slice){NULL, 0});
	buf_append_text(lines, "\n");
}
