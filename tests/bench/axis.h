/*
 * axis: the things that are measured, one file each.
 *
 * Each measures what it measures beside its floor in the same rounds, checks
 * every answer (lab_fail() else) and adds its rows to the report.
 */
#ifndef TESTS_BENCH_AXIS_H
#define TESTS_BENCH_AXIS_H

/* How much of it. */
struct effort {
	unsigned starts;   /* of an adapter, warm */
	unsigned colds;	   /* of a daemon */
	unsigned storm;	   /* the larger storm's adapters */
	unsigned rounds;   /* of the conversations */
	unsigned messages; /* in a round */
	unsigned sessions; /* opened by the crowd */
	unsigned rest_s;   /* watched at rest */
};

void axis_start(const struct effort *e);
void axis_storm(const struct effort *e);
void axis_talk(const struct effort *e);
void axis_journal(const struct effort *e);
void axis_memory(const struct effort *e);
void axis_sessions(const struct effort *e);
void axis_rest(const struct effort *e);

#endif
