/*
 * executor logs: the daemon's log, or that of a source.
 *
 * Read from the file: the log matters most when no daemon answers any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "election/manifest.h"
#include "proto/buf.h"

enum {
	OPTION_FOLLOW = CLI_OWN_OPTION,
	OPTION_LINES,
	OPTION_SOURCE,
};

enum { LINES_DEFAULT = 50, STEP_BYTES = 65536, FOLLOW_MS = 250 };

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

/* Where the last n lines start. */
static off_t find_tail(int fd, off_t size, unsigned long n)
{
	char block[STEP_BYTES];
	off_t at = size;

	while (at > 0) {
		size_t len = at < STEP_BYTES ? (size_t)at : STEP_BYTES;
		ssize_t got = pread(fd, block, len, at - (off_t)len);

		if (got != (ssize_t)len)
			return 0;
		for (size_t i = len; i > 0; i--) {
			off_t here = at - (off_t)len + (off_t)i;

			/* The newline that ends the file starts no line. */
			if (block[i - 1] != '\n' || here == size)
				continue;
			if (n-- <= 1)
				return here;
		}
		at -= (off_t)len;
	}
	return 0;
}

/* Print from *at to the end. */
static bool print_rest(int fd, off_t *at)
{
	char block[STEP_BYTES];

	for (;;) {
		ssize_t got = pread(fd, block, sizeof(block), *at);

		if (got <= 0)
			break;
		if (fwrite(block, 1, (size_t)got, stdout) != (size_t)got)
			return false;
		*at += got;
	}
	return fflush(stdout) == 0;
}

/* Go on as the file grows, and with its successor when it is rotated.  A log
 * has no reader's event that every system offers: this looks four times a
 * second, as tail does, until standard output closes. */
static void follow(const char *path, int fd, off_t at)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	while (print_rest(fd, &at)) {
		struct stat now;
		struct stat held;

		if (poll(&out, 1, FOLLOW_MS) > 0)
			break; /* nobody reads any more */
		if (stat(path, &now) != 0 || fstat(fd, &held) != 0 ||
		    (now.st_ino == held.st_ino && now.st_dev == held.st_dev))
			continue;
		int next = open(path, O_RDONLY | O_CLOEXEC);
		if (next < 0)
			continue;
		print_rest(fd, &at);
		close(fd);
		fd = next;
		at = 0;
	}
	close(fd);
}

/* Is anybody there, as far as the manifest tells and a connect proves? */
static bool daemon_runs(struct cli *c)
{
	struct err e;

	return cli_attach(c, false, &e);
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	struct logs *l = own;
	struct buf path = {0};
	struct stat st;
	struct err e;

	(void)argc;
	(void)argv;
	if (!cli_data_dir(c, false, &e))
		return cli_fail(&e);
	bool runs = daemon_runs(c);
	if (l->source)
		buf_printf(&path, "%s/logs/source-%s.log", c->data_dir,
			   l->source);
	else
		buf_printf(&path, "%s/logs/executord.log", c->data_dir);
	buf_append(&path, "", 1);
	int fd = open(path.data, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		err_sys(&e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
			"there is no log at %s", path.data);
		buf_finish(&path);
		return cli_fail(&e);
	}
	off_t at = find_tail(fd, st.st_size,
			     l->lines_given ? l->lines : LINES_DEFAULT);
	if (l->lines_given && l->lines == 0)
		at = st.st_size;
	print_rest(fd, &at);
	if (l->follow)
		follow(path.data, fd, at);
	else
		close(fd);
	buf_finish(&path);
	if (runs)
		return CLI_OK;
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
