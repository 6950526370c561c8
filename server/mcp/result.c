#include "server/mcp/result.h"

#include "proto/json.h"

struct result result_read(struct slice raw)
{
	struct result r = {0};
	struct json_member m;
	size_t at = 0;

	while (json_next_member(raw, &at, &m)) {
		if (json_key_is(m.key, "content"))
			r.content = m.value;
		else if (json_key_is(m.key, "messages"))
			r.messages = m.value;
		else if (json_key_is(m.key, "structuredContent"))
			r.structured = m.value;
		else if (json_key_is(m.key, "isError"))
			r.failed = slice_is(m.value, "true");
	}
	return r;
}
