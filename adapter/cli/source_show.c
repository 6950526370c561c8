#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapter/cli/cli.h"
#include "proto/mem.h"

static void print_stderr(const admin_source_t *s)
{
	for (size_t i = 0; i < s->n_stderr_tail; i++) {
		char *line = cli_plain((const char *)s->stderr_tail[i].data,
				       s->stderr_tail[i].len);

		printf("%s  %s\n", i == 0 ? "its stderr" : "          ", line);
		free(line);
	}
}

static int print_source(const admin_source_t *s)
{
	char *command = cli_source_command(s);
	char *cwd = mem_ntext((const char *)s->cwd.data, s->cwd.len);
	char memory[CLI_MEMORY_BYTES];

	printf("name        %s\n", s->name);
	printf("state       %s\n", cli_source_state(s->state));
	printf("command     %s\n", command);
	if (!s->builtin) {
		printf("cwd         %s\n", cwd);
		printf("env        ");
		for (size_t i = 0; i < s->n_env_names; i++)
			printf(" %s", s->env_names[i]);
		puts(s->n_env_names ? "" : " (only what was captured)");
	}
	if (s->pid)
		printf("pid         %" PRId64 "\n", s->pid);
	cli_source_memory(memory, s);
	if (*memory)
		printf("memory      %s\n", memory);
	printf("tools       %" PRIu32 "\n", s->tools);
	printf("prompts     %" PRIu32 "\n", s->prompts);
	printf("resources   %" PRIu32 ", and %" PRIu32 " templates\n",
	       s->resources, s->resource_templates);
	if (*s->server_name)
		printf("server      %s %s, MCP %s\n", s->server_name,
		       s->server_version, s->revision);
	if (!s->builtin)
		printf("settings    %s, interactive %s, roots %.*s, hints %s\n",
		       s->enabled ? "enabled" : "disabled", s->interactive,
		       (int)s->roots.len, (const char *)s->roots.data,
		       s->trust_hints ? "trusted" : "not trusted");
	printf("restarts    %" PRIu32 "\n", s->restarts);
	printf("in flight   %" PRIu32 "\n", s->requests_in_flight);
	if (*s->last_error)
		printf("last error  %s\n", s->last_error);
	print_stderr(s);
	free(command);
	free(cwd);
	return CLI_OK;
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__GetSourceRequest request =
		EXECUTOR__ADMIN__V1__GET_SOURCE_REQUEST__INIT;
	struct err e;

	(void)own;
	(void)argc;
	request.name = argv[0];
	Executor__Admin__V1__GetSourceResponse *reply = cli_admin(
		c, true, "GetSource", &request.base,
		&executor__admin__v1__get_source_response__descriptor, &e);
	if (!reply)
		return cli_fail(&e);
	if (!reply->source) {
		err_set(&e, ERR_PROTOCOL, "the daemon answered no source");
		return cli_fail(&e);
	}
	return c->json ? cli_print_json(cli_source_json(reply->source))
		       : print_source(reply->source);
}

const struct command cmd_source_show = {
	.name = "source show",
	.usage = "NAME",
	.help = "Show one tool server, and why it last failed",
	.operands = "@sources",
	.least = 1,
	.most = 1,
	.run = run,
};
