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
#include "proto/mem.h"

enum {
	OPTION_TCP = CLI_OWN_OPTION,
	OPTION_LISTEN,
	OPTION_BEYOND_LOOPBACK,
	OPTION_TCP_ADMIN,
	OPTION_REPLACE,
};

enum { RUN_WORDS = 16 };

/* Longer than a daemon takes to end, whatever it waits for. */
#define REPLACE_S "30"

/* What the daemon is told behind --foreground and --data-dir DIR. */
struct run_options {
	char *words[RUN_WORDS];
	size_t count;
	bool full;
	bool replace;
};

static void add_word(struct run_options *o, const char *word)
{
	if (o->count < RUN_WORDS)
		o->words[o->count++] = mem_text(word);
	else
		o->full = true;
}

static bool run_option(void *own, int value, const char *argument,
		       struct err *e)
{
	struct run_options *o = own;

	switch (value) {
	case OPTION_TCP:
		add_word(o, "--listen");
		add_word(o, "localhost");
		break;
	case OPTION_LISTEN:
		add_word(o, "--listen");
		add_word(o, argument);
		break;
	case OPTION_BEYOND_LOOPBACK:
		add_word(o, "--listen-beyond-loopback");
		break;
	case OPTION_TCP_ADMIN:
		add_word(o, "--tcp-admin");
		break;
	default:
		o->replace = true;
		add_word(o, "--wait");
		add_word(o, REPLACE_S);
		break;
	}
	return !o->full || err_set(e, ERR_INVALID_ARGUMENT, "too many options");
}

static bool ask_to_drain(struct cli *c, struct err *e)
{
	Executor__Admin__V1__DrainRequest request =
		EXECUTOR__ADMIN__V1__DRAIN_REQUEST__INIT;

	return cli_admin(c, false, "Drain", &request.base,
			 &executor__admin__v1__drain_response__descriptor, e);
}

/* Whoever runs ends, and is not waited for here: its clients want another one
 * as soon as it has, and the one that waits for the lock comes first. */
static bool end_present(struct cli *c, struct err *e)
{
	bool ok = ask_to_drain(c, e) || e->reason == ERR_NOT_RUNNING;

	rpc_close(c->rpc);
	c->rpc = NULL;
	return ok;
}

static int run_foreground(struct cli *c, void *own, int argc, char **argv)
{
	static char foreground[] = "--foreground";
	static char data_dir[] = "--data-dir";
	const struct run_options *o = own;
	char *args[4 + RUN_WORDS + 1] = {NULL, foreground, data_dir};
	struct err e;

	(void)argc;
	(void)argv;
	if (!cli_data_dir(c, true, &e))
		return cli_fail(&e);
	if (o->replace && !end_present(c, &e))
		return cli_fail(&e);
	char *program = sibling_path(NULL, "executord");
	args[0] = program;
	args[3] = c->data_dir;
	for (size_t i = 0; i < o->count; i++)
		args[4 + i] = o->words[i];
	execvp(program, args);
	err_sys(&e, ERR_INTERNAL, "cannot run %s", program);
	free(program);
	return cli_fail(&e);
}

static void finish_run(void *own)
{
	struct run_options *o = own;

	for (size_t i = 0; i < o->count; i++)
		free(o->words[i]);
}

static const struct cli_option run_options[] = {
	{"tcp", NULL, "serve TCP, too, on 127.0.0.1:4780", NULL, OPTION_TCP},
	{"listen", "HOST:PORT", "the same, there; port 0 is any free one", NULL,
	 OPTION_LISTEN},
	{"listen-beyond-loopback", NULL,
	 "allow an address that other machines reach", NULL,
	 OPTION_BEYOND_LOOPBACK},
	{"tcp-admin", NULL, "let the token's holder administer the daemon, too",
	 NULL, OPTION_TCP_ADMIN},
	{"replace", NULL, "end the daemon that runs, and take its place", NULL,
	 OPTION_REPLACE},
	{0},
};

const struct command cmd_daemon_run = {
	.name = "daemon run",
	.usage = "[--replace] [--tcp | --listen HOST:PORT] [--tcp-admin]",
	.help = "Be the daemon, in the foreground",
	.more = "Logs to standard error; SIGINT and SIGTERM drain it.\n\n"
		"Over TCP each call needs the token of the file that `executor "
		"endpoint` names.\nIt is served by this daemon only: one that "
		"a client starts listens on its socket alone.\n",
	.options = run_options,
	.option = run_option,
	.own_bytes = sizeof(struct run_options),
	.run = run_foreground,
	.finish = finish_run,
};

/* Drain the daemon and wait until it is gone.  *pid is who it was. */
static bool stop(struct cli *c, int64_t *pid, struct err *e)
{
	if (!cli_attach(c, false, e))
		return false;
	*pid = rpc_pid(c->rpc);
	bool ok = ask_to_drain(c, e);
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

/* The one that comes serves no port, for nobody asks it to. */
static void say_port_goes(struct cli *c)
{
	struct err e;
	const admin_status_t *s = cli_get_status(c, false, &e);

	if (s && *s->tcp_url && !c->quiet)
		fprintf(stderr,
			"executor: note: %s is not served any more; `executor "
			"daemon run --replace --tcp` serves a port\n",
			s->tcp_url);
}

static int run_restart(struct cli *c, void *own, int argc, char **argv)
{
	struct err e;
	int64_t pid = 0;

	(void)own;
	(void)argc;
	(void)argv;
	say_port_goes(c);
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
