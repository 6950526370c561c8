/*
 * A small MCP server on stdin and stdout, good or bad as its arguments say.
 *
 *   ignore-eof ignore-term   does not end when it should
 *   grandchild               starts a child that ignores TERM; its pid is
 *                            written to $GRANDCHILD
 *   setsid                   that child leaves the group and the session
 *   slow                     takes a moment to start, and writes "begin" and
 *                            "end" of that to $STARTS
 *   hog                      echo keeps as many MiB as its argument mb says
 *   garbage                  writes lines that are no messages
 *   mute                     never answers initialize
 *   wrong-version no-tools   answers initialize so
 *   exit                     ends at once with status 3
 *   close-stdout             closes it instead of answering initialize
 *   paging same-cursor       lists its tools so; "" is a cursor
 *   many-tools               a page of 6000 tools, again and again
 *   flood                    3 MiB to stderr first
 *   asks                     ping, roots/list and an unknown request
 *   early                    asks the user before it answers initialize
 *   late                     answers what was cancelled
 *   batch                    writes each answer as a batch of one
 *   odd-names                lists tools with names that need care
 *   all-tools                lists those too that are called by few tests
 *   odd-schemas              lists tools with outputSchemas of all kinds
 *   rich                     has resources, templates, prompts, completions
 *                            and instructions
 *   no-prompts               the same, but does not say which prompts
 *   poor                     the same as rich without completions and templates
 *   crowd                    has 2500 resources, 400 a page
 *
 * Every call that is executed is one line in $EFFECTS, every line that
 * arrives one in $TRANSCRIPT.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/lines.h"
#include "proto/mcp.h"

enum { HELD = 64, LINE_BYTES = 128 << 20 };

#define SCHEMA "\"inputSchema\":{\"type\":\"object\"}"

/* A call that is answered later; due_ms -1 is never. */
struct held {
	char id[64];
	long long due_ms;
};

static int modes;
static char *const *mode;
static struct held held[HELD];
static bool changed;

static bool is(const char *name)
{
	for (int i = 1; i < modes; i++)
		if (strcmp(mode[i], name) == 0)
			return true;
	return false;
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, bytes, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			exit(1);
		bytes += written;
		len -= (size_t)written;
	}
}

static void append_to(const char *variable, struct slice line)
{
	const char *path = getenv(variable);
	struct buf text = {0};

	if (!path)
		return;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		exit(1);
	buf_append_slice(&text, line);
	buf_append_text(&text, "\n");
	write_all(fd, text.data, text.len);
	buf_finish(&text);
	close(fd);
}

static void say(struct buf *message)
{
	struct buf line = {0};

	if (is("garbage"))
		buf_append_text(&line, "starting up...\n\n{\"half\":\n");
	buf_append_text(&line, is("batch") ? "[" : "");
	buf_append_slice(&line, buf_slice(message));
	buf_append_text(&line, is("batch") ? "]\n" : "\n");
	write_all(STDOUT_FILENO, line.data, line.len);
	buf_finish(&line);
	buf_finish(message);
}

static void say_text(const char *message)
{
	struct buf text = {0};

	buf_append_text(&text, message);
	say(&text);
}

static void answer(struct slice id, const char *result)
{
	struct buf message = {0};

	jsonrpc_result(&message, id, slice_of(result));
	say(&message);
}

static void refuse(struct slice id, enum reason reason, const char *text)
{
	struct buf message = {0};
	struct err e;

	err_set(&e, reason, "%s", text);
	jsonrpc_error(&message, id, &e, NULL);
	say(&message);
}

/* --- calls -----------------------------------------------------------------
 */

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

	if (is("hog"))
		take_memory(arguments);
	buf_append_text(&result, "{\"content\":[],\"structuredContent\":");
	buf_append_slice(&result,
			 arguments.len > 0 ? arguments : slice_of("{}"));
	buf_append(&result, "}\0", 2);
	answer(m->id, result.data);
	buf_finish(&result);
}

