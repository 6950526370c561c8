#include "server/mcp/itemlist.h"

#include <stdlib.h>

#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/forward.h"
#include "server/mcp/sorter.h"
#include "server/mcp/source.h"

/* What is wrong with an item, or NULL.  MCP schema: every one has a name, a
 * tool has an inputSchema with "type": "object"; some clients refuse the whole
 * list for one that is not so, and there are other sources in it. */
static const char *fault_of(const struct itemlist *l, struct slice json,
			    const struct buf *key)
{
	const struct kind_row *row = &kind_rows[l->kind];
	struct slice schema = json_get(json, "inputSchema");

	if (key->len == 0 || json_has_twice(json, row->key))
		return "has nothing to tell it by";
	if (json_kind(json_get(json, "name")) != JSON_STRING)
		return "has no name";
	if (key->len > row->key_bytes)
		return "has too long a name";
	if (map_get(&l->keys, buf_slice(key)))
		return "has the name of an earlier one";
	if (l->kind == KIND_TOOL &&
	    !json_string_is(json_get(schema, "type"), "object"))
		return "has no object as its inputSchema";
	return NULL;
}

static void append_item(struct itemlist *l, struct slice json,
			const struct buf *key)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->items = mem_grow(l->items, l->cap * sizeof(*l->items));
		l->texts = mem_grow(l->texts, l->cap * sizeof(*l->texts));
	}
	char *text = mem_alloc(key->len + json.len);
	if (key->len > 0)
		memcpy(text, key->data, key->len);
	memcpy(text + key->len, json.ptr, json.len);
	l->texts[l->count] = text;
	l->items[l->count] = (struct source_item){
		.key = {text, key->len},
		.json = {text + key->len, json.len},
	};
	l->count++;
	map_put(&l->keys, buf_slice(key), l);
}

static bool add_item(struct itemlist *l, const char *source, struct slice json,
		     struct err *e)
{
	const struct kind_row *row = &kind_rows[l->kind];
	struct slice raw = json_get(json, row->key);
	struct buf key = {0};

	l->bytes += json.len;
	if (l->count >= ITEMLIST_ITEMS || l->bytes > ITEMLIST_BYTES)
		return err_set(e, ERR_TOO_LARGE,
			       "source %s lists more than %d %ss or %d MiB",
			       source, ITEMLIST_ITEMS, row->noun,
			       ITEMLIST_BYTES >> 20);
	if (json_kind(raw) == JSON_STRING)
		json_unquote(&key, raw);
	const char *fault = fault_of(l, json, &key);
	if (fault)
		log_odd("source", "source %s: %s '%.*s' %s: left out", source,
			row->noun, key.len < 80 ? (int)key.len : 80,
			key.data ? key.data : "", fault);
	else
		append_item(l, json, &key);
	buf_finish(&key);
	return true;
}

/* MCP, Pagination: a missing nextCursor is the end; an empty string is a
 * cursor like any other.  null, which is neither, is read as missing. */
static bool next_cursor(struct itemlist *l, const char *source,
			struct slice cursor, bool *more, struct err *e)
{
	const char *method = kind_rows[l->kind].method;
	enum json_kind kind = json_kind(cursor);

	*more = false;
	if (kind == JSON_NONE || kind == JSON_NULL)
		return true;
	if (kind != JSON_STRING)
		return err_set(e, ERR_SOURCE_PROTOCOL,
			       "source %s: the nextCursor of %s is no string",
			       source, method);
	if (map_get(&l->cursors, cursor))
		return err_set(e, ERR_SOURCE_PROTOCOL,
			       "source %s: %s comes back to the same cursor",
			       source, method);
	l->bytes += cursor.len;
	if (l->pages >= ITEMLIST_PAGES || l->bytes > ITEMLIST_BYTES)
		return err_set(e, ERR_TOO_LARGE,
			       "source %s: %s has more than %d pages or %d MiB",
			       source, method, ITEMLIST_PAGES,
			       ITEMLIST_BYTES >> 20);
	map_put(&l->cursors, cursor, l);
	buf_reset(&l->cursor, l->cursor.cap);
	buf_append_slice(&l->cursor, cursor);
	*more = true;
	return true;
}

/* What only the reading needed. */
static void finish_reading(struct itemlist *l)
{
	map_finish(&l->keys);
	map_finish(&l->cursors);
	buf_finish(&l->cursor);
}

void itemlist_ask(const struct itemlist *l, struct buf *line, uint64_t number)
{
	struct buf params = {0};

	buf_append_text(&params, "{");
	if (l->cursor.len > 0) {
		buf_append_text(&params, "\"cursor\":");
		buf_append_slice(&params, buf_slice(&l->cursor));
	}
	buf_append_text(&params, "}");
	forward_own(line, number, kind_rows[l->kind].method,
		    buf_slice(&params));
	buf_finish(&params);
}

bool itemlist_learn(struct itemlist *l, const char *source,
		    const struct jsonrpc *answer, bool *more, struct err *e)
{
	const struct kind_row *row = &kind_rows[l->kind];
	struct slice items = json_get(answer->result, row->member);
	struct slice cursor = json_get(answer->result, "nextCursor");
	struct slice json;
	size_t at = 0;

	/* Many a server has resources, but never heard of their templates. */
	*more = false;
	if (answer->kind == JSONRPC_ERROR && l->kind == KIND_TEMPLATE &&
	    slice_is(json_get(answer->error, "code"), "-32601"))
		return true;
	if (answer->kind == JSONRPC_ERROR)
		return sorter_describe(source, row->method, answer, e);
	if (json_kind(items) != JSON_ARRAY)
		return err_set(
			e, ERR_SOURCE_PROTOCOL,
			"source %s: the result of %s has no array of %ss",
			source, row->method, row->noun);
	l->pages++;
	while (json_next_element(items, &at, &json))
		if (!add_item(l, source, json, e))
			return false;
	if (!next_cursor(l, source, cursor, more, e))
		return false;
	if (!*more)
		finish_reading(l);
	return true;
}

void itemlist_finish(struct itemlist *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->texts[i]);
	free(l->texts);
	free(l->items);
	finish_reading(l);
	*l = (struct itemlist){.kind = l->kind};
}
