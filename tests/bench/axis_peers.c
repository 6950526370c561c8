/* Other programs between a client and the same source, when one is asked for.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "axis.h"
#include "lab.h"
#include "peer_executor.h"
#include "proto/json.h"
#include "report.h"
#include "talker.h"

enum {
	WORDS = 16,
	PATH_BYTES = 512,
	STARTS = 5,
	ROUNDS = 5,
	CROWD = 8, /* clients */
};

/* How to run one.  In a word, PORT and URL are the server's, and ECHO is the
 * source. */
struct peer {
	const char *name;
	const char *shown;	   /* in the table */
	const char *server[WORDS]; /* what answers HTTP; empty: nothing does */
	const char *client[WORDS]; /* the MCP server that a client starts */
	const char *tool; /* echo's name there, or a tool that calls it */
	const struct question *call;
	unsigned questions; /* a round */
	bool alone;	    /* a second client is turned away */
	void (*set_up)(struct party *client); /* once, if not NULL */
};

/* The first word of each is a package's name, and its program's. */
static const struct peer peers[] = {
	{.name = "supergateway",
	 .shown = "supergateway, twice",
	 .server = {"supergateway", "--stdio", "ECHO", "--outputTransport",
		    "streamableHttp", "--stateful", "--port", "PORT",
		    "--protocolVersion", "2025-11-25", "--logLevel", "none"},
	 .client = {"supergateway", "--streamableHttp", "URL", "--logLevel",
		    "none"},
	 .tool = "echo",
	 .call = &question_call,
	 .questions = 100},
	{.name = "mcp-remote",
	 .shown = "mcp-remote, mcp-proxy",
	 .server = {"mcp-proxy", "--host", "127.0.0.1", "--port", "PORT",
		    "--server", "stream", "--", "ECHO"},
	 .client = {"mcp-remote", "URL", "--transport", "http-only",
		    "--silent"},
	 .tool = "echo",
	 .call = &question_call,
	 .questions = 100},
	{.name = "executor",
	 .shown = "npm executor",
	 .client = {"executor", "mcp"},
	 .tool = "execute",
	 .call = &question_code,
	 .questions = 20, /* a call takes it longer than 100 of any other */
	 .alone = true,
	 .set_up = peer_executor_set_up},
};

static bool is_called(const struct peer *peer, const char *name)
{
	return strcmp(peer->name, name) == 0 ||
	       (peer->server[0] && strcmp(peer->server[0], name) == 0);
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
	const char *argv[WORDS + 4] = {0};
	char path[PATH_BYTES];
	char url[64];
	size_t n = 0;

	program_of(path, dir, words[0]);
	snprintf(url, sizeof(url), "http://127.0.0.1:%s/mcp", port);
	/* Each writes a line or more on stderr for every client. */
	argv[n++] = "/bin/sh";
	argv[n++] = "-c";
	argv[n++] = "exec \"$0\" \"$@\" 2>/dev/null";
	argv[n++] = path;
	for (size_t i = 1; i < WORDS && words[i]; i++, n++) {
		argv[n] = words[i];
		if (strcmp(words[i], "PORT") == 0)
			argv[n] = port;
		else if (strcmp(words[i], "URL") == 0)
			argv[n] = url;
		else if (strcmp(words[i], "ECHO") == 0)
			argv[n] = lab_floor("echo_source");
	}
	party_start(p, argv);
}

static void start_server(struct party *p, const struct peer *peer,
			 const char *dir, const char *port)
{
	if (!peer->server[0])
		return;
	start(p, dir, peer->server, port);
	lab_await_port(port);
}

/* Any revision will do: each program speaks the latest that it knows. */
static void initialize(struct party *p)
{
	party_say(p, slice_of(lab_initialize_text));
	struct jsonrpc m = lab_answer(p, 0);
	if (json_get(m.result, "protocolVersion").len == 0)
		lab_fail("initialize: %.*s", (int)m.text.len, m.text.ptr);
}

