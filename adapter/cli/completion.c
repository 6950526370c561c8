/*
 * executor completion: scripts for shells, from the tables.
 *
 * Each script finds out which command the words before the cursor name, and
 * offers what may come next: the command's next word, its options, the values
 * of an option, or its operands.  The names of sources are asked of a daemon
 * that runs; none is started.
 */
#include <stdio.h>
#include <string.h>

#include "adapter/cli/cli.h"

/* What a shell calls files, directories and sources. */
struct dialect {
	const char *dirs, *files, *sources;
};

/* A table may have a row for each form of an option: only the first counts. */
static bool is_repeated(const struct cli_option *rows,
			const struct cli_option *o)
{
	return o > rows && strcmp(o[-1].name, o->name) == 0;
}

static const char *values_in(const struct dialect *d, const char *values)
{
	if (strcmp(values, "@dirs") == 0)
		return d->dirs;
	if (strcmp(values, "@files") == 0)
		return d->files;
	return strcmp(values, "@sources") == 0 ? d->sources : NULL;
}

/* Text between single quotes. */
static void put_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	putchar('\'');
}

static void put_option(const struct cli_option *o, const char *between)
{
	if (cli_option_has_letter(o))
		printf("-%c%s", o->value, between);
	printf("--%s", o->name);
}

static void put_option_words(const struct cli_option *rows)
{
	for (const struct cli_option *o = rows; o && o->name; o++) {
		if (is_repeated(rows, o))
			continue;
		putchar(' ');
		put_option(o, " ");
	}
}

/* The options that take a value, as a pattern of case. */
static void put_takers(const struct cli *c)
{
	bool first = true;

	for (size_t i = 0; i <= c->command_count; i++) {
		const struct cli_option *rows =
			i == 0 ? c->common : c->commands[i - 1]->options;

		for (const struct cli_option *o = rows; o && o->name; o++) {
			if (!o->argument || is_repeated(rows, o))
				continue;
			fputs(first ? "" : "|", stdout);
			put_option(o, "|");
			first = false;
		}
	}
}

/* --- bash and zsh --------------------------------------------------------- */

/* The words that may follow those of prefix ("" or "source"), each once. */
static void put_next_words(const struct cli *c, const char *prefix)
{
	size_t len = strlen(prefix);
	char last[32] = "";

	for (size_t i = 0; i < c->command_count; i++) {
		const char *name = c->commands[i]->name;
		char word[32];

		if (c->commands[i]->hidden || strncmp(name, prefix, len) != 0 ||
		    (len > 0 && name[len] != ' '))
			continue;
		name += len + (len > 0);
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, " "),
			 name);
		if (strcmp(word, last) != 0)
			printf(" %s", word);
		snprintf(last, sizeof(last), "%s", word);
	}
}

/* Rows that say what each command takes; the first words of commands that
 * have two come before their second. */
static void put_cases(const struct cli *c, const struct dialect *d)
{
	char last[32] = "";

	fputs("\t'') offer='", stdout);
	put_next_words(c, "");
	puts("';;");
	for (size_t i = 0; i < c->command_count; i++) {
		const struct command *cmd = c->commands[i];
		size_t noun = strcspn(cmd->name, " ");
		char first[32];

		snprintf(first, sizeof(first), "%.*s", (int)noun, cmd->name);
		if (cmd->hidden)
			continue;
		if (cmd->name[noun] && strcmp(first, last) != 0) {
			printf("\t%s) offer='", first);
			put_next_words(c, first);
			puts("';;");
		}
		snprintf(last, sizeof(last), "%s", first);
		printf("\t'%s'|'%s '*) options='", cmd->name, cmd->name);
		put_option_words(cmd->options);
		putchar('\'');
		if (cmd->operands) {
			const char *dynamic = values_in(d, cmd->operands);

			if (dynamic)
				printf("; offer=\"%s\"", dynamic);
			else
				printf("; offer='%s'", cmd->operands);
		}
		puts(";;");
	}
}

/* Rows that offer the values of the option before the cursor.  An option means
 * the same wherever it is, so each is there once. */
static void put_values(const struct cli *c, const struct dialect *d,
		       const char *offer)
{
	for (size_t i = 0; i <= c->command_count; i++) {
		const struct cli_option *rows =
			i == 0 ? c->common : c->commands[i - 1]->options;

		for (const struct cli_option *o = rows; o && o->name; o++) {
			if (!o->argument || !o->values)
				continue;
			const char *dynamic = values_in(d, o->values);
			putchar('\t');
			put_option(o, "|");
			if (dynamic && o->values[1] != 's')
				printf(") %s; return;;\n", dynamic);
			else
				printf(") %s \"%s\"; return;;\n", offer,
				       dynamic ? dynamic : o->values);
		}
	}
}

