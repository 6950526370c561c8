#include "adapter/setup.h"

#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mcp.h"

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

void setup_observe(struct setup *s, const struct jsonrpc *m)
{
	if (m->kind == JSONRPC_NOTIFICATION &&
	    jsonrpc_method_is(m, "notifications/initialized"))
		s->initialized = true;
	else if (m->kind == JSONRPC_REQUEST &&
		 jsonrpc_method_is(m, "logging/setLevel"))
		note_level(s, m->params);
}

void setup_hello(const struct setup *s, envelope_hello_t *hello)
{
	hello->initialize_params = protobuf_bytes(buf_slice(&s->params));
	/* protobuf-c knows no const; it only reads these. */
	if (s->revision)
		hello->revision = (char *)(uintptr_t)s->revision;
	if (s->level)
		hello->log_level = (char *)(uintptr_t)s->level;
}

void setup_finish(struct setup *s)
{
	buf_finish(&s->params);
	*s = (struct setup){0};
}
