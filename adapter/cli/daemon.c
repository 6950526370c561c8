/*
 * executor daemon run, stop, restart.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "adapter/cli/rpc.h"
#include "adapter/sibling.h"

static int run_foreground(struct cli *c, void *own, int argc, char **argv)
{
	static char foreground[] = "--foreground";
	static char data_dir[] = "--data-dir";
	struct err e;

	(void)own;
	(void)argc;
	(void)argv;
	if (!cli_data_dir(c, true, &e))
		return cli_fail(&e);
	char *program = sibling_path(NULL, "executord");
	char *const args[] = {program, foreground, data_dir, c->data_dir, NULL};
	execvp(program, args);
	err_sys(&e, ERR_INTERNAL, "cannot run %s", program);
	free(program);
	return cli_fail(&e);
}

const struct command cmd_daemon_run = {
	.name = "daemon run",
	.usage = "",
	.help = "Be the daemon, in the foreground",
	.more = "Logs to standard error; SIGINT and SIGTERM drain it.\n",
	.run = run_foreground,
};

/* Drain the daemon and wait until it is gone.  *pid is who it was. */
static bool stop(struct cli *c, int64_t *pid, struct err *e)
{
	Executor__Admin__V1__DrainRequest request =
		EXECUTOR__ADMIN__V1__DRAIN_REQUEST__INIT;

	if (!cli_attach(c, false, e))
		return false;
	*pid = rpc_pid(c->rpc);
	bool ok =
		cli_admin(c, false, "Drain", &request.base,
			  &executor__admin__v1__drain_response__descriptor, e);
	if (ok && !rpc_wait_gone(c->rpc))
		ok = err_set(e, ERR_DEADLINE,
			     "the daemon (pid %" PRId64
			     ") is still finishing; look at `executor "
			     "status` and `executor logs`",
			     *pid);
	rpc_close(c->rpc);
	c->rpc = NULL;
	return ok;
}

static int report(struct cli *c, const char *what, int64_t pid)
{
	if (c->json) {
		struct cJSON *o = cJSON_CreateObject();

		cJSON_AddNumberToObject(o, what, (double)pid);
		return cli_print_json(o);
	}
	if (!c->quiet)
		printf("%s pid %" PRId64 "\n", what, pid);
	return CLI_OK;
}

static int run_stop(struct cli *c, void *own, int argc, char **argv)
{
	struct err e;
	int64_t pid = 0;

	(void)own;
	(void)argc;
	(void)argv;
	return stop(c, &pid, &e) ? report(c, "stopped", pid) : cli_fail(&e);
}

const struct command cmd_daemon_stop = {
	.name = "daemon stop",
	.usage = "",
	.help = "Let the daemon finish what runs, and end it",
	.more = "Clients stay connected to their adapters; the next request "
		"starts a new daemon.\n"
		"Exit status 3 when none runs.\n",
	.run = run_stop,
};

static int run_restart(struct cli *c, void *own, int argc, char **argv)
{
	struct err e;
	int64_t pid = 0;

	(void)own;
	(void)argc;
	(void)argv;
	if (!stop(c, &pid, &e) && e.reason != ERR_NOT_RUNNING)
		return cli_fail(&e);
	if (!cli_attach(c, true, &e))
		return cli_fail(&e);
	return report(c, "started", rpc_pid(c->rpc));
}

const struct command cmd_daemon_restart = {
	.name = "daemon restart",
	.usage = "",
	.help = "End the daemon as stop does, and start one",
	.run = run_restart,
};
