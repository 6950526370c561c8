#include "server/mcp/catalogue.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/list.h"
#include "proto/log.h"
#include "proto/map.h"
#include "proto/mem.h"
#include "server/mcp/names.h"
#include "server/mcp/project.h"
#include "server/mcp/source.h"

_Static_assert((int)CATALOGUE_NAME_BYTES == (int)NAMES_BYTES,
	       "one bound on names");

/* A name that was given, perhaps to a tool that is gone.  Owned by a
 * section. */
struct given {
	struct list link;
	const char *source;
	char *name; /* the source's own, of name_len bytes */
	size_t name_len;
	char exposed[NAMES_BYTES + 1];
};

/* A tool as clients see it.  Owned by a section. */
struct entry {
	struct catalogue_tool tool;
	char *json; /* what tool.json points at */
};

/* What one source has.  Owned by the catalogue. */
struct section {
	struct list link;
	char *source;
	bool set;
	struct list given;
	struct map by_own; /* own name -> struct given */
	struct entry *entries;
	size_t count;
};

struct catalogue {
	struct list sections;  /* in the order in which they were first set */
	struct list unset;     /* known by their names only */
	struct map by_source;  /* -> struct section */
	struct map by_given;   /* exposed -> struct given, of all sections */
	struct map by_exposed; /* -> struct catalogue_tool */
	const struct catalogue_tool **all;
	size_t count;
	struct buf list; /* the JSON array */
};

static struct section *section_of(struct catalogue *c, const char *source)
{
	struct section *s = map_get(&c->by_source, slice_of(source));

	if (s)
		return s;
	s = mem_zalloc(sizeof(*s));
	s->source = mem_text(source);
	list_init(&s->given);
	list_append(&c->unset, &s->link);
	map_put(&c->by_source, slice_of(source), s);
	return s;
}

static struct given *give(struct catalogue *c, struct section *s,
			  struct slice name, struct slice exposed)
{
	struct given *g = mem_zalloc(sizeof(*g));

	assert(exposed.len <= NAMES_BYTES);
	g->source = s->source;
	g->name = mem_ntext(name.ptr, name.len);
	g->name_len = name.len;
	memcpy(g->exposed, exposed.ptr, exposed.len);
	list_append(&s->given, &g->link);
	map_put(&s->by_own, name, g);
	map_put(&c->by_given, exposed, g);
	return g;
}

/* The name it has, or the first one that is free. */
static const struct given *name_tool(struct catalogue *c, struct section *s,
				     struct slice name)
{
	const struct given *g = map_get(&s->by_own, name);
	char exposed[NAMES_BYTES + 1];
	unsigned try = 0;

	if (g)
		return g;
	do
		names_expose(exposed, s->source, name, try++);
	while (map_get(&c->by_given, slice_of(exposed)));
	return give(c, s, name, slice_of(exposed));
}

static void drop_tools(struct section *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->entries[i].json);
	free(s->entries);
	s->entries = NULL;
	s->count = 0;
}

static void free_section(struct section *s)
{
	drop_tools(s);
	while (!list_empty(&s->given)) {
		struct given *g =
			LIST_ITEM(list_pop(&s->given), struct given, link);

		free(g->name);
		free(g);
	}
	map_finish(&s->by_own);
	list_remove(&s->link);
	free(s->source);
	free(s);
}

/* The tool's own text with another name in it, and as every client takes it. */
static void add_entry(struct section *s, const struct given *g,
		      struct slice json)
{
	struct json_edit edit = {.old = json_get(json, "name")};
	struct buf quoted = {0};
	struct buf renamed = {0};
	struct buf shown = {0};
	struct entry *entry = &s->entries[s->count++];

	json_quote(&quoted, slice_of(g->exposed));
	edit.with = buf_slice(&quoted);
	json_splice(&renamed, json, &edit, 1);
	bool wrapped = project_tool(&shown, buf_slice(&renamed));
	entry->json = mem_copy(shown.data, shown.len);
	entry->tool = (struct catalogue_tool){
		.exposed = slice_of(g->exposed),
		.source = s->source,
		.name = {g->name, g->name_len},
		.json = {entry->json, shown.len},
		.wrapped = wrapped,
	};
	buf_finish(&quoted);
	buf_finish(&renamed);
	buf_finish(&shown);
}

