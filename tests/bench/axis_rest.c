/* What stays when nothing happens: memory, wake-ups. */
#include <stdio.h>
#include <time.h>

#include "axis.h"
#include "lab.h"
#include "proto/json.h"
#include "report.h"

enum { ADAPTERS = 8 };

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
	if (value < 0)
		return; /* hidden */
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
		samples_add(&dirty, lab_kib(p[i].pid, "Private_Dirty"));
		samples_add(&pss, lab_kib(p[i].pid, "Pss"));
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
		lab_kib(lab_daemon(), "Private_Dirty"), 4 * 1024);
	add_kib("memory", "the daemon, 8 adapters, PSS",
		lab_kib(lab_daemon(), "Pss"), 0);
	close_all(p);
	samples_finish(&dirty);
	samples_finish(&pss);
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
	double daemon = lab_number(lab_daemon(), "status", name);
	for (int i = 0; i < ADAPTERS; i++)
		adapters -= lab_number(p[i].pid, "status", name);
	nanosleep(&idle, NULL);
	daemon = lab_number(lab_daemon(), "status", name) - daemon;
	for (int i = 0; i < ADAPTERS; i++)
		adapters += lab_number(p[i].pid, "status", name);
	struct row row = {.axis = "rest", .unit = "/s"};
	row.what = "wake-ups of the daemon";
	row.value = daemon / e->rest_s;
	report_add(&row);
	row.what = "wake-ups of 8 adapters together";
	row.value = adapters / e->rest_s;
	report_add(&row);
	close_all(p);
}
