#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "adapter/sibling.h"

static int run(struct cli *c, void *own, int argc, char **argv)
{
	static char data_dir[] = "--data-dir";
	static char no_start[] = "--no-start";
	char *program = sibling_path(NULL, "executor-mcp-adapter");
	char *args[5];
	int n = 0;
	struct err e;

	(void)own;
	(void)argc;
	(void)argv;
	args[n++] = program;
	if (c->data_dir_option) {
		args[n++] = data_dir;
		args[n++] = (char *)(uintptr_t)c->data_dir_option;
	}
	if (c->no_start)
		args[n++] = no_start;
	args[n] = NULL;
	execvp(program, args);
	err_sys(&e, ERR_INTERNAL, "cannot run %s", program);
	free(program);
	return cli_fail(&e);
}

const struct command cmd_mcp = {
	.name = "mcp",
	.usage = "",
	.help = "Speak MCP on stdin and stdout: runs executor-mcp-adapter",
	.run = run,
};
