#include "adapter/setup.h"

#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mcp.h"

enum { URI_BYTES = 64 * 1024 }; /* as JSON has it */

static const char subscribe[] = "resources/subscribe";

static void note_level(struct setup *s, struct slice params)
{
	struct slice value = json_get(params, "level");
	struct buf name = {0};
	enum mcp_level level;

	if (json_kind(value) != JSON_STRING)
		return;
	json_unquote(&name, value);
	if (mcp_level_parse(buf_slice(&name), &level))
		s->level = mcp_level_name(level);
	buf_finish(&name);
}

void setup_initialize(struct setup *s, struct slice params)
{
	buf_reset(&s->params, 0);
	if (params.len <= SETUP_PARAMS_BYTES)
		buf_append_slice(&s->params, params);
	s->revision = mcp_revision(params);
}

/* A longer URI is nobody's. */
static bool note_watch(struct setup *s, const struct jsonrpc *m, bool wanted,
		       struct err *e)
{
	struct slice value = json_get(m->params, "uri");
	struct buf uri = {0};
	bool ok = true;

	if (json_kind(value) != JSON_STRING || value.len > URI_BYTES)
		return true;
	json_unquote(&uri, value);
	if (!wanted)
		watched_end(&s->watched, buf_slice(&uri));
	else if (uri.len > 0)
		ok = watched_ask(&s->watched, buf_slice(&uri), m->id, e);
	buf_finish(&uri);
	return ok;
}

bool setup_observe(struct setup *s, const struct jsonrpc *m, struct err *e)
{
	if (m->kind == JSONRPC_NOTIFICATION &&
	    jsonrpc_method_is(m, "notifications/initialized"))
		s->initialized = true;
	if (m->kind != JSONRPC_REQUEST)
		return true;
	if (jsonrpc_method_is(m, "logging/setLevel"))
		note_level(s, m->params);
	else if (jsonrpc_method_is(m, subscribe))
		return note_watch(s, m, true, e);
	else if (jsonrpc_method_is(m, "resources/unsubscribe"))
		return note_watch(s, m, false, e);
	return true;
}

void setup_settle(struct setup *s, struct slice method, struct slice id,
		  bool ok)
{
	if (json_string_is(method, subscribe))
		watched_settle(&s->watched, id, ok);
}

void setup_hello(struct setup *s, envelope_hello_t *hello)
{
	hello->initialize_params = protobuf_bytes(buf_slice(&s->params));
	/* protobuf-c knows no const; it only reads these. */
	if (s->revision)
		hello->revision = (char *)(uintptr_t)s->revision;
	if (s->level)
		hello->log_level = (char *)(uintptr_t)s->level;
	watched_hello(&s->watched, hello);
}

void setup_finish(struct setup *s)
{
	buf_finish(&s->params);
	watched_finish(&s->watched);
	*s = (struct setup){0};
}
