#include "server/mcp/handouts.h"

#include <stdbool.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/list.h"
#include "proto/map.h"
#include "proto/mem.h"
#include "server/mcp/result.h"

/* Owned by the table. */
struct handout {
	struct list link; /* the oldest comes first */
	char *source;
	char *uri;
	size_t uri_len;
};

struct handouts {
	struct list order;
	struct map by_uri;
};

static void forget(struct handouts *h, struct handout *one)
{
	map_remove(&h->by_uri, (struct slice){one->uri, one->uri_len});
	list_remove(&one->link);
	free(one->source);
	free(one->uri);
	free(one);
}

static void remember(struct handouts *h, const char *source, struct slice uri)
{
	struct handout *one = map_get(&h->by_uri, uri);

	if (one)
		forget(h, one);
	else if (h->by_uri.count >= HANDOUTS_COUNT)
		forget(h, LIST_ITEM(h->order.next, struct handout, link));
	one = mem_zalloc(sizeof(*one));
	one->source = mem_text(source);
	one->uri = mem_ntext(uri.ptr, uri.len);
	one->uri_len = uri.len;
	list_append(&h->order, &one->link);
	map_put(&h->by_uri, uri, one);
}

static void note_content(struct handouts *h, const char *source,
			 struct slice content)
{
	struct slice type = json_get(content, "type");
	struct slice uri = {NULL, 0};
	struct buf text = {0};

	if (json_string_is(type, "resource_link"))
		uri = json_get(content, "uri");
	else if (json_string_is(type, "resource"))
		uri = json_path(content, "resource", "uri", NULL);
	if (json_kind(uri) != JSON_STRING || uri.len > HANDOUTS_URI_BYTES)
		return;
	json_unquote(&text, uri);
	if (text.len > 0)
		remember(h, source, buf_slice(&text));
	buf_finish(&text);
}

static void note_contents(struct handouts *h, const char *source,
			  struct slice contents)
{
	struct slice content;
	size_t at = 0;

	if (json_kind(contents) == JSON_OBJECT)
		note_content(h, source, contents);
	while (json_next_element(contents, &at, &content))
		note_content(h, source, content);
}

struct handouts *handouts_new(void)
{
	struct handouts *h = mem_zalloc(sizeof(*h));

	list_init(&h->order);
	return h;
}

/* Most results have none, and some are large: those are long strings, where
 * the next quote is far and memchr() faster than memmem(). */
static bool may_have_some(struct slice contents)
{
	static const char word[] = "\"resource";
	const size_t len = sizeof(word) - 1;
	struct slice rest = contents;

	while (rest.len >= len) {
		const char *at = memchr(rest.ptr, word[0], rest.len - len + 1);

		if (!at)
			return false;
		if (memcmp(at, word, len) == 0)
			return true;
		rest.len -= (size_t)(at + 1 - rest.ptr);
		rest.ptr = at + 1;
	}
	return false;
}

void handouts_note(struct handouts *h, const char *source,
		   const struct result *result)
{
	struct slice message;
	size_t at = 0;

	if (may_have_some(result->content))
		note_contents(h, source, result->content);
	if (!may_have_some(result->messages))
		return;
	while (json_next_element(result->messages, &at, &message))
		note_contents(h, source, json_get(message, "content"));
}

const char *handouts_find(const struct handouts *h, struct slice uri)
{
	const struct handout *one = map_get(&h->by_uri, uri);

	return one ? one->source : NULL;
}

void handouts_free(struct handouts *h)
{
	if (!h)
		return;
	while (!list_empty(&h->order))
		forget(h, LIST_ITEM(h->order.next, struct handout, link));
	map_finish(&h->by_uri);
	free(h);
}