/* The arguments are the result. */
static void call_answer(const struct jsonrpc *m, struct slice arguments)
{
	struct buf message = {0};

	jsonrpc_result(&message, m->id, arguments);
	say(&message);
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
		say(&message);
	}
}

/* A log message of each level while it runs, or once it has ended. */
static void call_levels(const struct jsonrpc *m, struct slice arguments)
{
	bool after = json_get(arguments, "after").len > 0;

	if (!after)
		say_levels();
	answer(m->id, "{\"content\":[]}");
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
		say(&message);
	}
	answer(m->id, "{\"content\":[]}");
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
	answer(m->id, result);
}

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

static void call_slow(const struct jsonrpc *m, struct slice arguments)
{
	unsigned long long ms = 0;

	json_u64(json_get(arguments, "ms"), &ms);
	hold(m, now_ms() + (long long)ms);
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
		say(&message);
	}
	answer(m->id, "{\"content\":[]}");
}

static void call_log(const struct jsonrpc *m, struct slice arguments)
{
	(void)arguments;
	say_text("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
		 "\"params\":{\"level\":\"info\",\"data\":\"hello\"}}");
	answer(m->id, "{\"content\":[]}");
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
	answer(m->id, result.data);
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

	changed = true;
	buf_append_text(&message, "{\"jsonrpc\":\"2.0\",\"method\":"
				  "\"notifications/");
	if (kind.len > 2)
		buf_append(&message, kind.ptr + 1, kind.len - 2);
	else
		buf_append_text(&message, "tools");
	buf_append_text(&message, "/list_changed\"}");
	say(&message);
	answer(m->id, "{\"content\":[]}");
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
	say(&message);
	answer(m->id, "{\"content\":[]}");
}

static void call_link(const struct jsonrpc *m, struct slice arguments)
{
	struct slice uri = json_get(arguments, "uri");
	char result[256];

	snprintf(result, sizeof(result),
		 "{\"content\":[{\"type\":\"resource_link\",\"name\":\"l\","
		 "\"uri\":%.*s}]}",
		 (int)uri.len, uri.ptr);
	answer(m->id, result);
}

static void call_misfit(const struct jsonrpc *m, struct slice arguments)
{
	struct buf message = {0};

	(void)arguments;
	buf_printf(&message, "{\"jsonrpc\":\"2.0\",\"id\":%.*s}",
		   (int)m->id.len, m->id.ptr);
	say(&message);
}

/* --- questions -------------------------------------------------------------
 */

/* A call that asks its client, and what it was answered so far. */
struct asking {
	char call[64]; /* "" when it is free */
	struct buf method;
	struct buf params;
	unsigned long long open, parallel, rounds;
	struct buf answers;
};

static struct asking askings[HELD];
static int questions; /* their ids are "q-<index of asking>-<number>" */

static void put_questions(int at)
{
	struct asking *a = &askings[at];

	a->rounds--;
	for (a->open = 0; a->open < a->parallel; a->open++) {
		struct buf message = {0};
		char id[32];

		snprintf(id, sizeof(id), "\"q-%d-%d\"", at, ++questions);
		jsonrpc_request(&message, slice_of(id), a->method.data,
				buf_slice(&a->params));
		say(&message);
	}
}

static void end_asking(struct asking *a)
{
	buf_append(&a->answers, "]}}\0", 4);
	if (strcmp(a->call, "done") != 0)
		answer(slice_of(a->call), a->answers.data);
	buf_finish(&a->method);
	buf_finish(&a->params);
	buf_finish(&a->answers);
	*a = (struct asking){0};
}

static void take_back(int at)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
		 "\"params\":{\"requestId\":\"q-%d-%d\",\"reason\":"
		 "\"never mind\"}}",
		 at, questions);
	say_text(text);
	end_asking(&askings[at]);
}

/* Ask {"method","params"}: as many as "parallel" at once, "rounds" times; after
 * the call was answered if "early"; take the question back at once if
 * "cancel".  The result holds the answers. */
