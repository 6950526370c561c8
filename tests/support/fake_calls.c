/* The tools of the fake MCP server. */
#include "tests/support/fake_source.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mcp.h"

bool fake_changed;

enum { HELD = 64 };

/* A call that is answered later; due_ms -1 is never. */
struct held {
	char id[64];
	long long due_ms;
};

static struct held held[HELD];

static void hold(const struct jsonrpc *m, long long due_ms)
{
	for (int i = 0; i < HELD; i++) {
		if (held[i].id[0])
			continue;
		snprintf(held[i].id, sizeof(held[i].id), "%.*s", (int)m->id.len,
			 m->id.ptr);
		held[i].due_ms = due_ms;
		return;
	}
	exit(1);
}

/* Answer what is due; how long until the next, or -1. */
int fake_answer_held(void)
{
	long long now = fake_now_ms();
	long long wait = -1;

	for (int i = 0; i < HELD; i++) {
		if (!held[i].id[0] || held[i].due_ms < 0)
			continue;
		if (held[i].due_ms <= now) {
			fake_answer(slice_of(held[i].id), "{\"content\":[]}");
			held[i].id[0] = '\0';
		} else if (wait < 0 || held[i].due_ms - now < wait) {
			wait = held[i].due_ms - now;
		}
	}
	return (int)wait;
}

void fake_cancelled(const struct jsonrpc *m)
{
	struct slice id = json_get(m->params, "requestId");

	for (int i = 0; i < HELD; i++) {
		if (!held[i].id[0] || !slice_is(id, held[i].id))
			continue;
		if (fake_is("late"))
			fake_answer(id, "{\"content\":[]}");
		held[i].id[0] = '\0';
	}
}

/* More each time, and it stays. */
static void take_memory(struct slice arguments)
{
	static char *kept;
	static size_t len;
	unsigned long long mib = 0;

	json_u64(json_get(arguments, "mb"), &mib);
	kept = realloc(kept, len + (mib << 20) + 1);
	memset(kept + len, 'x', mib << 20);
	len += mib << 20;
}

static void call_echo(const struct jsonrpc *m, struct slice arguments)
{
	struct buf result = {0};

	if (fake_is("hog"))
		take_memory(arguments);
	buf_append_text(&result, "{\"content\":[],\"structuredContent\":");
	buf_append_slice(&result,
			 arguments.len > 0 ? arguments : slice_of("{}"));
	buf_append(&result, "}\0", 2);
	fake_answer(m->id, result.data);
	buf_finish(&result);
}

/* The arguments are the result. */
static void call_answer(const struct jsonrpc *m, struct slice arguments)
{
	struct buf message = {0};

	jsonrpc_result(&message, m->id, arguments);
	fake_say(&message);
}

static void say_levels(void)
{
	for (int i = 0; i < MCP_LEVEL_COUNT; i++) {
		struct buf message = {0};

		buf_printf(&message,
			   "{\"jsonrpc\":\"2.0\",\"method\":"
			   "\"notifications/message\",\"params\":{"
			   "\"level\":\"%s\",\"data\":%d}}",
			   mcp_level_name((enum mcp_level)i), i);
		fake_say(&message);
	}
}

/* A log message of each level while it runs, or once it has ended. */
static void call_levels(const struct jsonrpc *m, struct slice arguments)
{
	bool after = json_get(arguments, "after").len > 0;

	if (!after)
		say_levels();
	fake_answer(m->id, "{\"content\":[]}");
	if (after)
		say_levels();
}

/* Progress by tokens that nobody gave, and by the id. */
static void call_unasked(const struct jsonrpc *m, struct slice arguments)
{
	const struct slice tokens[] = {m->id, slice_of("1"), slice_of("\"t\"")};

	(void)arguments;
	for (int i = 0; i < 3; i++) {
		struct buf message = {0};

		buf_printf(&message,
			   "{\"jsonrpc\":\"2.0\",\"method\":"
			   "\"notifications/progress\",\"params\":{"
			   "\"progressToken\":%.*s,\"progress\":%d}}",
			   (int)tokens[i].len, tokens[i].ptr, i);
		fake_say(&message);
	}
	fake_answer(m->id, "{\"content\":[]}");
}

static void call_add(const struct jsonrpc *m, struct slice arguments)
{
	unsigned long long a = 0, b = 0;
	char result[128];

	json_u64(json_get(arguments, "a"), &a);
	json_u64(json_get(arguments, "b"), &b);
	snprintf(result, sizeof(result),
		 "{\"content\":[{\"type\":\"text\",\"text\":\"%llu\"}]}",
		 a + b);
	fake_answer(m->id, result);
}

static void call_slow(const struct jsonrpc *m, struct slice arguments)
{
	unsigned long long ms = 0;

	json_u64(json_get(arguments, "ms"), &ms);
	hold(m, fake_now_ms() + (long long)ms);
}

static void call_hold(const struct jsonrpc *m, struct slice arguments)
{
	(void)arguments;
	hold(m, -1);
}