static void list_tools(struct party *p, const char *tool)
{
	party_say(p, slice_of(lab_list_text));
	struct jsonrpc m = lab_answer(p, 1);
	lab_check_tools(&m, tool);
}

/* A client of theirs that has its tools, and has called one. */
static void open_theirs(struct talker *t, const struct peer *peer,
			const char *dir, const char *port)
{
	start(&t->near, dir, peer->client, port);
	initialize(&t->near);
	list_tools(&t->near, peer->tool);
	t->tool = peer->tool;
	t->next = 2;
	talker_one_by_one(t, peer->call, 1, false);
}

static void open_ours(struct talker *t)
{
	talker_open(t);
	talker_one_by_one(t, &question_call, 1, false);
}

/* --- memory ----------------------------------------------------------------
 */

struct tally {
	unsigned processes;
	double kib; /* what they have for themselves, and their share of what
		     * they have together */
};

static pid_t parent_of(pid_t pid)
{
	char path[64];
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *from = fopen(path, "re");
	if (from && fscanf(from, "%*d (%*[^)]) %*c %d", &parent) != 1)
		parent = 0;
	if (from)
		fclose(from);
	return parent;
}

/* The process, those it has started, those that these have started. */
static void add_tree(struct tally *t, pid_t root)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		pid_t at = pid;

		while (at > 1 && at != root)
			at = parent_of(at);
		if (at != root || pid == 0)
			continue;
		t->processes++;
		t->kib += lab_kib(pid, "Pss");
	}
	if (proc)
		closedir(proc);
}

static void report_tallies(const struct peer *peer, const char *what,
			   const char *how_many, const struct tally *ours,
			   const struct tally *theirs)
{
	struct row row = {.axis = "peers",
			  .what = what,
			  .unit = "KiB",
			  .value = ours->kib,
			  .floor = theirs->kib,
			  .floor_what = peer->shown};

	report_add(&row);
	row.what = how_many;
	row.unit = "";
	row.value = ours->processes;
	row.floor = theirs->processes;
	report_add(&row);
}

/* What one client costs and what CROWD do, with the source. */
static void weigh(const struct peer *peer, const char *dir, const char *port)
{
	struct talker ours[CROWD] = {0};
	struct talker theirs[CROWD] = {0};
	struct party server = {0};
	const unsigned crowd = peer->alone ? 1 : CROWD;

	start_server(&server, peer, dir, port);
	for (unsigned i = 0; i < crowd; i++) {
		open_ours(&ours[i]);
		open_theirs(&theirs[i], peer, dir, port);
		if (i > 0 && i + 1 < crowd)
			continue;
		struct tally us = {0};
		struct tally them = {0};

		add_tree(&us, lab_daemon());
		if (peer->server[0])
			add_tree(&them, server.pid);
		for (unsigned k = 0; k <= i; k++) {
			add_tree(&us, ours[k].near.pid);
			add_tree(&them, theirs[k].near.pid);
		}
		report_tallies(peer,
			       i == 0 ? "memory for 1 client, PSS"
				      : "memory for 8 clients, PSS",
			       i == 0 ? "processes for 1 client"
				      : "processes for 8 clients",
			       &us, &them);
	}
	for (unsigned i = 0; i < crowd; i++) {
		party_end(&ours[i].near);
		party_kill(&theirs[i].near);
		talker_finish(&ours[i]);
		talker_finish(&theirs[i]);
	}
	if (peer->server[0])
		party_kill(&server);
}

/* --- time ------------------------------------------------------------------
 */

static void time_start(struct samples ms[2], const struct peer *peer,
		       const char *dir, const char *port)
{
	struct party p;
	int64_t began = now_ns();

	if (peer)
		start(&p, dir, peer->client, port);
	else
		lab_adapter(&p);
	initialize(&p);
	samples_add(&ms[0], (double)(now_ns() - began) / 1e6);
	list_tools(&p, peer ? peer->tool : "echo__echo");
	samples_add(&ms[1], (double)(now_ns() - began) / 1e6);
	if (peer)
		party_kill(&p);
	else
		party_end(&p);
}

