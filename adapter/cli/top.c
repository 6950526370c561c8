/*
 * executor top: who is there and what is being done, now.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"

typedef Executor__Admin__V1__Call admin_call_t;
typedef Executor__Admin__V1__SessionStatus admin_session_t;

enum { OPTION_ONCE = CLI_OWN_OPTION };

struct top {
	bool once;
};

static bool option(void *own, int value, const char *argument, struct err *e)
{
	struct top *t = own;

	(void)value;
	(void)argument;
	(void)e;
	t->once = true;
	return true;
}

/* The first bytes of a session's id, enough to tell them apart. */
static void short_id(char to[9], ProtobufCBinaryData id)
{
	to[0] = '\0';
	for (size_t i = 0; i < 4 && i < id.len; i++)
		snprintf(to + 2 * i, 3, "%02x", id.data[i]);
}

static void age_text(char to[16], uint64_t ms)
{
	if (ms < 10000)
		snprintf(to, 16, "%u.%us", (unsigned)ms / 1000,
			 (unsigned)ms / 100 % 10);
	else
		cli_duration(to, ms / 1000);
}

/* --- tables --------------------------------------------------------------- */

static void print_head(const admin_status_t *s)
{
	char up[16];

	cli_duration(up, s->uptime_s);
	printf("executord %s  pid %" PRId64 "  up %s  %zu sessions  %zu "
	       "sources  %" PRIu32 " tools\n",
	       s->version, s->pid, up, s->n_sessions, s->n_sources, s->tools);
	if (s->counters)
		printf("requests  %" PRIu32 " in flight, %" PRIu64
		       " answered, %" PRIu64 " with an error\n",
		       s->counters->requests_in_flight, s->counters->requests,
		       s->counters->errors);
}

static void print_sessions(const admin_status_t *s)
{
	struct table *t = table_new(6);

	table_row(t, "SESSION", "CLIENT", "REVISION", "AGE", "BUSY",
		  "REQUESTS");
	for (size_t i = 0; i < s->n_sessions; i++) {
		const admin_session_t *one = s->sessions[i];
		char id[9];
		char age[16];
		char busy[16];
		char requests[24];
		struct buf client = {0};

		short_id(id, one->session);
		cli_duration(age, one->age_s);
		snprintf(busy, sizeof(busy), "%" PRIu32,
			 one->requests_in_flight);
		snprintf(requests, sizeof(requests), "%" PRIu64, one->requests);
		buf_printf(&client, "%s %s%s", one->client_name,
			   one->client_version, one->attached ? "" : " (away)");
		buf_append(&client, "", 1);
		table_row(t, id, client.data, one->revision, age, busy,
			  requests);
		buf_finish(&client);
	}
	putchar('\n');
	table_print(t);
}

static void print_sources(const admin_status_t *s)
{
	struct table *t = table_new(6);

	table_row(t, "SOURCE", "STATE", "PID", "TOOLS", "BUSY", "RESTARTS");
	for (size_t i = 0; i < s->n_sources; i++) {
		const admin_source_t *one = s->sources[i];
		char pid[24];
		char tools[16];
		char busy[16];
		char restarts[16];

		snprintf(pid, sizeof(pid), "%" PRId64, one->pid);
		snprintf(tools, sizeof(tools), "%" PRIu32, one->tools);
		snprintf(busy, sizeof(busy), "%" PRIu32,
			 one->requests_in_flight);
		snprintf(restarts, sizeof(restarts), "%" PRIu32, one->restarts);
		table_row(t, one->name,
			  one->enabled ? cli_source_state(one->state)
				       : "disabled",
			  one->pid ? pid : "-", tools, busy, restarts);
	}
	putchar('\n');
	table_print(t);
}

static void print_calls(const Executor__Admin__V1__WatchStatusResponse *reply)
{
	struct table *t = table_new(5);

	table_row(t, "SESSION", "CLIENT", "CALL", "SOURCE", "AGE");
	for (size_t i = 0; i < reply->n_calls; i++) {
		const admin_call_t *one = reply->calls[i];
		char id[9];
		char age[16];
		struct buf what = {0};

		short_id(id, one->session);
		age_text(age, one->age_ms);
		buf_printf(&what, "%s %s", one->method, one->name);
		buf_append(&what, "", 1);
		table_row(t, *id ? id : "-", one->client_name, what.data,
			  one->source, age);
		buf_finish(&what);
	}
	putchar('\n');
	table_print(t);
}