static void call_ask(const struct jsonrpc *m, struct slice arguments)
{
	struct asking *a = askings;

	while (a->call[0])
		if (++a == askings + HELD)
			exit(1);
	snprintf(a->call, sizeof(a->call), "%.*s", (int)m->id.len, m->id.ptr);
	json_unquote(&a->method, json_get(arguments, "method"));
	buf_append(&a->method, "", 1);
	buf_append_slice(&a->params, json_get(arguments, "params"));
	a->parallel = a->rounds = 1;
	json_u64(json_get(arguments, "parallel"), &a->parallel);
	json_u64(json_get(arguments, "rounds"), &a->rounds);
	buf_append_text(&a->answers,
			"{\"content\":[],\"structuredContent\":{\"answers\":[");
	if (json_get(arguments, "early").len > 0) {
		answer(m->id, "{\"content\":[]}");
		snprintf(a->call, sizeof(a->call), "done");
	}
	put_questions((int)(a - askings));
	if (json_get(arguments, "cancel").len > 0)
		take_back((int)(a - askings));
}

static void on_answered(const struct jsonrpc *m)
{
	struct buf id = {0};
	int at = -1;

	json_unquote(&id, m->id);
	buf_append(&id, "", 1);
	if (sscanf(id.data, "q-%d-", &at) == 1 && at >= 0 && at < HELD &&
	    askings[at].call[0]) {
		struct asking *a = &askings[at];

		if (a->answers.data[a->answers.len - 1] != '[')
			buf_append_text(&a->answers, ",");
		buf_append_slice(&a->answers, m->text);
		if (--a->open == 0 && a->rounds > 0)
			put_questions(at);
		else if (a->open == 0)
			end_asking(a);
	}
	buf_finish(&id);
}

/* "id" is that of the elicitation. */
static void call_complete(const struct jsonrpc *m, struct slice arguments)
{
	struct buf message = {0};
	struct buf params = {0};

	buf_append_text(&params, "{\"elicitationId\":");
	buf_append_slice(&params, json_get(arguments, "id"));
	buf_append_text(&params, "}");
	jsonrpc_request(&message, (struct slice){NULL, 0},
			"notifications/elicitation/complete",
			buf_slice(&params));
	say(&message);
	answer(m->id, "{\"content\":[]}");
	buf_finish(&params);
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
	{"ask", call_ask, SCHEMA},
	{"complete", call_complete, SCHEMA},
	{"unasked", call_unasked, SCHEMA},
	{"touch", call_touch, SCHEMA},
	{"link", call_link, SCHEMA},
};

enum { CALLS = sizeof(calls) / sizeof(*calls), LISTED = 10 };

static void on_call(const struct jsonrpc *m)
{
	struct slice name = json_get(m->params, "name");
	struct slice arguments = json_get(m->params, "arguments");
	struct buf effect = {0};

	for (int i = 0; i < CALLS; i++) {
		if (!json_string_is(name, calls[i].name))
			continue;
		buf_printf(&effect, "%s ", calls[i].name);
		buf_append_slice(&effect, arguments);
		append_to("EFFECTS", buf_slice(&effect));
		buf_finish(&effect);
		calls[i].run(m, arguments);
		return;
	}
	refuse(m->id, ERR_UNKNOWN_TOOL, "unknown tool");
}

/* --- lists -----------------------------------------------------------------
 */

static void append_tool(struct buf *result, int i)
{
	buf_printf(result, "{\"name\":\"%s\",%s}", calls[i].name,
		   calls[i].rest);
}

/* One tool a page; the cursors are "", "1", "2" and so on. */
static void list_page(const struct jsonrpc *m)
{
	struct slice cursor = json_get(m->params, "cursor");
	struct buf result = {0};
	int i = 0;

	if (cursor.len == 2)
		i = 1;
	else if (cursor.len > 2)
		i = atoi(cursor.ptr + 1) + 1;
	buf_append_text(&result, "{\"tools\":[");
	append_tool(&result, i);
	buf_append_text(&result, "]");
	if (i == 0)
		buf_append_text(&result, ",\"nextCursor\":\"\"");
	else if (i + 1 < LISTED)
		buf_printf(&result, ",\"nextCursor\":\"%d\"", i);
	buf_append(&result, "}\0", 2);
	answer(m->id, result.data);
	buf_finish(&result);
}

