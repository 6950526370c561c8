#include "adapter/cli/cli.h"

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__ListToolsRequest request =
		EXECUTOR__ADMIN__V1__LIST_TOOLS_REQUEST__INIT;
	struct err e;

	(void)own;
	if (argc > 0)
		request.source = argv[0];
	Executor__Admin__V1__ListToolsResponse *reply = cli_admin(
		c, true, "ListTools", &request.base,
		&executor__admin__v1__list_tools_response__descriptor, &e);
	if (!reply)
		return cli_fail(&e);
	return cli_print_tools(c, reply->tools, reply->n_tools);
}

const struct command cmd_tools_list = {
	.name = "tools list",
	.usage = "[SOURCE]",
	.help = "List the tools that clients see",
	.operands = "@sources",
	.most = 1,
	.run = run,
};
