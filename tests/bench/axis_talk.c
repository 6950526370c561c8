/* ping and tools/call: how long each takes, and how many go through. */
#include <signal.h>
#include <stdio.h>

#include "axis.h"
#include "lab.h"
#include "report.h"
#include "talker.h"

enum { WARM_UP = 50 };

/* --- the talkers -----------------------------------------------------------
 */

static void open_relay(struct talker *t, const char *mode, const char *name,
		       bool with_source)
{
	const char *socket = lab_path(name);
	const char *relay = lab_floor("floor_relay");

	party_start(&t->far,
		    (const char *const[]){relay, mode, "far", socket,
					  with_source ? lab_floor("echo_source")
						      : NULL,
					  lab_lie, NULL});
	if (!slice_is(party_hear(&t->far), "ready"))
		lab_fail("the relay is not ready");
	party_start(&t->near,
		    (const char *const[]){relay, mode, "near", socket, NULL});
	t->next = 1;
	t->tool = with_source ? "echo" : NULL;
}

static void close_relay(struct talker *t)
{
	party_end(&t->near);
	party_end(&t->far);
}

/* The same through a daemon of its own that writes no calls down. */
static void open_plain(struct talker *t)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "%s", lab_path("plain"));
	party_start(&t->far,
		    (const char *const[]){lab_program("executord"),
					  "--data-dir", dir, "--journal", "off",
					  "--audit-rows", "0", NULL});
	lab_await(lab_path("plain/run/manifest"));
	lab_run((const char *const[]){lab_program("executor"), "--data-dir",
				      dir, "source", "add", "echo", "--",
				      lab_floor("echo_source"), lab_lie, NULL});
	party_start(&t->near,
		    (const char *const[]){lab_program("executor-mcp-adapter"),
					  "--data-dir", dir, NULL});
	lab_attach(&t->near);
	t->next = 2;
	t->tool = "echo__echo";
}

static void close_plain(struct talker *t)
{
	party_end(&t->near);
	kill(t->far.pid, SIGTERM);
	party_end(&t->far);
}

/* What a call costs with nothing written down, and what the journal and the
 * audit log add. */
static void compare(struct talker *with, struct talker *without,
		    struct talker *relay)
{
	struct row row = {.axis = "call",
			  .unit = "us",
			  .what = "nothing written down, p50",
			  .floor_what = "epoll relay",
			  .aim = 1.7};

	report_samples(row, &without->us, &relay->us);
	row.aim = 0;
	row.what = "nothing written down, p99";
	report_samples(row, &without->p99, &relay->p99);
	row.unit = "/s";
	row.aim = -0.4;
	row.what = "nothing written down, 32 at a time";
	report_samples(row, &without->per_s, &relay->per_s);
	row.aim = 0;
	row.floor_what = "nothing written down";
	row.what = "tools/call, 32 at a time";
	report_samples(row, &with->per_s, &without->per_s);
	row.unit = "us";
	row.what = "tools/call, p50";
	report_samples(row, &with->us, &without->us);
}

/* The adapter and both relays, a round each in turn. */
static void measure(const struct effort *e, const struct question *q,
		    bool with_source, double aim_p50, double aim_p99,
		    double aim_per_s)
{
	struct talker adapter = {0};
	struct talker epoll = {0};
	struct talker blocking = {0};
	struct talker plain = {0};
	const bool is_call = q == &question_call;
	struct row row = {.axis = q->name, .unit = "us"};

	talker_open(&adapter);
	open_relay(&epoll, "epoll", is_call ? "e2" : "e1", with_source);
	open_relay(&blocking, "blocking", is_call ? "b2" : "b1", with_source);
	if (is_call)
		open_plain(&plain);
	talker_one_by_one(&adapter, q, WARM_UP, false);
	if (is_call)
		talker_one_by_one(&plain, q, WARM_UP, false);
	talker_one_by_one(&epoll, q, WARM_UP, false);
	talker_one_by_one(&blocking, q, WARM_UP, false);
	for (unsigned i = 0; i < e->rounds; i++) {
		talker_one_by_one(&adapter, q, e->messages, true);
		if (is_call)
			talker_one_by_one(&plain, q, e->messages, true);
		talker_one_by_one(&epoll, q, e->messages, true);
		talker_one_by_one(&blocking, q, e->messages, true);
		talker_at_depth(&adapter, q, e->messages * 4);
		if (is_call)
			talker_at_depth(&plain, q, e->messages * 4);
		talker_at_depth(&epoll, q, e->messages * 4);
	}
	row.floor_what = "epoll relay";
	row.what = is_call ? "tools/call, p50" : "ping, p50";
	row.aim = aim_p50;
	report_samples(row, &adapter.us, &epoll.us);
	row.what = is_call ? "tools/call, p99" : "ping, p99";
	row.aim = aim_p99;
	report_samples(row, &adapter.p99, &epoll.p99);
	row.floor_what = "blocking relay";
	row.aim = 0;
	row.what = is_call ? "tools/call, p50" : "ping, p50";
	report_samples(row, &adapter.us, &blocking.us);
	row.what = is_call ? "tools/call, p99" : "ping, p99";
	report_samples(row, &adapter.p99, &blocking.p99);
	row.floor_what = "epoll relay";
	row.unit = "/s";
	row.what = is_call ? "tools/call, 32 at a time" : "ping, 32 at a time";
	row.aim = aim_per_s;
	report_samples(row, &adapter.per_s, &epoll.per_s);
	if (is_call) {
		compare(&adapter, &plain, &epoll);
		close_plain(&plain);
	}
	party_end(&adapter.near);
	close_relay(&epoll);
	close_relay(&blocking);
	talker_finish(&adapter);
	talker_finish(&plain);
	talker_finish(&epoll);
	talker_finish(&blocking);
}

void axis_talk(const struct effort *e)
{
	lab_fresh();
	lab_run((const char *const[]){lab_program("executor"), "source", "add",
				      "echo", "--", lab_floor("echo_source"),
				      lab_lie, NULL});
	measure(e, &question_ping, false, 1.5, 2, 0);
	measure(e, &question_call, true, 2.3, 0, -0.25);
}
