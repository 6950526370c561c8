#include "server/config.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>

#include "proto/envelope.h"
#include "proto/err.h"
#include "proto/version.h"
#include "server/config_rows.h"

/* What getopt_long() returns for row n is OWN + n: no letter. */
enum { OWN = 256 };

/* A value comes from the option called source (or a variable). */
static bool set(struct config *c, const struct config_row *row,
		const char *value, const char *source, struct err *e)
{
	struct err why;

	if (row->set(c, value, &why))
		return true;
	return err_set(e, why.reason, "%s: %s", source, why.text);
}

static bool set_defaults(struct config *c, struct err *e)
{
	for (size_t i = 0; i < config_row_count; i++) {
		const struct config_row *row = &config_rows[i];
		const char *value = row->env ? getenv(row->env) : NULL;

		if (row->fallback) {
			bool ok = row->set(c, row->fallback, NULL);

			assert(ok);
		}
		/* An empty variable is one that somebody meant to unset. */
		if (value && value[0] != '\0' &&
		    !set(c, row, value, row->env, e))
			return false;
	}
	return true;
}

/* The rows as getopt_long() wants them; an option's value is its row. */
static void list_options(struct option list[CONFIG_ROWS_MOST + 1],
			 char letters[CONFIG_ROWS_MOST + 2])
{
	size_t used = 0;

	letters[used++] = ':'; /* tell a missing argument from an unknown one */
	for (size_t i = 0; i < config_row_count; i++) {
		const struct config_row *row = &config_rows[i];

		list[i] = (struct option){
			.name = row->name,
			.has_arg =
				row->argument ? required_argument : no_argument,
			.val = OWN + (int)i,
		};
		if (row->letter != '\0')
			letters[used++] = row->letter;
	}
	list[config_row_count] = (struct option){0};
	letters[used] = '\0';
}

/* The row of what getopt_long() returned, or NULL. */
static const struct config_row *find_row(int value)
{
	if (value >= OWN && (size_t)(value - OWN) < config_row_count)
		return &config_rows[value - OWN];
	for (size_t i = 0; i < config_row_count; i++)
		if (config_rows[i].letter != '\0' &&
		    config_rows[i].letter == value)
			return &config_rows[i];
	return NULL;
}

/* What only all options together show. */
static bool check(const struct config *c, struct err *e)
{
	if (c->listen.set && !c->listen.loopback && !c->listen_beyond_loopback)
		return err_set(
			e, ERR_INVALID_ARGUMENT,
			"--listen: that address is not loopback: other "
			"machines could reach the daemon, and whoever hears "
			"the token on the network could run every tool as "
			"you.  Use 127.0.0.1 and a tunnel; or, knowing that, "
			"give --listen-beyond-loopback too");
	return true;
}

enum config_outcome config_read(struct config *c, int argc, char *const argv[],
				struct err *e)
{
	struct option list[CONFIG_ROWS_MOST + 1];
	char letters[CONFIG_ROWS_MOST + 2];
	char source[32];
	int value;

	*c = (struct config){.ready_fd = -1, .argv = argv};
	if (!set_defaults(c, e))
		return CONFIG_BAD;
	list_options(list, letters);
	optind = 0; /* start anew, also in a test that reads twice */
	opterr = 0;
	while ((value = getopt_long(argc, argv, letters, list, NULL)) != -1) {
		const struct config_row *row = find_row(value);

		if (!row) {
			err_set(e, ERR_INVALID_ARGUMENT, "%s %.64s",
				value == ':' ? "an argument is missing after"
					     : "unknown option",
				argv[optind - 1]);
			return CONFIG_BAD;
		}
		if (!row->set)
			return row->outcome;
		snprintf(source, sizeof(source), "--%s", row->name);
		if (!set(c, row, optarg, source, e))
			return CONFIG_BAD;
	}
	if (optind < argc) {
		err_set(e, ERR_INVALID_ARGUMENT, "unexpected argument %.64s",
			argv[optind]);
		return CONFIG_BAD;
	}
	return check(c, e) ? CONFIG_SERVE : CONFIG_BAD;
}

void config_help(FILE *to)
{
	fputs("Usage: executord [OPTION]...\n"
	      "Own an Executor data directory and serve its clients.  Started "
	      "by the adapter;\nby hand it stays in the foreground until "
	      "SIGTERM.\n\n",
	      to);
	for (size_t i = 0; i < config_row_count; i++) {
		const struct config_row *row = &config_rows[i];
		char left[48];

		if (!row->help)
			continue;
		snprintf(left, sizeof(left), "%c%c%c --%s%s%s",
			 row->letter ? '-' : ' ',
			 row->letter ? row->letter : ' ',
			 row->letter ? ',' : ' ', row->name,
			 row->argument ? " " : "",
			 row->argument ? row->argument : "");
		fprintf(to, "  %-26s %s", left, row->help);
		if (row->env)
			fprintf(to, "\n%29s(environment: %s)", "", row->env);
		if (row->fallback)
			fprintf(to, " (%s)", row->fallback);
		fputc('\n', to);
	}
	fputs("\nExit status: 0 after a good end, 1 when deposed or broken, 2 "
	      "for a usage error,\n69 when it could not start, 75 when another "
	      "daemon owns the directory.\n",
	      to);
}

void config_version(FILE *to)
{
	fprintf(to, "executord (Executor) %s\nprotocol %u to %u\n",
		version_text, version_protocol_min, version_protocol_max);
}
