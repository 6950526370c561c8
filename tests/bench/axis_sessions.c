/* Many sessions of one daemon: what each costs, asleep and awake. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "axis.h"
#include "lab.h"
#include "report.h"

enum { SHARED = 200, CONNECTIONS = 12000 };

/* What an nghttp2 session alone holds. */
static const double session_kib = 18;

/* One crowd: its sessions and what they cost. */
struct crowd {
	struct party party;
	unsigned count;
	double kib; /* that the daemon holds meanwhile */
	double p50; /* of a ping, in us */
	double p99;
	double wakes; /* of the daemon, in a second of rest */
};

static void start_daemon(struct party *daemon)
{
	char connections[16];

	lab_fresh();
	snprintf(connections, sizeof(connections), "%d", CONNECTIONS);
	party_start(daemon,
		    (const char *const[]){lab_program("executord"),
					  "--connections", connections, NULL});
	lab_await(lab_path(".executor/run/manifest"));
	/* Waits until it answers. */
	lab_run((const char *const[]){lab_program("executor"), "source", "list",
				      NULL});
}

static void stop_daemon(struct party *daemon)
{
	kill(daemon->pid, SIGTERM);
	party_end(daemon);
}

/* Each has had two answers when this returns. */
static void gather(struct crowd *c, unsigned each)
{
	char count[16];
	char streams[16];
	char want[32];

	snprintf(count, sizeof(count), "%u", c->count);
	snprintf(streams, sizeof(streams), "%u", each);
	snprintf(want, sizeof(want), "attached %u", c->count);
	party_start(&c->party, (const char *const[]){
				       lab_floor("crowd"),
				       lab_path(".executor/run/executor.sock"),
				       count, streams, NULL});
	if (!slice_is(party_hear(&c->party), want))
		lab_fail("the crowd is not all there");
	c->kib = lab_kib(lab_daemon(), "Private_Dirty");
}

static void ping_all(struct crowd *c, unsigned pings)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%u\n", pings);

	party_say(&c->party, (struct slice){text, (size_t)len});
	struct slice line = party_hear(&c->party);
	snprintf(text, sizeof(text), "%.*s", (int)line.len, line.ptr);
	if (sscanf(text, "pinged %lf %lf", &c->p50, &c->p99) != 2)
		lab_fail("the crowd says %s", text);
}

static void watch_rest(struct crowd *c, unsigned seconds)
{
	static const char name[] = "voluntary_ctxt_switches";

	/* Acknowledgements may wait for 100 ms. */
	nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	c->wakes = -lab_number(lab_daemon(), "status", name);
	nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
	c->wakes += lab_number(lab_daemon(), "status", name);
	c->wakes /= seconds;
}

/* Named for the size of the crowd; texts are literals. */
static const struct size {
	unsigned count;
	const char *ping, *kib, *wakes;
} sizes[] = {
	{1, "a ping among 1", NULL, "wake-ups a second with 1"},
	{100, "a ping among 100", "each of 100", "wake-ups a second with 100"},
	{1000, "a ping among 1,000", "each of 1,000",
	 "wake-ups a second with 1,000"},
	{10000, "a ping among 10,000", "each of 10,000",
	 "wake-ups a second with 10,000"},
};

/* As many connections as sessions: what many adapters are. */
static void measure(const struct effort *e, const struct size *size,
		    double *one_p50)
{
	struct row row = {.axis = "sessions"};
	struct crowd c = {.count = size->count};
	struct party daemon;

	start_daemon(&daemon);
	double before = lab_kib(daemon.pid, "Private_Dirty");
	gather(&c, 1);
	ping_all(&c, e->messages * 4);
	watch_rest(&c, (e->rest_s + 1) / 2);
	party_end(&c.party);
	stop_daemon(&daemon);
	if (size->count == 1)
		*one_p50 = c.p50;
	row.what = size->ping;
	row.unit = "us";
	row.value = c.p50;
	row.high = c.p99;
	row.low = c.p50;
	row.floor = *one_p50;
	row.floor_what = "among 1";
	row.aim = 2;
	if (size->count > 1)
		report_add(&row);
	row = (struct row){.axis = "sessions", .unit = "KiB"};
	row.what = size->kib;
	row.value = (c.kib - before) / size->count;
	row.floor = session_kib;
	row.floor_what = "an nghttp2 session";
	row.aim = 24 / session_kib;
	if (size->kib)
		report_add(&row);
	report_add(&(struct row){.axis = "sessions",
				 .what = size->wakes,
				 .unit = "/s",
				 .value = c.wakes});
}

static void add_kib(const char *what, double value)
{
	report_add(&(struct row){.axis = "sessions",
				 .what = what,
				 .unit = "KiB",
				 .value = value});
}

/* Many streams on few connections, come, gone, and come again: what the
 * daemon keeps of them. */
static void measure_return(const struct effort *e)
{
	struct crowd c = {.count = e->sessions};
	struct crowd again = {.count = e->sessions};
	struct party daemon;

	start_daemon(&daemon);
	double before = lab_kib(daemon.pid, "Private_Dirty");
	gather(&c, SHARED);
	party_end(&c.party);
	double after = lab_kib(daemon.pid, "Private_Dirty");
	gather(&again, SHARED);
	party_end(&again.party);
	double at_last = lab_kib(daemon.pid, "Private_Dirty");
	stop_daemon(&daemon);
	report_add(&(struct row){.axis = "sessions",
				 .what = "each, 200 on a connection",
				 .unit = "KiB",
				 .value = (c.kib - before) / c.count,
				 .aim = 24});
	add_kib("the daemon before them", before);
	add_kib("with them", c.kib);
	add_kib("after they left", after);
	add_kib("with as many again", again.kib);
	add_kib("after those left", at_last);
}

void axis_sessions(const struct effort *e)
{
	double one_p50 = 0;

	measure_return(e);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (sizes[i].count <= e->crowd)
			measure(e, &sizes[i], &one_p50);
}
