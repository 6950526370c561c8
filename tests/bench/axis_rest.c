/* What stays when nothing happens: memory, sessions, wake-ups. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "axis.h"
#include "lab.h"
#include "proto/json.h"
#include "report.h"

enum { ADAPTERS = 8 };

/* The number behind name in a file of /proc/PID, lines "Name:   number". */
static double read_number(pid_t pid, const char *file, const char *name)
{
	char path[64];
	char line[256];
	double value = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	FILE *from = fopen(path, "re");
	if (!from)
		lab_fail("%s: %s", path, strerror(errno));
	while (value < 0 && fgets(line, sizeof(line), from))
		if (strncmp(line, name, strlen(name)) == 0 &&
		    line[strlen(name)] == ':')
			value = strtod(line + strlen(name) + 1, NULL);
	fclose(from);
	if (value < 0)
		lab_fail("%s has no %s", path, name);
	return value;
}

static double kib(pid_t pid, const char *what)
{
	return read_number(pid, "smaps_rollup", what);
}

static void call_status(struct party *p)
{
	party_say(p, slice_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
			      "\"tools/call\",\"params\":{\"name\":"
			      "\"executor__status\",\"arguments\":{}}}\n"));
	struct jsonrpc m = lab_answer(p, 1);
	if (json_get(m.result, "structuredContent").len == 0)
		lab_fail("status: %.*s", (int)m.text.len, m.text.ptr);
}

static void open_all(struct party p[ADAPTERS])
{
	lab_fresh();
	for (int i = 0; i < ADAPTERS; i++) {
		lab_adapter(&p[i]);
		lab_initialize(&p[i]);
		call_status(&p[i]);
	}
}

static void close_all(struct party p[ADAPTERS])
{
	for (int i = 0; i < ADAPTERS; i++)
		party_end(&p[i]);
}

static void add_kib(const char *axis, const char *what, double value,
		    double aim)
{
	report_add(&(struct row){.axis = axis,
				 .what = what,
				 .unit = "KiB",
				 .value = value,
				 .aim = aim});
}

void axis_memory(const struct effort *e)
{
	struct party p[ADAPTERS];
	struct samples dirty = {0};
	struct samples pss = {0};

	(void)e;
	open_all(p);
	for (int i = 0; i < ADAPTERS; i++) {
		samples_add(&dirty, kib(p[i].pid, "Private_Dirty"));
		samples_add(&pss, kib(p[i].pid, "Pss"));
	}
	struct row row = {.axis = "memory",
			  .unit = "KiB",
			  .what = "an adapter of 8, private dirty",
			  .aim = 0.7 * 1024};
	report_samples(row, &dirty, NULL);
	row.what = "an adapter of 8, PSS";
	row.aim = 0;
	report_samples(row, &pss, NULL);
	add_kib("memory", "the daemon, 8 adapters, private dirty",
		kib(lab_daemon(), "Private_Dirty"), 4 * 1024);
	add_kib("memory", "the daemon, 8 adapters, PSS",
		kib(lab_daemon(), "Pss"), 0);
	close_all(p);
	samples_finish(&dirty);
	samples_finish(&pss);
}

/* --- sessions --------------------------------------------------------------
 */

/* Open n sessions, each of which has had two answers; what the daemon holds
 * meanwhile, then let them go. */
static double with_crowd(unsigned n)
{
	char count[16];
	char want[32];
	struct party crowd;

	snprintf(count, sizeof(count), "%u", n);
	snprintf(want, sizeof(want), "attached %u", n);
	party_start(&crowd, (const char *const[]){
				    lab_floor("crowd"),
				    lab_path(".executor/run/executor.sock"),
				    count, NULL});
	if (!slice_is(party_hear(&crowd), want))
		lab_fail("the crowd is not all there");
	double held = kib(lab_daemon(), "Private_Dirty");
	party_end(&crowd);
	return held;
}

void axis_sessions(const struct effort *e)
{
	struct party p;

	lab_fresh();
	lab_adapter(&p);
	lab_initialize(&p);
	call_status(&p);
	double before = kib(lab_daemon(), "Private_Dirty");
	double with = with_crowd(e->sessions);
	call_status(&p); /* so the daemon has seen them go */
	double after = kib(lab_daemon(), "Private_Dirty");
	double again = with_crowd(e->sessions);
	call_status(&p);
	double at_last = kib(lab_daemon(), "Private_Dirty");
	add_kib("sessions", "each, of those opened by a C driver",
		(with - before) / e->sessions, 24);
	add_kib("sessions", "the daemon before them", before, 0);
	add_kib("sessions", "with them", with, 0);
	add_kib("sessions", "after they left", after, 0);
	add_kib("sessions", "with as many again", again, 0);
	add_kib("sessions", "after those left", at_last, 0);
	party_end(&p);
}

/* --- at rest ---------------------------------------------------------------
 */

void axis_rest(const struct effort *e)
{
	static const char name[] = "voluntary_ctxt_switches";
	const struct timespec idle = {.tv_sec = e->rest_s};
	struct party p[ADAPTERS];
	double adapters = 0;

	open_all(p);
	/* Acknowledgements may wait for 100 ms. */
	nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	double daemon = read_number(lab_daemon(), "status", name);
	for (int i = 0; i < ADAPTERS; i++)
		adapters -= read_number(p[i].pid, "status", name);
	nanosleep(&idle, NULL);
	daemon = read_number(lab_daemon(), "status", name) - daemon;
	for (int i = 0; i < ADAPTERS; i++)
		adapters += read_number(p[i].pid, "status", name);
	struct row row = {.axis = "rest", .unit = "/s"};
	row.what = "wake-ups of the daemon";
	row.value = daemon / e->rest_s;
	report_add(&row);
	row.what = "wake-ups of 8 adapters together";
	row.value = adapters / e->rest_s;
	report_add(&row);
	close_all(p);
}
