#include "server/mcp/catalogue.h"

#include <stdlib.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/list.h"
#include "proto/log.h"
#include "proto/map.h"
#include "proto/mem.h"
#include "server/mcp/alias.h"
#include "server/mcp/names.h"
#include "server/mcp/nametable.h"
#include "server/mcp/project.h"
#include "server/mcp/source.h"

_Static_assert((int)CATALOGUE_NAME_BYTES == (int)NAMES_BYTES,
	       "one bound on names");

/* Owned by a section. */
struct entry {
	struct catalogue_item item;
	char *text;	 /* key and json as they are the source's */
	size_t text_len; /* of the json; it stands behind the key */
	char *renamed;	 /* exposed key and json, or NULL: as they are */
};

/* What one source has.  Owned by the catalogue. */
struct section {
	struct list link;
	char *source;
	struct entry *entries;
	size_t count;
	struct map by_key; /* own key -> struct catalogue_item */
};

struct catalogue {
	enum kind kind;
	struct nametable *names;
	struct list sections;  /* in the order in which they were first set */
	struct map by_source;  /* -> struct section */
	struct map by_exposed; /* -> struct catalogue_item */
	const struct catalogue_item **all;
	size_t count;
	struct buf list; /* the JSON array */
	uint64_t generation;
};

static struct section *section_of(struct catalogue *c, const char *source)
{
	struct section *s = map_get(&c->by_source, slice_of(source));

	if (s)
		return s;
	s = mem_zalloc(sizeof(*s));
	s->source = mem_text(source);
	list_append(&c->sections, &s->link);
	map_put(&c->by_source, slice_of(source), s);
	return s;
}

static void drop_items(struct section *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->entries[i].text);
		free(s->entries[i].renamed);
	}
	free(s->entries);
	map_finish(&s->by_key);
	s->entries = NULL;
	s->count = 0;
}

static void free_section(struct section *s)
{
	drop_items(s);
	list_remove(&s->link);
	free(s->source);
	free(s);
}

/* --- keys ----------------------------------------------------------------- */

/* As the source has it. */
static void keep_key(struct entry *e)
{
	free(e->renamed);
	e->renamed = NULL;
	e->item.exposed = e->item.key;
	e->item.json = (struct slice){e->text + e->item.key.len, e->text_len};
}

/* The item's own text with another key in it, and as every client takes it. */
static void rename_key(const struct catalogue *c, struct entry *e,
		       struct slice exposed)
{
	const struct slice own = {e->text + e->item.key.len, e->text_len};
	struct json_edit edit = {.old = json_get(own, kind_rows[c->kind].key)};
	struct buf quoted = {0};
	struct buf renamed = {0};
	struct buf shown = {0};

	json_quote(&quoted, exposed);
	edit.with = buf_slice(&quoted);
	json_splice(&renamed, own, &edit, 1);
	buf_append_slice(&shown, exposed);
	if (c->kind == KIND_TOOL)
		e->item.wrapped = project_tool(&shown, buf_slice(&renamed));
	else
		buf_append_slice(&shown, buf_slice(&renamed));
	free(e->renamed);
	e->renamed = mem_copy(shown.data, shown.len);
	e->item.exposed = (struct slice){e->renamed, exposed.len};
	e->item.json = (struct slice){e->renamed + exposed.len,
				      shown.len - exposed.len};
	buf_finish(&quoted);
	buf_finish(&renamed);
	buf_finish(&shown);
}

/* A URI that an earlier source has is not taken from it, nor hidden. */
static void settle_uri(const struct catalogue *c, struct entry *e)
{
	bool taken = map_get(&c->by_exposed, e->item.key) != NULL;
	struct buf alias = {0};

	if (taken && !e->renamed) {
		alias_make(&alias, e->item.source, e->item.key);
		rename_key(c, e, buf_slice(&alias));
		buf_finish(&alias);
	} else if (!taken && e->renamed) {
		keep_key(e);
	}
}

static void add_entry(struct catalogue *c, struct section *s,
		      const struct source_item *item)
{
	struct entry *e = &s->entries[s->count++];

	e->text = mem_alloc(item->key.len + item->json.len);
	memcpy(e->text, item->key.ptr, item->key.len);
	memcpy(e->text + item->key.len, item->json.ptr, item->json.len);
	e->text_len = item->json.len;
	e->item.source = s->source;
	e->item.key = (struct slice){e->text, item->key.len};
	if (kind_rows[c->kind].renamed)
		rename_key(c, e,
			   slice_of(nametable_give(c->names, s->source,
						   item->key)));
	else
		keep_key(e);
	map_put(&s->by_key, e->item.key, &e->item);
}

