#include "server/mcp/alias.h"

#include <stdint.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/mem.h"

static const char scheme[] = "mcp-hub://";

/* RFC 3986, 2.3, Unreserved Characters. */
static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

void alias_make(struct buf *to, const char *source, struct slice uri)
{
	buf_printf(to, "%s%s/", scheme, source);
	for (size_t i = 0; i < uri.len; i++) {
		if (is_unreserved(uri.ptr[i]))
			buf_append(to, &uri.ptr[i], 1);
		else
			buf_printf(to, "%%%02X", (unsigned char)uri.ptr[i]);
	}
}

bool alias_read(struct slice alias, struct slice *source, struct buf *own)
{
	const size_t head = sizeof(scheme) - 1;

	if (alias.len <= head || memcmp(alias.ptr, scheme, head) != 0)
		return false;
	source->ptr = alias.ptr + head;
	const char *end = alias.ptr + alias.len;
	const char *at = memchr(source->ptr, '/', alias.len - head);
	if (!at)
		return false;
	source->len = (size_t)(at - source->ptr);
	for (at++; at < end; at++) {
		char c = *at;

		if (c == '%') {
			int high = end - at > 2 ? hex_digit(at[1]) : -1;
			int low = end - at > 2 ? hex_digit(at[2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			at += 2;
		}
		buf_append(own, &c, 1);
	}
	return own->len > 0;
}

/* The uri of a content, quoted, as an alias; the caller frees. */
static struct slice quoted_alias(struct slice value, const char *source)
{
	struct buf own = {0};
	struct buf alias = {0};
	struct buf quoted = {0};

	json_unquote(&own, value);
	alias_make(&alias, source, buf_slice(&own));
	json_quote(&quoted, buf_slice(&alias));
	struct slice copy = {mem_copy(quoted.data, quoted.len), quoted.len};
	buf_finish(&own);
	buf_finish(&alias);
	buf_finish(&quoted);
	return copy;
}

void alias_contents(struct buf *to, struct slice text, struct slice result,
		    const char *source)
{
	struct slice contents = json_get(result, "contents");
	struct json_edit *edits = NULL;
	struct slice content;
	size_t count = 0;
	size_t at = 0;

	while (json_next_element(contents, &at, &content)) {
		struct slice uri = json_get(content, "uri");

		if (json_kind(uri) != JSON_STRING)
			continue;
		edits = mem_grow(edits, (count + 1) * sizeof(*edits));
		edits[count++] = (struct json_edit){
			.old = uri, .with = quoted_alias(uri, source)};
	}
	json_splice(to, text, edits, count);
	for (size_t i = 0; i < count; i++)
		free((void *)(uintptr_t)edits[i].with.ptr);
	free(edits);
}
