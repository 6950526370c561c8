/*
 * instructions: how many the programs execute for one message, by callgrind.
 *
 * usage: instructions --bin DIR [--record FILE] [--against FILE]
 *
 * A thousand pings, a thousand tools/call and a thousand gRPC calls, one after
 * the other, every answer checked; less a shorter run of the same, so that
 * starting and ending are not in it.  User space only, of the adapter, of the
 * daemon with all its threads, and of interop-server.  The count differs with
 * the compiler and the libraries, and by less than a percent from run to run.
 */
#include <cjson/cJSON.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "proto/json.h"
#include "proto/mem.h"

enum { FEW = 100, MANY = 1100, FIGURES_MAX = 8, EXIT_SKIP = 77 };

static const char valgrind[] = "/usr/bin/valgrind";

struct figure {
	const char *name;
	double count;
};

static struct figure figures[FIGURES_MAX];
static size_t figure_count;

/* --- callgrind --------------------------------------------------------------
 */

/* Start it under callgrind, which writes name.out in the home directory. */
static void start_counted(struct party *p, const char *name,
			  const char *const argv[])
{
	char option[256];
	const char *all[12] = {valgrind, "--tool=callgrind", "-q", option};
	size_t n = 4;

	snprintf(option, sizeof(option), "--callgrind-out-file=%s.out",
		 lab_path(name));
	for (size_t i = 0; argv[i]; i++)
		all[n++] = argv[i];
	party_start(p, all);
}

static double read_count(const char *name)
{
	char path[256];
	char line[1024];
	double count = 0;

	snprintf(path, sizeof(path), "%s.out", lab_path(name));
	FILE *from = fopen(path, "re");
	if (!from)
		lab_fail("callgrind has not written %s", path);
	while (count <= 0 && fgets(line, sizeof(line), from))
		sscanf(line, "summary: %lf", &count);
	fclose(from);
	if (count <= 0)
		lab_fail("there is no summary in %s", path);
	return count;
}

/* --- scenarios --------------------------------------------------------------
 */

struct counts {
	double adapter, daemon;
};

static void ping(struct party *p, unsigned id)
{
	char line[128];
	int len = snprintf(line, sizeof(line),
			   "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":"
			   "\"ping\"}\n",
			   id);

	party_say(p, (struct slice){line, (size_t)len});
	struct jsonrpc m = lab_answer(p, id);
	if (!slice_is(m.result, "{}"))
		lab_fail("ping: %.*s", (int)m.text.len, m.text.ptr);
}

static void call(struct party *p, unsigned id)
{
	char line[256];
	char value[32];
	struct slice first = {0};
	int len = snprintf(line, sizeof(line),
			   "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":"
			   "\"tools/call\",\"params\":{\"name\":"
			   "\"echo__echo\",\"arguments\":{\"text\":"
			   "\"value %06u\"}}}\n",
			   id, id);

	party_say(p, (struct slice){line, (size_t)len});
	struct jsonrpc m = lab_answer(p, id);
	json_next_element(json_get(m.result, "content"), &(size_t){0}, &first);
	snprintf(value, sizeof(value), "value %06u", id);
	if (!json_string_is(json_get(first, "text"), value))
		lab_fail("call: %.*s", (int)m.text.len, m.text.ptr);
}

static struct counts converse(void (*ask)(struct party *p, unsigned id),
			      unsigned n)
{
	struct party daemon, adapter;

	lab_fresh();
	start_counted(&daemon, "daemon",
		      (const char *const[]){lab_program("executord"), NULL});
	lab_await(lab_path(".executor/run/manifest"));
	lab_run((const char *const[]){lab_program("executor"), "source", "add",
				      "echo", "--", lab_floor("echo_source"),
				      NULL});
	start_counted(&adapter, "adapter",
		      (const char *const[]){lab_program("executor-mcp-adapter"),
					    NULL});
	lab_attach(&adapter);
	for (unsigned id = 2; id <= n; id++)
		ask(&adapter, id);
	party_end(&adapter);
	kill(daemon.pid, SIGTERM);
	party_end(&daemon);
	return (struct counts){read_count("adapter"), read_count("daemon")};
}