static void print_screen(const Executor__Admin__V1__WatchStatusResponse *r)
{
	print_head(r->status);
	print_sessions(r->status);
	print_sources(r->status);
	print_calls(r);
}

/* --- JSON ----------------------------------------------------------------- */

static void add_id(struct cJSON *o, const char *name, ProtobufCBinaryData id)
{
	struct buf hex = {0};

	for (size_t i = 0; i < id.len; i++)
		buf_printf(&hex, "%02x", id.data[i]);
	buf_append(&hex, "", 1);
	cJSON_AddStringToObject(o, name, hex.data);
	buf_finish(&hex);
}

static void add_sessions(struct cJSON *o, const admin_status_t *s)
{
	struct cJSON *list = cJSON_AddArrayToObject(o, "sessions");

	for (size_t i = 0; i < s->n_sessions; i++) {
		const admin_session_t *one = s->sessions[i];
		struct cJSON *row = cJSON_CreateObject();

		add_id(row, "id", one->session);
		cJSON_AddStringToObject(row, "client_name", one->client_name);
		cJSON_AddStringToObject(row, "client_version",
					one->client_version);
		cJSON_AddStringToObject(row, "revision", one->revision);
		cJSON_AddBoolToObject(row, "attached", one->attached);
		cJSON_AddNumberToObject(row, "age_s", (double)one->age_s);
		cJSON_AddNumberToObject(row, "requests_in_flight",
					one->requests_in_flight);
		cJSON_AddNumberToObject(row, "requests", (double)one->requests);
		cJSON_AddItemToArray(list, row);
	}
}

static void add_calls(struct cJSON *o,
		      const Executor__Admin__V1__WatchStatusResponse *reply)
{
	struct cJSON *list = cJSON_AddArrayToObject(o, "calls");

	for (size_t i = 0; i < reply->n_calls; i++) {
		const admin_call_t *one = reply->calls[i];
		struct cJSON *row = cJSON_CreateObject();

		add_id(row, "session", one->session);
		cJSON_AddStringToObject(row, "client_name", one->client_name);
		cJSON_AddStringToObject(row, "method", one->method);
		cJSON_AddStringToObject(row, "source", one->source);
		cJSON_AddStringToObject(row, "name", one->name);
		cJSON_AddNumberToObject(row, "age_ms", (double)one->age_ms);
		cJSON_AddItemToArray(list, row);
	}
}

static void print_json(const Executor__Admin__V1__WatchStatusResponse *r)
{
	struct cJSON *o = cJSON_CreateObject();

	add_sessions(o, r->status);
	struct cJSON *sources = cJSON_AddArrayToObject(o, "sources");
	for (size_t i = 0; i < r->status->n_sources; i++)
		cJSON_AddItemToArray(sources,
				     cli_source_json(r->status->sources[i]));
	add_calls(o, r);
	cli_print_json(o);
}

/* --- the command ---------------------------------------------------------- */

/* How it is shown. */
struct show {
	bool json;
	bool again; /* over the last one, until somebody interrupts */
};

static bool on_status(void *owner, const void *reply)
{
	const Executor__Admin__V1__WatchStatusResponse *r = reply;
	const struct show *show = owner;

	if (!r->status)
		return false;
	/* ECMA-48: cursor home, and erase from there on. */
	if (show->again)
		fputs("\033[H\033[J", stdout);
	if (show->json)
		print_json(r);
	else
		print_screen(r);
	return fflush(stdout) == 0 && show->again;
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__WatchStatusRequest request =
		EXECUTOR__ADMIN__V1__WATCH_STATUS_REQUEST__INIT;
	const struct top *t = own;
	struct show show = {
		.json = c->json,
		.again = !c->json && !t->once && isatty(STDOUT_FILENO),
	};
	struct err e;

	(void)argc;
	(void)argv;
	if (cli_admin_stream(
		    c, false, "WatchStatus", &request.base,
		    &executor__admin__v1__watch_status_response__descriptor,
		    on_status, &show, &e))
		return CLI_OK;
	return cli_fail(&e);
}

static const struct cli_option options[] = {
	{"once", NULL, "print once, also on a terminal", NULL, OPTION_ONCE},
	{0},
};

const struct command cmd_top = {
	.name = "top",
	.usage = "[--once]",
	.help = "Watch sessions, sources and the calls in flight",
	.more = "On a terminal it is shown anew each second, else once.\n"
		"Never starts a daemon; exit status 3 when none runs.\n",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct top),
	.run = run,
};