/* --- what is derived ------------------------------------------------------ */

static void append_item(struct buf *list, const struct catalogue_item *item)
{
	if (list->data[list->len - 1] != '[')
		buf_append_text(list, ",");
	buf_append_slice(list, item->json);
}

static void take_up(struct catalogue *c, struct entry *e)
{
	if (c->kind == KIND_RESOURCE)
		settle_uri(c, e);
	append_item(&c->list, &e->item);
	if (!map_get(&c->by_exposed, e->item.exposed))
		map_put(&c->by_exposed, e->item.exposed, &e->item);
	c->all[c->count++] = &e->item;
}

static void rebuild(struct catalogue *c)
{
	size_t total = 0;

	for (struct list *l = c->sections.next; l != &c->sections; l = l->next)
		total += LIST_ITEM(l, struct section, link)->count;
	map_finish(&c->by_exposed);
	c->all = mem_grow((void *)c->all, total * sizeof(*c->all));
	c->count = 0;
	buf_reset(&c->list, c->list.cap);
	buf_append_text(&c->list, "[");
	for (struct list *l = c->sections.next; l != &c->sections;
	     l = l->next) {
		struct section *s = LIST_ITEM(l, struct section, link);

		for (size_t i = 0; i < s->count; i++)
			take_up(c, &s->entries[i]);
	}
	buf_append_text(&c->list, "]");
	mem_random(&c->generation, sizeof(c->generation));
}

/* --- public --------------------------------------------------------------- */

struct catalogue *catalogue_new(enum kind kind, struct nametable *names)
{
	struct catalogue *c = mem_zalloc(sizeof(*c));

	c->kind = kind;
	c->names = names;
	list_init(&c->sections);
	rebuild(c);
	return c;
}

void catalogue_set(struct catalogue *c, const char *source,
		   const struct source_item *items, size_t count)
{
	struct section *s = section_of(c, source);

	drop_items(s);
	s->entries = mem_zalloc(count * sizeof(*s->entries));
	for (size_t i = 0; i < count; i++) {
		struct slice raw =
			json_get(items[i].json, kind_rows[c->kind].key);

		if (json_kind(raw) != JSON_STRING || items[i].key.len == 0 ||
		    map_get(&s->by_key, items[i].key)) {
			log_odd("catalogue",
				"source %s: %s %zu has no name of its own",
				source, kind_rows[c->kind].noun, i);
			continue;
		}
		add_entry(c, s, &items[i]);
	}
	rebuild(c);
}

void catalogue_forget(struct catalogue *c, const char *source)
{
	struct section *s = map_remove(&c->by_source, slice_of(source));

	if (!s)
		return;
	free_section(s);
	rebuild(c);
}

const struct catalogue_item *catalogue_find(const struct catalogue *c,
					    struct slice exposed)
{
	return map_get(&c->by_exposed, exposed);
}

const struct catalogue_item *catalogue_find_own(const struct catalogue *c,
						const char *source,
						struct slice key)
{
	const struct section *s = map_get(&c->by_source, slice_of(source));

	return s ? map_get(&s->by_key, key) : NULL;
}

const struct catalogue_item *catalogue_next(const struct catalogue *c,
					    size_t *at)
{
	return *at < c->count ? c->all[(*at)++] : NULL;
}

size_t catalogue_count(const struct catalogue *c)
{
	return c->count;
}

struct slice catalogue_list(const struct catalogue *c)
{
	return buf_slice(&c->list);
}

size_t catalogue_page(const struct catalogue *c, size_t offset,
		      struct buf *json)
{
	const size_t begin = json->len;
	size_t at = offset;

	buf_append_text(json, "[");
	while (at < c->count && at - offset < CATALOGUE_PAGE_ITEMS &&
	       json->len - begin < CATALOGUE_PAGE_BYTES)
		append_item(json, c->all[at++]);
	buf_append_text(json, "]");
	return at < c->count ? at : 0;
}

uint64_t catalogue_generation(const struct catalogue *c)
{
	return c->generation;
}

void catalogue_free(struct catalogue *c)
{
	size_t at = 0;
	struct map_entry *e;

	if (!c)
		return;
	while ((e = map_next(&c->by_source, &at)))
		free_section(e->value);
	map_finish(&c->by_source);
	map_finish(&c->by_exposed);
	free((void *)c->all);
	buf_finish(&c->list);
	free(c);
}
