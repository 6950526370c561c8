/*
 * executor token rotate.  Only the daemon writes the file; the token itself
 * passes through no message and no argument.
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adapter/cli/cli.h"
#include "proto/token.h"

static int rotate(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__RotateTokenRequest request =
		EXECUTOR__ADMIN__V1__ROTATE_TOKEN_REQUEST__INIT;
	char path[4096];
	struct err e;

	(void)own;
	(void)argc;
	(void)argv;
	if (!cli_admin(c, true, "RotateToken", &request.base,
		       &executor__admin__v1__rotate_token_response__descriptor,
		       &e))
		return cli_fail(&e);
	snprintf(path, sizeof(path), "%s/" TOKEN_FILE, c->data_dir);
	if (c->json) {
		struct cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "token_file", path);
		return cli_print_json(o);
	}
	if (!c->quiet)
		printf("another token is in %s\n", path);
	return CLI_OK;
}

const struct command cmd_token_rotate = {
	.name = "token rotate",
	.usage = "",
	.help = "Replace the token of the TCP endpoint",
	.more = "The new one is in the file that `executor endpoint` names, "
		"and "
		"in force at once.\nWhoever connected with the old one is cut "
		"off.\n",
	.run = rotate,
};
