/* A result of 20 MiB through everything, and what it makes the programs hold.
 */
#include <stdio.h>
#include <string.h>

#include "axis.h"
#include "lab.h"
#include "proto/json.h"
#include "report.h"

enum { MIB = 1 << 20 };

/* A way to the source: through the programs, or the relay. */
struct way {
	struct party near, far;
	const char *tool;
	uint64_t next;	 /* id */
	pid_t middle[2]; /* those between us and the source */
	struct samples mib_s;
	struct samples cpu_ms;
};

/* a..z and again. */
static bool is_blob(struct slice text, size_t bytes)
{
	static const char period[] = "abcdefghijklmnopqrstuvwxyz";
	const size_t step = sizeof(period) - 1;

	if (text.len != bytes + 2 || bytes < step) /* with its quotes */
		return false;
	/* The first period is right, and each byte is that of the period
	 * before. */
	return memcmp(text.ptr + 1, period, step) == 0 &&
	       memcmp(text.ptr + 1, text.ptr + 1 + step, bytes - step) == 0;
}

static double cpu_ms(const struct way *w)
{
	return (lab_cpu_ns(w->middle[0]) + lab_cpu_ns(w->middle[1])) / 1e6;
}

static void fetch(struct way *w, size_t bytes, bool counts)
{
	char line[256];
	struct slice first = {0};
	struct slice heard;
	struct jsonrpc m;
	double took;
	uint64_t id = w->next++;
	int len = snprintf(line, sizeof(line),
			   "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":"
			   "\"tools/call\",\"params\":{\"name\":\"%s\","
			   "\"arguments\":{\"bytes\":%zu}}}\n",
			   (unsigned long long)id, w->tool, bytes);
	double cpu = cpu_ms(w);
	int64_t began = now_ns();

	party_say(&w->near, (struct slice){line, (size_t)len});
	do {
		heard = party_hear(&w->near);
		took = (double)(now_ns() - began) / 1e9;
	} while (!lab_is_answer(heard, id, &m));
	json_next_element(json_get(m.result, "content"), &(size_t){0}, &first);
	if (!is_blob(json_get(first, "text"), bytes))
		lab_fail("the answer to a big call is wrong, %zu bytes",
			 m.text.len);
	if (!counts)
		return;
	samples_add(&w->mib_s, (double)bytes / MIB / took);
	samples_add(&w->cpu_ms, (cpu_ms(w) - cpu) * MIB / (double)bytes);
}

static void open_programs(struct way *w)
{
	lab_run((const char *const[]){lab_program("executor"), "source", "add",
				      "echo", "--", lab_floor("echo_source"),
				      NULL});
	lab_adapter(&w->near);
	lab_attach(&w->near);
	w->next = 2;
	w->middle[0] = w->near.pid;
	w->middle[1] = lab_daemon();
	w->tool = "echo__blob";
}

static void open_relay(struct way *w)
{
	const char *socket = lab_path("relay");

	party_start(&w->far, (const char *const[]){
				     lab_floor("floor_relay"), "epoll", "far",
				     socket, lab_floor("echo_source"), NULL});
	if (!slice_is(party_hear(&w->far), "ready"))
		lab_fail("the relay is not ready");
	party_start(&w->near,
		    (const char *const[]){lab_floor("floor_relay"), "epoll",
					  "near", socket, NULL});
	w->middle[0] = w->near.pid;
	w->middle[1] = w->far.pid;
	w->tool = "blob";
}

static void add_peak(const char *what, pid_t pid, size_t bytes)
{
	report_add(&(struct row){.axis = "big",
				 .what = what,
				 .unit = "KiB",
				 .value = lab_number(pid, "status", "VmHWM"),
				 .floor = (double)bytes / 1024,
				 .floor_what = "the message",
				 .aim = 3});
}

void axis_big(const struct effort *e)
{
	struct way programs = {.next = 1};
	struct way relay = {.next = 1};
	size_t bytes = (size_t)e->big_mib * MIB;

	lab_fresh();
	open_programs(&programs);
	open_relay(&relay);
	fetch(&programs, bytes, false);
	fetch(&relay, bytes, false);
	for (unsigned i = 0; i < e->rounds; i++) {
		fetch(&programs, bytes, true);
		fetch(&relay, bytes, true);
	}
	struct row row = {.axis = "big", .floor_what = "epoll relay"};
	row.what = "a result of 20 MiB";
	row.unit = "MiB/s";
	row.aim = -0.4;
	report_samples(row, &programs.mib_s, &relay.mib_s);
	row.what = "processor for each MiB of it";
	row.unit = "ms";
	row.aim = 0;
	report_samples(row, &programs.cpu_ms, &relay.cpu_ms);
	add_peak("most memory, the adapter", programs.near.pid, bytes);
	add_peak("most memory, the daemon", lab_daemon(), bytes);
	party_end(&programs.near);
	party_end(&relay.near);
	party_end(&relay.far);
	samples_finish(&programs.mib_s);
	samples_finish(&relay.mib_s);
	samples_finish(&programs.cpu_ms);
	samples_finish(&relay.cpu_ms);
}
