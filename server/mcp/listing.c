/* The lists of the hub, page by page. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "server/mcp/methods.h"

enum { CURSOR_BYTES = 48 };

/* What a cursor says: "<generation>-<offset>" in hexadecimal.  The generation
 * is random and another one after every change, so that nobody makes a cursor
 * up, and a page never goes on in another list. */
static void append_cursor(struct buf *result, uint64_t generation,
			  size_t offset)
{
	buf_printf(result, ",\"nextCursor\":\"%016" PRIx64 "-%zx\"", generation,
		   offset);
}

/* MCP 2025-11-25, Pagination: "Invalid cursors SHOULD result in an error with
 * code -32602 (Invalid params)." */
static bool read_cursor(const struct catalogue *c, struct slice params,
			size_t *offset, struct err *e)
{
	struct slice value = json_get(params, "cursor");
	char text[CURSOR_BYTES];
	char sealed[CURSOR_BYTES];

	*offset = 0;
	if (value.len == 0)
		return true;
	if (json_kind(value) == JSON_STRING && value.len < sizeof(text) &&
	    value.len > 19) {
		memcpy(text, value.ptr, value.len);
		text[value.len] = '\0';
		*offset = (size_t)strtoull(text + 18, NULL, 16);
		snprintf(sealed, sizeof(sealed), "\"%016" PRIx64 "-%zx\"",
			 catalogue_generation(c), *offset);
		if (strcmp(text, sealed) == 0 && *offset > 0 &&
		    *offset < catalogue_count(c))
			return true;
	}
	return err_set(e, ERR_INVALID_PARAMS,
		       "this cursor was not given out here, or the list has "
		       "changed since");
}

static void answer_list(struct router *r, const struct asked *a, enum kind kind)
{
	const struct catalogue *c = r->catalogues[kind];
	struct buf result = {0};
	size_t offset;
	struct err e;

	if (asked_waits(r, a, 1u << kind))
		return;
	if (!read_cursor(c, a->m->params, &offset, &e)) {
		reply_error(r, a->to, &e, NULL);
		return;
	}
	buf_printf(&result, "{\"%s\":", kind_rows[kind].member);
	offset = catalogue_page(c, offset, &result);
	if (offset > 0)
		append_cursor(&result, catalogue_generation(c), offset);
	buf_append_text(&result, "}");
	reply_result(r, a->to, buf_slice(&result));
	buf_finish(&result);
}

void method_list_tools(struct router *r, const struct asked *a)
{
	answer_list(r, a, KIND_TOOL);
}

void method_list_resources(struct router *r, const struct asked *a)
{
	answer_list(r, a, KIND_RESOURCE);
}

void method_list_templates(struct router *r, const struct asked *a)
{
	answer_list(r, a, KIND_TEMPLATE);
}

void method_list_prompts(struct router *r, const struct asked *a)
{
	answer_list(r, a, KIND_PROMPT);
}