static void list_many(const struct jsonrpc *m)
{
	static int page;
	struct buf result = {0};

	buf_append_text(&result, "{\"tools\":[");
	for (int i = 0; i < 6000; i++)
		buf_printf(&result, "%s{\"name\":\"t%d-%d\"," SCHEMA "}",
			   i ? "," : "", page, i);
	buf_printf(&result, "],\"nextCursor\":\"%d\"}", page++);
	buf_append(&result, "", 1);
	answer(m->id, result.data);
	buf_finish(&result);
}

static void list_tools(const struct jsonrpc *m)
{
	int listed =
		is("all-tools") || is("rich") || is("poor") ? CALLS : LISTED;
	struct buf result = {0};

	buf_append_text(&result, "{\"tools\":[");
	for (int i = 0; i < listed; i++) {
		buf_append_text(&result, i ? "," : "");
		append_tool(&result, i);
	}
	if (changed)
		buf_append_text(&result, ",{\"name\":\"extra\"," SCHEMA "}");
	buf_append(&result, "]}\0", 3);
	answer(m->id, result.data);
	buf_finish(&result);
}

static void on_list(const struct jsonrpc *m)
{
	if (is("paging"))
		list_page(m);
	else if (is("same-cursor"))
		answer(m->id, "{\"tools\":[],\"nextCursor\":\"again\"}");
	else if (is("many-tools"))
		list_many(m);
	else if (is("odd-names"))
		answer(m->id,
		       "{\"tools\":["
		       "{\"name\":\"a b/c\"," SCHEMA "},"
		       "{\"name\":\"a\\u0020b\\u002fc\"," SCHEMA "},"
		       "{\"name\":\"a.b.c\"," SCHEMA "},"
		       "{\"name\":7," SCHEMA "},"
		       "{\"title\":\"nameless\"," SCHEMA "},"
		       "{\"name\":\"schemaless\"},"
		       "{\"name\":\"x\",\"name\":\"y\"," SCHEMA "},"
		       "{\"name\":\"good\",\"future\":[1.0,1e400]," SCHEMA
		       "}]}");
	else if (is("odd-schemas"))
		answer(m->id,
		       "{\"tools\":["
		       "{\"name\":\"answer\",\"outputSchema\":"
		       "{\"type\":\"array\",\"items\":{\"anyOf\":["
		       "{\"type\":\"number\"},{\"$ref\":\"#\"}]}}," SCHEMA "},"
		       "{\"name\":\"echo\",\"outputSchema\":{}," SCHEMA "},"
		       "{\"name\":\"add\",\"outputSchema\":null," SCHEMA "},"
		       "{\"name\":\"slow\",\"outputSchema\":true," SCHEMA "},"
		       "{\"name\":\"log\",\"outputSchema\":"
		       "{\"type\":\"object\"}," SCHEMA "}]}");
	else
		list_tools(m);
}

/* --- what is no tool ---------------------------------------------------------
 */

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
	answer(m->id, result.data);
	buf_finish(&result);
}

static void on_resources(const struct jsonrpc *m)
{
	if (is("crowd"))
		list_crowd(m);
	else
		answer(m->id,
		       changed ? "{\"resources\":[{\"uri\":\"fake://new\","
				 "\"name\":\"new\"}]}"
			       : "{\"resources\":[{\"uri\":\"fake://one\","
				 "\"name\":\"one\",\"x\":1.0},"
				 "{\"uri\":\"fake://two\","
				 "\"name\":\"two\"}]}");
}

