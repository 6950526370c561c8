#include "peer_executor.h"

#include <stdio.h>

#include "proto/json.h"

enum { LINE_BYTES = 1024, FIRST_ID = 1000 };

static void say(const struct party *p, uint64_t id, const char *tool,
		const char *arguments)
{
	char line[LINE_BYTES];
	int len = snprintf(line, sizeof(line),
			   "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":"
			   "\"tools/call\",\"params\":{\"name\":\"%s\","
			   "\"arguments\":%s}}\n",
			   (unsigned long long)id, tool, arguments);

	if ((size_t)len >= sizeof(line))
		lab_fail("too long a call of %s", tool);
	party_say(p, (struct slice){line, (size_t)len});
}

static void expect(struct party *p, uint64_t id, const char *status)
{
	struct jsonrpc m = lab_answer(p, id);
	struct slice got =
		json_path(m.result, "structuredContent", "status", NULL);
	struct slice ok =
		json_path(m.result, "structuredContent", "result", "ok", NULL);

	if (!json_string_is(got, status) || slice_is(ok, "false"))
		lab_fail("executor: %.*s", (int)m.text.len, m.text.ptr);
}

void peer_executor_set_up(struct party *client)
{
	char add[LINE_BYTES];

	snprintf(add, sizeof(add),
		 "{\"code\":\"return await tools.executor.mcp.addServer({"
		 "transport:'stdio',name:'echo',slug:'echo',command:'%s'})\"}",
		 lab_floor("echo_source"));
	say(client, FIRST_ID, "execute", add);
	expect(client, FIRST_ID, "waiting_for_interaction");
	say(client, FIRST_ID + 1, "resume",
	    "{\"executionId\":\"exec_1\",\"action\":\"accept\"}");
	expect(client, FIRST_ID + 1, "completed");
	/* A connection must name a secret, though this source takes none. */
	say(client, FIRST_ID + 2, "execute",
	    "{\"code\":\"return await tools.executor.coreTools.connections."
	    "create({owner:'user',name:'main',integration:'echo',"
	    "template:'none',from:{provider:'file',id:'none'}})\"}");
	expect(client, FIRST_ID + 2, "completed");
}

static void say_code(struct talker *t)
{
	char arguments[LINE_BYTES];
	uint64_t id = t->next++;

	snprintf(arguments, sizeof(arguments),
		 "{\"code\":\"return await tools.echo.user.main.echo({"
		 "text:'value %llu'})\"}",
		 (unsigned long long)id);
	say(&t->near, id, "execute", arguments);
}

static void judge_code(const struct jsonrpc *m, uint64_t id)
{
	talker_judge_text(m,
			  json_path(m->result, "structuredContent", "result",
				    "data", NULL),
			  id);
}

const struct question question_code = {"code", say_code, judge_code};
