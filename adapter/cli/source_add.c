/*
 * executor source add: keep a tool server, with the environment it will get.
 *
 * Whoever starts the daemon must not donate its environment to every source:
 * what a source gets is captured here, from the person who adds it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "proto/mem.h"
#include "proto/protobuf.h"

enum {
	OPTION_ENV = CLI_OWN_OPTION,
	OPTION_ENV_FILE,
	OPTION_CWD,
	OPTION_INTERACTIVE,
	OPTION_ROOTS,
};

enum { ENV_MAX = 1024, ENV_LINE_BYTES = 128 * 1024, ROOTS_MAX = 64 };

/* The base that is captured: what programs need to find themselves and their
 * interpreters, and nothing that is likely to be a secret. */
static const char *const captured[] = {
	"PATH", "HOME",	  "USER",     "LOGNAME", "SHELL",   "LANG",
	"TZ",	"LC_ALL", "LC_CTYPE", "TMPDIR",	 "NVM_DIR",
};

enum { CAPTURED = sizeof(captured) / sizeof(captured[0]) };

struct variable {
	char *name;
	char *value;
};

struct add {
	struct variable env[ENV_MAX];
	size_t env_count;
	size_t asked; /* the first of them come from options */
	const char *cwd;
	const char *interactive;
	const char *roots[ROOTS_MAX];
	size_t root_count;
	bool value_in_argv;
};

static bool is_name(const char *text, size_t len)
{
	if (len == 0 || (*text >= '0' && *text <= '9'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '=' || (unsigned char)text[i] <= ' ')
			return false;
	return true;
}

/* The later of two of the same name counts. */
static bool set(struct add *a, const char *name, size_t name_len,
		const char *value, struct err *e)
{
	if (!is_name(name, name_len))
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "'%.*s' is no name of a variable", (int)name_len,
			       name);
	for (size_t i = 0; i < a->env_count; i++) {
		struct variable *v = &a->env[i];

		if (strlen(v->name) != name_len ||
		    memcmp(v->name, name, name_len) != 0)
			continue;
		free(v->value);
		v->value = mem_text(value);
		return true;
	}
	if (a->env_count == ENV_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "more than %d variables", ENV_MAX);
	a->env[a->env_count++] =
		(struct variable){mem_ntext(name, name_len), mem_text(value)};
	return true;
}

/* --env KEY takes the caller's value; --env K=V carries it. */
static bool set_from_option(struct add *a, const char *text, struct err *e)
{
	const char *equals = strchr(text, '=');

	if (equals) {
		a->value_in_argv = true;
		return set(a, text, (size_t)(equals - text), equals + 1, e);
	}
	const char *value = getenv(text);
	if (!value)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "--env %s: there is no such variable in the "
			       "environment; export it first",
			       text);
	return set(a, text, strlen(text), value, e);
}

/* Lines KEY=VALUE; # starts a comment line; VALUE is taken as it is. */
static bool set_from_file(struct add *a, const char *path, struct err *e)
{
	char *line = mem_alloc(ENV_LINE_BYTES);
	unsigned number = 0;
	bool ok = true;
	FILE *file = fopen(path, "re");

	if (!file) {
		free(line);
		return err_sys(e, ERR_INVALID_ARGUMENT,
			       "cannot read --env-file %s", path);
	}
	while (ok && fgets(line, ENV_LINE_BYTES, file)) {
		size_t len = strcspn(line, "\r\n");

		number++;
		if (line[len] == '\0' && !feof(file)) {
			ok = err_set(e, ERR_INVALID_ARGUMENT,
				     "%s:%u: the line is too long, or holds "
				     "a NUL",
				     path, number);
			break;
		}
		line[len] = '\0';
		const char *start = line + strspn(line, " \t");
		if (*start == '#' || *start == '\0')
			continue;
		const char *equals = strchr(start, '=');
		/* The line may be a secret: it is not repeated here. */
		ok = equals ? set(a, start, (size_t)(equals - start),
				  equals + 1, e)
			    : err_set(e, ERR_INVALID_ARGUMENT,
				      "%s:%u: not of the form KEY=VALUE", path,
				      number);
	}
	fclose(file);
	mem_wipe(line, ENV_LINE_BYTES);
	free(line);
	return ok;
}

static bool option(void *own, int value, const char *argument, struct err *e)
{
	struct add *a = own;

	switch (value) {
	case OPTION_ENV:
		return set_from_option(a, argument, e);
	case OPTION_ENV_FILE:
		return set_from_file(a, argument, e);
	case OPTION_INTERACTIVE:
		a->interactive = argument;
		return true;
	case OPTION_ROOTS:
		if (a->root_count == ROOTS_MAX)
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "more than %d roots", ROOTS_MAX);
		a->roots[a->root_count++] = argument;
		return true;
	default:
		a->cwd = argument;
		return true;
	}
}

static void finish(void *own)
{
	struct add *a = own;

	for (size_t i = 0; i < a->env_count; i++) {
		mem_wipe(a->env[i].value, strlen(a->env[i].value));
		free(a->env[i].value);
		free(a->env[i].name);
	}
}