static void on_templates(const struct jsonrpc *m)
{
	if (is("poor"))
		refuse(m->id, ERR_METHOD_NOT_FOUND, "method not found");
	else
		answer(m->id, "{\"resourceTemplates\":[{\"uriTemplate\":"
			      "\"fake://item/{id}\",\"name\":\"item\"}]}");
}

/* Which process it was, and what it was asked for. */
static void on_read(const struct jsonrpc *m)
{
	struct slice uri = json_get(m->params, "uri");
	struct buf result = {0};

	if (memmem(uri.ptr, uri.len, "missing", 7)) {
		refuse(m->id, ERR_UNKNOWN_RESOURCE, "no such thing");
		return;
	}
	buf_printf(&result,
		   "{\"contents\":[{\"uri\":%.*s,\"text\":\"pid %d\","
		   "\"n\":1.0}]}",
		   (int)uri.len, uri.ptr, (int)getpid());
	buf_append(&result, "", 1);
	answer(m->id, result.data);
	buf_finish(&result);
}

static void on_subscription(const struct jsonrpc *m)
{
	struct slice uri = json_get(m->params, "uri");

	if (memmem(uri.ptr, uri.len, "missing", 7))
		refuse(m->id, ERR_UNKNOWN_RESOURCE, "no such thing");
	else
		answer(m->id, "{}");
}

static void on_prompts(const struct jsonrpc *m)
{
	if (is("no-prompts"))
		answer(m->id, "{}");
	else
		answer(m->id, "{\"prompts\":[{\"name\":\"greet\",\"arguments\":"
			      "[{\"name\":\"who\"}]},{\"name\":\"echo\"}]}");
}

static void on_prompt(const struct jsonrpc *m)
{
	struct slice name = json_get(m->params, "name");
	char result[256];

	if (memmem(name.ptr, name.len, "__", 2)) {
		refuse(m->id, ERR_UNKNOWN_PROMPT, "unknown prompt");
		return;
	}
	snprintf(result, sizeof(result),
		 "{\"description\":%.*s,\"messages\":[{\"role\":\"user\","
		 "\"content\":{\"type\":\"resource\",\"resource\":{"
		 "\"uri\":\"fake-embedded://1\",\"text\":\"\"}}}]}",
		 (int)name.len, name.ptr);
	answer(m->id, result);
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
	answer(m->id, result);
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

static bool run_other(const struct jsonrpc *m)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (!jsonrpc_method_is(m, others[i].method))
			continue;
		others[i].run(m);
		return true;
	}
	return false;
}

static const char *capabilities(void)
{
	if (is("no-tools"))
		return "";
	if (is("rich") || is("no-prompts"))
		return "\"tools\":{},\"logging\":{},\"completions\":{},"
		       "\"resources\":{\"subscribe\":true},\"prompts\":{}";
	if (is("poor") || is("crowd"))
		return "\"tools\":{},\"resources\":{},\"prompts\":{}";
	return "\"tools\":{\"listChanged\":true},\"logging\":{}";
}

/* --- the conversation ------------------------------------------------------
 */

static void on_initialize(const struct jsonrpc *m)
{
	char result[512];
	const char *version =
		is("wrong-version") ? "2099-01-01" : mcp_revision(m->params);

	if (is("mute"))
		return;
	if (is("early"))
		say_text("{\"jsonrpc\":\"2.0\",\"id\":\"early\",\"method\":"
			 "\"elicitation/create\",\"params\":{}}");
	if (is("slow"))
		append_to("STARTS", slice_of("end"));
	if (is("close-stdout")) {
		close(STDOUT_FILENO);
		return;
	}
	snprintf(result, sizeof(result),
		 "{\"protocolVersion\":\"%s\",\"capabilities\":{%s},"
		 "\"serverInfo\":{\"name\":\"fake\",\"version\":\"1.2\"}%s}",
		 version, capabilities(),
		 is("rich") ? ",\"instructions\":\"Be gentle.\"" : "");
	answer(m->id, result);
}

static void ask(void)
{
	say_text("{\"jsonrpc\":\"2.0\",\"id\":\"p-1\",\"method\":\"ping\"}");
	say_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}");
	say_text("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"no/such\"}");
}

