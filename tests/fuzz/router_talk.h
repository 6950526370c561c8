/*
 * router_talk: what the sources of tests/fuzz/router.c say: answers, progress,
 * notifications and questions, well-formed all of them.
 */
#ifndef TESTS_FUZZ_ROUTER_TALK_H
#define TESTS_FUZZ_ROUTER_TALK_H

#include "proto/mcp.h"
#include "tests/fuzz/router_clients.h"

static void write_items(struct buf *to, const char *member, const char *begin,
			unsigned which)
{
	bool first = true;

	buf_printf(to, "\"%s\":[", member);
	for (unsigned i = 0; i < 4; i++) {
		if (!(which & 1u << i))
			continue;
		buf_printf(to, "%s{%s%u\"}", first ? "" : ",", begin, i);
		first = false;
	}
	buf_printf(to, "]%s", which & 128 ? ",\"nextCursor\":\"n\"" : "");
}

static void write_result(struct buf *to, const struct held *h, unsigned how)
{
	static const char *const revisions[] = {"2024-11-05", "2025-03-26",
						"2025-06-18", "2025-11-25"};

	if (strcmp(h->method, "initialize") == 0)
		buf_printf(to,
			   "\"protocolVersion\":\"%s\",\"capabilities\":{"
			   "\"tools\":{}%s%s%s%s},\"serverInfo\":{\"name\":"
			   "\"s\",\"version\":\"1\"}",
			   revisions[how % 4],
			   how & 4 ? "" : ",\"resources\":{\"subscribe\":true}",
			   how & 8 ? "" : ",\"prompts\":{}",
			   how & 16 ? "" : ",\"logging\":{}",
			   how & 32 ? "" : ",\"completions\":{}");
	else if (strcmp(h->method, "tools/list") == 0)
		write_items(
			to, "tools",
			"\"inputSchema\":{\"type\":\"object\"},\"name\":\"t",
			how);
	else if (strcmp(h->method, "prompts/list") == 0)
		write_items(to, "prompts", "\"name\":\"t", how);
	else if (strcmp(h->method, "resources/list") == 0)
		write_items(to, "resources", "\"name\":\"r\",\"uri\":\"r:/",
			    how);
	else if (strcmp(h->method, "resources/templates/list") == 0)
		write_items(to, "resourceTemplates",
			    "\"name\":\"r\",\"uriTemplate\":\"r:/{x}", how);
	else if (strcmp(h->method, "resources/read") == 0)
		buf_printf(to,
			   "\"contents\":[{\"uri\":\"r:/%u\",\"text\":\"\"}]",
			   how % URIS);
	else
		buf_printf(to,
			   "\"content\":[{\"type\":\"%s\",\"name\":\"n\","
			   "\"uri\":\"h:/%u\",\"data\":\"\"}]",
			   how & 64 ? "audio" : "resource_link", how % URIS);
}

/* Answer a request, well or with an error. */
static void answer(struct fake *f, size_t i, unsigned how, bool fails)
{
	struct held h = f->held[i];
	struct buf line = {0};

	drop_held(f, i);
	f->opened = f->opened || strcmp(h.method, "initialize") == 0;
	buf_printf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%llu,",
		   (unsigned long long)h.number);
	if (fails) {
		buf_printf(&line,
			   "\"error\":{\"code\":%d,\"message\":\"no\",\"data\":"
			   "{\"elicitations\":[{\"mode\":\"url\",\"url\":\"u\","
			   "\"elicitationId\":\"e%u\"}]}}}",
			   how & 1 ? -32042 : -32602, how % 4);
	} else {
		buf_append_text(&line, "\"result\":{");
		write_result(&line, &h, how);
		if (h.tag[0] != '\0')
			buf_printf(&line, ",\"tag\":\"%s\"", h.tag);
		buf_append_text(&line, "}}");
	}
	fake_say(f, &line);
	buf_finish(&line);
}

/* Everything that it was asked so far; it may end with any of it. */
static void answer_all(int leg, unsigned how)
{
	for (int i = 0; i < HELD; i++) {
		struct fake *f = legs[leg];

		if (!f || f->held_count == 0)
			return;
		answer(f, 0, how, false);
	}
}

static void progress(struct fake *f, unsigned how)
{
	struct buf line = {0};

	if (f->held_count == 0)
		return;
	const struct held *h = &f->held[how % f->held_count];
	buf_printf(&line,
		   "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
		   "\"params\":{\"progress\":%u,\"progressToken\":%s}}",
		   how, h->token[0] != '\0' ? h->token : "1");
	fake_say(f, &line);
	buf_finish(&line);
}

static void notify(struct fake *f, unsigned how)
{
	static const char *const methods[] = {
		"notifications/tools/list_changed",
		"notifications/resources/list_changed",
		"notifications/prompts/list_changed",
		"notifications/message",
		"notifications/resources/updated",
		"notifications/elicitation/complete",
		"notifications/cancelled",
		"notifications/unheard_of",
	};
	struct buf line = {0};
	struct put *asked = &f->put[how / 8 % QUESTIONS];

	buf_printf(&line,
		   "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":{"
		   "\"level\":\"%s\",\"data\":{\"from\":\"%s\"},"
		   "\"uri\":\"r:/%u\",\"elicitationId\":\"e%u\","
		   "\"requestId\":\"q%u\"}}",
		   methods[how % 8],
		   mcp_level_name((enum mcp_level)(how / 8 % MCP_LEVEL_COUNT)),
		   f->name, how / 8 % URIS, how / 8 % 4, asked->number);
	if (how % 8 == 6)
		asked->number = 0; /* it wants no answer any more */
	fake_say(f, &line);
	buf_finish(&line);
}

static void put_question(struct fake *f, unsigned how)
{
	static const char *const methods[] = {
		"elicitation/create", "sampling/createMessage",
		"roots/list",	      "ping",
		"elicitation/create", "unheard/of",
	};
	struct put *p = f->put;
	struct buf line = {0};
	unsigned kind = how % 6;

	while (p < &f->put[QUESTIONS] && p->number > 0)
		p++;
	if (p == &f->put[QUESTIONS])
		return;
	*p = (struct put){.number = ++last_question};
	buf_printf(&line,
		   "{\"jsonrpc\":\"2.0\",\"id\":\"q%u\",\"method\":\"%s\","
		   "\"params\":{\"q\":\"q%u\"%s%s}}",
		   p->number, methods[kind], p->number,
		   kind == 4 ? ",\"mode\":\"url\",\"url\":\"u\","
			       "\"elicitationId\":\"e1\""
			     : "",
		   how & 64 ? ",\"_meta\":{\"progressToken\":\"p\"}" : "");
	fake_say(f, &line);
	buf_finish(&line);
}

#endif
