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
#include "tests/support/fake_source.h"
#include <errno.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/json.h"
#include "proto/lines.h"
#include "proto/mcp.h"

enum { LINE_BYTES = 128 << 20 };

static void on_initialize(const struct jsonrpc *m)
{
	char result[512];
	const char *version = fake_is("wrong-version")
				      ? "2099-01-01"
				      : mcp_revision(m->params);

	if (fake_is("mute"))
		return;
	if (fake_is("early"))
		fake_say_text(
			"{\"jsonrpc\":\"2.0\",\"id\":\"early\",\"method\":"
			"\"elicitation/create\",\"params\":{}}");
	if (fake_is("slow"))
		fake_append_to("STARTS", slice_of("end"));
	if (fake_is("close-stdout")) {
		close(STDOUT_FILENO);
		return;
	}
	snprintf(result, sizeof(result),
		 "{\"protocolVersion\":\"%s\",\"capabilities\":{%s},"
		 "\"serverInfo\":{\"name\":\"fake\",\"version\":\"1.2\"}%s}",
		 version, fake_capabilities(),
		 fake_is("rich") ? ",\"instructions\":\"Be gentle.\"" : "");
	fake_answer(m->id, result);
}

static void ask(void)
{
	fake_say_text(
		"{\"jsonrpc\":\"2.0\",\"id\":\"p-1\",\"method\":\"ping\"}");
	fake_say_text(
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}");
	fake_say_text("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"no/such\"}");
}

static void on_message(const struct jsonrpc *m)
{
	if (jsonrpc_method_is(m, "tools/call"))
		fake_call(m);
	else if (jsonrpc_method_is(m, "tools/list"))
		fake_list_tools(m);
	else if (jsonrpc_method_is(m, "initialize"))
		on_initialize(m);
	else if (jsonrpc_method_is(m, "ping") ||
		 jsonrpc_method_is(m, "logging/setLevel"))
		fake_answer(m->id, "{}");
	else if (jsonrpc_method_is(m, "notifications/cancelled"))
		fake_cancelled(m);
	else if (jsonrpc_method_is(m, "notifications/initialized") &&
		 fake_is("asks"))
		ask();
	else if (m->kind == JSONRPC_REQUEST && !fake_other(m))
		fake_refuse(m->id, ERR_METHOD_NOT_FOUND, "method not found");
}

static bool on_line(void *owner, struct slice line)
{
	struct jsonrpc m = {0};
	struct err e;

	(void)owner;
	fake_append_to("TRANSCRIPT", line);
	if (!jsonrpc_slice(line, &m, &e))
		fake_refuse(m.id, e.reason, e.text);
	else if (m.kind == JSONRPC_REQUEST || m.kind == JSONRPC_NOTIFICATION)
		on_message(&m);
	else
		fake_answered(&m);
	return true;
}

static bool on_overlong(void *owner, struct slice start)
{
	(void)owner;
	(void)start;
	exit(1);
}

static void start_grandchild(void)
{
	char pid[32];

	if (fork() == 0) {
		signal(SIGTERM, SIG_IGN);
		if (fake_is("setsid"))
			setsid();
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		fake_append_to("GRANDCHILD", slice_of(pid));
		for (;;)
			pause();
	}
}

static void flood(void)
{
	static char text[64 << 10];

	memset(text, 'e', sizeof(text));
	for (int i = 0; i < 48; i++)
		fake_write(STDERR_FILENO, text, sizeof(text));
}

static void start_slowly(void)
{
	struct timespec moment = {.tv_nsec = 250000000};

	fake_append_to("STARTS", slice_of("begin"));
	nanosleep(&moment, NULL);
}

int main(int argc, char **argv)
{
	static const struct lines_events events = {on_line, on_overlong};
	static char bytes[64 << 10];
	struct lines lines;
	ssize_t got = 1;

	fake_be(argc, argv);
	if (fake_is("exit"))
		return 3;
	if (fake_is("ignore-term"))
		signal(SIGTERM, SIG_IGN);
	if (fake_is("grandchild"))
		start_grandchild();
	if (fake_is("slow"))
		start_slowly();
	if (fake_is("flood"))
		flood();
	lines_init(&lines, LINE_BYTES);
	while (got > 0) {
		struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

		if (poll(&input, 1, fake_answer_held()) <= 0)
			continue;
		got = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (got > 0)
			lines_feed(&lines, (struct slice){bytes, (size_t)got},
				   &events, NULL);
	}
	lines_finish(&lines);
	while (fake_is("ignore-eof"))
		pause();
	return 0;
}
