/*
 * executor service install, uninstall, status: the daemon as a systemd user
 * service, for those who want one that is there from login on and that no
 * client's end can take along.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "adapter/cli/units.h"
#include "election/file.h"
#include "proto/buf.h"
#include "proto/mem.h"

enum {
	OPTION_USER = CLI_OWN_OPTION,
	OPTION_DRY_RUN,
	UNIT_BYTES = 16 * 1024,
};

struct options {
	bool dry_run;
};

static const struct {
	const char *name;
	bool (*print)(struct buf *to, const char *data_dir, struct err *e);
} units[] = {
	{"executor.socket", units_socket},
	{"executor.service", units_service},
};

enum { UNITS = sizeof(units) / sizeof(units[0]) };

/* --- systemctl ------------------------------------------------------------ */

/* Run systemctl --user with these words; what it says is not for people.
 * False when there is none, or it says no. */
static bool systemctl(const char *verb, const char *more, const char *unit)
{
	const char *const words[] = {"systemctl", "--user", "--quiet", verb,
				     more,	  unit,	    NULL};
	char *argv[sizeof(words) / sizeof(words[0])] = {NULL};
	posix_spawn_file_actions_t actions;
	size_t n = 0;
	int status = -1;
	pid_t pid;

	for (size_t i = 0; i + 1 < sizeof(words) / sizeof(words[0]); i++)
		if (words[i])
			argv[n++] = (char *)(uintptr_t)words[i];
	posix_spawn_file_actions_init(&actions);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null",
						 O_RDWR, 0);
	bool ran =
		posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) == 0;
	posix_spawn_file_actions_destroy(&actions);
	while (ran && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return ran && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- the files ------------------------------------------------------------ */

/* Make every directory on the way.  The descriptor of the last, or -1. */
static int open_units_dir(char *dir, bool create, struct err *e)
{
	for (char *slash = dir; create && slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		bool made = mkdir(dir, 0755) == 0 || errno == EEXIST;
		if (!made)
			err_sys(e, ERR_IO, "cannot make %s", dir);
		if (slash)
			*slash = '/';
		if (!made)
			return -1;
	}
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_sys(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
			"cannot open %s", dir);
	return fd;
}

static bool write_unit(int dir_fd, const char *dir, const char *name,
		       struct slice text, struct err *e)
{
	struct election_error why;

	return file_replace(dir_fd, dir, name, text.ptr, text.len, true,
			    &why) ||
	       err_set(e, err_by_name(why.code), "%s", why.why);
}

/* Is the unit there, and as we would write it? */
static bool is_current(int dir_fd, const char *name, struct slice text,
		       bool *there)
{
	char found[UNIT_BYTES];
	size_t len = 0;
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = 1;

	*there = fd >= 0;
	while (fd >= 0 && len < sizeof(found) &&
	       (n = read(fd, found + len, sizeof(found) - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	return n == 0 && len == text.len && memcmp(found, text.ptr, len) == 0;
}

/* --- install -------------------------------------------------------------- */

static void say_commands(const char *const *commands)
{
	puts("no user manager answers here; once one does, run:");
	for (; *commands; commands++)
		printf("  %s\n", *commands);
}

static int install(struct cli *c, const char *dir, int dir_fd,
		   const struct buf *texts)
{
	static const char *const commands[] = {
		"systemctl --user daemon-reload",
		"systemctl --user enable --now executor.socket "
		"executor.service",
		NULL,
	};
	struct err e;

	for (size_t i = 0; i < UNITS; i++)
		if (!write_unit(dir_fd, dir, units[i].name,
				buf_slice(&texts[i]), &e))
			return cli_fail(&e);
	if (!c->quiet)
		for (size_t i = 0; i < UNITS; i++)
			printf("wrote %s/%s\n", dir, units[i].name);
	if (!systemctl("daemon-reload", NULL, NULL)) {
		if (!c->quiet)
			say_commands(commands);
		return CLI_OK;
	}
	/* The socket first: it is passed to the service. */
	for (size_t i = 0; i < UNITS; i++)
		if (!systemctl("enable", "--now", units[i].name)) {
			err_set(&e, ERR_INTERNAL,
				"%s was not started: see systemctl --user "
				"status %s",
				units[i].name, units[i].name);
			return cli_fail(&e);
		}
	if (!c->quiet)
		puts("enabled and started executor.socket and "
		     "executor.service");
	return CLI_OK;
}

static int run_install(struct cli *c, void *own, int argc, char **argv)
{
	const struct options *o = own;
	struct buf texts[UNITS] = {{0}};
	char *dir = NULL;
	int dir_fd = -1;
	int status = CLI_FAILURE;
	bool ok = true;
	struct err e;

	(void)argc;
	(void)argv;
	ok = cli_data_dir(c, !o->dry_run, &e);
	if (!ok && o->dry_run && e.reason == ERR_NOT_RUNNING)
		err_set(&e, ERR_NOT_FOUND,
			"the data directory is not there yet; it is made by "
			"the first client, or without --dry-run");
	for (size_t i = 0; ok && i < UNITS; i++)
		ok = units[i].print(&texts[i], c->data_dir, &e);
	dir = ok ? units_dir(&e) : NULL;
	if (dir && o->dry_run) {
		for (size_t i = 0; i < UNITS; i++)
			printf("%s# %s/%s\n%.*s", i > 0 ? "\n" : "", dir,
			       units[i].name, (int)texts[i].len, texts[i].data);
		status = CLI_OK;
		goto out;
	}
	if (dir)
		dir_fd = open_units_dir(dir, true, &e);
	status = dir_fd >= 0 ? install(c, dir, dir_fd, texts) : cli_fail(&e);
out:
	if (dir_fd >= 0)
		close(dir_fd);
	for (size_t i = 0; i < UNITS; i++)
		buf_finish(&texts[i]);
	free(dir);
	return status;
}

/* --- uninstall ------------------------------------------------------------ */

static int run_uninstall(struct cli *c, void *own, int argc, char **argv)
{
	static const char *const commands[] = {"systemctl --user daemon-reload",
					       NULL};
	const struct options *o = own;
	struct err e;
	char *dir = units_dir(&e);
	int dir_fd = dir ? open_units_dir(dir, false, &e) : -1;
	unsigned removed = 0;
	int status = CLI_OK;

	(void)argc;
	(void)argv;
	/* The service first: its socket would start it again. */
	for (size_t i = UNITS; dir_fd >= 0 && i-- > 0;) {
		struct stat st;

		if (fstatat(dir_fd, units[i].name, &st, AT_SYMLINK_NOFOLLOW) !=
		    0)
			continue;
		removed++;
		if (o->dry_run || !c->quiet)
			printf("%s %s/%s\n",
			       o->dry_run ? "would remove" : "removing", dir,
			       units[i].name);
		if (o->dry_run)
			continue;
		systemctl("disable", "--now", units[i].name);
		if (unlinkat(dir_fd, units[i].name, 0) != 0) {
			err_sys(&e, ERR_IO, "cannot remove %s/%s", dir,
				units[i].name);
			status = cli_fail(&e);
		}
	}
	if (removed > 0 && !o->dry_run && status == CLI_OK &&
	    !systemctl("daemon-reload", NULL, NULL) && !c->quiet)
		say_commands(commands);
	if (removed == 0 && (dir_fd >= 0 || e.reason == ERR_NOT_FOUND)) {
		if (!c->quiet)
			puts("no service is installed");
	} else if (dir_fd < 0) {
		status = cli_fail(&e);
	}
	if (dir_fd >= 0)
		close(dir_fd);
	free(dir);
	return status;
}

/* --- status --------------------------------------------------------------- */

static int run_status(struct cli *c, void *own, int argc, char **argv)
{
	struct cJSON *o = cJSON_CreateObject();
	struct cJSON *list = cJSON_AddArrayToObject(o, "units");
	struct err e;
	char *dir = units_dir(&e);
	int dir_fd = dir ? open_units_dir(dir, false, &e) : -1;
	bool answers = systemctl("show-environment", NULL, NULL);
	bool all = true;

	(void)own;
	(void)argc;
	(void)argv;
	bool known = cli_data_dir(c, false, &e);
	cJSON_AddBoolToObject(o, "manager", answers);
	for (size_t i = 0; i < UNITS; i++) {
		const char *name = units[i].name;
		struct buf text = {0};
		bool there = false;
		bool current =
			dir_fd >= 0 && known &&
			units[i].print(&text, c->data_dir, &e) &&
			is_current(dir_fd, name, buf_slice(&text), &there);
		bool active =
			there && answers && systemctl("is-active", NULL, name);

		all = all && there;
		buf_finish(&text);
		struct cJSON *row = cJSON_CreateObject();
		cJSON_AddStringToObject(row, "name", name);
		cJSON_AddBoolToObject(row, "installed", there);
		cJSON_AddBoolToObject(row, "current", current);
		cJSON_AddBoolToObject(row, "active", active);
		cJSON_AddItemToArray(list, row);
		if (!c->json)
			printf("%-17s %s%s%s\n", name,
			       there ? "installed" : "not installed",
			       there && !current ? ", of another program or "
						   "directory: `executor "
						   "service install` renews it"
						 : "",
			       !there	 ? ""
			       : active	 ? ", active"
			       : answers ? ", not active"
					 : "");
	}
	if (!c->json && !answers)
		puts("no user manager answers here");
	if (dir_fd >= 0)
		close(dir_fd);
	free(dir);
	if (c->json)
		cli_print_json(o);
	else
		cJSON_Delete(o);
	return all ? CLI_OK : CLI_NOT_FOUND;
}

/* --- the commands --------------------------------------------------------- */

static bool option(void *own, int value, const char *argument, struct err *e)
{
	struct options *o = own;

	(void)argument;
	(void)e;
	if (value == OPTION_DRY_RUN)
		o->dry_run = true;
	return true; /* --user is what there is */
}

static const struct cli_option options[] = {
	{"user", NULL, "for this user (the default, and all there is)", NULL,
	 OPTION_USER},
	{"dry-run", NULL, "print what would be done", NULL, OPTION_DRY_RUN},
	{0},
};

const struct command cmd_service_install = {
	.name = "service install",
	.usage = "[--user] [--dry-run]",
	.help = "Let systemd keep the daemon: from login on, in no client's "
		"cgroup",
	.more = "Writes executor.service and executor.socket, and enables "
		"them.  Nobody needs\n"
		"it: without it, adapters start the daemon.\n",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct options),
	.run = run_install,
};

const struct command cmd_service_uninstall = {
	.name = "service uninstall",
	.usage = "[--user] [--dry-run]",
	.help = "Stop the systemd service, and remove it",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct options),
	.run = run_uninstall,
};

static const struct cli_option status_options[] = {
	{"user", NULL, "for this user (the default, and all there is)", NULL,
	 OPTION_USER},
	{0},
};

const struct command cmd_service_status = {
	.name = "service status",
	.usage = "[--user]",
	.help = "Show whether systemd keeps the daemon",
	.more = "Exit status 6 when it is not installed.\n",
	.options = status_options,
	.option = option,
	.own_bytes = sizeof(struct options),
	.run = run_status,
};
