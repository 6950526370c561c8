#include "server/mcp/builtin_hub.h"

#include <unistd.h>

#include "proto/buf.h"
#include "proto/clock.h"
#include "proto/json.h"
#include "proto/version.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"
#include "server/mcp/sessions.h"

static void add_text(struct buf *json, const char *member, const char *text)
{
	buf_printf(json, ",\"%s\":", member);
	json_quote(json, slice_of(text));
}

/* Also of a source that has not run yet in this life. */
static size_t count_tools(const struct router *r, const char *source)
{
	const struct catalogue_item *tool;
	size_t count = 0;
	size_t at = 0;

	while ((tool = catalogue_next(r->catalogues[KIND_TOOL], &at)) != NULL)
		if (strcmp(tool->source, source) == 0)
			count++;
	return count;
}

static void add_source(const struct router *r, const struct source *s,
		       struct buf *json)
{
	struct source_info info;

	source_info(s, &info);
	buf_append_text(json, "{\"name\":");
	json_quote(json, slice_of(source_name(s)));
	add_text(json, "state", source_state_name(source_state(s)));
	buf_printf(json, ",\"tools\":%zu,\"in_flight\":%u,\"restarts\":%u",
		   count_tools(r, source_name(s)), info.in_flight,
		   info.restarts);
	if (info.server_name[0] != '\0') {
		add_text(json, "server_name", info.server_name);
		add_text(json, "server_version", info.server_version);
	}
	if (info.last_error[0] != '\0')
		add_text(json, "last_error", info.last_error);
	buf_append_text(json, "}");
}

static void sources(void *hub, struct buf *json)
{
	const struct router *r = hub;

	buf_append_text(json, "[");
	for (size_t i = 0; i < r->source_count; i++) {
		if (i > 0)
			buf_append_text(json, ",");
		add_source(r, r->sources[i]->source, json);
	}
	buf_append_text(json, "]");
}

static void search(void *hub, struct slice query, unsigned limit,
		   struct buf *json)
{
	const struct router *r = hub;

	catalogue_search(r->catalogues[KIND_TOOL], query, limit, json);
}

static bool describe(void *hub, struct slice name, struct buf *json)
{
	const struct router *r = hub;
	const struct catalogue_item *tool =
		catalogue_find(r->catalogues[KIND_TOOL], name);

	if (!tool)
		return false;
	buf_append_slice(json, tool->json);
	return true;
}

static void status(void *hub, struct buf *json)
{
	const struct router *r = hub;

	buf_append_text(json, "{\"version\":");
	json_quote(json, slice_of(version_text));
	add_text(json, "data_dir", r->data_dir);
	buf_printf(json,
		   ",\"pid\":%ld,\"epoch\":%llu,\"uptime_s\":%lld,"
		   "\"sessions\":%zu,\"sources\":%zu,\"tools\":%zu,"
		   "\"requests\":%llu,\"errors\":%llu,\"in_flight\":%u}",
		   (long)getpid(), (unsigned long long)r->options.epoch,
		   (long long)((clock_now_ms() - r->started_ms) / 1000),
		   sessions_count(r->sessions), r->source_count,
		   catalogue_count(r->catalogues[KIND_TOOL]),
		   (unsigned long long)r->requests,
		   (unsigned long long)r->errors,
		   sessions_in_flight(r->sessions));
}

const struct builtin_hub builtin_hub = {
	.sources = sources,
	.search = search,
	.describe = describe,
	.status = status,
};
