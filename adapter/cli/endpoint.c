#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapter/cli/cli.h"
#include "proto/mem.h"

static int run(struct cli *c, void *own, int argc, char **argv)
{
	struct err e;

	(void)own;
	(void)argc;
	(void)argv;
	const admin_status_t *s = cli_get_status(c, true, &e);
	if (!s)
		return cli_fail(&e);
	char *path = mem_ntext((const char *)s->unix_socket.data,
			       s->unix_socket.len);
	if (c->json) {
		struct cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "unix", path);
		if (*s->tcp_url)
			cJSON_AddStringToObject(o, "tcp", s->tcp_url);
		else
			cJSON_AddNullToObject(o, "tcp");
		cli_print_json(o);
	} else {
		printf("unix:%s\n", path);
		if (*s->tcp_url)
			puts(s->tcp_url);
	}
	free(path);
	return CLI_OK;
}

const struct command cmd_endpoint = {
	.name = "endpoint",
	.usage = "",
	.help = "Print where a stock gRPC client reaches the daemon",
	.run = run,
};
