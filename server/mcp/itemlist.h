/*
 * itemlist: what a source has of one kind, read page by page.
 *
 * A server may be wrong or hostile: a cursor that comes back, pages or items
 * without end, and bytes without end are refused.  An item that would make a
 * client refuse the whole list (no name, no object as schema) is left out and
 * logged; of two with one key the first stays.  A zeroed struct is an empty
 * list of tools.  No I/O.
 */
#ifndef SERVER_MCP_ITEMLIST_H
#define SERVER_MCP_ITEMLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/map.h"
#include "server/mcp/kind.h"

struct err;
struct jsonrpc;
struct source_item;

enum {
	ITEMLIST_PAGES = 1000,
	ITEMLIST_ITEMS = 10000,
	ITEMLIST_BYTES = 64 << 20,
};

struct itemlist {
	enum kind kind;
	struct source_item *items;
	char **texts; /* what the items point at, one block for each */
	size_t count;
	size_t cap;
	/* Of the reading; done with after the last page. */
	size_t bytes;
	unsigned pages;
	struct map keys;    /* -> the list */
	struct map cursors; /* -> the list */
	struct buf cursor;  /* raw, of the page to ask for next */
};

/* Append the request of the next page, with that number as its id. */
void itemlist_ask(const struct itemlist *l, struct buf *line, uint64_t number);

/* Add the page in the answer to it.  *more says whether there is another. */
bool itemlist_learn(struct itemlist *l, const char *source,
		    const struct jsonrpc *answer, bool *more, struct err *e);

/* The list is zeroed, but for its kind. */
void itemlist_finish(struct itemlist *l);

#endif
