/*
 * executor doctor: is everything as it should be, and if not, what to do.
 */
#include "adapter/cli/doctor.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "proto/mem.h"
#include "proto/protobuf.h"

enum { OPTION_START = CLI_OWN_OPTION };

enum { TEXT_BYTES = 1024, PATIENCE_MS = 10000 };

struct options {
	bool start;
};

static const char *const group_names[GROUP_COUNT] = {
	[GROUP_DIRECTORY] = "Data directory",
	[GROUP_ELECTION] = "Election",
	[GROUP_ENDPOINTS] = "Endpoints",
	[GROUP_STORE] = "Store",
	[GROUP_SOURCES] = "Sources",
	[GROUP_NAMES] = "Names",
	[GROUP_LIMITS] = "Limits",
};

static const struct {
	const char *mark;
	const char *word;
} statuses[] = {
	[FINDING_GOOD] = {"\xe2\x9c\x93", "ok"},     /* U+2713 */
	[FINDING_ODD] = {"\xe2\x9a\xa0", "warning"}, /* U+26A0 */
	[FINDING_BAD] = {"\xe2\x9c\x97", "error"},   /* U+2717 */
};

void doctor_find(struct doctor *d, enum finding_group group,
		 enum finding_status status, const char *fix, const char *text,
		 ...)
{
	char line[TEXT_BYTES];
	va_list ap;

	va_start(ap, text);
	vsnprintf(line, sizeof(line), text, ap);
	va_end(ap);
	d->findings =
		mem_grow(d->findings, (d->count + 1) * sizeof(*d->findings));
	/* Paths are bytes; what is printed is UTF-8. */
	d->findings[d->count++] = (struct finding){
		.status = status,
		.group = group,
		.text = protobuf_text(line),
		.fix = fix ? protobuf_text(fix) : NULL,
	};
}

static void print_group(const struct doctor *d, enum finding_group group)
{
	bool titled = false;

	for (size_t i = 0; i < d->count; i++) {
		const struct finding *f = &d->findings[i];

		if (f->group != group ||
		    (d->cli->quiet && f->status == FINDING_GOOD))
			continue;
		if (!titled)
			puts(group_names[group]);
		titled = true;
		char *text = cli_plain(f->text, strlen(f->text));
		printf("  %s %s", statuses[f->status].mark, text);
		free(text);
		if (f->fix)
			printf("; do: %s", f->fix);
		putchar('\n');
	}
}

static void print_json(const struct doctor *d, bool bad)
{
	struct cJSON *o = cJSON_CreateObject();

	cJSON_AddBoolToObject(o, "ok", !bad);
	struct cJSON *checks = cJSON_AddArrayToObject(o, "checks");
	for (size_t i = 0; i < d->count; i++) {
		const struct finding *f = &d->findings[i];
		struct cJSON *row = cJSON_CreateObject();

		cJSON_AddStringToObject(row, "group", group_names[f->group]);
		cJSON_AddStringToObject(row, "status",
					statuses[f->status].word);
		cJSON_AddStringToObject(row, "text", f->text);
		if (f->fix)
			cJSON_AddStringToObject(row, "fix", f->fix);
		cJSON_AddItemToArray(checks, row);
	}
	cli_print_json(o);
}

static int report(const struct doctor *d)
{
	unsigned counts[3] = {0};

	for (size_t i = 0; i < d->count; i++)
		counts[d->findings[i].status]++;
	if (d->cli->json) {
		print_json(d, counts[FINDING_BAD] > 0);
	} else {
		for (int group = 0; group < GROUP_COUNT; group++)
			print_group(d, (enum finding_group)group);
		if (!d->cli->quiet)
			printf("%s %u checks passed  %s %u  %s %u\n",
			       statuses[FINDING_GOOD].mark,
			       counts[FINDING_GOOD], statuses[FINDING_ODD].mark,
			       counts[FINDING_ODD], statuses[FINDING_BAD].mark,
			       counts[FINDING_BAD]);
	}
	return counts[FINDING_BAD] > 0 ? CLI_FAILURE : CLI_OK;
}

static bool option(void *own, int value, const char *argument, struct err *e)
{
	struct options *o = own;

	(void)value;
	(void)argument;
	(void)e;
	o->start = true;
	return true;
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	const struct options *o = own;
	struct doctor d = {.cli = c, .dir_fd = -1};

	(void)argc;
	(void)argv;
	/* A daemon that does not answer is a finding, and found soon. */
	if (c->timeout_ms > PATIENCE_MS)
		c->timeout_ms = PATIENCE_MS;
	doctor_look_at_place(&d);
	doctor_ask_daemon(&d, o->start);
	int status = report(&d);
	if (d.dir_fd >= 0)
		close(d.dir_fd);
	for (size_t i = 0; i < d.count; i++) {
		free(d.findings[i].text);
		free(d.findings[i].fix);
	}
	free(d.findings);
	return status;
}

static const struct cli_option options[] = {
	{"start", NULL, "start a daemon when none runs", NULL, OPTION_START},
	{0},
};

const struct command cmd_doctor = {
	.name = "doctor",
	.usage = "[--start]",
	.help = "Check that everything is as it should be",
	.more = "The store and the sources are checked by the daemon: by none "
		"when none runs.\n"
		"Exit status 1 when something is wrong; a warning is not.\n",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct options),
	.run = run,
};
