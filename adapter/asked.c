#include "adapter/asked.h"

#include <string.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"

static struct slice id_at(const struct asked *a, size_t i)
{
	return (struct slice){a->list[i].id, a->list[i].len};
}

static void forget(struct asked *a, size_t i)
{
	a->count--;
	memmove(&a->list[i], &a->list[i + 1],
		(a->count - i) * sizeof(*a->list));
}

/* A daemon of another version may ask more, or by longer ids: what is not kept
 * cannot be answered, and ends when the daemon has waited long enough. */
static void note(struct asked *a, struct slice id)
{
	if (id.len > ASKED_ID_BYTES)
		return;
	if (a->count == ASKED_MOST)
		forget(a, 0);
	memcpy(a->list[a->count].id, id.ptr, id.len);
	a->list[a->count++].len = id.len;
}

bool asked_take(struct asked *a, struct slice id)
{
	for (size_t i = 0; i < a->count; i++) {
		if (!slice_equal(id_at(a, i), id))
			continue;
		forget(a, i);
		return true;
	}
	return false;
}

void asked_observe(struct asked *a, const struct jsonrpc *m)
{
	if (m->kind == JSONRPC_REQUEST)
		note(a, m->id);
	else if (m->kind == JSONRPC_NOTIFICATION &&
		 jsonrpc_method_is(m, "notifications/cancelled"))
		asked_take(a, json_get(m->params, "requestId"));
}

bool asked_withdraw(struct asked *a, struct buf *to)
{
	struct buf params = {0};

	if (a->count == 0)
		return false;
	buf_append_text(&params, "{\"requestId\":");
	buf_append_slice(&params, id_at(a, 0));
	buf_append_text(&params, ",\"reason\":\"the daemon was lost\"}");
	jsonrpc_request(to, (struct slice){NULL, 0}, "notifications/cancelled",
			buf_slice(&params));
	buf_finish(&params);
	forget(a, 0);
	return true;
}
