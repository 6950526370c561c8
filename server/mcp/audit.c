#include "server/mcp/audit.h"

#include <stdio.h>
#include <time.h>

#include "proto/buf.h"
#include "proto/clock.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "server/mcp/result.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"
#include "server/store/audit.h"

enum { NAME_BYTES = 512 }; /* of what a client named, a URI perhaps */

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void add(struct routed *at, const struct audited *call,
		size_t answer_bytes, const char *outcome)
{
	struct router *r = at->router;
	const struct session *s = sessions_find(r->sessions, call->session);
	struct session_info info = {.client_name = ""};
	struct buf method = {0};

	if (r->options.audit_rows == 0)
		return;
	if (s)
		session_describe(s, &info);
	json_unquote(&method, call->method);
	const struct stored_audit row = {
		.ended_ms = wall_ms(),
		.duration_us = (uint64_t)(clock_now_us() - call->started_us),
		.client = info.client_name,
		.source = source_name(at->source),
		.method = buf_slice(&method),
		.name = {call->name.ptr, call->name.len < NAME_BYTES
						 ? call->name.len
						 : NAME_BYTES},
		.request_bytes = call->request_bytes,
		.answer_bytes = answer_bytes,
		.outcome = outcome,
	};
	store_audit_add(r->store, &row, r->options.audit_rows);
	buf_finish(&method);
}

void audit_answer(struct routed *at, const struct audited *call,
		  const struct jsonrpc *answer, const struct result *result)
{
	struct slice code = json_get(answer->error, "code");
	char outcome[32] = "ok";

	if (answer->kind == JSONRPC_ERROR)
		snprintf(outcome, sizeof(outcome), "error %.*s",
			 (int)(code.len < 12 ? code.len : 12), code.ptr);
	else if (result->failed)
		snprintf(outcome, sizeof(outcome), "tool_error");
	add(at, call, answer->text.len, outcome);
}

void audit_failure(struct routed *at, const struct audited *call,
		   const char *why)
{
	add(at, call, 0, why);
}
