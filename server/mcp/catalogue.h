/*
 * catalogue: what clients see of one kind, and whose it is.
 *
 * From exposed key to (source, the source's own key).  Tools and prompts get
 * names from the table of names; resources keep their URIs, and of two sources
 * with one URI the first has it, the other an alias; templates are listed as
 * they are.  The list that clients get is built once per change, verbatim but
 * for these keys.  Knows no source and no session.  Owned by the router.
 */
#ifndef SERVER_MCP_CATALOGUE_H
#define SERVER_MCP_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"
#include "server/mcp/kind.h"

struct buf;
struct catalogue;
struct nametable;
struct source_item;

enum {
	/* At most this many characters of [A-Za-z0-9_-]: some clients put 16
	 * before it and refuse a whole server for one name over 64. */
	CATALOGUE_NAME_BYTES = 48,
	/* What a page of a list holds. */
	CATALOGUE_PAGE_ITEMS = 1000,
	CATALOGUE_PAGE_BYTES = 1 << 20,
};

struct catalogue_item {
	struct slice exposed; /* what clients tell it by, decoded */
	const char *source;
	struct slice key;  /* the source's own, decoded */
	struct slice json; /* as clients see it: its key replaced */
	bool wrapped;	   /* project_tool() said so */
};

/* names outlives it; NULL where keys are no names. */
struct catalogue *catalogue_new(enum kind kind, struct nametable *names);

/* The source has these now, and no others.  Sources keep the order in which
 * they were first set.  Items without a valid key are left out. */
void catalogue_set(struct catalogue *c, const char *source,
		   const struct source_item *items, size_t count);

/* The source is gone. */
void catalogue_forget(struct catalogue *c, const char *source);

/* The item of that exposed key, or of that source and own key; NULL when
 * there is none.  Valid until the next change. */
const struct catalogue_item *catalogue_find(const struct catalogue *c,
					    struct slice exposed);
const struct catalogue_item *catalogue_find_own(const struct catalogue *c,
						const char *source,
						struct slice key);

/* All items in their order: *at starts at 0; NULL at the end. */
const struct catalogue_item *catalogue_next(const struct catalogue *c,
					    size_t *at);
size_t catalogue_count(const struct catalogue *c);

/* All of them: a JSON array. */
struct slice catalogue_list(const struct catalogue *c);

/* Append one page of them from the offset on, a JSON array.  Returns the
 * offset of the next page, or 0 when this one is the last. */
size_t catalogue_page(const struct catalogue *c, size_t offset,
		      struct buf *json);

/* A random number, another one after every change. */
uint64_t catalogue_generation(const struct catalogue *c);

/* Append the items that hold every word of query, best first, at most limit:
 * a JSON array as struct builtin_hub.search describes it. */
void catalogue_search(const struct catalogue *c, struct slice query,
		      unsigned limit, struct buf *json);

/* c may be NULL. */
void catalogue_free(struct catalogue *c);

#endif
