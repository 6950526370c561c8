/* What the fake MCP server has that is no tool. */
#include "tests/support/fake_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/json.h"

static void list_crowd(const struct jsonrpc *m)
{
	struct slice cursor = json_get(m->params, "cursor");
	struct buf result = {0};
	int i = cursor.len > 2 ? atoi(cursor.ptr + 1) : 0;
	int end = i + 400 < 2500 ? i + 400 : 2500;

	buf_append_text(&result, "{\"resources\":[");
	for (int k = i; k < end; k++)
		buf_printf(&result, "%s{\"uri\":\"crowd://%d\",\"name\":\"c\"}",
			   k > i ? "," : "", k);
	buf_append_text(&result, "]");
	if (end < 2500)
		buf_printf(&result, ",\"nextCursor\":\"%d\"", end);
	buf_append(&result, "}\0", 2);
	fake_answer(m->id, result.data);
	buf_finish(&result);
}

static void on_resources(const struct jsonrpc *m)
{
	if (fake_is("crowd"))
		list_crowd(m);
	else
		fake_answer(m->id,
			    fake_changed
				    ? "{\"resources\":[{\"uri\":\"fake://new\","
				      "\"name\":\"new\"}]}"
				    : "{\"resources\":[{\"uri\":\"fake://one\","
				      "\"name\":\"one\",\"x\":1.0},"
				      "{\"uri\":\"fake://two\","
				      "\"name\":\"two\"}]}");
}

static void on_templates(const struct jsonrpc *m)
{
	if (fake_is("poor"))
		fake_refuse(m->id, ERR_METHOD_NOT_FOUND, "method not found");
	else
		fake_answer(m->id, "{\"resourceTemplates\":[{\"uriTemplate\":"
				   "\"fake://item/{id}\",\"name\":\"item\"}]}");
}

/* Which process it was, and what it was asked for. */
static void on_read(const struct jsonrpc *m)
{
	struct slice uri = json_get(m->params, "uri");
	struct buf result = {0};

	if (memmem(uri.ptr, uri.len, "missing", 7)) {
		fake_refuse(m->id, ERR_UNKNOWN_RESOURCE, "no such thing");
		return;
	}
	buf_printf(&result,
		   "{\"contents\":[{\"uri\":%.*s,\"text\":\"pid %d\","
		   "\"n\":1.0}]}",
		   (int)uri.len, uri.ptr, (int)getpid());
	buf_append(&result, "", 1);
	fake_answer(m->id, result.data);
	buf_finish(&result);
}

static void on_subscription(const struct jsonrpc *m)
{
	struct slice uri = json_get(m->params, "uri");

	if (memmem(uri.ptr, uri.len, "missing", 7))
		fake_refuse(m->id, ERR_UNKNOWN_RESOURCE, "no such thing");
	else
		fake_answer(m->id, "{}");
}

static void on_prompts(const struct jsonrpc *m)
{
	if (fake_is("no-prompts"))
		fake_answer(m->id, "{}");
	else
		fake_answer(m->id,
			    "{\"prompts\":[{\"name\":\"greet\",\"arguments\":"
			    "[{\"name\":\"who\"}]},{\"name\":\"echo\"}]}");
}

static void on_prompt(const struct jsonrpc *m)
{
	struct slice name = json_get(m->params, "name");
	char result[256];

	if (memmem(name.ptr, name.len, "__", 2)) {
		fake_refuse(m->id, ERR_UNKNOWN_PROMPT, "unknown prompt");
		return;
	}
	snprintf(result, sizeof(result),
		 "{\"description\":%.*s,\"messages\":[{\"role\":\"user\","
		 "\"content\":{\"type\":\"resource\",\"resource\":{"
		 "\"uri\":\"fake-embedded://1\",\"text\":\"\"}}}]}",
		 (int)name.len, name.ptr);
	fake_answer(m->id, result);
}

/* What it was asked to complete. */
static void on_complete(const struct jsonrpc *m)
{
	struct slice ref = json_get(m->params, "ref");
	struct slice value = json_get(ref, "name");
	char result[256];

	if (value.len == 0)
		value = json_get(ref, "uri");
	snprintf(result, sizeof(result), "{\"completion\":{\"values\":[%.*s]}}",
		 (int)value.len, value.ptr);
	fake_answer(m->id, result);
}

static const struct {
	const char *method;
	void (*run)(const struct jsonrpc *m);
} others[] = {
	{"resources/list", on_resources},
	{"resources/templates/list", on_templates},
	{"resources/read", on_read},
	{"resources/subscribe", on_subscription},
	{"resources/unsubscribe", on_subscription},
	{"prompts/list", on_prompts},
	{"prompts/get", on_prompt},
	{"completion/complete", on_complete},
};

bool fake_other(const struct jsonrpc *m)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (!jsonrpc_method_is(m, others[i].method))
			continue;
		others[i].run(m);
		return true;
	}
	return false;
}

const char *fake_capabilities(void)
{
	if (fake_is("no-tools"))
		return "";
	if (fake_is("rich") || fake_is("no-prompts"))
		return "\"tools\":{},\"logging\":{},\"completions\":{},"
		       "\"resources\":{\"subscribe\":true},\"prompts\":{}";
	if (fake_is("poor") || fake_is("crowd"))
		return "\"tools\":{},\"resources\":{},\"prompts\":{}";
	return "\"tools\":{\"listChanged\":true},\"logging\":{}";
}
