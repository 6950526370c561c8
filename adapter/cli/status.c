#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/mem.h"
#include "proto/version.h"

static void add_hex(struct cJSON *o, const char *name,
		    ProtobufCBinaryData bytes)
{
	struct buf hex = {0};

	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(&hex, "%02x", bytes.data[i]);
	buf_append(&hex, "", 1);
	cJSON_AddStringToObject(o, name, hex.data);
	buf_finish(&hex);
}

static char *text_of(ProtobufCBinaryData bytes)
{
	return mem_ntext((const char *)bytes.data, bytes.len);
}

static struct cJSON *session_json(const Executor__Admin__V1__SessionStatus *s)
{
	struct cJSON *o = cJSON_CreateObject();

	add_hex(o, "id", s->session);
	cJSON_AddStringToObject(o, "client_name", s->client_name);
	cJSON_AddStringToObject(o, "client_version", s->client_version);
	cJSON_AddStringToObject(o, "revision", s->revision);
	cJSON_AddBoolToObject(o, "attached", s->attached);
	cJSON_AddNumberToObject(o, "age_s", (double)s->age_s);
	cJSON_AddNumberToObject(o, "requests_in_flight", s->requests_in_flight);
	cJSON_AddNumberToObject(o, "requests", (double)s->requests);
	return o;
}

static struct cJSON *status_json(const admin_status_t *s)
{
	struct cJSON *o = cJSON_CreateObject();
	char *dir = text_of(s->data_dir);
	char *socket = text_of(s->unix_socket);

	cJSON_AddNumberToObject(o, "pid", (double)s->pid);
	cJSON_AddNumberToObject(o, "epoch", (double)s->epoch);
	add_hex(o, "instance", s->instance);
	cJSON_AddStringToObject(o, "version", s->version);
	cJSON_AddStringToObject(o, "data_dir", dir);
	struct cJSON *endpoints = cJSON_AddObjectToObject(o, "endpoints");
	cJSON_AddStringToObject(endpoints, "unix", socket);
	if (*s->tcp_url)
		cJSON_AddStringToObject(endpoints, "tcp", s->tcp_url);
	else
		cJSON_AddNullToObject(endpoints, "tcp");
	cJSON_AddNumberToObject(o, "uptime_s", (double)s->uptime_s);
	cJSON_AddBoolToObject(o, "draining", s->draining);
	struct cJSON *sessions = cJSON_AddArrayToObject(o, "sessions");
	for (size_t i = 0; i < s->n_sessions; i++)
		cJSON_AddItemToArray(sessions, session_json(s->sessions[i]));
	struct cJSON *sources = cJSON_AddArrayToObject(o, "sources");
	for (size_t i = 0; i < s->n_sources; i++)
		cJSON_AddItemToArray(sources, cli_source_json(s->sources[i]));
	cJSON_AddNumberToObject(o, "tools", s->tools);
	if (s->counters) {
		const Executor__Admin__V1__Counters *n = s->counters;
		struct cJSON *c = cJSON_AddObjectToObject(o, "counters");

		cJSON_AddNumberToObject(c, "connections", n->connections);
		cJSON_AddNumberToObject(c, "streams", n->streams);
		cJSON_AddNumberToObject(c, "requests_in_flight",
					n->requests_in_flight);
		cJSON_AddNumberToObject(c, "requests", (double)n->requests);
		cJSON_AddNumberToObject(c, "errors", (double)n->errors);
	}
	free(dir);
	free(socket);
	return o;
}

static bool is_down(const admin_source_t *s)
{
	return s->state == EXECUTOR__ADMIN__V1__SOURCE__STATE__STATE_RESTING ||
	       s->state == EXECUTOR__ADMIN__V1__SOURCE__STATE__STATE_FAILED;
}

static void print_sources(const admin_status_t *s)
{
	struct table *t = table_new(6);

	for (size_t i = 0; i < s->n_sources; i++) {
		const admin_source_t *source = s->sources[i];
		char tools[32];
		char memory[CLI_MEMORY_BYTES];

		snprintf(tools, sizeof(tools), "%" PRIu32 " tools",
			 source->tools);
		cli_source_memory(memory, source);
		table_row(t, "          ", source->name,
			  cli_source_state(source->state), tools, memory,
			  is_down(source) ? source->last_error : "");
	}
	table_print(t);
}

static int print_status(const admin_status_t *s)
{
	char *dir = text_of(s->data_dir);
	char *socket = text_of(s->unix_socket);
	char up[16];
	size_t attached = 0;

	for (size_t i = 0; i < s->n_sessions; i++)
		attached += s->sessions[i]->attached != 0;
	cli_duration(up, s->uptime_s);
	printf("daemon      %s  %s  pid %" PRId64 "  epoch %" PRIu64
	       "  up %s\n",
	       s->draining ? "draining" : "running", s->version, s->pid,
	       s->epoch, up);
	if (version_compare(s->version, version_text) < 0)
		printf("            %s is installed: `executor daemon restart` "
		       "moves to it\n",
		       version_text);
	printf("data        %s\n", dir);
	printf("endpoint    unix:%s%s%s\n", socket, *s->tcp_url ? "  " : "",
	       s->tcp_url);
	printf("sessions    %zu attached, %zu waiting to resume\n", attached,
	       s->n_sessions - attached);
	if (s->counters)
		printf("requests    %" PRIu32 " in flight, %" PRIu64
		       " answered, %" PRIu64 " with an error\n",
		       s->counters->requests_in_flight, s->counters->requests,
		       s->counters->errors);
	printf("sources     %zu, %" PRIu32 " tools\n", s->n_sources, s->tools);
	print_sources(s);
	free(dir);
	free(socket);
	return CLI_OK;
}

static int print_not_running(struct cli *c, const struct err *e)
{
	if (!c->json)
		return cli_fail(e);
	struct cJSON *o = cJSON_CreateObject();
	cJSON_AddBoolToObject(o, "running", false);
	if (c->data_dir)
		cJSON_AddStringToObject(o, "data_dir", c->data_dir);
	cli_print_json(o);
	return CLI_NOT_RUNNING;
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	struct err e;

	(void)own;
	(void)argc;
	(void)argv;
	const admin_status_t *s = cli_get_status(c, false, &e);
	if (!s && e.reason == ERR_NOT_RUNNING)
		return print_not_running(c, &e);
	if (!s)
		return cli_fail(&e);
	return c->json ? cli_print_json(status_json(s)) : print_status(s);
}

const struct command cmd_status = {
	.name = "status",
	.usage = "",
	.help = "Show the daemon, its sessions and its sources",
	.more = "Never starts a daemon; exit status 3 when none runs.\n",
	.run = run,
};
