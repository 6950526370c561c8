/* From exec to the first answers, and many at once. */
#include <stdlib.h>

#include "axis.h"
#include "lab.h"
#include "proto/mem.h"
#include "report.h"

static const char list_text[] =
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";

static void time_hello(struct samples *s)
{
	struct party p;
	int64_t began = now_ns();

	party_start(&p, (const char *const[]){lab_floor("hello_static"), NULL});
	if (!slice_is(party_hear(&p), "hello"))
		lab_fail("hello_static says something else");
	samples_add(s, (double)(now_ns() - began) / 1e6);
	party_end(&p);
}

static void time_initialize(struct samples *s)
{
	struct party p;
	int64_t began = now_ns();

	lab_adapter(&p);
	lab_initialize(&p);
	samples_add(s, (double)(now_ns() - began) / 1e6);
	party_end(&p);
}

static void time_list(struct samples *s)
{
	struct party p;
	int64_t began = now_ns();

	lab_adapter(&p);
	party_say(&p, slice_of(lab_initialize_text));
	party_say(&p, slice_of(list_text));
	(void)lab_answer(&p, 0);
	struct jsonrpc m = lab_answer(&p, 1);
	samples_add(s, (double)(now_ns() - began) / 1e6);
	lab_check_tools(&m, "executor__status");
	party_end(&p);
}

void axis_start(const struct effort *e)
{
	struct samples hello = {0};
	struct samples initialize = {0};
	struct samples warm = {0};
	struct samples cold = {0};
	struct samples again = {0};
	struct samples unused = {0};

	lab_fresh();
	time_list(&unused); /* a daemon is there now */
	for (unsigned i = 0; i < e->starts; i++) {
		time_hello(&hello);
		time_initialize(&initialize);
		time_list(&warm);
	}
	for (unsigned i = 0; i < e->colds; i++) {
		time_hello(&hello);
		lab_stop();
		time_list(&again);
		lab_fresh();
		time_list(&cold);
	}
	struct row row = {.axis = "start",
			  .unit = "ms",
			  .floor_what = "fork+exec of a static hello"};
	row.what = "exec to initialize answered";
	row.aim = 1.5;
	report_samples(row, &initialize, &hello);
	row.what = "exec to tools/list answered, warm";
	row.aim = 3;
	report_samples(row, &warm, &hello);
	row.what = "the same, starting the daemon";
	row.aim = 0;
	report_samples(row, &again, &hello);
	row.what = "the same, creating the directory too";
	report_samples(row, &cold, &hello);
	samples_finish(&hello);
	samples_finish(&initialize);
	samples_finish(&warm);
	samples_finish(&cold);
	samples_finish(&again);
	samples_finish(&unused);
}

/* --- storms ----------------------------------------------------------------
 */

static int64_t storm_once(unsigned n)
{
	struct party *p = mem_zalloc(n * sizeof(*p));
	int64_t began;
	int64_t took;

	lab_fresh();
	began = now_ns();
	for (unsigned i = 0; i < n; i++) {
		lab_adapter(&p[i]);
		party_say(&p[i], slice_of(lab_initialize_text));
		party_say(&p[i], slice_of(list_text));
	}
	/* They run at the same time: whom we hear first changes nothing. */
	for (unsigned i = 0; i < n; i++) {
		(void)lab_answer(&p[i], 0);
		struct jsonrpc m = lab_answer(&p[i], 1);
		lab_check_tools(&m, "executor__status");
	}
	took = now_ns() - began;
	/* Each owner that ever was counted the epoch up by one. */
	if (lab_epoch() != 1)
		lab_fail("%u adapters elected %llu daemons", n,
			 (unsigned long long)lab_epoch());
	for (unsigned i = 0; i < n; i++)
		party_end(&p[i]);
	free(p);
	return took;
}

static void storm(unsigned n, const char *what, struct samples *one, double aim)
{
	struct samples s = {0};

	for (unsigned i = 0; i < 3; i++) {
		samples_add(one, (double)storm_once(1) / 1e6);
		samples_add(&s, (double)storm_once(n) / 1e6);
	}
	report_samples((struct row){.axis = "storm",
				    .what = what,
				    .unit = "ms",
				    .floor_what = "one adapter, cold",
				    .aim = aim},
		       &s, one);
	samples_finish(&s);
}

void axis_storm(const struct effort *e)
{
	struct samples one = {0};

	if (e->storm < 64) {
		storm(e->storm, "a small crowd cold, all lists answered", &one,
		      0);
	} else {
		storm(64, "64 adapters cold, all lists answered", &one, 0);
		storm(200, "200 adapters cold, all lists answered", &one, 10);
	}
	samples_finish(&one);
}
