/*
 * executor logs: the daemon's log, or that of a source.
 *
 * Asked of the daemon, or read from the file when none answers.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/tail.h"

enum {
	OPTION_FOLLOW = CLI_OWN_OPTION,
	OPTION_LINES,
	OPTION_SOURCE,
};

enum { LINES_DEFAULT = 50, BLOCK_BYTES = 65536, FOLLOW_MS = 250 };

struct logs {
	bool follow;
	bool lines_given;
	unsigned long lines;
	const char *source;
};

static bool option(void *own, int value, const char *argument, struct err *e)
{
	struct logs *l = own;
	char *end;

	switch (value) {
	case OPTION_FOLLOW:
		l->follow = true;
		return true;
	case OPTION_SOURCE:
		l->source = argument;
		if (*argument && !strchr(argument, '/'))
			return true;
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "'%s' is no name of a source", argument);
	default:
		l->lines = strtoul(argument, &end, 10);
		l->lines_given = true;
		if (end != argument && *end == '\0')
			return true;
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "--lines takes a number, not '%s'", argument);
	}
}

static bool print(const void *data, size_t len)
{
	return fwrite(data, 1, len, stdout) == len && fflush(stdout) == 0;
}

/* --- with a daemon: it knows where its logs are --- */

static bool on_piece(void *owner, const void *reply)
{
	const Executor__Admin__V1__WatchLogResponse *r = reply;

	(void)owner;
	return print(r->data.data, r->data.len);
}

static bool ask(struct cli *c, const struct logs *l, struct err *e)
{
	Executor__Admin__V1__WatchLogRequest request =
		EXECUTOR__ADMIN__V1__WATCH_LOG_REQUEST__INIT;

	if (l->source)
		request.source = (char *)(uintptr_t)l->source;
	request.lines = l->lines < UINT32_MAX ? (uint32_t)l->lines : UINT32_MAX;
	request.follow = l->follow;
	return cli_admin_stream(
		c, false, "WatchLog", &request.base,
		&executor__admin__v1__watch_log_response__descriptor, on_piece,
		NULL, e);
}

/* --- without: a log matters most when no daemon answers any more --- */

/* Go on as the file grows, also by a daemon that starts meanwhile.  This looks
 * four times a second, as tail does, until standard output closes. */
static void follow(struct tail *t)
{
	struct pollfd out = {.fd = STDOUT_FILENO};
	char block[BLOCK_BYTES];

	while (poll(&out, 1, FOLLOW_MS) == 0) {
		size_t len;

		while ((len = tail_read(t, block, sizeof(block))) > 0)
			if (!print(block, len))
				return;
	}
}

static bool read_file(struct cli *c, const struct logs *l, struct err *e)
{
	struct buf path = {0};
	char block[BLOCK_BYTES];
	struct tail t;
	size_t len;

	if (!cli_data_dir(c, false, e))
		return false;
	buf_printf(&path, "%s/logs/%s%s.log", c->data_dir,
		   l->source ? "source-" : "executord",
		   l->source ? l->source : "");
	buf_append(&path, "", 1);
	bool ok = tail_open(&t, path.data, l->lines, e);
	buf_finish(&path);
	if (!ok)
		return false;
	while ((len = tail_read(&t, block, sizeof(block))) > 0 &&
	       print(block, len))
		;
	if (l->follow)
		follow(&t);
	tail_finish(&t);
	return true;
}

/* --- the command --- */

static int run(struct cli *c, void *own, int argc, char **argv)
{
	struct logs *l = own;
	struct err why;
	struct err e;

	(void)argc;
	(void)argv;
	if (!l->lines_given)
		l->lines = LINES_DEFAULT;
	if (!cli_data_dir(c, false, &e))
		return cli_fail(&e);
	if (cli_attach(c, false, &why)) {
		if (ask(c, l, &e))
			return CLI_OK;
		/* It is stopped; what its successor says is followed, too. */
		if (!l->follow || e.reason != ERR_LOST)
			return cli_fail(&e);
		l->lines = 0;
	}
	if (!read_file(c, l, &e))
		return cli_fail(&e);
	if (!c->quiet)
		fputs("executor: note: no daemon is running\n", stderr);
	return CLI_NOT_RUNNING;
}

static const struct cli_option options[] = {
	{"follow", NULL, "go on as it grows", NULL, OPTION_FOLLOW},
	{"lines", "N", "the last N lines (50)", NULL, OPTION_LINES},
	{"source", "NAME", "what that source wrote on stderr", "@sources",
	 OPTION_SOURCE},
	{0},
};

const struct command cmd_logs = {
	.name = "logs",
	.usage = "[--follow] [--lines N] [--source NAME]",
	.help = "Print the end of the daemon's log, or of a source's",
	.more = "Exit status 3, after the log, when no daemon runs.\n",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct logs),
	.run = run,
};
