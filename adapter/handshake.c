#include "adapter/handshake.h"

#include <string.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/h2.h"
#include "proto/json.h"
#include "proto/version.h"

enum { TEXT_BYTES = 300 }; /* of the daemon's, in a text of ours */

struct meaning {
	enum reason reason;
	enum election_refusal how;
};

static const struct meaning goodbyes[] = {
	[EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_UNSPECIFIED] =
		{ERR_LOST, ELECTION_GONE},
	[EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_CLIENT_LEFT] =
		{ERR_LOST, ELECTION_GONE},
	[EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING] = {ERR_DRAINING,
								 ELECTION_GONE},
	[EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_SUPERSEDED] =
		{ERR_LOST, ELECTION_GONE},
	[EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_PROTOCOL_ERROR] =
		{ERR_PROTOCOL, ELECTION_OTHER},
	[EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_SLOW_READER] =
		{ERR_OVERLOADED, ELECTION_GONE},
	[EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_MISMATCH] =
		{ERR_MISMATCH, ELECTION_OTHER},
};

static struct meaning meaning_of_status(unsigned long long code)
{
	if (code == GRPC_UNAVAILABLE)
		return (struct meaning){ERR_DRAINING, ELECTION_GONE};
	if (code == GRPC_FAILED_PRECONDITION)
		return (struct meaning){ERR_MISMATCH, ELECTION_OTHER};
	if (code == GRPC_RESOURCE_EXHAUSTED)
		return (struct meaning){ERR_OVERLOADED, ELECTION_OTHER};
	return (struct meaning){ERR_DAEMON_UNREACHABLE, ELECTION_OTHER};
}

bool handshake_fits(const struct manifest *m, bool may_start, struct err *e)
{
	bool too_old = m->protocol_min > version_protocol_max;

	if (!too_old && m->protocol_max >= version_protocol_min)
		return true;
	if (!too_old && may_start &&
	    version_compare(m->version, version_text) < 0)
		return true;
	return err_set(e, ERR_VERSION,
		       "the daemon (version %s, pid %lld) speaks protocol %u "
		       "to %u, this adapter (version %s) %u to %u: %s",
		       m->version, (long long)m->pid, m->protocol_min,
		       m->protocol_max, version_text, version_protocol_min,
		       version_protocol_max,
		       too_old ? "upgrade the adapter, then start the client "
				 "anew"
			       : "end it with `executor daemon stop`, then try "
				 "again");
}

void handshake_hello(envelope_hello_t *hello, struct manifest *m,
		     bool may_start)
{
	executor__mcp__v1__hello__init(hello);
	hello->protocol_min = version_protocol_min;
	hello->protocol_max = version_protocol_max;
	hello->version = (char *)(uintptr_t)version_text;
	hello->replace_older = may_start;
	hello->epoch = m->epoch;
	hello->keeps_untaken = true;
	hello->daemon_instance.data = m->instance;
	hello->daemon_instance.len = sizeof(m->instance);
}

bool handshake_check(const envelope_welcome_t *w, const struct manifest *m,
		     struct err *e)
{
	if (w->epoch != m->epoch ||
	    w->daemon_instance.len != sizeof(m->instance) ||
	    memcmp(w->daemon_instance.data, m->instance, sizeof(m->instance)) !=
		    0)
		return err_set(e, ERR_MISMATCH,
			       "the daemon is not the one of the manifest "
			       "(epoch %llu, not %llu)",
			       (unsigned long long)w->epoch,
			       (unsigned long long)m->epoch);
	if (w->protocol < version_protocol_min ||
	    w->protocol > version_protocol_max)
		return err_set(e, ERR_MISMATCH,
			       "the daemon (version %s) speaks protocol %u, "
			       "this adapter (version %s) %u to %u",
			       w->version, (unsigned)w->protocol, version_text,
			       version_protocol_min, version_protocol_max);
	if (w->session.len != ENVELOPE_ID_BYTES)
		return err_set(e, ERR_PROTOCOL, "a Welcome without a session");
	return true;
}

enum election_refusal handshake_goodbye(const envelope_goodbye_t *g,
					struct err *e)
{
	size_t reason = (size_t)g->reason;

	if (reason >= sizeof(goodbyes) / sizeof(*goodbyes))
		reason = 0; /* of a later protocol */
	err_set(e, goodbyes[reason].reason, "the daemon ended the session: %s",
		g->text);
	return goodbyes[reason].how;
}

bool handshake_status(const struct h2_headers *h, enum election_refusal *how,
		      struct err *e)
{
	struct slice http = h2_header(h, ":status");
	struct slice status = h2_header(h, "grpc-status");
	unsigned long long code = GRPC_UNKNOWN;
	struct buf text = {0};

	if (status.len == 0 && (http.len == 0 || slice_is(http, "200")))
		return false;
	if (status.len == 0) {
		*how = ELECTION_OTHER;
		err_set(e, ERR_PROTOCOL, "the daemon answers HTTP status %.3s",
			http.len >= 3 ? http.ptr : "?");
		return true;
	}
	json_u64(status, &code);
	*how = meaning_of_status(code).how;
	grpc_message_decode(&text, h2_header(h, "grpc-message"));
	err_set(e, meaning_of_status(code).reason,
		"the daemon ended the session with gRPC status %llu: %.*s",
		code, (int)(text.len < TEXT_BYTES ? text.len : TEXT_BYTES),
		text.len > 0 ? text.data : "no text");
	buf_finish(&text);
	return true;
}
