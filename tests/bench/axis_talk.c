/* ping and tools/call: how long each takes, and how many go through. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "axis.h"
#include "lab.h"
#include "proto/json.h"
#include "report.h"

enum { DEPTH = 32, WARM_UP = 50 };

/* One way to get a question answered. */
struct talker {
	const char *tool;  /* the name of echo there; NULL: no JSON there */
	struct party near; /* whom we speak to */
	struct party far;  /* a relay's other half */
	uint64_t next;	   /* id */
	struct samples us; /* of one question */
	struct samples p99;
	struct samples per_s;
};

/* --- questions -------------------------------------------------------------
 */

static void say_ping(struct talker *t)
{
	char line[128];
	int len = snprintf(line, sizeof(line),
			   "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":"
			   "\"ping\"}\n",
			   (unsigned long long)t->next++);

	party_say(&t->near, (struct slice){line, (size_t)len});
}

static void check_ping(struct talker *t, uint64_t id)
{
	char line[128];

	if (t->tool) {
		struct jsonrpc m = lab_answer(&t->near, id);

		if (!slice_is(m.result, "{}"))
			lab_fail("ping: %.*s", (int)m.text.len, m.text.ptr);
		return;
	}
	snprintf(line, sizeof(line),
		 "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"ping\"}",
		 (unsigned long long)id);
	if (!slice_is(party_hear(&t->near), line))
		lab_fail("the relay did not send back what it was sent");
}

static void say_call(struct talker *t)
{
	char line[256];
	unsigned long long id = t->next++;
	int len = snprintf(line, sizeof(line),
			   "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":"
			   "\"tools/call\",\"params\":{\"name\":\"%s\","
			   "\"arguments\":{\"text\":\"value %llu\"}}}\n",
			   id, t->tool, id);

	party_say(&t->near, (struct slice){line, (size_t)len});
}

static void check_call(struct talker *t, uint64_t id)
{
	struct jsonrpc m = lab_answer(&t->near, id);
	struct slice content = json_get(m.result, "content");
	struct slice first = {0};
	char value[64];

	snprintf(value, sizeof(value), "value %llu", (unsigned long long)id);
	json_next_element(content, &(size_t){0}, &first);
	if (!json_string_is(json_get(first, "text"), value))
		lab_fail("the answer to call %llu: %.*s",
			 (unsigned long long)id, (int)m.text.len, m.text.ptr);
}

struct question {
	const char *name;
	void (*say)(struct talker *t);
	void (*check)(struct talker *t, uint64_t id);
};

static const struct question ping = {"ping", say_ping, check_ping};
static const struct question call = {"call", say_call, check_call};

/* --- rounds ----------------------------------------------------------------
 */

/* The answer is checked inside the time of the next question: the same work
 * for every talker, after the clock was read. */
static void one_by_one(struct talker *t, const struct question *q, unsigned n,
		       bool counts)
{
	struct samples round = {0};

	for (unsigned i = 0; i < n; i++) {
		uint64_t id = t->next;
		int64_t began = now_ns();

		q->say(t);
		q->check(t, id);
		samples_add(&round, (double)(now_ns() - began) / 1e3);
	}
	if (counts) {
		samples_add(&t->us, samples_at(&round, 0.5));
		samples_add(&t->p99, samples_at(&round, 0.99));
	}
	samples_finish(&round);
}

static void at_depth(struct talker *t, const struct question *q, unsigned n)
{
	int64_t began = now_ns();
	uint64_t heard = t->next;
	unsigned said = 0;

	for (; said < DEPTH && said < n; said++)
		q->say(t);
	for (unsigned i = 0; i < n; i++) {
		q->check(t, heard++);
		if (said < n) {
			q->say(t);
			said++;
		}
	}
	samples_add(&t->per_s, n / ((double)(now_ns() - began) / 1e9));
}

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
					  NULL});
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

static void open_adapter(struct talker *t)
{
	lab_adapter(&t->near);
	lab_attach(&t->near);
	t->next = 2;
	t->tool = "echo__echo";
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
				      lab_floor("echo_source"), NULL});
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

static void finish(struct talker *t)
{
	samples_finish(&t->us);
	samples_finish(&t->p99);
	samples_finish(&t->per_s);
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
	const bool is_call = q == &call;
	struct row row = {.axis = q->name, .unit = "us"};

	open_adapter(&adapter);
	open_relay(&epoll, "epoll", is_call ? "e2" : "e1", with_source);
	open_relay(&blocking, "blocking", is_call ? "b2" : "b1", with_source);
	if (is_call)
		open_plain(&plain);
	one_by_one(&adapter, q, WARM_UP, false);
	if (is_call)
		one_by_one(&plain, q, WARM_UP, false);
	one_by_one(&epoll, q, WARM_UP, false);
	one_by_one(&blocking, q, WARM_UP, false);
	for (unsigned i = 0; i < e->rounds; i++) {
		one_by_one(&adapter, q, e->messages, true);
		if (is_call)
			one_by_one(&plain, q, e->messages, true);
		one_by_one(&epoll, q, e->messages, true);
		one_by_one(&blocking, q, e->messages, true);
		at_depth(&adapter, q, e->messages * 4);
		if (is_call)
			at_depth(&plain, q, e->messages * 4);
		at_depth(&epoll, q, e->messages * 4);
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
	finish(&adapter);
	finish(&plain);
	finish(&epoll);
	finish(&blocking);
}

void axis_talk(const struct effort *e)
{
	lab_fresh();
	lab_run((const char *const[]){lab_program("executor"), "source", "add",
				      "echo", "--", lab_floor("echo_source"),
				      NULL});
	measure(e, &ping, false, 1.5, 2, 0);
	measure(e, &call, true, 2.3, 0, -0.25);
}
