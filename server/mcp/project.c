#include "server/mcp/project.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mem.h"
#include "server/mcp/result.h"

/* Revisions are dates, and compare as such. */
#define HAS_AUDIO	    "2025-03-26"
#define HAS_RESOURCE_LINK   "2025-06-18"
#define HAS_URL_ELICITATION "2025-11-25"

/* MCP 2025-11-25 schema, Tool.outputSchema: an object with "type": "object".
 * Before and behind one that is not. */
#define WRAP_OPEN  "{\"type\":\"object\",\"properties\":{\"result\":"
#define WRAP_CLOSE "},\"required\":[\"result\"]}"

/* Members of a schema nested deeper are not looked for references. */
enum { SCHEMA_DEPTH = 64 };

/* What is to be changed in a text, in any order until it is made. */
struct edits {
	struct json_edit *list;
	size_t count;
	size_t cap;
	struct buf texts;     /* of those whose with.ptr is NULL, in order */
	const char *revision; /* of the client, in project_response() */
};

static void add(struct edits *e, struct slice old, struct slice with)
{
	if (e->count == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 8;
		e->list = mem_grow(e->list, e->cap * sizeof(*e->list));
	}
	e->list[e->count++] = (struct json_edit){old, with};
}

static void insert(struct edits *e, const char *at, const char *text)
{
	add(e, (struct slice){at, 0}, slice_of(text));
}

static int by_place(const void *a, const void *b)
{
	const char *x = ((const struct json_edit *)a)->old.ptr;
	const char *y = ((const struct json_edit *)b)->old.ptr;

	return (x > y) - (x < y);
}

/* Append text with the edits made, and release them. */
static void make(struct edits *e, struct buf *to, struct slice text)
{
	const char *made = e->texts.data;

	for (size_t i = 0; i < e->count; i++) {
		struct slice *with = &e->list[i].with;

		if (with->ptr)
			continue;
		with->ptr = made;
		made += with->len;
	}
	if (e->count > 1)
		qsort(e->list, e->count, sizeof(*e->list), by_place);
	json_splice(to, text, e->list, e->count);
	free(e->list);
	buf_finish(&e->texts);
}

/* The same with one edit in a buffer that is taken for it. */
static void take(struct edits *e, struct buf *to, struct buf *whole)
{
	struct json_edit edit = e->list[0];

	assert(edit.old.ptr >= whole->data);
	buf_move(to, whole);
	buf_replace(to, (size_t)(edit.old.ptr - to->data), edit.old.len,
		    edit.with);
	free(e->list);
	buf_finish(&e->texts);
}

/* --- tools -----------------------------------------------------------------
 */

/* JSON Schema 2020-12, 9.3: a reference without another base is one into the
 * whole document, which grows by two levels. */
static void lead_on(struct edits *e, struct slice reference)
{
	if (reference.len < 3 || reference.ptr[1] != '#')
		return;
	if (reference.ptr[2] == '/' || reference.ptr[2] == '"')
		insert(e, reference.ptr + 2, "/properties/result");
}

static bool key_is_one_of(struct slice key, const char *const *names)
{
	for (; *names; names++)
		if (json_key_is(key, *names))
			return true;
	return false;
}

/* A schema with an $id is a document of its own; one that only names a place
 * ("#x") is not. */
static bool is_document(struct slice schema)
{
	struct slice id = json_get(schema, "$id");

	return json_kind(id) == JSON_STRING && id.len > 2 && id.ptr[1] != '#';
}

/* named: the members are schemas by names that say nothing. */
static void lead_all_on(struct edits *e, struct slice schema, bool named,
			unsigned depth)
{
	static const char *const data[] = {"const", "default", "enum",
					   "examples", NULL};
	static const char *const maps[] = {"$defs",
					   "definitions",
					   "dependencies",
					   "dependentSchemas",
					   "patternProperties",
					   "properties",
					   NULL};
	static const char *const references[] = {"$dynamicRef", "$ref", NULL};
	struct json_member m;
	struct slice element;
	size_t at = 0;

	if (depth == SCHEMA_DEPTH || (!named && is_document(schema)))
		return;
	while (json_next_element(schema, &at, &element))
		lead_all_on(e, element, false, depth + 1);
	at = 0;
	while (json_next_member(schema, &at, &m)) {
		if (named)
			lead_all_on(e, m.value, false, depth + 1);
		else if (key_is_one_of(m.key, data))
			continue;
		else if (key_is_one_of(m.key, references) &&
			 json_kind(m.value) == JSON_STRING)
			lead_on(e, m.value);
		else
			lead_all_on(e, m.value, key_is_one_of(m.key, maps),
				    depth + 1);
	}
}

/* The member of that value, with the comma that goes with it. */
static struct slice member_with_comma(struct slice object, struct slice value)
{
	const char *end = value.ptr + value.len;
	const char *start = NULL;
	struct json_member m;
	size_t at = 0;

	while (json_next_member(object, &at, &m) && m.value.ptr != value.ptr)
		start = m.value.ptr + m.value.len;
	if (!start) {
		start = m.key.ptr - 1;
		if (json_next_member(object, &at, &m))
			end = m.key.ptr - 1;
	}
	return (struct slice){start, (size_t)(end - start)};
}

/* Since 2026-07-28 any JSON Schema will do, so also true and false; the
 * revisions before it know objects only, inside as well.  What is no schema at
 * all is left out. */
