/*
 * executor: the command line.  A gRPC client like any internal tool.
 */
#include <assert.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/cli/cli.h"
#include "adapter/cli/rpc.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/version.h"

static const struct command *const commands[] = {
	&cmd_status,
	&cmd_top,
	&cmd_doctor,
	&cmd_source_add,
	&cmd_source_list,
	&cmd_source_show,
	&cmd_source_test,
	&cmd_source_enable,
	&cmd_source_disable,
	&cmd_source_set,
	&cmd_source_remove,
	&cmd_tools_list,
	&cmd_tools_search,
	&cmd_tools_describe,
	&cmd_call,
	&cmd_daemon_run,
	&cmd_daemon_stop,
	&cmd_daemon_restart,
	&cmd_service_install,
	&cmd_service_uninstall,
	&cmd_service_status,
	&cmd_logs,
	&cmd_audit,
	&cmd_endpoint,
	&cmd_token_rotate,
	&cmd_mcp,
	&cmd_completion,
	&cmd_man,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

enum {
	OPTION_DATA_DIR = 256,
	OPTION_NO_START,
	OPTION_TIMEOUT,
	OPTION_NO_COLOR,
};

enum { OPTIONS_MAX = 32, TIMEOUT_DEFAULT_MS = 60000 };

static const struct cli_option common[] = {
	{"data-dir", "DIR", "instead of EXECUTOR_DATA_DIR or ~/.executor",
	 "@dirs", OPTION_DATA_DIR},
	{"output", "FORMAT", "json or table", "json table", 'o'},
	{"no-start", NULL, "do not start a daemon when none runs", NULL,
	 OPTION_NO_START},
	{"timeout", "S", "give up after S seconds (60)", NULL, OPTION_TIMEOUT},
	{"quiet", NULL, "print results only", NULL, 'q'},
	{"verbose", NULL, "say more on standard error", NULL, 'v'},
	{"no-color", NULL, "plain output (it always is)", NULL,
	 OPTION_NO_COLOR},
	{"help", NULL, "this, or what COMMAND takes", NULL, 'h'},
	{"version", NULL, "the version", NULL, 'V'},
	{0},
};

/* The rows as getopt_long() wants them, behind those that are there. */
static size_t list_options(struct option *to, size_t n,
			   const struct cli_option *rows)
{
	for (; rows && rows->name; rows++) {
		assert(n < OPTIONS_MAX - 1);
		to[n++] = (struct option){
			.name = rows->name,
			.has_arg = rows->argument ? required_argument
						  : no_argument,
			.val = rows->value,
		};
	}
	return n;
}

static int print_version(void)
{
	printf("executor %s\n", version_text);
	puts("MCP 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25\n"
	     "MIT License");
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

	n = list_options(options, n, common);
	list_options(options, n, cmd->options);
	if (cmd->own_bytes > 0)
		own = mem_zalloc(cmd->own_bytes);
	optind = 0; /* GNU: begin anew */
	for (;;) {
		int value = getopt_long(argc, argv, "ho:qvV", options, NULL);

		if (value == -1)
			break;
		if (value == 'h') {
			status = cli_command_help(cmd);
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
	struct option options[OPTIONS_MAX] = {0};
	int words;

	list_options(options, 0, common);
	/* Options before the command; it may have some behind, too. */
	for (;;) {
		int value = getopt_long(argc, argv, "+ho:qvV", options, NULL);

		if (value == -1)
			break;
		if (value == 'h')
			return cli_help(c);
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
		return cli_help(c);
	argv += help;
	const struct command *cmd = find_command(argc, argv, &words);
	if (!cmd)
		return unknown_command(argc, argv);
	if (help)
		return cli_command_help(cmd);
	/* The last word of the name stands where getopt expects argv[0]. */
	return run_command(c, cmd, argc - words + 1, argv + words - 1);
}

int main(int argc, char **argv)
{
	struct cli c = {
		.commands = commands,
		.command_count = COMMANDS,
		.common = common,
		.timeout_ms = TIMEOUT_DEFAULT_MS,
	};

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