static void compare(const char *what, const char *unit, struct samples *ours,
		    struct samples *theirs, const struct peer *peer)
{
	report_samples((struct row){.axis = "peers",
				    .what = what,
				    .unit = unit,
				    .floor_what = peer->shown},
		       ours, theirs);
}

static void compare_starts(const struct peer *peer, const char *dir,
			   const char *port)
{
	struct samples ours[2] = {0};
	struct samples theirs[2] = {0};

	for (unsigned i = 0; i < STARTS; i++) {
		time_start(ours, NULL, dir, port);
		time_start(theirs, peer, dir, port);
	}
	compare("exec to initialize answered", "ms", &ours[0], &theirs[0],
		peer);
	compare("exec to tools/list answered", "ms", &ours[1], &theirs[1],
		peer);
	for (unsigned i = 0; i < 2; i++) {
		samples_finish(&ours[i]);
		samples_finish(&theirs[i]);
	}
}

static void ask(struct talker *ours, struct talker *theirs,
		const struct peer *peer, const struct question *our_q,
		const struct question *their_q, const char *const what[2])
{
	const unsigned n = peer->questions;

	talker_one_by_one(ours, our_q, n, false);
	talker_one_by_one(theirs, their_q, n, false);
	for (unsigned i = 0; i < ROUNDS; i++) {
		talker_one_by_one(ours, our_q, n, true);
		talker_one_by_one(theirs, their_q, n, true);
	}
	compare(what[0], "us", &ours->us, &theirs->us, peer);
	compare(what[1], "us", &ours->p99, &theirs->p99, peer);
	talker_finish(ours);
	talker_finish(theirs);
}

static void ask_many(struct talker *ours, struct talker *theirs,
		     const struct peer *peer)
{
	const unsigned n = 2 * peer->questions;

	for (unsigned i = 0; i < ROUNDS; i++) {
		talker_overtaking(ours, &question_call, 10 * n);
		talker_overtaking(theirs, peer->call, n);
	}
	compare("tools/call, 32 at a time", "/s", &ours->per_s, &theirs->per_s,
		peer);
	talker_finish(ours);
	talker_finish(theirs);
}

static void measure(const struct peer *peer, const char *dir, const char *port)
{
	static const char *const ping[] = {"ping, p50", "ping, p99"};
	static const char *const call[] = {"tools/call, p50",
					   "tools/call, p99"};
	struct talker ours = {0};
	struct talker theirs = {0};

	start_server(&theirs.far, peer, dir, port);
	open_ours(&ours);
	compare_starts(peer, dir, port);
	open_theirs(&theirs, peer, dir, port);
	ask(&ours, &theirs, peer, &question_ping, &question_ping, ping);
	ask(&ours, &theirs, peer, &question_call, peer->call, call);
	ask_many(&ours, &theirs, peer);
	party_end(&ours.near);
	party_kill(&theirs.near);
	if (peer->server[0])
		party_kill(&theirs.far);
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

static void compare_with(const struct peer *peer, const char *dir)
{
	struct party client;
	char port[8];

	if (!is_installed(dir, peer->server) ||
	    !is_installed(dir, peer->client))
		return;
	lab_fresh();
	lab_run((const char *const[]){lab_program("executor"), "source", "add",
				      "echo", "--", lab_floor("echo_source"),
				      NULL});
	if (peer->set_up) {
		start(&client, dir, peer->client, "");
		initialize(&client);
		peer->set_up(&client);
		party_kill(&client);
	}
	lab_free_port(port);
	weigh(peer, dir, port);
	lab_free_port(port);
	measure(peer, dir, port);
}

bool axis_peers(const char *dir, const char *name)
{
	const bool all = strcmp(name, "all") == 0;
	bool known = false;

	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++) {
		if (!all && !is_called(&peers[i], name))
			continue;
		known = true;
		compare_with(&peers[i], dir);
	}
	if (!known)
		fprintf(stderr,
			"bench: no peer %s; there are supergateway, "
			"mcp-remote (before mcp-proxy), executor, and all\n",
			name);
	return known;
}