bool project_tool(struct buf *to, struct slice tool)
{
	struct slice schema = json_get(tool, "outputSchema");
	enum json_kind kind = json_kind(schema);
	struct edits e = {0};
	bool wrapped = false;

	if (kind == JSON_OBJECT &&
	    !json_string_is(json_get(schema, "type"), "object")) {
		insert(&e, schema.ptr, WRAP_OPEN);
		lead_all_on(&e, schema, false, 0);
		insert(&e, schema.ptr + schema.len, WRAP_CLOSE);
		wrapped = true;
	} else if (kind == JSON_BOOL) {
		add(&e, schema,
		    slice_of(*schema.ptr == 't' ? WRAP_OPEN "{}" WRAP_CLOSE
						: WRAP_OPEN
				     "{\"not\":{}}" WRAP_CLOSE));
		wrapped = true;
	} else if (kind != JSON_NONE && kind != JSON_OBJECT) {
		add(&e, member_with_comma(tool, schema), slice_of(""));
	}
	make(&e, to, tool);
	return wrapped;
}

/* --- results ----------------------------------------------------------------
 */

/* The characters of a string as they are written; a default for none. */
static void append_inner(struct buf *to, struct slice string, const char *none)
{
	if (json_kind(string) == JSON_STRING)
		buf_append(to, string.ptr + 1, string.len - 2);
	else
		buf_append_text(to, none);
}

static void append_audio(struct buf *to, struct slice block)
{
	struct slice data = json_get(block, "data");

	buf_append_text(to, "[audio, ");
	append_inner(to, json_get(block, "mimeType"), "of no known type");
	buf_printf(to,
		   ", %zu characters of base64: left out, this client's "
		   "revision of MCP has no audio]",
		   json_kind(data) == JSON_STRING ? data.len - 2 : 0);
}

static void append_link(struct buf *to, struct slice block)
{
	struct slice type = json_get(block, "mimeType");

	append_inner(to, json_get(block, "name"), "resource");
	buf_append_text(to, ": ");
	append_inner(to, json_get(block, "uri"), "");
	if (json_kind(type) != JSON_STRING)
		return;
	buf_append_text(to, " (");
	append_inner(to, type, "");
	buf_append_text(to, ")");
}

/* A text instead, which keeps what a text may have of its own. */
static void project_block(struct edits *e, struct slice block)
{
	static const char *const kept[] = {"annotations", "_meta"};
	struct slice type = json_get(block, "type");
	size_t start = e->texts.len;
	void (*append)(struct buf * to, struct slice block) = NULL;

	if (json_string_is(type, "audio") && strcmp(e->revision, HAS_AUDIO) < 0)
		append = append_audio;
	if (json_string_is(type, "resource_link") &&
	    strcmp(e->revision, HAS_RESOURCE_LINK) < 0)
		append = append_link;
	if (!append)
		return;
	buf_append_text(&e->texts, "{\"type\":\"text\",\"text\":\"");
	append(&e->texts, block);
	buf_append_text(&e->texts, "\"");
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		struct slice value = json_get(block, kept[i]);

		if (value.len == 0)
			continue;
		buf_printf(&e->texts, ",\"%s\":", kept[i]);
		buf_append_slice(&e->texts, value);
	}
	buf_append_text(&e->texts, "}");
	add(e, block, (struct slice){NULL, e->texts.len - start});
}

/* The blocks of tools/call, and of the messages of prompts/get. */
static void project_blocks(struct edits *e, const struct result *result)
{
	struct slice value;
	size_t at = 0;

	while (json_next_element(result->content, &at, &value))
		project_block(e, value);
	at = 0;
	while (json_next_element(result->messages, &at, &value))
		project_block(e, json_get(value, "content"));
}

/* Is structuredContent something else than an object, or made by a schema that
 * we wrapped? */
static void project_structured(struct edits *e, struct slice value,
			       bool wrapped)
{
	if (value.len == 0 || (json_kind(value) == JSON_OBJECT && !wrapped))
		return;
	insert(e, value.ptr, "{\"result\":");
	insert(e, value.ptr + value.len, "}");
}

/* MCP 2025-11-25, Elicitation, URL Elicitation Required Error: "code -32042",
 * with data.elicitations.  Who does not know it shows people the message. */
static void project_url_error(struct edits *e, struct slice error)
{
	struct slice code = json_get(error, "code");
	struct slice message = json_get(error, "message");
	struct slice list = json_path(error, "data", "elicitations", NULL);
	size_t before = e->texts.len;
	struct slice one;
	size_t at = 0;

	if (!slice_is(code, "-32042") || json_kind(message) != JSON_STRING)
		return;
	add(e, code, slice_of("-32603"));
	while (json_next_element(list, &at, &one)) {
		struct slice url = json_get(one, "url");

		if (json_kind(url) != JSON_STRING)
			continue;
		buf_append_text(&e->texts, " ");
		buf_append(&e->texts, url.ptr + 1, url.len - 2);
	}
	if (e->texts.len > before)
		add(e, (struct slice){message.ptr + message.len - 1, 0},
		    (struct slice){NULL, e->texts.len - before});
}

void project_response(struct buf *to, const struct jsonrpc *m,
		      const struct result *result, struct slice id,
		      const char *revision, bool wrapped)
{
	struct edits e = {.revision = revision};

	add(&e, m->id, id);
	if (m->kind == JSONRPC_RESULT) {
		if (strcmp(revision, HAS_RESOURCE_LINK) < 0)
			project_blocks(&e, result);
		project_structured(&e, result->structured, wrapped);
	} else if (strcmp(revision, HAS_URL_ELICITATION) < 0) {
		project_url_error(&e, m->error);
	}
	if (m->whole && e.count == 1) {
		take(&e, to, m->whole);
		return;
	}
	make(&e, to, m->text);
}
