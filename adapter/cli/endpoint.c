/*
 * executor endpoint: where a stock gRPC client reaches the daemon, in the form
 * that it takes.  A token is printed only when it is asked for by name.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/mem.h"
#include "proto/token.h"

enum { OPTION_FORMAT = CLI_OWN_OPTION, OPTION_TCP, OPTION_SHOW_TOKEN };

enum format { FORMAT_TEXT, FORMAT_SHELL, FORMAT_JSON, FORMAT_GRPC };

struct options {
	enum format format;
	bool tcp;
	bool show_token;
};

/* What there is to print; tcp, its target and token_file are NULL when the
 * daemon does not listen there. */
struct endpoint {
	char *socket;
	char *target; /* "unix:" and the socket */
	const char *tcp;
	const char *tcp_target;
	char *token_file;
	struct bearer token; /* "" when it is not to be shown */
};

static const char *const format_names[] = {
	[FORMAT_TEXT] = "text",
	[FORMAT_SHELL] = "shell",
	[FORMAT_JSON] = "json",
	[FORMAT_GRPC] = "grpc",
};

static char *join(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct buf text = {0};

	buf_append(&text, a, a_len);
	buf_append(&text, b, b_len);
	char *joined = mem_ntext(text.data, text.len);
	buf_finish(&text);
	return joined;
}

/* A URL is http://AUTHORITY; that is what gRPC calls a target. */
static const char *target_of(const char *url)
{
	const char *slashes = strstr(url, "//");

	return slashes ? slashes + 2 : url;
}

static void find_endpoint(struct endpoint *to, const admin_status_t *s)
{
	static const char scheme[] = "unix:";
	static const char token[] = "/" TOKEN_FILE;
	const char *socket = (const char *)s->unix_socket.data;

	to->socket = mem_ntext(socket, s->unix_socket.len);
	to->target =
		join(scheme, sizeof(scheme) - 1, socket, s->unix_socket.len);
	if (!*s->tcp_url)
		return;
	to->tcp = s->tcp_url;
	to->tcp_target = target_of(s->tcp_url);
	to->token_file = join((const char *)s->data_dir.data, s->data_dir.len,
			      token, sizeof(token) - 1);
}

/* --- the forms ------------------------------------------------------------ */

static void print_text(const struct endpoint *p)
{
	struct table *t = table_new(2);

	table_row(t, "unix", p->target);
	if (p->tcp) {
		table_row(t, "tcp", p->tcp_target);
		table_row(t, "token file", p->token_file);
	}
	if (p->token.text[0])
		table_row(t, "token", p->token.text);
	table_print(t);
}

/* POSIX shell: within single quotes nothing but a single quote is special. */
static void export(const char *name, const char *value)
{
	if (!value || !*value) {
		printf("unset %s\n", name);
		return;
	}
	printf("export %s='", name);
	for (; *value; value++)
		if (*value == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*value);
	puts("'");
}

/* What is not there is unset: a shell may have had it from another daemon. */
static void print_shell(const struct endpoint *p)
{
	export("EXECUTOR_TARGET", p->target);
	export("EXECUTOR_SOCKET", p->socket);
	export("EXECUTOR_TCP_URL", p->tcp);
	export("EXECUTOR_TCP_TARGET", p->tcp_target);
	export("EXECUTOR_TOKEN_FILE", p->token_file);
	export("EXECUTOR_TOKEN", p->token.text);
}

static void add_text(struct cJSON *o, const char *name, const char *value)
{
	if (value)
		cJSON_AddStringToObject(o, name, value);
	else
		cJSON_AddNullToObject(o, name);
}

static void print_json(const struct endpoint *p)
{
	struct cJSON *o = cJSON_CreateObject();

	add_text(o, "unix", p->socket);
	add_text(o, "target", p->target);
	add_text(o, "tcp", p->tcp);
	add_text(o, "tcp_target", p->tcp_target);
	add_text(o, "token_file", p->token_file);
	if (p->token.text[0])
		add_text(o, "token", p->token.text);
	cli_print_json(o);
}

/* The target of a channel, and the metadata of each call. */
static void print_grpc(const struct endpoint *p, bool tcp)
{
	puts(tcp ? p->tcp_target : p->target);
	if (p->token.text[0])
		printf("authorization: Bearer %s\n", p->token.text);
}

static void print(const struct endpoint *p, const struct options *o)
{
	switch (o->format) {
	case FORMAT_TEXT:
		print_text(p);
		break;
	case FORMAT_SHELL:
		print_shell(p);
		break;
	case FORMAT_JSON:
		print_json(p);
		break;
	case FORMAT_GRPC:
		print_grpc(p, o->tcp || o->show_token);
		break;
	}
}

/* --- the command ---------------------------------------------------------- */

static bool option(void *own, int value, const char *argument, struct err *e)
{
	const size_t count = sizeof(format_names) / sizeof(format_names[0]);
	struct options *o = own;

	if (value == OPTION_TCP)
		o->tcp = true;
	if (value == OPTION_SHOW_TOKEN)
		o->show_token = true;
	if (value != OPTION_FORMAT)
		return true;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(argument, format_names[i]) != 0)
			continue;
		o->format = (enum format)i;
		return true;
	}
	return err_set(e, ERR_INVALID_ARGUMENT,
		       "--format is text, shell, json or grpc, not %.64s",
		       argument);
}

static bool check(const struct endpoint *p, const struct options *o,
		  struct err *e)
{
	return p->tcp || !(o->tcp || o->show_token) ||
	       err_set(e, ERR_NOT_FOUND,
		       "the daemon does not listen on TCP: `executor daemon "
		       "run --tcp` starts one that does");
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	struct options *o = own;
	struct endpoint p = {0};
	struct err e;

	(void)argc;
	(void)argv;
	if (c->json && o->format == FORMAT_TEXT)
		o->format = FORMAT_JSON;
	const admin_status_t *s = cli_get_status(c, true, &e);
	if (!s)
		return cli_fail(&e);
	find_endpoint(&p, s);
	bool ok = check(&p, o, &e) &&
		  (!o->show_token || token_read(c->data_dir, &p.token, &e));
	if (ok)
		print(&p, o);
	mem_wipe(&p.token, sizeof(p.token));
	free(p.socket);
	free(p.target);
	free(p.token_file);
	return ok ? CLI_OK : cli_fail(&e);
}

static const struct cli_option options[] = {
	{"format", "FORMAT", "text, shell, json or grpc",
	 "text shell json grpc", OPTION_FORMAT},
	{"tcp", NULL, "with grpc: the TCP endpoint; fail when there is none",
	 NULL, OPTION_TCP},
	{"show-token", NULL, "print the token of the TCP endpoint, too", NULL,
	 OPTION_SHOW_TOKEN},
	{0},
};

const struct command cmd_endpoint = {
	.name = "endpoint",
	.usage = "[--format FORMAT] [--tcp] [--show-token]",
	.help = "Print where a stock gRPC client reaches the daemon",
	.more = "shell: lines for eval, that set EXECUTOR_TARGET, "
		"EXECUTOR_TCP_TARGET,\nEXECUTOR_TOKEN_FILE and others, or "
		"unset them.\n"
		"grpc: the target of a channel, and nothing else.\n"
		"Each call over TCP needs the metadata `authorization: Bearer "
		"TOKEN`, with the\ntoken of the token file; the token itself "
		"is printed with --show-token only.\n",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct options),
	.run = run,
};
