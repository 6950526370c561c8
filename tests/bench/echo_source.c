/*
 * The smallest MCP server with tools: `echo` sends its argument `text` back,
 * `blob` a text of `bytes` bytes, a..z and again, made once and kept.
 * Blocking; reads what is there, writes all answers to it at once.
 *
 * usage: echo_source [wrong|lost|twice]
 *
 * With a word the answer to one call in the middle is that: so that the
 * benchmark can show that it notices.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/lines.h"

enum {
	LINE_BYTES = 64 << 20,
	BLOB_BYTES_MAX = 32 << 20,
	LIE_AT = 150, /* call; several are open then (bench --answers) */
};

static const char *lie = "";

static const char welcome[] =
	"{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
	"\"serverInfo\":{\"name\":\"echo_source\",\"version\":\"1\"}}";

static const char tools[] =
	"{\"tools\":[{\"name\":\"echo\",\"description\":\"Sends text back.\","
	"\"inputSchema\":{\"type\":\"object\",\"properties\":{\"text\":"
	"{\"type\":\"string\"}}}},{\"name\":\"blob\",\"description\":\"Sends "
	"much.\","
	"\"inputSchema\":{\"type\":\"object\",\"properties\":{\"bytes\":"
	"{\"type\":\"integer\"}}}}]}";

static const struct buf *blob(struct slice bytes)
{
	static struct buf kept;
	unsigned long long wanted = 0;

	if (!json_u64(bytes, &wanted) || wanted > BLOB_BYTES_MAX)
		wanted = 0;
	if (kept.len == wanted)
		return &kept;
	buf_reset(&kept, 0);
	char *to = buf_reserve(&kept, wanted);
	for (size_t i = 0; i < wanted; i++)
		to[i] = (char)('a' + i % 26);
	buf_added(&kept, wanted);
	return &kept;
}

static void answer_blob(struct buf *out, const struct jsonrpc *m)
{
	const struct buf *b =
		blob(json_path(m->params, "arguments", "bytes", NULL));

	buf_append_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_append_slice(out, m->id);
	buf_append_text(out, ",\"result\":{\"content\":[{\"type\":\"text\","
			     "\"text\":\"");
	buf_append(out, b->data, b->len);
	buf_append_text(out, "\"}]}}\n");
}

static void answer(struct buf *out, const struct jsonrpc *m)
{
	struct buf result = {0};

	if (json_string_is(json_get(m->params, "name"), "blob")) {
		answer_blob(out, m);
		return;
	}
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

static void answer_wrong(struct buf *out, const struct jsonrpc *m)
{
	jsonrpc_result(out, m->id,
		       slice_of("{\"content\":[{\"type\":\"text\","
				"\"text\":\"something else\"}]}"));
	buf_append_text(out, "\n");
}

static bool on_line(void *owner, struct slice line)
{
	static unsigned calls;
	struct jsonrpc m;

	if (!jsonrpc_slice(line, &m, NULL) || m.kind != JSONRPC_REQUEST)
		return true;
	bool lies = jsonrpc_method_is(&m, "tools/call") && ++calls == LIE_AT;
	if (lies && strcmp(lie, "lost") == 0)
		return true;
	if (lies && strcmp(lie, "wrong") == 0) {
		answer_wrong(owner, &m);
		return true;
	}
	answer(owner, &m);
	if (lies && strcmp(lie, "twice") == 0)
		answer(owner, &m);
	return true;
}

static bool on_overlong(void *owner, struct slice start)
{
	(void)owner;
	(void)start;
	return false;
}

int main(int argc, char **argv)
{
	static const struct lines_events events = {
		.line = on_line,
		.overlong = on_overlong,
	};
	static char bytes[65536];
	struct lines lines;
	struct buf out = {0};
	ssize_t got;

	if (argc > 1)
		lie = argv[1];
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
