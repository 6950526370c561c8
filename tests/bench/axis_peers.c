/* Other programs between a client and the same source, when one is asked for.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "axis.h"
#include "lab.h"
#include "proto/json.h"
#include "report.h"
#include "talker.h"

enum { WORDS = 16, PATH_BYTES = 512, STARTS = 5, ROUNDS = 5, QUESTIONS = 100 };

/* How to run one.  In a word, PORT and URL are the server's, and ECHO is the
 * source. */
struct peer {
	const char *name;
	const char *server[WORDS]; /* what answers HTTP; empty: nothing does */
	const char *client[WORDS]; /* the MCP server that a client starts */
	const char *tool;	   /* echo's name there; NULL: no such tool */
};

/* The first word of each is a package's name, and its program's. */
static const struct peer peers[] = {
	{.name = "supergateway",
	 .server = {"supergateway", "--stdio", "ECHO", "--outputTransport",
		    "streamableHttp", "--stateful", "--port", "PORT",
		    "--protocolVersion", "2025-11-25", "--logLevel", "none"},
	 .client = {"supergateway", "--streamableHttp", "URL", "--logLevel",
		    "none"},
	 .tool = "echo"},
	{.name = "mcp-remote",
	 .server = {"mcp-proxy", "--host", "127.0.0.1", "--port", "PORT",
		    "--server", "stream", "--", "ECHO"},
	 .client = {"mcp-remote", "URL", "--transport", "http-only"},
	 .tool = "echo"},
	/* It takes sources from its own web page, so it is asked for none. */
	{.name = "executor", .client = {"executor", "mcp"}},
};

static const struct peer *find_peer(const char *name)
{
	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++)
		if (strcmp(peers[i].name, name) == 0 ||
		    (peers[i].server[0] &&
		     strcmp(peers[i].server[0], name) == 0))
			return &peers[i];
	return NULL;
}

/* --- processes -------------------------------------------------------------
 */

static void program_of(char path[PATH_BYTES], const char *dir, const char *name)
{
	snprintf(path, PATH_BYTES, "%s/%s/node_modules/.bin/%s", dir, name,
		 name);
}

static void start(struct party *p, const char *dir, const char *const words[],
		  const char *port)
{
	const char *argv[WORDS + 1] = {0};
	char path[PATH_BYTES];
	char url[64];

	program_of(path, dir, words[0]);
	snprintf(url, sizeof(url), "http://127.0.0.1:%s/mcp", port);
	argv[0] = path;
	for (size_t i = 1; i < WORDS && words[i]; i++) {
		argv[i] = words[i];
		if (strcmp(words[i], "PORT") == 0)
			argv[i] = port;
		else if (strcmp(words[i], "URL") == 0)
			argv[i] = url;
		else if (strcmp(words[i], "ECHO") == 0)
			argv[i] = lab_floor("echo_source");
	}
	party_start(p, argv);
}

static void initialize(struct party *p)
{
	party_say(p, slice_of(lab_initialize_text));
	struct jsonrpc m = lab_answer(p, 0);
	if (json_get(m.result, "protocolVersion").len == 0)
		lab_fail("initialize: %.*s", (int)m.text.len, m.text.ptr);
}

/* What the process and those it has started have for themselves, and their
 * share of the rest. */
static double group_kib(pid_t group)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	double sum = 0;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		double kib = pid > 0 && getpgid(pid) == group
				     ? lab_kib(pid, "Pss")
				     : 0;

		sum += kib > 0 ? kib : 0;
	}
	if (proc)
		closedir(proc);
	return sum;
}

/* --- measuring -------------------------------------------------------------
 */

static void time_start(struct samples *ms, const struct peer *peer,
		       const char *dir, const char *port)
{
	struct party p;
	int64_t began = now_ns();

	if (peer)
		start(&p, dir, peer->client, port);
	else
		lab_adapter(&p);
	initialize(&p);
	samples_add(ms, (double)(now_ns() - began) / 1e6);
	if (peer)
		party_kill(&p);
	else
		party_end(&p);
}

static void compare(const char *what, const char *unit, struct samples *ours,
		    struct samples *theirs, const char *name)
{
	report_samples((struct row){.axis = "peers",
				    .what = what,
				    .unit = unit,
				    .floor_what = name},
		       ours, theirs);
}

static void ask(struct talker *ours, struct talker *theirs, const char *name,
		const struct question *q, const char *const what[2])
{
	talker_one_by_one(ours, q, QUESTIONS, false);
	talker_one_by_one(theirs, q, QUESTIONS, false);
	for (unsigned i = 0; i < ROUNDS; i++) {
		talker_one_by_one(ours, q, QUESTIONS, true);
		talker_one_by_one(theirs, q, QUESTIONS, true);
	}
	compare(what[0], "us", &ours->us, &theirs->us, name);
	compare(what[1], "us", &ours->p99, &theirs->p99, name);
	talker_finish(ours);
	talker_finish(theirs);
}

static void measure(const struct peer *peer, const char *dir, const char *port)
{
	static const char *const ping[] = {"ping, p50", "ping, p99"};
	static const char *const call[] = {"tools/call, p50",
					   "tools/call, p99"};
	struct talker ours = {0};
	struct talker theirs = {.tool = peer->tool ? peer->tool : "",
				.next = 1};
	struct samples ours_ms = {0};
	struct samples theirs_ms = {0};

	if (peer->server[0]) {
		start(&theirs.far, dir, peer->server, port);
		lab_await_port(port);
	}
	talker_open(&ours);
	for (unsigned i = 0; i < STARTS; i++) {
		time_start(&ours_ms, NULL, dir, port);
		time_start(&theirs_ms, peer, dir, port);
	}
	compare("exec to initialize answered", "ms", &ours_ms, &theirs_ms,
		peer->name);
	start(&theirs.near, dir, peer->client, port);
	initialize(&theirs.near);
	ask(&ours, &theirs, peer->name, &question_ping, ping);
	if (peer->tool)
		ask(&ours, &theirs, peer->name, &question_call, call);
	double kib = group_kib(theirs.near.pid);
	if (peer->server[0])
		kib += group_kib(theirs.far.pid);
	report_add(&(struct row){.axis = "peers",
				 .what = "memory for one client, PSS",
				 .unit = "KiB",
				 .value = lab_kib(ours.near.pid, "Pss") +
					  lab_kib(lab_daemon(), "Pss"),
				 .floor = kib,
				 .floor_what = peer->name});
	party_end(&ours.near);
	party_kill(&theirs.near);
	if (peer->server[0])
		party_kill(&theirs.far);
	samples_finish(&ours_ms);
	samples_finish(&theirs_ms);
}

static bool is_installed(const char *dir, const char *const words[])
{
	char path[PATH_BYTES];

	if (!words[0])
		return true;
	program_of(path, dir, words[0]);
	if (access(path, X_OK) == 0)
		return true;
	fprintf(stderr, "bench: %s is not installed: left out\n", words[0]);
	return false;
}

bool axis_peers(const char *dir, const char *name)
{
	const struct peer *peer = find_peer(name);
	char port[8];

	if (!peer) {
		fprintf(stderr,
			"bench: no peer %s; there are supergateway, "
			"mcp-remote (before mcp-proxy), executor\n",
			name);
		return false;
	}
	if (!is_installed(dir, peer->server) ||
	    !is_installed(dir, peer->client))
		return true;
	lab_fresh();
	lab_run((const char *const[]){lab_program("executor"), "source", "add",
				      "echo", "--", lab_floor("echo_source"),
				      NULL});
	lab_free_port(port);
	measure(peer, dir, port);
	return true;
}
