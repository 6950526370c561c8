/*
 * catalogue: the tools that clients see, and whose they are.
 *
 * One table from exposed name to (source, the source's own name).  A name is
 * given once and kept for ever, in the store: adding a source renames nothing.
 * The list that clients get is built once per change, verbatim but for the
 * names.  Knows no source and no session.  Owned by the router.
 */
#ifndef SERVER_MCP_CATALOGUE_H
#define SERVER_MCP_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct buf;
struct catalogue;
struct source_tool;

/* At most this many characters of [A-Za-z0-9_-]: some clients put 16 before
 * it and refuse a whole server for one name over 64. */
enum { CATALOGUE_NAME_BYTES = 48 };

struct catalogue_tool {
	struct slice exposed;
	const char *source;
	struct slice name; /* the source's own, decoded */
	struct slice json; /* the tool as clients see it: its name replaced */
	bool wrapped;	   /* project_tool() said so */
};

struct catalogue *catalogue_new(void);

/* A name that was given in an earlier life; before any catalogue_set(). */
void catalogue_remember(struct catalogue *c, const char *source,
			struct slice name, struct slice exposed);

/* The source has these tools now, and no others.  Sources keep the order in
 * which they were first set.  Tools without a valid name are left out. */
void catalogue_set(struct catalogue *c, const char *source,
		   const struct source_tool *tools, size_t count);

/* The source and its names are gone. */
void catalogue_forget(struct catalogue *c, const char *source);

/* The tool of that exposed name, or of that source and own name; NULL when
 * there is none.  Valid until the next change. */
const struct catalogue_tool *catalogue_find(const struct catalogue *c,
					    struct slice exposed);
const struct catalogue_tool *catalogue_find_own(const struct catalogue *c,
						const char *source,
						struct slice name);

/* The source that was given this exposed name, also for a tool that is not
 * there now; NULL when none was. */
const char *catalogue_whose(const struct catalogue *c, struct slice exposed);

/* All tools in their order: *at starts at 0; NULL at the end. */
const struct catalogue_tool *catalogue_next(const struct catalogue *c,
					    size_t *at);
size_t catalogue_count(const struct catalogue *c);

/* The value of "tools" in a list result: a JSON array. */
struct slice catalogue_list(const struct catalogue *c);

/* Append the tools that hold every word of query, best first, at most limit:
 * a JSON array as struct builtin_hub.search describes it. */
void catalogue_search(const struct catalogue *c, struct slice query,
		      unsigned limit, struct buf *json);

/* c may be NULL. */
void catalogue_free(struct catalogue *c);

#endif
