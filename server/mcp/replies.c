#include "server/mcp/replies.h"

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"

void reply_text(struct router *r, struct reply_to to, struct buf *json,
		bool failed)
{
	struct session *s = sessions_find(r->sessions, to.session);

	r->requests++;
	if (failed)
		r->errors++;
	if (s)
		session_answer(s, to.id, json);
	buf_finish(json);
}

void reply_result(struct router *r, struct reply_to to, struct slice result)
{
	struct buf text = {0};

	jsonrpc_result(&text, to.id, result);
	reply_text(r, to, &text, false);
}

void reply_error_with(struct router *r, struct reply_to to, const struct err *e,
		      const char *extra)
{
	struct buf text = {0};

	jsonrpc_error(&text, to.id, e, extra);
	reply_text(r, to, &text, true);
}

void reply_error(struct router *r, struct reply_to to, const struct err *e,
		 const char *source)
{
	struct buf extra = {0};

	if (source) {
		buf_append_text(&extra, "\"source\":");
		json_quote(&extra, slice_of(source));
		buf_append(&extra, "", 1);
	}
	reply_error_with(r, to, e, extra.data);
	buf_finish(&extra);
}
