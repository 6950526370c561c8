#include <cjson/cJSON.h>
#include <stdio.h>

#include "adapter/cli/cli.h"

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__RemoveSourceRequest request =
		EXECUTOR__ADMIN__V1__REMOVE_SOURCE_REQUEST__INIT;
	struct err e;

	(void)own;
	(void)argc;
	request.name = argv[0];
	if (!cli_admin(c, true, "RemoveSource", &request.base,
		       &executor__admin__v1__remove_source_response__descriptor,
		       &e))
		return cli_fail(&e);
	if (c->json) {
		struct cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "removed", argv[0]);
		return cli_print_json(o);
	}
	if (!c->quiet)
		printf("removed %s\n", argv[0]);
	return CLI_OK;
}

const struct command cmd_source_remove = {
	.name = "source remove",
	.usage = "NAME",
	.help = "End a tool server and forget it",
	.operands = "@sources",
	.least = 1,
	.most = 1,
	.run = run,
};
