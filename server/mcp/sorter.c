#include "server/mcp/sorter.h"

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"

/* Told at each power of two, and never shown: it may be anything. */
static void tell_rubbish(struct sorter *s, const struct err *why)
{
	s->rubbish++;
	if ((s->rubbish & (s->rubbish - 1)) == 0)
		log_odd("source",
			"source %s writes to stdout what is no message (%u so "
			"far): %s",
			s->source, s->rubbish, why->text);
}

static bool read_message(struct sorter *s, struct slice text, struct buf *whole,
			 const struct sorter_events *events, void *owner)
{
	struct jsonrpc m = {0};
	struct err e;

	if (jsonrpc_slice(text, &m, &e)) {
		m.whole = whole;
		return events->message(owner, &m);
	}
	tell_rubbish(s, &e);
	if (e.reason == ERR_INVALID_REQUEST && m.id.len > 0 &&
	    json_get(text, "method").len == 0)
		return events->misfit(owner, m.id, &e);
	return true;
}

/* MCP 2025-03-26, Batching: "implementations MAY support sending JSON-RPC
 * batches, but MUST support receiving JSON-RPC batches." */
void sorter_read(struct sorter *s, struct slice line, struct buf *whole,
		 const struct sorter_events *events, void *owner)
{
	struct slice element;
	struct err e;
	size_t at = 0;

	if (!jsonrpc_is_batch(line)) {
		read_message(s, line, whole, events, owner);
	} else if (!json_check(line, &e)) {
		tell_rubbish(s, &e);
	} else {
		while (json_next_element(line, &at, &element))
			if (!read_message(s, element, NULL, events, owner))
				return;
	}
}

bool sorter_describe(const char *source, const char *method,
		     const struct jsonrpc *m, struct err *e)
{
	struct slice message = json_get(m->error, "message");
	struct buf text = {0};

	if (json_kind(message) == JSON_STRING)
		json_unquote(&text, message);
	err_set(e, ERR_SOURCE_PROTOCOL,
		"source %s answers %s with an error: %.*s", source, method,
		text.len < 200 ? (int)text.len : 200,
		text.data ? text.data : "");
	buf_finish(&text);
	return false;
}
