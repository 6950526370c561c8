/*
 * axis: the things that are measured, one file each.
 *
 * Each measures what it measures beside its floor in the same rounds, checks
 * every answer (lab_fail() else) and adds its rows to the report.
 */
#ifndef TESTS_BENCH_AXIS_H
#define TESTS_BENCH_AXIS_H

#include <stdbool.h>

/* How much of it. */
struct effort {
	unsigned starts;   /* of an adapter, warm */
	unsigned colds;	   /* of a daemon */
	unsigned storm;	   /* the largest storm's adapters */
	unsigned storms;   /* of each size */
	unsigned rounds;   /* of the conversations */
	unsigned messages; /* in a round */
	unsigned sessions; /* on few connections, come and gone */
	unsigned crowd;	   /* the largest, each on its own connection */
	unsigned big_mib;  /* of a big result */
	unsigned rest_s;   /* watched at rest */
};

void axis_start(const struct effort *e);
void axis_storm(const struct effort *e);
void axis_reattach(const struct effort *e);
void axis_talk(const struct effort *e);
void axis_journal(const struct effort *e);
void axis_grpc(const struct effort *e);
void axis_big(const struct effort *e);
void axis_slicer(const struct effort *e);
void axis_memory(const struct effort *e);
void axis_sessions(const struct effort *e);
void axis_rest(const struct effort *e);

/* The peer of that name, or each of them for "all"; their packages are in dir,
 * one folder each, and they are left out where they are not.  False: there is
 * no such peer. */
bool axis_peers(const char *dir, const char *name);

#endif
