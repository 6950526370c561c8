/*
 * executor audit: what sources were asked, by whom, and how it ended.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapter/cli/cli.h"
#include "proto/json.h"
#include "proto/slice.h"

typedef Executor__Admin__V1__AuditEntry entry_t;

enum { OPTION_LIMIT = CLI_OWN_OPTION };

enum { LIMIT_MOST = 10000 };

struct audit {
	uint32_t limit;
};

static bool option(void *own, int value, const char *argument, struct err *e)
{
	struct audit *a = own;
	unsigned long long n;

	(void)value;
	if (!json_u64(slice_of(argument), &n) || n == 0 || n > LIMIT_MOST)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "--limit is a number from 1 to %d, not %.40s",
			       LIMIT_MOST, argument);
	a->limit = (uint32_t)n;
	return true;
}

static void time_text(char to[32], uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm utc;

	to[0] = '\0';
	if (gmtime_r(&seconds, &utc))
		strftime(to, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static struct cJSON *entry_json(const entry_t *t)
{
	struct cJSON *o = cJSON_CreateObject();
	char ended[32];

	time_text(ended, t->ended_ms);
	cJSON_AddStringToObject(o, "ended", ended);
	cJSON_AddNumberToObject(o, "duration_us", (double)t->duration_us);
	cJSON_AddStringToObject(o, "client", t->client_name);
	cJSON_AddStringToObject(o, "source", t->source);
	cJSON_AddStringToObject(o, "method", t->method);
	cJSON_AddStringToObject(o, "name", t->name);
	cJSON_AddNumberToObject(o, "request_bytes", (double)t->request_bytes);
	cJSON_AddNumberToObject(o, "answer_bytes", (double)t->answer_bytes);
	cJSON_AddStringToObject(o, "outcome", t->outcome);
	return o;
}

static void add_row(struct table *table, const entry_t *t)
{
	char *client = cli_plain(t->client_name, strlen(t->client_name));
	char *name = cli_plain(t->name, strlen(t->name));
	char ended[32];
	char took[32];
	char bytes[48];

	time_text(ended, t->ended_ms);
	snprintf(took, sizeof(took), "%.1f ms", (double)t->duration_us / 1e3);
	snprintf(bytes, sizeof(bytes), "%" PRIu64 "/%" PRIu64, t->request_bytes,
		 t->answer_bytes);
	table_row(table, ended, t->source, t->method, name, client, took, bytes,
		  t->outcome);
	free(client);
	free(name);
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__ListAuditRequest request =
		EXECUTOR__ADMIN__V1__LIST_AUDIT_REQUEST__INIT;
	const struct audit *a = own;
	struct err e;

	(void)argc;
	(void)argv;
	request.limit = a->limit;
	const Executor__Admin__V1__ListAuditResponse *reply = cli_admin(
		c, true, "ListAudit", &request.base,
		&executor__admin__v1__list_audit_response__descriptor, &e);
	if (!reply)
		return cli_fail(&e);
	if (c->json) {
		struct cJSON *list = cJSON_CreateArray();

		for (size_t i = 0; i < reply->n_entries; i++)
			cJSON_AddItemToArray(list,
					     entry_json(reply->entries[i]));
		return cli_print_json(list);
	}
	struct table *table = table_new(8);
	table_row(table, "ENDED", "SOURCE", "METHOD", "NAME", "CLIENT", "TOOK",
		  "BYTES", "OUTCOME");
	for (size_t i = 0; i < reply->n_entries; i++)
		add_row(table, reply->entries[i]);
	table_print(table);
	return CLI_OK;
}

static const struct cli_option options[] = {
	{"limit", "N", "the last N (100)", NULL, OPTION_LIMIT},
	{0},
};

const struct command cmd_audit = {
	.name = "audit",
	.usage = "[--limit N]",
	.help = "List what tool servers were asked, and how it ended",
	.more = "The newest first; BYTES are those of the request and of its "
		"answer.  Neither\narguments nor results are kept.\n",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct audit),
	.run = run,
};
