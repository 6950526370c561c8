/* One request as a session of its own: no stream, no id, gone after the
 * answer. */
#include <stddef.h>

#include "proto/err.h"
#include "server/mcp/router.h"
#include "server/mcp/sessions.h"

struct session *session_single(struct sessions *all, struct slice json,
			       const char *source, enum mcp_level level,
			       const struct session_single *events, void *owner,
			       struct err *e)
{
	struct jsonrpc m = {0};

	if (!sessions_admit(all, true, e))
		return NULL;
	if (json.len > all->limits.message_bytes) {
		err_set(e, ERR_TOO_LARGE,
			"the request has %zu bytes; the limit is %zu", json.len,
			all->limits.message_bytes);
		return NULL;
	}
	if (!jsonrpc_slice(json, &m, e))
		return NULL;
	if (m.kind != JSONRPC_REQUEST) {
		err_set(e, ERR_INVALID_REQUEST,
			"this is not a request: it needs an id and a method");
		return NULL;
	}
	struct session *s = session_new(all, SESSION_SINGLE);
	s->single = events;
	s->single_owner = owner;
	if (events->notify)
		session_set_log_level(s, (int)level);
	session_remember(s, &m, 1, NULL);
	router_request(all->router, s, &m, source);
	return s;
}

void session_abandon(struct session *s)
{
	session_free(s);
}