/* 1, 3, 2, 4: the third one must not get through. */
static void call_progress(const struct jsonrpc *m, struct slice arguments)
{
	static const int steps[] = {1, 3, 2, 4};
	struct slice token =
		json_path(m->params, "_meta", "progressToken", NULL);

	(void)arguments;
	for (size_t i = 0; i < 4 && token.len > 0; i++) {
		struct buf message = {0};

		buf_printf(&message,
			   "{\"jsonrpc\":\"2.0\",\"method\":"
			   "\"notifications/progress\",\"params\":{"
			   "\"progressToken\":%.*s,\"progress\":%d}}",
			   (int)token.len, token.ptr, steps[i]);
		fake_say(&message);
	}
	fake_answer(m->id, "{\"content\":[]}");
}

static void call_log(const struct jsonrpc *m, struct slice arguments)
{
	(void)arguments;
	fake_say_text(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
		"\"params\":{\"level\":\"info\",\"data\":\"hello\"}}");
	fake_answer(m->id, "{\"content\":[]}");
}

static void call_big(const struct jsonrpc *m, struct slice arguments)
{
	unsigned long long bytes = 0;
	struct buf result = {0};

	json_u64(json_get(arguments, "bytes"), &bytes);
	buf_append_text(&result,
			"{\"content\":[{\"type\":\"text\",\"text\":\"");
	memset(buf_reserve(&result, bytes), 'x', bytes);
	buf_added(&result, bytes);
	buf_append(&result, "\"}]}\0", 5);
	fake_answer(m->id, result.data);
	buf_finish(&result);
}

static void call_crash(const struct jsonrpc *m, struct slice arguments)
{
	(void)m;
	if (json_string_is(json_get(arguments, "how"), "signal"))
		raise(SIGKILL);
	exit(1);
}

static void call_change(const struct jsonrpc *m, struct slice arguments)
{
	struct slice kind = json_get(arguments, "kind");
	struct buf message = {0};

	fake_changed = true;
	buf_append_text(&message, "{\"jsonrpc\":\"2.0\",\"method\":"
				  "\"notifications/");
	if (kind.len > 2)
		buf_append(&message, kind.ptr + 1, kind.len - 2);
	else
		buf_append_text(&message, "tools");
	buf_append_text(&message, "/list_changed\"}");
	fake_say(&message);
	fake_answer(m->id, "{\"content\":[]}");
}

static void call_touch(const struct jsonrpc *m, struct slice arguments)
{
	struct slice uri = json_get(arguments, "uri");
	struct buf message = {0};

	buf_printf(&message,
		   "{\"jsonrpc\":\"2.0\",\"method\":"
		   "\"notifications/resources/updated\",\"params\":{"
		   "\"uri\":%.*s}}",
		   (int)uri.len, uri.ptr);
	fake_say(&message);
	fake_answer(m->id, "{\"content\":[]}");
}

static void call_link(const struct jsonrpc *m, struct slice arguments)
{
	struct slice uri = json_get(arguments, "uri");
	char result[256];

	snprintf(result, sizeof(result),
		 "{\"content\":[{\"type\":\"resource_link\",\"name\":\"l\","
		 "\"uri\":%.*s}]}",
		 (int)uri.len, uri.ptr);
	fake_answer(m->id, result);
}

static void call_misfit(const struct jsonrpc *m, struct slice arguments)
{
	struct buf message = {0};

	(void)arguments;
	buf_printf(&message, "{\"jsonrpc\":\"2.0\",\"id\":%.*s}",
		   (int)m->id.len, m->id.ptr);
	fake_say(&message);
}

static const struct {
	const char *name;
	void (*run)(const struct jsonrpc *m, struct slice arguments);
	const char *rest;
} calls[] = {
	{"echo", call_echo, "\"annotations\":{\"readOnlyHint\":true}," SCHEMA},
	{"add", call_add, SCHEMA},
	{"slow", call_slow,
	 "\"annotations\":{\"idempotentHint\":true}," SCHEMA},
	{"hold", call_hold, SCHEMA},
	{"progress", call_progress, SCHEMA},
	{"log", call_log, SCHEMA},
	{"big", call_big, SCHEMA},
	{"crash", call_crash, SCHEMA},
	{"change", call_change, SCHEMA},
	{"misfit", call_misfit, SCHEMA},
	/* with all-tools: */
	{"answer", call_answer, SCHEMA},
	{"levels", call_levels, SCHEMA},
	{"ask", fake_ask, SCHEMA},
	{"complete", fake_complete, SCHEMA},
	{"unasked", call_unasked, SCHEMA},
	{"touch", call_touch, SCHEMA},
	{"link", call_link, SCHEMA},
};

enum { CALLS = sizeof(calls) / sizeof(*calls), LISTED = 10 };

void fake_call(const struct jsonrpc *m)
{
	struct slice name = json_get(m->params, "name");
	struct slice arguments = json_get(m->params, "arguments");
	struct buf effect = {0};

	for (int i = 0; i < CALLS; i++) {
		if (!json_string_is(name, calls[i].name))
			continue;
		buf_printf(&effect, "%s ", calls[i].name);
		buf_append_slice(&effect, arguments);
		fake_append_to("EFFECTS", buf_slice(&effect));
		buf_finish(&effect);
		calls[i].run(m, arguments);
		return;
	}
	fake_refuse(m->id, ERR_UNKNOWN_TOOL, "unknown tool");
}

int fake_tools(void)
{
	return CALLS;
}

int fake_tools_listed(void)
{
	return LISTED;
}

void fake_append_tool(struct buf *result, int i)
{
	buf_printf(result, "{\"name\":\"%s\",%s}", calls[i].name,
		   calls[i].rest);
}
