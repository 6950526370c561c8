#include "server/mcp/toollist.h"

#include <stdlib.h>

#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/forward.h"
#include "server/mcp/sorter.h"
#include "server/mcp/source.h"

/* What is wrong with a tool, or NULL.  MCP schema, Tool: name is a string,
 * inputSchema an object with "type": "object"; some clients refuse the whole
 * list for one tool that is not so, and there are other sources in it. */
static const char *fault_of(const struct toollist *l, struct slice json,
			    const struct buf *name)
{
	struct slice schema = json_get(json, "inputSchema");

	if (json_kind(json_get(json, "name")) != JSON_STRING ||
	    name->len == 0 || json_has_twice(json, "name"))
		return "has no name";
	if (name->len > TOOLLIST_NAME_BYTES)
		return "has too long a name";
	if (map_get(&l->names, buf_slice(name)))
		return "has the name of an earlier one";
	if (!json_string_is(json_get(schema, "type"), "object"))
		return "has no object as its inputSchema";
	return NULL;
}

static void append_tool(struct toollist *l, struct slice json,
			const struct buf *name)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->tools = mem_grow(l->tools, l->cap * sizeof(*l->tools));
		l->texts = mem_grow(l->texts, l->cap * sizeof(*l->texts));
	}
	char *text = mem_alloc(name->len + json.len);
	memcpy(text, name->data, name->len);
	memcpy(text + name->len, json.ptr, json.len);
	l->texts[l->count] = text;
	l->tools[l->count] = (struct source_tool){
		.name = {text, name->len},
		.json = {text + name->len, json.len},
	};
	l->count++;
	map_put(&l->names, buf_slice(name), l);
}

static bool add_tool(struct toollist *l, const char *source, struct slice json,
		     struct err *e)
{
	struct slice raw = json_get(json, "name");
	struct buf name = {0};

	l->bytes += json.len;
	if (l->count >= TOOLLIST_TOOLS || l->bytes > TOOLLIST_BYTES)
		return err_set(e, ERR_TOO_LARGE,
			       "source %s lists more than %d tools or %d MiB",
			       source, TOOLLIST_TOOLS, TOOLLIST_BYTES >> 20);
	if (json_kind(raw) == JSON_STRING)
		json_unquote(&name, raw);
	const char *fault = fault_of(l, json, &name);
	if (fault)
		log_odd("source", "source %s: tool '%.*s' %s: left out", source,
			name.len < 80 ? (int)name.len : 80,
			name.data ? name.data : "", fault);
	else
		append_tool(l, json, &name);
	buf_finish(&name);
	return true;
}

/* MCP, Pagination: a missing nextCursor is the end; an empty string is a
 * cursor like any other.  null, which is neither, is read as missing. */
static bool next_cursor(struct toollist *l, const char *source,
			struct slice cursor, bool *more, struct err *e)
{
	enum json_kind kind = json_kind(cursor);

	*more = false;
	if (kind == JSON_NONE || kind == JSON_NULL)
		return true;
	if (kind != JSON_STRING)
		return err_set(e, ERR_SOURCE_PROTOCOL,
			       "source %s: the nextCursor of tools/list is no "
			       "string",
			       source);
	if (map_get(&l->cursors, cursor))
		return err_set(e, ERR_SOURCE_PROTOCOL,
			       "source %s: tools/list comes back to the same "
			       "cursor",
			       source);
	l->bytes += cursor.len;
	if (l->pages >= TOOLLIST_PAGES || l->bytes > TOOLLIST_BYTES)
		return err_set(e, ERR_TOO_LARGE,
			       "source %s: tools/list has more than %d pages "
			       "or %d MiB",
			       source, TOOLLIST_PAGES, TOOLLIST_BYTES >> 20);
	map_put(&l->cursors, cursor, l);
	buf_reset(&l->cursor, l->cursor.cap);
	buf_append_slice(&l->cursor, cursor);
	*more = true;
	return true;
}

/* What only the reading needed. */
static void finish_reading(struct toollist *l)
{
	map_finish(&l->names);
	map_finish(&l->cursors);
	buf_finish(&l->cursor);
}

void toollist_ask(const struct toollist *l, struct buf *line, uint64_t number)
{
	struct buf params = {0};

	buf_append_text(&params, "{");
	if (l->cursor.len > 0) {
		buf_append_text(&params, "\"cursor\":");
		buf_append_slice(&params, buf_slice(&l->cursor));
	}
	buf_append_text(&params, "}");
	forward_own(line, number, "tools/list", buf_slice(&params));
	buf_finish(&params);
}

bool toollist_learn(struct toollist *l, const char *source,
		    const struct jsonrpc *answer, bool *more, struct err *e)
{
	struct slice tools = json_get(answer->result, "tools");
	struct slice cursor = json_get(answer->result, "nextCursor");
	struct slice json;
	size_t at = 0;

	if (answer->kind == JSONRPC_ERROR)
		return sorter_describe(source, "tools/list", answer, e);
	if (json_kind(tools) != JSON_ARRAY)
		return err_set(e, ERR_SOURCE_PROTOCOL,
			       "source %s: the result of tools/list has no "
			       "array of tools",
			       source);
	l->pages++;
	while (json_next_element(tools, &at, &json))
		if (!add_tool(l, source, json, e))
			return false;
	if (!next_cursor(l, source, cursor, more, e))
		return false;
	if (!*more)
		finish_reading(l);
	return true;
}

void toollist_finish(struct toollist *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->texts[i]);
	free(l->texts);
	free(l->tools);
	finish_reading(l);
	*l = (struct toollist){0};
}