static void on_cancelled(const struct jsonrpc *m)
{
	struct slice id = json_get(m->params, "requestId");

	for (int i = 0; i < HELD; i++) {
		if (!held[i].id[0] || !slice_is(id, held[i].id))
			continue;
		if (is("late"))
			answer(id, "{\"content\":[]}");
		held[i].id[0] = '\0';
	}
}

static void on_message(const struct jsonrpc *m)
{
	if (jsonrpc_method_is(m, "tools/call"))
		on_call(m);
	else if (jsonrpc_method_is(m, "tools/list"))
		on_list(m);
	else if (jsonrpc_method_is(m, "initialize"))
		on_initialize(m);
	else if (jsonrpc_method_is(m, "ping") ||
		 jsonrpc_method_is(m, "logging/setLevel"))
		answer(m->id, "{}");
	else if (jsonrpc_method_is(m, "notifications/cancelled"))
		on_cancelled(m);
	else if (jsonrpc_method_is(m, "notifications/initialized") &&
		 is("asks"))
		ask();
	else if (m->kind == JSONRPC_REQUEST && !run_other(m))
		refuse(m->id, ERR_METHOD_NOT_FOUND, "method not found");
}

static bool on_line(void *owner, struct slice line)
{
	struct jsonrpc m = {0};
	struct err e;

	(void)owner;
	append_to("TRANSCRIPT", line);
	if (!jsonrpc_slice(line, &m, &e))
		refuse(m.id, e.reason, e.text);
	else if (m.kind == JSONRPC_REQUEST || m.kind == JSONRPC_NOTIFICATION)
		on_message(&m);
	else
		on_answered(&m);
	return true;
}

static bool on_overlong(void *owner, struct slice start)
{
	(void)owner;
	(void)start;
	exit(1);
}

/* Answer what is due; how long until the next, or -1. */
static int answer_held(void)
{
	long long now = now_ms();
	long long wait = -1;

	for (int i = 0; i < HELD; i++) {
		if (!held[i].id[0] || held[i].due_ms < 0)
			continue;
		if (held[i].due_ms <= now) {
			answer(slice_of(held[i].id), "{\"content\":[]}");
			held[i].id[0] = '\0';
		} else if (wait < 0 || held[i].due_ms - now < wait) {
			wait = held[i].due_ms - now;
		}
	}
	return (int)wait;
}

static void start_grandchild(void)
{
	char pid[32];

	if (fork() == 0) {
		signal(SIGTERM, SIG_IGN);
		if (is("setsid"))
			setsid();
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		append_to("GRANDCHILD", slice_of(pid));
		for (;;)
			pause();
	}
}

static void flood(void)
{
	static char text[64 << 10];

	memset(text, 'e', sizeof(text));
	for (int i = 0; i < 48; i++)
		write_all(STDERR_FILENO, text, sizeof(text));
}

static void start_slowly(void)
{
	struct timespec moment = {.tv_nsec = 250000000};

	append_to("STARTS", slice_of("begin"));
	nanosleep(&moment, NULL);
}

int main(int argc, char **argv)
{
	static const struct lines_events events = {on_line, on_overlong};
	static char bytes[64 << 10];
	struct lines lines;
	ssize_t got = 1;

	modes = argc;
	mode = argv;
	if (is("exit"))
		return 3;
	if (is("ignore-term"))
		signal(SIGTERM, SIG_IGN);
	if (is("grandchild"))
		start_grandchild();
	if (is("slow"))
		start_slowly();
	if (is("flood"))
		flood();
	lines_init(&lines, LINE_BYTES);
	while (got > 0) {
		struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

		if (poll(&input, 1, answer_held()) <= 0)
			continue;
		got = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (got > 0)
			lines_feed(&lines, (struct slice){bytes, (size_t)got},
				   &events, NULL);
	}
	lines_finish(&lines);
	while (is("ignore-eof"))
		pause();
	return 0;
}
