#include "adapter/local.h"

#include <string.h>
#include <time.h>

#include "adapter/ledger.h"
#include "proto/buf.h"
#include "proto/envelope.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mcp.h"

enum {
	NAME_BYTES = 256, /* of a tool or method, in an error */
	BATCH_MESSAGES = 1024,
};

/* The only revision that has batches. */
static const char batch_revision[] = "2025-03-26";

static void answer_initialize(struct buf *to, const struct jsonrpc *request)
{
	struct buf result = {0};

	mcp_initialize_result(&result, request->params,
			      (struct slice){NULL, 0});
	jsonrpc_result(to, request->id, buf_slice(&result));
	buf_finish(&result);
}

static void refuse(struct buf *to, struct slice id, enum reason reason,
		   const char *text)
{
	struct err e;

	err_set(&e, reason, "%s", text);
	jsonrpc_error(to, id, &e, NULL);
}

bool local_answer(struct buf *to, const struct jsonrpc *request, bool attached,
		  bool in_batch)
{
	if (jsonrpc_method_is(request, "initialize")) {
		/* MCP 2025-03-26, Lifecycle, Initialization: "The initialize
		 * request MUST NOT be part of a JSON-RPC batch". */
		if (in_batch)
			refuse(to, request->id, ERR_INVALID_REQUEST,
			       "initialize must not be part of a batch");
		else
			answer_initialize(to, request);
		return true;
	}
	if (jsonrpc_method_is(request, "server/discover")) {
		/* A client of both eras goes on with initialize, at once. */
		refuse(to, request->id, ERR_METHOD_NOT_FOUND,
		       "no server/discover here: use initialize");
		return true;
	}
	if (jsonrpc_method_is(request, "ping") && !attached) {
		jsonrpc_result(to, request->id, slice_of("{}"));
		return true;
	}
	return false;
}

static void append_known(struct buf *extra, const envelope_known_t *known)
{
	time_t seconds = (time_t)(known->accepted_ms / 1000);
	struct tm utc;
	char text[32];

	if (extra->len > 0)
		buf_append_text(extra, ",");
	if (*known->source) {
		buf_append_text(extra, "\"source\":");
		json_quote(extra, slice_of(known->source));
		buf_append_text(extra, ",");
	}
	if (gmtime_r(&seconds, &utc) &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc) > 0)
		buf_printf(extra, "\"acceptedAt\":\"%s\",", text);
	buf_printf(extra, "\"ended\":%s", known->ended ? "true" : "false");
}

/* Which request it was: a person may not see ids. */
void local_failure(struct buf *to, const struct ledger_entry *entry,
		   const struct err *why, const envelope_known_t *known)
{
	struct slice tool = json_get(entry->params, "name");
	struct buf extra = {0};

	if (entry->method.len <= NAME_BYTES) {
		buf_append_text(&extra, "\"method\":");
		buf_append_slice(&extra, entry->method);
		if (json_kind(tool) == JSON_STRING && tool.len <= NAME_BYTES) {
			buf_append_text(&extra, ",\"tool\":");
			buf_append_slice(&extra, tool);
		}
	}
	if (known)
		append_known(&extra, known);
	buf_append(&extra, "", 1);
	jsonrpc_error(to, entry->id, why, extra.len > 1 ? extra.data : NULL);
	buf_finish(&extra);
}

void local_overlong(struct buf *to, struct slice start)
{
	struct slice id = json_get(start, "id");
	enum json_kind kind = json_kind(id);
	struct err e;

	/* What touches the end may go on behind it. */
	if ((kind != JSON_STRING && kind != JSON_NUMBER) ||
	    id.ptr + id.len == start.ptr + start.len)
		id = (struct slice){NULL, 0};
	err_set(&e, ERR_TOO_LARGE, "a message has more than %zu bytes",
		ENVELOPE_MESSAGE_BYTES);
	jsonrpc_error(to, id, &e, NULL);
}

bool local_check_batch(struct slice text, const char *revision, struct err *e)
{
	struct slice message;
	size_t count = 0;
	size_t at = 0;

	if (!json_check(text, e))
		return false;
	if (!revision || strcmp(revision, batch_revision) != 0)
		return err_set(e, ERR_INVALID_REQUEST,
			       "batches belong to revision %s; this session "
			       "has %s",
			       batch_revision, revision ? revision : "none");
	while (count <= BATCH_MESSAGES &&
	       json_next_element(text, &at, &message))
		count++;
	if (count == 0)
		return err_set(e, ERR_INVALID_REQUEST, "an empty batch");
	if (count > BATCH_MESSAGES)
		return err_set(e, ERR_TOO_LARGE,
			       "a batch of more than %d messages",
			       BATCH_MESSAGES);
	return true;
}

bool local_waiting_helps(enum reason trouble)
{
	return trouble == ERR_DAEMON_STARTING ||
	       trouble == ERR_DAEMON_UNREACHABLE ||
	       trouble == ERR_DAEMON_STOPPED || trouble == ERR_LOST ||
	       trouble == ERR_DRAINING || trouble == ERR_OVERLOADED ||
	       trouble == ERR_MISMATCH;
}
