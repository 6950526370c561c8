#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapter/cli/cli.h"

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__ListSourcesRequest request =
		EXECUTOR__ADMIN__V1__LIST_SOURCES_REQUEST__INIT;
	struct err e;

	(void)own;
	(void)argc;
	(void)argv;
	Executor__Admin__V1__ListSourcesResponse *reply = cli_admin(
		c, true, "ListSources", &request.base,
		&executor__admin__v1__list_sources_response__descriptor, &e);
	if (!reply)
		return cli_fail(&e);
	if (c->json) {
		struct cJSON *list = cJSON_CreateArray();

		for (size_t i = 0; i < reply->n_sources; i++)
			cJSON_AddItemToArray(
				list, cli_source_json(reply->sources[i]));
		return cli_print_json(list);
	}
	struct table *t = table_new(4);
	if (!c->quiet)
		table_row(t, "NAME", "STATE", "TOOLS", "COMMAND");
	for (size_t i = 0; i < reply->n_sources; i++) {
		const admin_source_t *s = reply->sources[i];
		char *command = cli_source_command(s);
		char tools[16];

		snprintf(tools, sizeof(tools), "%" PRIu32, s->tools);
		table_row(t, s->name,
			  s->enabled ? cli_source_state(s->state) : "disabled",
			  tools, command);
		free(command);
	}
	table_print(t);
	return CLI_OK;
}

const struct command cmd_source_list = {
	.name = "source list",
	.usage = "",
	.help = "List the tool servers",
	.run = run,
};
