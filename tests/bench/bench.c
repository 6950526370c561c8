/*
 * bench: what the programs cost, beside what the bare minimum costs.
 *
 * usage: bench --bin DIR [--short|--full|--answers] [--json FILE] [--markdown]
 *              [--peers DIR --against PEER]... [AXIS...]
 *
 * With --against and no axis, only the peers are compared with.
 *
 * --lie makes the source of the talk axis answer once as it should not, which
 * must end the run.
 *
 * --answers does a little of everything, checks every answer and prints no
 * figure: for the tests.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "axis.h"
#include "lab.h"
#include "report.h"

static const struct axis {
	const char *name;
	void (*measure)(const struct effort *e);
} axes[] = {
	{"start", axis_start},	     {"storm", axis_storm},
	{"reattach", axis_reattach}, {"talk", axis_talk},
	{"journal", axis_journal},   {"grpc", axis_grpc},
	{"big", axis_big},	     {"slicer", axis_slicer},
	{"memory", axis_memory},     {"sessions", axis_sessions},
	{"rest", axis_rest},
};

enum { AXES = sizeof(axes) / sizeof(*axes), AGAINST_MAX = 8 };

static const struct effort answers = {
	.starts = 2,
	.colds = 1,
	.storm = 6,
	.storms = 1,
	.rounds = 1,
	.messages = 50,
	.sessions = 50,
	.crowd = 100,
	.big_mib = 1,
	.rest_s = 1,
};

static const struct effort short_form = {
	.starts = 40,
	.colds = 8,
	.storm = 200,
	.storms = 3,
	.rounds = 12,
	.messages = 500,
	.sessions = 1000,
	.crowd = 10000,
	.big_mib = 20,
	.rest_s = 5,
};

static const struct effort full_form = {
	.starts = 200,
	.colds = 40,
	.storm = 200,
	.storms = 9,
	.rounds = 60,
	.messages = 1000,
	.sessions = 1000,
	.crowd = 10000,
	.big_mib = 20,
	.rest_s = 30,
};

static bool is_wanted(const char *name, int count, char *const names[])
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return count == 0;
}

static bool are_axes(int count, char *const names[])
{
	for (int i = 0; i < count; i++) {
		unsigned k = 0;

		while (k < AXES && strcmp(axes[k].name, names[i]) != 0)
			k++;
		if (k == AXES)
			return false;
	}
	return true;
}

static int write_json(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file) {
		perror(path);
		return 1;
	}
	report_json(file);
	return fclose(file) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"bin", required_argument, NULL, 'b'},
		{"short", no_argument, NULL, 's'},
		{"full", no_argument, NULL, 'f'},
		{"answers", no_argument, NULL, 'a'},
		{"json", required_argument, NULL, 'j'},
		{"markdown", no_argument, NULL, 'm'},
		{"lie", required_argument, NULL, 'l'},
		{"peers", required_argument, NULL, 'p'},
		{"against", required_argument, NULL, 'g'},
		{0},
	};
	const struct effort *effort = &short_form;
	const char *json = NULL;
	const char *bin = NULL;
	const char *peers = ".";
	const char *against[AGAINST_MAX];
	int against_count = 0;
	bool markdown = false;
	bool usable = true;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'b')
			bin = optarg;
		else if (o == 'j')
			json = optarg;
		else if (o == 'm')
			markdown = true;
		else if (o == 'l')
			lab_lie = optarg;
		else if (o == 'p')
			peers = optarg;
		else if (o == 'g' && against_count < AGAINST_MAX)
			against[against_count++] = optarg;
		else if (o == 'f')
			effort = &full_form;
		else if (o == 'a')
			effort = &answers;
		else if (o == 's')
			effort = &short_form;
		else
			usable = false;
	}
	argc -= optind;
	argv += optind;
	if (!usable || !bin || !are_axes(argc, argv)) {
		fputs("usage: bench --bin DIR [--short|--full|--answers] "
		      "[--json FILE] [--markdown] "
		      "[--peers DIR --against PEER]... [AXIS...]\naxes:",
		      stderr);
		for (int i = 0; i < AXES; i++)
			fprintf(stderr, " %s", axes[i].name);
		fputc('\n', stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	lab_open(bin);
	for (int i = 0; i < AXES; i++) {
		if ((argc == 0 && against_count > 0) ||
		    !is_wanted(axes[i].name, argc, argv))
			continue;
		fprintf(stderr, "bench: %s\n", axes[i].name);
		axes[i].measure(effort);
	}
	for (int i = 0; i < against_count; i++) {
		fprintf(stderr, "bench: against %s\n", against[i]);
		usable = axis_peers(peers, against[i]) && usable;
	}
	lab_close();
	if (!usable)
		return 2;
	if (effort == &answers) {
		puts("every answer was right");
	} else if (markdown) {
		report_markdown(stdout);
	} else {
		report_machine(stdout);
		report_print(stdout);
	}
	return json ? write_json(json) : 0;
}
