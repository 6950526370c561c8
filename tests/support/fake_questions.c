/* The tools of the fake MCP server that ask their client. */
#include "tests/support/fake_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

enum { ASKINGS = 64 };

/* A call that asks its client, and what it was answered so far. */
struct asking {
	char call[64]; /* "" when it is free */
	struct buf method;
	struct buf params;
	unsigned long long open, parallel, rounds;
	struct buf answers;
};

static struct asking askings[ASKINGS];
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
		fake_say(&message);
	}
}

static void end_asking(struct asking *a)
{
	buf_append(&a->answers, "]}}\0", 4);
	if (strcmp(a->call, "done") != 0)
		fake_answer(slice_of(a->call), a->answers.data);
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
	fake_say_text(text);
	end_asking(&askings[at]);
}

void fake_ask(const struct jsonrpc *m, struct slice arguments)
{
	struct asking *a = askings;

	while (a->call[0])
		if (++a == askings + ASKINGS)
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
		fake_answer(m->id, "{\"content\":[]}");
		snprintf(a->call, sizeof(a->call), "done");
	}
	put_questions((int)(a - askings));
	if (json_get(arguments, "cancel").len > 0)
		take_back((int)(a - askings));
}

void fake_answered(const struct jsonrpc *m)
{
	struct buf id = {0};
	int at = -1;

	json_unquote(&id, m->id);
	buf_append(&id, "", 1);
	if (sscanf(id.data, "q-%d-", &at) == 1 && at >= 0 && at < ASKINGS &&
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
void fake_complete(const struct jsonrpc *m, struct slice arguments)
{
	struct buf message = {0};
	struct buf params = {0};

	buf_append_text(&params, "{\"elicitationId\":");
	buf_append_slice(&params, json_get(arguments, "id"));
	buf_append_text(&params, "}");
	jsonrpc_request(&message, (struct slice){NULL, 0},
			"notifications/elicitation/complete",
			buf_slice(&params));
	fake_say(&message);
	fake_answer(m->id, "{\"content\":[]}");
	buf_finish(&params);
}
