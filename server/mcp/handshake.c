#include "server/mcp/handshake.h"

#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mcp.h"
#include "proto/mem.h"
#include "proto/version.h"
#include "server/mcp/forward.h"
#include "server/mcp/kind.h"
#include "server/mcp/sorter.h"

enum {
	NAME_BYTES = 128, /* of what a server calls itself */
	CAPABILITIES_BYTES = 64 << 10,
	INSTRUCTIONS_BYTES = 4 << 10,
};

/* A string, cut at a character; the caller frees. */
static char *cut_text(struct slice value, size_t most, size_t *len)
{
	struct buf text = {0};

	if (json_kind(value) == JSON_STRING)
		json_unquote(&text, value);
	*len = text.len;
	if (*len > most) {
		*len = most;
		while (*len > 0 &&
		       ((unsigned char)text.data[*len] & 0xc0) == 0x80)
			(*len)--;
	}
	char *copy = mem_ntext(text.data, *len);
	buf_finish(&text);
	return copy;
}

/* A string for people; ends at a NUL. */
static char *short_text(struct slice value)
{
	size_t len;

	return cut_text(value, NAME_BYTES, &len);
}

static bool declares(struct slice capabilities, const char *name)
{
	return json_kind(json_get(capabilities, name)) == JSON_OBJECT;
}

/* The revision of that value if we speak it, or NULL. */
static const char *known_revision(struct slice result)
{
	const char *revision = mcp_revision(result);

	return json_string_is(json_get(result, "protocolVersion"), revision)
		       ? revision
		       : NULL;
}

void handshake_ask(struct buf *line, uint64_t number, bool may_ask,
		   bool has_roots)
{
	struct buf params = {0};

	buf_append_text(&params, "{\"protocolVersion\":\"" MCP_REVISION_NEWEST
				 "\",\"capabilities\":{");
	if (may_ask)
		buf_append_text(&params,
				"\"elicitation\":{\"form\":{},\"url\":{}},"
				"\"sampling\":{}");
	if (has_roots)
		buf_printf(&params, "%s\"roots\":{\"listChanged\":false}",
			   may_ask ? "," : "");
	buf_printf(&params,
		   "},\"clientInfo\":{\"name\":\"executor\","
		   "\"title\":\"Executor\",\"version\":\"%s\"}}",
		   version_text);
	forward_own(line, number, "initialize", buf_slice(&params));
	buf_finish(&params);
}

bool handshake_learn(struct handshake *h, const char *source,
		     const struct jsonrpc *answer, struct err *e)
{
	struct slice result = answer->result;
	struct slice version = json_get(result, "protocolVersion");
	struct slice capabilities = json_get(result, "capabilities");
	const char *revision = known_revision(result);

	if (answer->kind == JSONRPC_ERROR)
		return sorter_describe(source, "initialize", answer, e);
	/* MCP, Lifecycle, Version Negotiation: "If the client does not support
	 * the version in the server's response, it SHOULD disconnect." */
	if (!revision && version.len == 0)
		version = slice_of("of no version");
	if (!revision)
		return err_set(e, ERR_SOURCE_PROTOCOL,
			       "source %s speaks MCP %.*s; executor speaks "
			       "2024-11-05 to %s",
			       source, version.len < 40 ? (int)version.len : 40,
			       version.ptr, MCP_REVISION_NEWEST);
	if (json_kind(capabilities) != JSON_OBJECT ||
	    capabilities.len > CAPABILITIES_BYTES)
		return err_set(e, ERR_SOURCE_PROTOCOL,
			       "source %s answers initialize without an object "
			       "of capabilities, or with one over %d KiB",
			       source, CAPABILITIES_BYTES >> 10);
	handshake_finish(h);
	h->revision = revision;
	h->server_name =
		short_text(json_path(result, "serverInfo", "name", NULL));
	h->server_version =
		short_text(json_path(result, "serverInfo", "version", NULL));
	h->capabilities = mem_copy(capabilities.ptr, capabilities.len);
	h->capabilities_len = capabilities.len;
	for (int k = 0; k < KIND_COUNT; k++)
		if (declares(capabilities, kind_rows[k].capability))
			h->kinds |= 1u << k;
	h->logging = declares(capabilities, "logging");
	h->instructions = cut_text(json_get(result, "instructions"),
				   INSTRUCTIONS_BYTES, &h->instructions_len);
	return true;
}

void handshake_finish(struct handshake *h)
{
	free(h->server_name);
	free(h->server_version);
	free(h->capabilities);
	free(h->instructions);
	*h = (struct handshake){0};
}
