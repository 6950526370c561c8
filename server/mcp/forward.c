#include "server/mcp/forward.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "server/mcp/source.h"

/* A uint64_t in decimal, as an id and as a token. */
struct decimal {
	char text[24];
};

static struct slice decimal(struct decimal *d, uint64_t number)
{
	int len = snprintf(d->text, sizeof(d->text), "%" PRIu64, number);

	return (struct slice){d->text, (size_t)len};
}

/* json_splice() wants the order of the text; members come in any. */
static void add_edit(struct json_edit *edits, size_t *count, struct slice old,
		     struct slice with)
{
	size_t at = (*count)++;

	for (; at > 0 && edits[at - 1].old.ptr > old.ptr; at--)
		edits[at] = edits[at - 1];
	edits[at] = (struct json_edit){old, with};
}

/* MCP, stdio: "Messages are delimited by newlines, and MUST NOT contain
 * embedded newlines." */
static bool is_one_line(struct slice text)
{
	return !memchr(text.ptr, '\n', text.len) &&
	       !memchr(text.ptr, '\r', text.len);
}

void forward_request(struct buf *to, const struct source_request *r,
		     uint64_t number)
{
	struct json_edit edits[3] = {0};
	struct decimal storage;
	struct slice id = decimal(&storage, number);
	struct buf name = {0};
	struct buf spliced = {0};
	size_t count = 0;

	assert(r->m->id.len > 0);
	add_edit(edits, &count, r->m->id, id);
	if (r->name_old.len > 0) {
		json_quote(&name, r->name_new);
		add_edit(edits, &count, r->name_old, buf_slice(&name));
	}
	if (r->token_old.len > 0)
		add_edit(edits, &count, r->token_old, id);
	if (is_one_line(r->m->text)) {
		json_splice(to, r->m->text, edits, count);
	} else {
		json_splice(&spliced, r->m->text, edits, count);
		json_one_line(to, buf_slice(&spliced));
	}
	buf_finish(&name);
	buf_finish(&spliced);
}

void forward_own(struct buf *to, uint64_t number, const char *method,
		 struct slice params)
{
	struct decimal storage;

	jsonrpc_request(to, decimal(&storage, number), method, params);
}

void forward_cancelled(struct buf *to, uint64_t number, struct slice reason)
{
	struct decimal storage;
	struct buf params = {0};

	buf_append_text(&params, "{\"requestId\":");
	buf_append_slice(&params, decimal(&storage, number));
	if (json_kind(reason) == JSON_STRING) {
		buf_append_text(&params, ",\"reason\":");
		buf_append_slice(&params, reason);
	}
	buf_append_text(&params, "}");
	jsonrpc_request(to, (struct slice){NULL, 0}, "notifications/cancelled",
			buf_slice(&params));
	buf_finish(&params);
}

/* MCP, Ping: "The receiver MUST respond promptly with an empty response." */
void forward_refusal(struct buf *to, const struct jsonrpc *m)
{
	struct err e;

	if (jsonrpc_method_is(m, "ping")) {
		jsonrpc_result(to, m->id, slice_of("{}"));
		return;
	}
	err_set(&e, ERR_METHOD_NOT_FOUND,
		"executor does not serve this method to sources");
	jsonrpc_error(to, m->id, &e, NULL);
}