static void put_sources_function(void)
{
	puts("_executor_sources() {\n"
	     "\tlocal name rest\n"
	     "\texecutor --no-start -q source list 2>/dev/null |\n"
	     "\t\twhile read -r name rest; do printf '%s ' \"$name\"; done\n"
	     "}\n");
}

static void put_bash(const struct cli *c)
{
	static const struct dialect bash = {
		.dirs = "COMPREPLY=($(compgen -d -- \"$cur\"))",
		.files = "COMPREPLY=($(compgen -f -- \"$cur\"))",
		.sources = "$(_executor_sources)",
	};

	puts("# bash completion for executor\n");
	put_sources_function();
	puts("_executor_offer() {\n"
	     "\tCOMPREPLY=($(compgen -W \"$1\" -- \"$cur\"))\n"
	     "}\n\n"
	     "_executor() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]}\n"
	     "\tlocal prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	     "\tlocal line='' offer='' options='' skip='' i\n"
	     "\tCOMPREPLY=()\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tif [[ -n $skip ]]; then skip=''; continue; fi\n"
	     "\t\tcase ${COMP_WORDS[i]} in\n"
	     "\t\t--) return;;");
	fputs("\t\t", stdout);
	put_takers(c);
	puts(") skip=1;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) line+=\"${line:+ }${COMP_WORDS[i]}\";;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tcase $prev in");
	put_values(c, &bash, "_executor_offer");
	puts("\tesac\n"
	     "\tif [[ -n $skip ]]; then return; fi\n"
	     "\tcase $line in");
	put_cases(c, &bash);
	fputs("\tesac\n"
	      "\tif [[ $cur == -* ]]; then offer=\"$options",
	      stdout);
	put_option_words(c->common);
	puts("\"; fi\n"
	     "\t_executor_offer \"$offer\"\n"
	     "}\n\n"
	     "complete -F _executor executor");
}

static void put_zsh(const struct cli *c)
{
	static const struct dialect zsh = {
		.dirs = "_files -/",
		.files = "_files",
		.sources = "$(_executor_sources)",
	};

	puts("#compdef executor\n");
	put_sources_function();
	puts("_executor_offer() {\n"
	     "\tcompadd -- ${=1}\n"
	     "}\n\n"
	     "_executor() {\n"
	     "\tlocal cur=$words[CURRENT] prev=$words[CURRENT-1]\n"
	     "\tlocal -a given=(\"${(@)words[2,CURRENT-1]}\")\n"
	     "\tlocal line='' offer='' options='' skip='' word\n"
	     "\tfor word in \"${(@)given}\"; do\n"
	     "\t\tif [[ -n $skip ]]; then skip=''; continue; fi\n"
	     "\t\tcase $word in\n"
	     "\t\t--) return;;");
	fputs("\t\t", stdout);
	put_takers(c);
	puts(") skip=1;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) line+=\"${line:+ }$word\";;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tcase $prev in");
	put_values(c, &zsh, "_executor_offer");
	puts("\tesac\n"
	     "\tif [[ -n $skip ]]; then return; fi\n"
	     "\tcase $line in");
	put_cases(c, &zsh);
	fputs("\tesac\n"
	      "\tif [[ $cur == -* ]]; then offer=\"$options",
	      stdout);
	put_option_words(c->common);
	puts("\"; fi\n"
	     "\t_executor_offer \"$offer\"\n"
	     "}\n\n"
	     "# Loaded from $fpath, this file is the function itself.\n"
	     "if [[ $funcstack[1] == _executor ]]; then\n"
	     "\t_executor\n"
	     "else\n"
	     "\tcompdef _executor executor\n"
	     "fi");
}

/* --- fish ----------------------------------------------------------------- */

static void put_fish_option(const struct cli_option *o, const char *when)
{
	static const struct dialect fish = {
		.dirs = "(__fish_complete_directories)",
		.files = "(__fish_complete_path)",
		.sources = "(__executor_sources)",
	};

	printf("complete -c executor");
	if (when)
		printf(" -n '__executor_in %s'", when);
	printf(" -l %s", o->name);
	if (cli_option_has_letter(o))
		printf(" -s %c", o->value);
	if (o->argument)
		fputs(" -x", stdout);
	if (o->values) {
		const char *dynamic = values_in(&fish, o->values);

		fputs(" -a ", stdout);
		put_quoted(dynamic ? dynamic : o->values);
	}
	fputs(" -d ", stdout);
	put_quoted(o->help);
	putchar('\n');
}