/* What the options did not set comes from this environment. */
static void capture_base(struct add *a)
{
	a->asked = a->env_count;
	for (size_t i = 0; i < CAPTURED; i++) {
		const char *value = getenv(captured[i]);
		bool there = false;

		for (size_t j = 0; j < a->asked; j++)
			there |= strcmp(a->env[j].name, captured[i]) == 0;
		if (value && !there)
			set(a, captured[i], strlen(captured[i]), value, NULL);
	}
}

static ProtobufCBinaryData bytes_of(const char *text)
{
	return protobuf_bytes(slice_of(text));
}

/* Fill request from a and send it. */
static admin_source_t *add(struct cli *c, const struct add *a, const char *name,
			   int argc, char **argv, const char *cwd,
			   const char *roots, struct err *e)
{
	typedef Executor__Admin__V1__EnvironmentVariable variable_t;
	Executor__Admin__V1__AddSourceRequest request =
		EXECUTOR__ADMIN__V1__ADD_SOURCE_REQUEST__INIT;
	variable_t *variables = mem_zalloc(a->env_count * sizeof(*variables));
	variable_t **env = mem_zalloc(a->env_count * sizeof(variable_t *));
	char **names = mem_zalloc(a->asked * sizeof(char *));
	ProtobufCBinaryData *command =
		mem_zalloc((size_t)argc * sizeof(*command));

	for (size_t i = 0; i < a->env_count; i++) {
		executor__admin__v1__environment_variable__init(&variables[i]);
		variables[i].name = a->env[i].name;
		variables[i].value = bytes_of(a->env[i].value);
		env[i] = &variables[i];
		if (i < a->asked)
			names[i] = a->env[i].name;
	}
	for (int i = 0; i < argc; i++)
		command[i] = bytes_of(argv[i]);
	char *copy = mem_text(name);
	request.name = copy;
	request.n_command = (size_t)argc;
	request.command = command;
	request.cwd = bytes_of(cwd);
	request.n_env = a->env_count;
	request.env = env;
	request.n_env_names = a->asked;
	request.env_names = names;
	char *interactive = mem_text(a->interactive ? a->interactive : "");
	request.interactive = interactive;
	request.roots = bytes_of(roots);
	Executor__Admin__V1__AddSourceResponse *reply = cli_admin(
		c, true, "AddSource", &request.base,
		&executor__admin__v1__add_source_response__descriptor, e);
	free(copy);
	free(interactive);
	free(variables);
	free(env);
	free(names);
	free(command);
	if (!reply)
		return NULL;
	if (!reply->source)
		err_set(e, ERR_PROTOCOL, "the daemon answered no source");
	return reply->source;
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	struct add *a = own;
	struct err e;

	char *roots = a->root_count > 0 ? cli_roots(a->roots, a->root_count, &e)
					: mem_text("");
	if (!roots)
		return cli_fail(&e);
	capture_base(a);
	char *cwd = realpath(a->cwd ? a->cwd : ".", NULL);
	if (!cwd) {
		err_sys(&e, ERR_INVALID_ARGUMENT, "--cwd %s",
			a->cwd ? a->cwd : ".");
		free(roots);
		return cli_fail(&e);
	}
	if (a->value_in_argv && !c->quiet)
		fputs("executor: note: --env K=V can be seen in the list of "
		      "processes and in the shell's history; --env KEY and "
		      "--env-file cannot\n",
		      stderr);
	admin_source_t *s =
		add(c, a, argv[0], argc - 1, argv + 1, cwd, roots, &e);
	free(cwd);
	free(roots);
	if (!s)
		return cli_fail(&e);
	if (c->json)
		return cli_print_json(cli_source_json(s));
	if (!c->quiet)
		printf("added %s; its tools appear as %s__...\n", s->name,
		       s->name);
	return CLI_OK;
}

static const struct cli_option options[] = {
	{"env", "KEY", "KEY with its value in this environment", NULL,
	 OPTION_ENV},
	{"env", "K=V", "K with this value; visible to others in argv", NULL,
	 OPTION_ENV},
	{"env-file", "F", "lines KEY=VALUE", "@files", OPTION_ENV_FILE},
	{"cwd", "DIR", "where it starts; here when not given", "@dirs",
	 OPTION_CWD},
	{"interactive", "WHEN", "auto, always or never: may it ask clients",
	 "auto always never", OPTION_INTERACTIVE},
	{"roots", "R", "none, client, or a directory; may be repeated",
	 "none client", OPTION_ROOTS},
	{0},
};

const struct command cmd_source_add = {
	.name = "source add",
	.usage = "NAME [OPTION]... -- COMMAND ARG...",
	.help = "Keep a tool server that speaks MCP on stdin and stdout",
	.more = "NAME is up to 24 of a-z, 0-9, _ and -, and becomes the "
		"prefix of its tools.\n"
		"The server gets PATH, HOME, USER, LOGNAME, SHELL, LANG, TZ, "
		"LC_ALL, LC_CTYPE,\n"
		"TMPDIR and NVM_DIR as they are now, and what is named "
		"here.  Values are stored\n"
		"encrypted.\n",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct add),
	.least = 2,
	.most = -1,
	.run = run,
	.finish = finish,
};
