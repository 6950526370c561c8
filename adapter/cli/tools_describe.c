#include <stdio.h>
#include <stdlib.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/json.h"
#include "proto/protobuf.h"

/* A string member, its escapes resolved, with a label; or nothing. */
static void print_text(const char *label, struct slice json, const char *name)
{
	struct slice value = json_get(json, name);
	struct buf text = {0};

	if (json_kind(value) != JSON_STRING)
		return;
	json_unquote(&text, value);
	char *plain = cli_plain(text.data ? text.data : "", text.len);
	printf("%-12s%s\n", label, plain);
	free(plain);
	buf_finish(&text);
}

static void print_raw(const char *label, struct slice json, const char *name)
{
	struct slice value = json_get(json, name);

	if (json_kind(value) != JSON_NONE)
		printf("%-12s%.*s\n", label, (int)value.len, value.ptr);
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__GetToolRequest request =
		EXECUTOR__ADMIN__V1__GET_TOOL_REQUEST__INIT;
	struct err e;

	(void)own;
	(void)argc;
	request.name = argv[0];
	Executor__Admin__V1__GetToolResponse *reply = cli_admin(
		c, true, "GetTool", &request.base,
		&executor__admin__v1__get_tool_response__descriptor, &e);
	if (!reply)
		return cli_fail(&e);
	if (!reply->tool) {
		err_set(&e, ERR_PROTOCOL, "the daemon answered no tool");
		return cli_fail(&e);
	}
	struct slice json = protobuf_slice(reply->tool->json);
	if (c->json) {
		printf("%.*s\n", (int)json.len, json.ptr);
		return CLI_OK;
	}
	printf("%-12s%s\n", "name", reply->tool->name);
	printf("%-12s%s (its own name: %s)\n", "source", reply->tool->source,
	       reply->tool->source_name);
	print_text("title", json, "title");
	print_text("description", json, "description");
	print_raw("input", json, "inputSchema");
	print_raw("output", json, "outputSchema");
	print_raw("annotations", json, "annotations");
	return CLI_OK;
}

const struct command cmd_tools_describe = {
	.name = "tools describe",
	.usage = "NAME",
	.help = "Describe one tool: what it does and takes",
	.least = 1,
	.most = 1,
	.run = run,
};
