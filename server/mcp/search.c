/* catalogue_search(): the catalogue's tools, as a question finds them. */
#include "server/mcp/catalogue.h"

#include <stdlib.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/mem.h"

/* A tool that was found, and how well: words that its name holds. */
struct hit {
	const struct catalogue_item *tool;
	unsigned in_name;
};

/* What of a tool is searched, in lower case.  Of ASCII alone: whatever else is
 * in a text matches as it is. */
struct subject {
	struct buf name;
	struct buf rest; /* title and description */
};

static void lower(struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] >= 'A' && b->data[i] <= 'Z')
			b->data[i] = (char)(b->data[i] - 'A' + 'a');
}

static void append_string(struct buf *to, struct slice value)
{
	if (json_kind(value) != JSON_STRING)
		return;
	json_unquote(to, value);
	buf_append_text(to, "\n");
}

static void read_subject(struct subject *s, const struct catalogue_item *t)
{
	buf_reset(&s->name, s->name.cap);
	buf_reset(&s->rest, s->rest.cap);
	buf_append_slice(&s->name, t->exposed);
	buf_append_text(&s->name, "\n");
	buf_append_slice(&s->name, t->key);
	append_string(&s->rest, json_get(t->json, "title"));
	append_string(&s->rest,
		      json_path(t->json, "annotations", "title", NULL));
	append_string(&s->rest, json_get(t->json, "description"));
	lower(&s->name);
	lower(&s->rest);
}

static bool holds(const struct buf *text, struct slice word)
{
	return text->len >= word.len &&
	       memmem(text->data, text->len, word.ptr, word.len);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool next_word(struct slice *words, struct slice *word)
{
	size_t at = 0;

	while (at < words->len && is_space(words->ptr[at]))
		at++;
	size_t begin = at;
	while (at < words->len && !is_space(words->ptr[at]))
		at++;
	*word = (struct slice){words->ptr + begin, at - begin};
	words->ptr += at;
	words->len -= at;
	return word->len > 0;
}

/* Does it hold every word?  An empty query finds everything. */
static bool matches(const struct subject *s, struct slice words,
		    unsigned *in_name)
{
	struct slice word;

	*in_name = 0;
	while (words.len > 0 && next_word(&words, &word)) {
		if (holds(&s->name, word))
			(*in_name)++;
		else if (!holds(&s->rest, word))
			return false;
	}
	return true;
}

/* Best first, and what is equally good in the catalogue's order. */
static void insert(struct hit *hits, size_t *count, size_t most, struct hit h)
{
	size_t at = *count;

	while (at > 0 && hits[at - 1].in_name < h.in_name)
		at--;
	if (at == most)
		return;
	if (*count < most)
		(*count)++;
	memmove(hits + at + 1, hits + at, (*count - at - 1) * sizeof(*hits));
	hits[at] = h;
}

static void append_member(struct buf *json, const char *key, struct slice value)
{
	if (json_kind(value) != JSON_STRING)
		return;
	buf_printf(json, ",\"%s\":", key);
	buf_append_slice(json, value);
}

static void append_hit(struct buf *json, const struct catalogue_item *t)
{
	buf_append_text(json, "{\"name\":");
	json_quote(json, t->exposed);
	buf_append_text(json, ",\"source\":");
	json_quote(json, slice_of(t->source));
	append_member(json, "title", json_get(t->json, "title"));
	append_member(json, "description", json_get(t->json, "description"));
	buf_append_text(json, "}");
}

void catalogue_search(const struct catalogue *c, struct slice query,
		      unsigned limit, struct buf *json)
{
	size_t most = limit < catalogue_count(c) ? limit : catalogue_count(c);
	struct hit *hits = mem_alloc(most * sizeof(*hits));
	struct hit h = {0};
	struct subject subject = {{0}, {0}};
	struct buf words = {0};
	size_t count = 0;
	size_t at = 0;

	buf_append_slice(&words, query);
	lower(&words);
	while (most > 0 && (h.tool = catalogue_next(c, &at))) {
		read_subject(&subject, h.tool);
		if (matches(&subject, buf_slice(&words), &h.in_name))
			insert(hits, &count, most, h);
	}
	buf_append_text(json, "[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_append_text(json, ",");
		append_hit(json, hits[i].tool);
	}
	buf_append_text(json, "]");
	buf_finish(&words);
	buf_finish(&subject.name);
	buf_finish(&subject.rest);
	free(hits);
}
