/*
 * The smallest MCP server with a tool: `echo` sends its argument `text` back.
 * Blocking; reads what is there, writes all answers to it at once.
 */
#include <stdio.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/lines.h"

enum { LINE_BYTES = 64 << 20 };

static const char welcome[] =
	"{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
	"\"serverInfo\":{\"name\":\"echo_source\",\"version\":\"1\"}}";

static const char tools[] =
	"{\"tools\":[{\"name\":\"echo\",\"description\":\"Sends text back.\","
	"\"inputSchema\":{\"type\":\"object\",\"properties\":{\"text\":"
	"{\"type\":\"string\"}}}}]}";

static void answer(struct buf *out, const struct jsonrpc *m)
{
	struct buf result = {0};

	if (jsonrpc_method_is(m, "initialize")) {
		buf_append_text(&result, welcome);
	} else if (jsonrpc_method_is(m, "tools/list")) {
		buf_append_text(&result, tools);
	} else if (jsonrpc_method_is(m, "tools/call")) {
		buf_append_text(&result,
				"{\"content\":[{\"type\":\"text\",\"text\":");
		buf_append_slice(&result, json_path(m->params, "arguments",
						    "text", NULL));
		buf_append_text(&result, "}]}");
	} else {
		buf_append_text(&result, "{}");
	}
	jsonrpc_result(out, m->id, buf_slice(&result));
	buf_append_text(out, "\n");
	buf_finish(&result);
}

static bool on_line(void *owner, struct slice line)
{
	struct jsonrpc m;

	if (jsonrpc_slice(line, &m, NULL) && m.kind == JSONRPC_REQUEST)
		answer(owner, &m);
	return true;
}

static bool on_overlong(void *owner, struct slice start)
{
	(void)owner;
	(void)start;
	return false;
}

int main(void)
{
	static const struct lines_events events = {
		.line = on_line,
		.overlong = on_overlong,
	};
	static char bytes[65536];
	struct lines lines;
	struct buf out = {0};
	ssize_t got;

	lines_init(&lines, LINE_BYTES);
	while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0) {
		lines_feed(&lines, (struct slice){bytes, (size_t)got}, &events,
			   &out);
		while (out.len > 0) {
			ssize_t n = write(STDOUT_FILENO, out.data, out.len);

			if (n < 0)
				return 1;
			buf_consume(&out, (size_t)n);
		}
	}
	buf_finish(&out);
	lines_finish(&lines);
	return 0;
}
