/*
 * executor man: the manual page executor(1) in man(7), from the tables.
 */
#include "proto/version.h"
#include <stdio.h>
#include <string.h>

#include "adapter/cli/cli.h"

/* Text as it is: what roff would take for its own is escaped. */
static void put(const char *text)
{
	bool line_start = true;

	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		line_start = *text == '\n';
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '`')
			fputs("\\(ga", stdout);
		else
			putchar(*text);
	}
}

static void put_options(const struct cli_option *o)
{
	for (; o && o->name; o++) {
		char left[64];

		cli_option_synopsis(o, left);
		fputs(".TP\n.B ", stdout);
		put(left + strspn(left, " "));
		putchar('\n');
		put(o->help);
		puts(".");
	}
}

static void put_command(const struct command *cmd)
{
	fputs(".SS executor ", stdout);
	put(cmd->name);
	putchar('\n');
	if (*cmd->usage) {
		fputs(".B ", stdout);
		put(cmd->name);
		putchar(' ');
		put(cmd->usage);
		puts("\n.PP");
	}
	put(cmd->help);
	puts(".");
	if (cmd->more) {
		/* Its lines are broken where help wants them. */
		puts(".PP");
		put(cmd->more);
	}
	put_options(cmd->options);
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	(void)own;
	(void)argc;
	(void)argv;
	printf(".TH EXECUTOR 1 \"\" \"Executor %s\"\n", version_text);
	puts(".SH NAME\n"
	     "executor \\- one owner for every AI agent\\(aqs tools\n"
	     ".SH SYNOPSIS\n"
	     ".B executor\n"
	     ".RI [ OPTION ]... \" COMMAND \" [ ARGUMENT ]...\n"
	     ".SH DESCRIPTION\n"
	     "The command line of Executor.\n"
	     "All MCP clients of a person share one daemon,\n"
	     ".BR executord (1),\n"
	     "and its tool servers, which are called sources.\n"
	     "Commands that need the daemon start it when none runs, unless "
	     "they say otherwise.\n"
	     ".SH OPTIONS\n"
	     "Before or after the command.");
	put_options(c->common);
	puts(".SH COMMANDS");
	for (size_t i = 0; i < c->command_count; i++)
		if (!c->commands[i]->hidden)
			put_command(c->commands[i]);
	puts(".SH EXIT STATUS");
	for (int i = 0; cli_exit_texts[i]; i++) {
		printf(".TP\n.B %d\n", i);
		put(cli_exit_texts[i]);
		puts(".");
	}
	puts(".SH ENVIRONMENT\n"
	     ".TP\n"
	     ".B EXECUTOR_DATA_DIR\n"
	     "The data directory, when\n"
	     ".B \\-\\-data\\-dir\n"
	     "does not name one.\n"
	     ".SH FILES\n"
	     ".TP\n"
	     ".I ~/.executor\n"
	     "The data directory: the database, its key, logs, and the "
	     "daemon\\(aqs socket.\n"
	     ".SH SEE ALSO\n"
	     ".BR executor\\-mcp\\-adapter (1),\n"
	     ".BR executord (1)");
	return CLI_OK;
}

const struct command cmd_man = {
	.name = "man",
	.usage = "",
	.help = "Print the manual page, for man(1)",
	.hidden = true,
	.run = run,
};