/* Everything that is derived from the sections. */
static void rebuild(struct catalogue *c)
{
	size_t at = 0;

	map_finish(&c->by_exposed);
	c->count = 0;
	for (struct list *l = c->sections.next; l != &c->sections; l = l->next)
		c->count += LIST_ITEM(l, struct section, link)->count;
	c->all = mem_grow((void *)c->all, c->count * sizeof(*c->all));
	buf_reset(&c->list, c->list.cap);
	buf_append_text(&c->list, "[");
	for (struct list *l = c->sections.next; l != &c->sections;
	     l = l->next) {
		struct section *s = LIST_ITEM(l, struct section, link);

		for (size_t i = 0; i < s->count; i++) {
			struct catalogue_tool *t = &s->entries[i].tool;

			if (at > 0)
				buf_append_text(&c->list, ",");
			buf_append_slice(&c->list, t->json);
			map_put(&c->by_exposed, t->exposed, t);
			c->all[at++] = t;
		}
	}
	buf_append_text(&c->list, "]");
}

struct catalogue *catalogue_new(void)
{
	struct catalogue *c = mem_zalloc(sizeof(*c));

	list_init(&c->sections);
	list_init(&c->unset);
	rebuild(c);
	return c;
}

void catalogue_remember(struct catalogue *c, const char *source,
			struct slice name, struct slice exposed)
{
	struct section *s = section_of(c, source);

	if (exposed.len > NAMES_BYTES || map_get(&s->by_own, name) ||
	    map_get(&c->by_given, exposed)) {
		log_odd("catalogue", "source %s: a stored name is not usable",
			source);
		return;
	}
	give(c, s, name, exposed);
}

void catalogue_set(struct catalogue *c, const char *source,
		   const struct source_tool *tools, size_t count)
{
	struct section *s = section_of(c, source);
	struct map seen = {0};

	if (!s->set) {
		s->set = true;
		list_remove(&s->link);
		list_append(&c->sections, &s->link);
	}
	drop_tools(s);
	s->entries = mem_alloc(count * sizeof(*s->entries));
	for (size_t i = 0; i < count; i++) {
		struct slice name = tools[i].name;
		struct slice raw = json_get(tools[i].json, "name");

		if (json_kind(raw) != JSON_STRING || name.len == 0 ||
		    map_get(&seen, name)) {
			log_odd("catalogue",
				"source %s: tool %zu has no name of its own",
				source, i);
			continue;
		}
		map_put(&seen, name, s);
		add_entry(s, name_tool(c, s, name), tools[i].json);
	}
	map_finish(&seen);
	rebuild(c);
}

void catalogue_forget(struct catalogue *c, const char *source)
{
	struct section *s = map_remove(&c->by_source, slice_of(source));

	if (!s)
		return;
	for (struct list *l = s->given.next; l != &s->given; l = l->next) {
		const struct given *g = LIST_ITEM(l, struct given, link);

		map_remove(&c->by_given, slice_of(g->exposed));
	}
	free_section(s);
	rebuild(c);
}

const struct catalogue_tool *catalogue_find(const struct catalogue *c,
					    struct slice exposed)
{
	return map_get(&c->by_exposed, exposed);
}

const struct catalogue_tool *catalogue_find_own(const struct catalogue *c,
						const char *source,
						struct slice name)
{
	const struct section *s = map_get(&c->by_source, slice_of(source));
	const struct given *g = s ? map_get(&s->by_own, name) : NULL;

	return g ? catalogue_find(c, slice_of(g->exposed)) : NULL;
}

const char *catalogue_whose(const struct catalogue *c, struct slice exposed)
{
	const struct given *g = map_get(&c->by_given, exposed);

	return g ? g->source : NULL;
}

const struct catalogue_tool *catalogue_next(const struct catalogue *c,
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

void catalogue_free(struct catalogue *c)
{
	size_t at = 0;
	struct map_entry *e;

	if (!c)
		return;
	while ((e = map_next(&c->by_source, &at)))
		free_section(e->value);
	map_finish(&c->by_source);
	map_finish(&c->by_given);
	map_finish(&c->by_exposed);
	free((void *)c->all);
	buf_finish(&c->list);
	free(c);
}
