/*
 * executor: the command line.  A gRPC client like any internal tool.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/cli/cli.h"
#include "adapter/cli/rpc.h"
#include "proto/log.h"
#include "proto/mem.h"

static const struct command *const commands[] = {
	&cmd_status,	     &cmd_source_add,
	&cmd_source_list,    &cmd_source_show,
	&cmd_source_remove,  &cmd_tools_list,
	&cmd_tools_describe, &cmd_call,
	&cmd_daemon_run,     &cmd_daemon_stop,
	&cmd_daemon_restart, &cmd_logs,
	&cmd_endpoint,	     &cmd_mcp,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

enum {
	OPTION_DATA_DIR = 256,
	OPTION_NO_START,
	OPTION_TIMEOUT,
	OPTION_NO_COLOR,
};

enum { OPTIONS_MAX = 32, TIMEOUT_DEFAULT_MS = 60000 };

static const struct option common[] = {
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{"output", required_argument, NULL, 'o'},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"data-dir", required_argument, NULL, OPTION_DATA_DIR},
	{"no-start", no_argument, NULL, OPTION_NO_START},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"no-color", no_argument, NULL, OPTION_NO_COLOR},
	{0},
};

static const char general_help[] =
	"\n"
	"Options, before or after the command:\n"
	"      --data-dir DIR    instead of EXECUTOR_DATA_DIR or ~/.executor\n"
	"  -o, --output FORMAT   json or table\n"
	"      --no-start        do not start a daemon when none runs\n"
	"      --timeout S       give up after S seconds (60)\n"
	"  -q, --quiet           print results only\n"
	"  -v, --verbose         say more on standard error\n"
	"      --no-color        plain output (it always is)\n"
	"  -h, --help            this, or what COMMAND takes\n"
	"  -V, --version         the version\n"
	"\n"
	"Exit status: 0 done, 1 failure, 2 usage, 3 no daemon runs, 4 denied,\n"
	"5 the tool returned an error, 6 not found, 7 timeout.\n";

static int print_version(void)
{
	puts("executor " EXECUTOR_VERSION "\n"
	     "MCP 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25\n"
	     "MIT License");
	return CLI_OK;
}

static int print_help(void)
{
	puts("usage: executor [OPTION]... COMMAND [ARGUMENT]...\n"
	     "One owner for every AI agent's tools.\n\nCommands:");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-18s %s\n", commands[i]->name, commands[i]->help);
	fputs(general_help, stdout);
	return CLI_OK;
}

static int print_command_help(const struct command *cmd)
{
	printf("usage: executor %s%s%s\n%s.\n", cmd->name,
	       *cmd->usage ? " " : "", cmd->usage, cmd->help);
	if (cmd->more)
		printf("\n%s", cmd->more);
	puts("\n`executor --help` lists the options of every command.");
	return CLI_OK;
}

static int usage_error(const char *text, const char *what)
{
	fprintf(stderr, "executor: error: %s%s; try: executor --help\n", text,
		what);
	return CLI_USAGE;
}

/* How many of the words at argv are the command's name; 0 if they are not. */
static int words_of(const struct command *cmd, int argc, char **argv)
{
	const char *name = cmd->name;
	int words = 0;

	while (*name) {
		size_t len = strcspn(name, " ");

		if (words == argc || strlen(argv[words]) != len ||
		    strncmp(argv[words], name, len) != 0)
			return 0;
		words++;
		name += len;
		name += *name == ' ';
	}
	return words;
}

static const struct command *find_command(int argc, char **argv, int *words)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *cmd = commands[i];

		assert(cmd);
		*words = words_of(cmd, argc, argv);
		if (*words > 0)
			return cmd;
	}
	return NULL;
}

/* The first word is a noun, and the second is missing or not one of its. */
static int unknown_command(int argc, char **argv)
{
	size_t len = strlen(argv[0]);
	bool noun = false;

	for (size_t i = 0; i < COMMANDS; i++) {
		const char *name = commands[i]->name;

		if (strncmp(name, argv[0], len) != 0 || name[len] != ' ')
			continue;
		if (!noun)
			fprintf(stderr,
				"executor: error: '%s%s%s' is no command; "
				"there are:\n",
				argv[0], argc > 1 ? " " : "",
				argc > 1 ? argv[1] : "");
		noun = true;
		fprintf(stderr, "  executor %s %s\n", name, commands[i]->usage);
	}
	return noun ? CLI_USAGE : usage_error("unknown command ", argv[0]);
}

