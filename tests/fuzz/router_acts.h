/*
 * router_acts: what the clients of tests/fuzz/router.c ask and answer, one byte
 * of the script each.
 */
#ifndef TESTS_FUZZ_ROUTER_ACTS_H
#define TESTS_FUZZ_ROUTER_ACTS_H

#include "proto/mcp.h"
#include "tests/fuzz/router_clients.h"

static void call(struct client *c, unsigned how)
{
	static const char *const built_in[] = {"status", "list_sources",
					       "search_tools", "describe_tool"};
	char params[128];

	if (how % 4 < SOURCES)
		snprintf(params, sizeof(params), "\"name\":\"%s__t%u\"",
			 sources[how % 4], how / 4 % 4);
	else
		snprintf(params, sizeof(params),
			 "\"name\":\"executor__%s\",\"arguments\":{"
			 "\"query\":\"t\",\"name\":\"one__t1\"}",
			 built_in[how / 4 % 4]);
	client_ask(c,
		   &(struct request){how & 128 ? "prompts/get" : "tools/call",
				     params, .progress = how & 64});
}

static void use_uri(struct client *c, unsigned how)
{
	static const char *const methods[] = {
		"resources/read",
		"resources/subscribe",
		"resources/unsubscribe",
		"completion/complete",
	};
	unsigned uri = how % URIS;
	unsigned form = how / 4 % FORMS;
	unsigned method = how / 16 % 4;
	const char *scheme = how & 128 ? "h" : "r";
	char text[64];
	char params[128];

	if (form == 0)
		snprintf(text, sizeof(text), "%s:/%u", scheme, uri);
	else
		snprintf(text, sizeof(text), "mcp-hub://%s/%s%%3A%%2F%u",
			 sources[form - 1], scheme, uri);
	if (method < 3)
		snprintf(params, sizeof(params), "\"uri\":\"%s\"", text);
	else if (form > 0 && how & 128)
		snprintf(params, sizeof(params),
			 "\"ref\":{\"type\":\"ref/prompt\",\"name\":"
			 "\"%s__t%u\"}",
			 sources[form - 1], uri);
	else
		snprintf(params, sizeof(params),
			 "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"%s\"}",
			 how & 64 ? "r:/{x}" : text);
	client_ask(c, &(struct request){methods[method], params,
					.progress = how & 64,
					.subscribes = method == 1,
					.unsubscribes = method == 2, .uri = uri,
					.form = form});
}

static void ask_hub(struct client *c, unsigned how)
{
	static const char *const revisions[] = {"2024-11-05", "2025-03-26",
						"2025-06-18", "2025-11-25"};
	static const char *const methods[] = {
		"tools/list",
		"resources/list",
		"prompts/list",
		"resources/templates/list",
		"logging/setLevel",
		"initialize",
		"ping",
		"nothing/known",
	};
	char params[256] = "";

	if (how % 8 < 4 && how & 128)
		snprintf(params, sizeof(params), "\"cursor\":\"x\"");
	if (how % 8 == 4)
		snprintf(params, sizeof(params), "\"level\":\"%s\"",
			 mcp_level_name(
				 (enum mcp_level)(how / 8 % MCP_LEVEL_COUNT)));
	if (how % 8 == 5)
		snprintf(params, sizeof(params),
			 "\"protocolVersion\":\"%s\",\"capabilities\":{%s%s%s}",
			 revisions[how / 8 % 4],
			 how & 32 ? "\"elicitation\":{\"form\":{},\"url\":{}},"
				  : "",
			 how & 64 ? "\"sampling\":{}," : "",
			 how & 128 ? "\"roots\":{}" : "\"x\":{}");
	client_ask(c, &(struct request){.method = methods[how % 8],
					.params = params});
}

/* Answer what it is asked, or say how far it is. */
static void answer_question(struct client *c, unsigned how)
{
	struct shown *q = &c->shown[how % QUESTIONS];
	struct buf text = {0};

	if (q->number == 0)
		return;
	buf_append_text(&text, "{\"jsonrpc\":\"2.0\",");
	if (how & 64)
		buf_printf(&text,
			   "\"method\":\"notifications/progress\",\"params\":"
			   "{\"progressToken\":%llu,\"progress\":1}}",
			   (unsigned long long)q->number);
	else
		buf_printf(&text, "\"id\":%llu,\"%s\":{\"by\":\"%s\"}}",
			   (unsigned long long)q->number,
			   how & 32 ? "error" : "result", c->tag);
	/* A second answer must be no harm. */
	if (!(how & (64 | 128)))
		q->number = 0;
	client_say(c, buf_slice(&text));
	buf_finish(&text);
}

#endif
