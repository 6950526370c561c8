/*
 * executor source set, enable, disable: what can be changed of a source.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/cli/cli.h"
#include "proto/mem.h"
#include "proto/protobuf.h"

typedef Executor__Admin__V1__SetSourceRequest request_t;

enum {
	OPTION_INTERACTIVE = CLI_OWN_OPTION,
	OPTION_ROOTS,
	OPTION_TRUST_HINTS,
};

enum {
	AS_IT_WAS =
		EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__SWITCH__SWITCH_UNSPECIFIED,
	ON = EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__SWITCH__SWITCH_ON,
	OFF = EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__SWITCH__SWITCH_OFF,
};

enum { ROOTS_MAX = 64 };

struct set {
	char *interactive;
	const char *roots[ROOTS_MAX];
	size_t root_count;
	int trust_hints;
};

static bool option(void *own, int value, const char *argument, struct err *e)
{
	struct set *s = own;

	if (value == OPTION_INTERACTIVE) {
		free(s->interactive);
		s->interactive = mem_text(argument);
		return true;
	}
	if (value == OPTION_TRUST_HINTS) {
		s->trust_hints = strcmp(argument, "on") == 0 ? ON : OFF;
		return s->trust_hints == ON || strcmp(argument, "off") == 0 ||
		       err_set(e, ERR_INVALID_ARGUMENT,
			       "--trust-hints is on or off, not %.40s",
			       argument);
	}
	if (s->root_count == ROOTS_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "more than %d roots",
			       ROOTS_MAX);
	s->roots[s->root_count++] = argument;
	return true;
}

static void finish(void *own)
{
	struct set *s = own;

	free(s->interactive);
}

/* Send it; what is done is said for people. */
static int set(struct cli *c, request_t request, char *name, const char *done)
{
	struct err e;

	request.name = name;
	Executor__Admin__V1__SetSourceResponse *reply = cli_admin(
		c, true, "SetSource", &request.base,
		&executor__admin__v1__set_source_response__descriptor, &e);
	if (reply && !reply->source)
		err_set(&e, ERR_PROTOCOL, "the daemon answered no source");
	if (!reply || !reply->source)
		return cli_fail(&e);
	if (c->json)
		return cli_print_json(cli_source_json(reply->source));
	if (!c->quiet)
		printf("%s %s\n", done, name);
	return CLI_OK;
}

static int run_set(struct cli *c, void *own, int argc, char **argv)
{
	request_t request = EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__INIT;
	const struct set *s = own;
	char *roots = NULL;
	struct err e;

	(void)argc;
	if (!s->interactive && s->root_count == 0 &&
	    s->trust_hints == AS_IT_WAS) {
		err_set(&e, ERR_INVALID_ARGUMENT,
			"nothing to set; executor source set --help");
		return cli_fail(&e);
	}
	if (s->interactive)
		request.interactive = s->interactive;
	if (s->root_count > 0) {
		roots = cli_roots(s->roots, s->root_count, &e);
		if (!roots)
			return cli_fail(&e);
		request.roots = protobuf_bytes(slice_of(roots));
	}
	request.trust_hints =
		(Executor__Admin__V1__SetSourceRequest__Switch)s->trust_hints;
	int status = set(c, request, argv[0], "changed");
	free(roots);
	return status;
}

static const struct cli_option options[] = {
	{"interactive", "WHEN", "auto, always or never: may it ask clients",
	 "auto always never", OPTION_INTERACTIVE},
	{"roots", "R", "none, client, or a directory; may be repeated",
	 "none client", OPTION_ROOTS},
	{"trust-hints", "on|off",
	 "run calls that may be lost again where tools say it does no harm",
	 "on off", OPTION_TRUST_HINTS},
	{0},
};

const struct command cmd_source_set = {
	.name = "source set",
	.usage = "NAME [--interactive WHEN] [--roots R]... "
		 "[--trust-hints on|off]",
	.help = "Change how a tool server is treated",
	.more = "A server that has nothing to do starts anew with its next "
		"request; a busy one is\ntold when it starts next.\n",
	.operands = "@sources",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct set),
	.least = 1,
	.most = 1,
	.run = run_set,
	.finish = finish,
};

static int run_enable(struct cli *c, void *own, int argc, char **argv)
{
	request_t request = EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__INIT;

	(void)own;
	(void)argc;
	request.enabled =
		EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__SWITCH__SWITCH_ON;
	return set(c, request, argv[0], "enabled");
}

const struct command cmd_source_enable = {
	.name = "source enable",
	.usage = "NAME",
	.help = "Turn a tool server on again",
	.operands = "@sources",
	.least = 1,
	.most = 1,
	.run = run_enable,
};

static int run_disable(struct cli *c, void *own, int argc, char **argv)
{
	request_t request = EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__INIT;

	(void)own;
	(void)argc;
	request.enabled =
		EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__SWITCH__SWITCH_OFF;
	return set(c, request, argv[0], "disabled");
}

const struct command cmd_source_disable = {
	.name = "source disable",
	.usage = "NAME",
	.help = "Turn a tool server off, and keep it",
	.more = "It is ended, and its tools leave the lists; their names stay "
		"its own.\n",
	.operands = "@sources",
	.least = 1,
	.most = 1,
	.run = run_disable,
};