static void put_fish_command(const struct command *cmd)
{
	size_t noun = strcspn(cmd->name, " ");

	if (cmd->name[noun]) {
		printf("complete -c executor -n __executor_at -a %.*s\n",
		       (int)noun, cmd->name);
		printf("complete -c executor -n '__executor_at %.*s' -a %s "
		       "-d ",
		       (int)noun, cmd->name, cmd->name + noun + 1);
	} else {
		printf("complete -c executor -n __executor_at -a %s -d ",
		       cmd->name);
	}
	put_quoted(cmd->help);
	putchar('\n');
	for (const struct cli_option *o = cmd->options; o && o->name; o++)
		if (!is_repeated(cmd->options, o))
			put_fish_option(o, cmd->name);
	if (!cmd->operands)
		return;
	printf("complete -c executor -n '__executor_in %s' -a ", cmd->name);
	put_quoted(strcmp(cmd->operands, "@sources") == 0
			   ? "(__executor_sources)"
			   : cmd->operands);
	putchar('\n');
}

static void put_fish(const struct cli *c)
{
	puts("# fish completion for executor\n\n"
	     "function __executor_sources\n"
	     "\texecutor --no-start -q source list 2>/dev/null | "
	     "string replace -r ' .*' ''\n"
	     "end\n\n"
	     "# The words before the cursor, without options and their "
	     "values.\n"
	     "function __executor_line\n"
	     "\tset -l skip\n"
	     "\tfor word in (commandline -opc)[2..-1]\n"
	     "\t\tif test -n \"$skip\"\n"
	     "\t\t\tset skip\n"
	     "\t\t\tcontinue\n"
	     "\t\tend\n"
	     "\t\tswitch $word");
	fputs("\t\t\tcase", stdout);
	for (size_t i = 0; i <= c->command_count; i++) {
		const struct cli_option *rows =
			i == 0 ? c->common : c->commands[i - 1]->options;

		for (const struct cli_option *o = rows; o && o->name; o++) {
			if (!o->argument || is_repeated(rows, o))
				continue;
			putchar(' ');
			put_option(o, " ");
		}
	}
	puts("\n"
	     "\t\t\t\tset skip 1\n"
	     "\t\t\tcase '-*'\n"
	     "\t\t\tcase '*'\n"
	     "\t\t\t\techo $word\n"
	     "\t\tend\n"
	     "\tend\n"
	     "end\n\n"
	     "# Are these words all there is?\n"
	     "function __executor_at\n"
	     "\ttest \"$argv\" = (string join ' ' (__executor_line) '' | "
	     "string trim)\n"
	     "end\n\n"
	     "# Does it begin with these words?\n"
	     "function __executor_in\n"
	     "\tset -l line (__executor_line)\n"
	     "\tset -l count (count $argv)\n"
	     "\ttest (count $line) -ge $count; "
	     "and test \"$line[1..$count]\" = \"$argv\"\n"
	     "end\n\n"
	     "complete -c executor -f");
	for (const struct cli_option *o = c->common; o && o->name; o++)
		put_fish_option(o, NULL);
	for (size_t i = 0; i < c->command_count; i++)
		if (!c->commands[i]->hidden)
			put_fish_command(c->commands[i]);
}

/* --- the command ---------------------------------------------------------- */

static const struct {
	const char *name;
	void (*put)(const struct cli *c);
} shells[] = {
	{"bash", put_bash},
	{"zsh", put_zsh},
	{"fish", put_fish},
};

static int run(struct cli *c, void *own, int argc, char **argv)
{
	struct err e;

	(void)own;
	(void)argc;
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(shells[i].name, argv[0]) != 0)
			continue;
		shells[i].put(c);
		return CLI_OK;
	}
	err_set(&e, ERR_INVALID_ARGUMENT,
		"completion is for bash, zsh or fish, not '%.40s'", argv[0]);
	return cli_fail(&e);
}

const struct command cmd_completion = {
	.name = "completion",
	.usage = "bash|zsh|fish",
	.help = "Print a completion script for a shell",
	.more = "For bash:  source <(executor completion bash)\n"
		"For zsh:   executor completion zsh > a directory of "
		"$fpath/_executor\n"
		"For fish:  executor completion fish | source\n",
	.operands = "bash zsh fish",
	.least = 1,
	.most = 1,
	.run = run,
};