static double serve(unsigned n)
{
	struct party server, driver;
	char count[16];
	char port[8];

	lab_fresh();
	start_counted(&server, "server",
		      (const char *const[]){lab_program("interop-server"),
					    "--listen", "127.0.0.1:0", NULL});
	struct slice line = party_hear(&server);
	snprintf(port, sizeof(port), "%.*s",
		 (int)(line.ptr + line.len - 1 -
		       (const char *)memrchr(line.ptr, ':', line.len)),
		 (const char *)memrchr(line.ptr, ':', line.len) + 1);
	snprintf(count, sizeof(count), "%u", n);
	party_start(&driver,
		    (const char *const[]){lab_floor("grpc_load"), "unary", port,
					  "1", "1", count, NULL});
	line = party_hear(&driver);
	if (line.len < 4 || memcmp(line.ptr, "done", 4) != 0)
		lab_fail("grpc_load: %.*s", (int)line.len, line.ptr);
	party_end(&driver);
	kill(server.pid, SIGTERM);
	party_end(&server);
	return read_count("server");
}

static void add(const char *name, double few, double many)
{
	figures[figure_count++] =
		(struct figure){name, (many - few) / (MANY - FEW)};
}

static void count_all(void)
{
	struct counts few = converse(ping, FEW);
	struct counts many = converse(ping, MANY);

	add("a ping, adapter", few.adapter, many.adapter);
	add("a ping, daemon", few.daemon, many.daemon);
	few = converse(call, FEW);
	many = converse(call, MANY);
	add("a call, adapter", few.adapter, many.adapter);
	add("a call, daemon", few.daemon, many.daemon);
	if (access(lab_program("interop-server"), X_OK) == 0)
		add("a gRPC call, server", serve(FEW), serve(MANY));
}

/* --- the record -------------------------------------------------------------
 */

static cJSON *read_record(const char *path)
{
	char text[4096];
	FILE *from = fopen(path, "re");
	size_t len = from ? fread(text, 1, sizeof(text), from) : 0;

	if (from)
		fclose(from);
	return cJSON_ParseWithLength(text, len);
}

static void print_change(const char *path)
{
	cJSON *record = path ? read_record(path) : NULL;

	printf("%-22s %12s %12s %8s\n", "instructions for", "now", "recorded",
	       "change");
	for (size_t i = 0; i < figure_count; i++) {
		const struct figure *f = &figures[i];
		double was = cJSON_GetNumberValue(
			cJSON_GetObjectItem(record, f->name));

		printf("%-22s %12.0f", f->name, f->count);
		if (was > 0)
			printf(" %12.0f %+7.1f%%", was,
			       (f->count / was - 1) * 100);
		putchar('\n');
	}
	cJSON_Delete(record);
}

static bool write_record(const char *path)
{
	FILE *to = fopen(path, "we");

	if (!to) {
		perror(path);
		return false;
	}
	fputs("{\n", to);
	for (size_t i = 0; i < figure_count; i++)
		fprintf(to, "\t\"%s\": %.0f%s\n", figures[i].name,
			figures[i].count, i + 1 < figure_count ? "," : "");
	fputs("}\n", to);
	return fclose(to) == 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"bin", required_argument, NULL, 'b'},
		{"record", required_argument, NULL, 'r'},
		{"against", required_argument, NULL, 'a'},
		{0},
	};
	const char *bin = NULL;
	const char *record = NULL;
	const char *against = NULL;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'b')
			bin = optarg;
		else if (o == 'r')
			record = optarg;
		else if (o == 'a')
			against = optarg;
		else
			return 2;
	}
	if (!bin || optind != argc) {
		fputs("usage: instructions --bin DIR [--record FILE] "
		      "[--against FILE]\n",
		      stderr);
		return 2;
	}
	if (access(valgrind, X_OK) != 0) {
		fputs("instructions: skipped: there is no valgrind here\n",
		      stderr);
		return EXIT_SKIP;
	}
	signal(SIGPIPE, SIG_IGN);
	lab_open(bin);
	count_all();
	lab_close();
	print_change(against);
	return !record || write_record(record) ? 0 : 1;
}