/* One of the common options.  False after having said what is wrong. */
static bool common_option(struct cli *c, int value, const char *argument)
{
	char *end = NULL;

	switch (value) {
	case 'o':
		c->json = strcmp(argument, "json") == 0;
		if (c->json || strcmp(argument, "table") == 0)
			return true;
		usage_error("--output is json or table, not ", argument);
		return false;
	case 'q':
		c->quiet = true;
		return true;
	case 'v':
		log_open(2, LOG_DEBUG);
		return true;
	case OPTION_DATA_DIR:
		c->data_dir_option = argument;
		return true;
	case OPTION_NO_START:
		c->no_start = true;
		return true;
	case OPTION_NO_COLOR:
		return true;
	case OPTION_TIMEOUT: {
		unsigned long s = strtoul(argument, &end, 10);

		if (end != argument && *end == '\0' && s > 0 && s <= 86400) {
			c->timeout_ms = (unsigned)s * 1000;
			return true;
		}
		usage_error("--timeout takes 1 to 86400 seconds, not ",
			    argument);
		return false;
	}
	default:
		return false; /* getopt has said it */
	}
}

static int run_command(struct cli *c, const struct command *cmd, int argc,
		       char **argv)
{
	struct option options[OPTIONS_MAX] = {0};
	size_t n = 0;
	void *own = NULL;
	int status = CLI_USAGE;
	struct err e;

	for (const struct option *o = common; o->name; o++)
		options[n++] = *o;
	for (const struct option *o = cmd->options; o && o->name; o++)
		options[n++] = *o;
	if (cmd->own_bytes > 0)
		own = mem_zalloc(cmd->own_bytes);
	optind = 0; /* GNU: begin anew */
	for (;;) {
		int value = getopt_long(argc, argv, "ho:qvV", options, NULL);

		if (value == -1)
			break;
		if (value == 'h') {
			status = print_command_help(cmd);
			goto out;
		}
		if (value >= CLI_OWN_OPTION) {
			if (cmd->option(own, value, optarg, &e))
				continue;
			status = cli_fail(&e);
			goto out;
		}
		if (!common_option(c, value, optarg))
			goto out;
	}
	argc -= optind;
	argv += optind;
	if (argc < cmd->least || (cmd->most >= 0 && argc > cmd->most)) {
		fprintf(stderr,
			"executor: error: %s %s; try: executor %s --help\n",
			cmd->name,
			argc < cmd->least ? "needs more" : "takes less",
			cmd->name);
		goto out;
	}
	status = cmd->run(c, own, argc, argv);
out:
	if (own && cmd->finish)
		cmd->finish(own);
	free(own);
	return status;
}

static int run(struct cli *c, int argc, char **argv)
{
	int words;

	/* Options before the command; it may have some behind, too. */
	for (;;) {
		int value = getopt_long(argc, argv, "+ho:qvV", common, NULL);

		if (value == -1)
			break;
		if (value == 'h')
			return print_help();
		if (value == 'V')
			return print_version();
		if (!common_option(c, value, optarg))
			return CLI_USAGE;
	}
	argc -= optind;
	argv += optind;
	if (argc == 0)
		return usage_error("no command", "");
	bool help = strcmp(argv[0], "help") == 0;
	if (help && --argc == 0)
		return print_help();
	argv += help;
	const struct command *cmd = find_command(argc, argv, &words);
	if (!cmd)
		return unknown_command(argc, argv);
	if (help)
		return print_command_help(cmd);
	/* The last word of the name stands where getopt expects argv[0]. */
	return run_command(c, cmd, argc - words + 1, argv + words - 1);
}

int main(int argc, char **argv)
{
	struct cli c = {.timeout_ms = TIMEOUT_DEFAULT_MS};

	signal(SIGPIPE, SIG_IGN);
	int status = run(&c, argc, argv);
	rpc_close(c.rpc);
	free(c.data_dir);
	if (fflush(stdout) != 0 && status == CLI_OK) {
		perror("executor: error: standard output");
		status = CLI_FAILURE;
	}
	return status;
}
