/* The help half of cli.h: --help, from the tables. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "adapter/cli/cli.h"

const char *const cli_exit_texts[] = {
	[CLI_OK] = "done",
	[CLI_FAILURE] = "failure",
	[CLI_USAGE] = "usage",
	[CLI_NOT_RUNNING] = "no daemon runs",
	[CLI_DENIED] = "denied",
	[CLI_TOOL_ERROR] = "the tool returned an error",
	[CLI_NOT_FOUND] = "not found",
	[CLI_TIMEOUT] = "timeout",
	NULL,
};

bool cli_option_has_letter(const struct cli_option *o)
{
	return o->value > 0 && o->value <= UCHAR_MAX && isalpha(o->value);
}

void cli_option_synopsis(const struct cli_option *o, char to[64])
{
	bool letter = cli_option_has_letter(o);

	snprintf(to, 64, "%c%c%c --%s%s%s", letter ? '-' : ' ',
		 letter ? o->value : ' ', letter ? ',' : ' ', o->name,
		 o->argument ? " " : "", o->argument ? o->argument : "");
}

static void print_options(const struct cli_option *o)
{
	for (; o && o->name; o++) {
		char left[64];

		cli_option_synopsis(o, left);
		printf("  %-22s %s\n", left, o->help);
	}
}

int cli_help(const struct cli *c)
{
	puts("usage: executor [OPTION]... COMMAND [ARGUMENT]...\n"
	     "One owner for every AI agent's tools.\n\nCommands:");
	for (size_t i = 0; i < c->command_count; i++)
		if (!c->commands[i]->hidden)
			printf("  %-18s %s\n", c->commands[i]->name,
			       c->commands[i]->help);
	puts("\nOptions, before or after the command:");
	print_options(c->common);
	puts("\nExit status:");
	for (int i = 0; cli_exit_texts[i]; i++)
		printf("  %d  %s\n", i, cli_exit_texts[i]);
	return CLI_OK;
}

int cli_command_help(const struct command *cmd)
{
	printf("usage: executor %s%s%s\n%s.\n", cmd->name,
	       *cmd->usage ? " " : "", cmd->usage, cmd->help);
	if (cmd->more)
		printf("\n%s", cmd->more);
	if (cmd->options) {
		putchar('\n');
		print_options(cmd->options);
	}
	puts("\n`executor --help` lists the options of every command.");
	return CLI_OK;
}
