/*
 * toollist: the tools of a source, read page by page.
 *
 * A server may be wrong or hostile: a cursor that comes back, pages or tools
 * without end, and bytes without end are refused.  A tool that would make a
 * client refuse the whole list (no name, no object as schema) is left out and
 * logged; of two with one name the first stays.  A zeroed struct is an empty
 * list.  No I/O.
 */
#ifndef SERVER_MCP_TOOLLIST_H
#define SERVER_MCP_TOOLLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/map.h"

struct err;
struct jsonrpc;
struct source_tool;

enum {
	TOOLLIST_PAGES = 1000,
	TOOLLIST_TOOLS = 10000,
	TOOLLIST_BYTES = 64 << 20,
	TOOLLIST_NAME_BYTES = 256,
};

struct toollist {
	struct source_tool *tools;
	char **texts; /* what the tools point at, one block for each */
	size_t count;
	size_t cap;
	/* Of the reading; done with after the last page. */
	size_t bytes;
	unsigned pages;
	struct map names;   /* -> the list */
	struct map cursors; /* -> the list */
	struct buf cursor;  /* raw, of the page to ask for next */
};

/* Append the request of the next page, with that number as its id. */
void toollist_ask(const struct toollist *l, struct buf *line, uint64_t number);

/* Add the page in the answer to it.  *more says whether there is another. */
bool toollist_learn(struct toollist *l, const char *source,
		    const struct jsonrpc *answer, bool *more, struct err *e);

/* The list is zeroed. */
void toollist_finish(struct toollist *l);

#endif
