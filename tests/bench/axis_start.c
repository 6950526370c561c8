/* From exec to the first answers, and many at once. */
#include <stdio.h>
#include <stdlib.h>

#include "axis.h"
#include "lab.h"
#include "proto/mem.h"
#include "report.h"

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

/* n clients that start a daemon of theirs, with no work done. */
static double time_floor(unsigned n)
{
	struct party *p = mem_zalloc(n * sizeof(*p));
	char clients[16];

	snprintf(clients, sizeof(clients), "%u", n);
	lab_fresh();
	int64_t began = now_ns();
	for (unsigned i = 0; i < n; i++)
		party_start(&p[i],
			    (const char *const[]){lab_floor("floor_cold"),
						  lab_path(""), clients, NULL});
	for (unsigned i = 0; i < n; i++)
		if (!slice_is(party_hear(&p[i]), "hello"))
			lab_fail("floor_cold says something else");
	double took = (double)(now_ns() - began) / 1e6;
	for (unsigned i = 0; i < n; i++)
		party_end(&p[i]);
	free(p);
	return took;
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
	party_say(&p, slice_of(lab_list_text));
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
	struct samples bare = {0};
	struct samples unused = {0};

	lab_fresh();
	time_list(&unused); /* a daemon is there now */
	for (unsigned i = 0; i < e->starts; i++) {
		time_hello(&hello);
		time_initialize(&initialize);
		time_list(&warm);
	}
	for (unsigned i = 0; i < e->colds; i++) {
		lab_fresh();
		time_list(&unused);
		lab_stop();
		time_list(&again);
		samples_add(&bare, time_floor(1));
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
	row.floor_what = "bare C, two execs and SQLite";
	row.what = "the same, starting the daemon";
	row.aim = 0;
	report_samples(row, &again, &bare);
	row.what = "the same, creating the directory too";
	row.aim = 2;
	report_samples(row, &cold, &bare);
	samples_finish(&bare);
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
		party_say(&p[i], slice_of(lab_list_text));
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

static void storm(const struct effort *e, unsigned n, const char *what,
		  double aim)
{
	struct samples s = {0};
	struct samples one = {0};
	struct samples bare = {0};
	struct row row = {.axis = "storm", .unit = "ms", .what = what};

	for (unsigned i = 0; i < e->storms; i++) {
		samples_add(&one, (double)storm_once(1) / 1e6);
		samples_add(&bare, time_floor(n));
		samples_add(&s, (double)storm_once(n) / 1e6);
	}
	row.floor_what = "as many bare C clients";
	report_samples(row, &s, &bare);
	row.floor_what = "one adapter, cold";
	row.aim = aim;
	report_samples(row, &s, &one);
	samples_finish(&s);
	samples_finish(&one);
	samples_finish(&bare);
}

void axis_storm(const struct effort *e)
{
	storm(e, 6, "6 adapters cold, all lists answered", 0);
	if (e->storm < 200)
		return;
	storm(e, 64, "64 adapters cold, all lists answered", 0);
	storm(e, 200, "200 adapters cold, all lists answered", 10);
}
