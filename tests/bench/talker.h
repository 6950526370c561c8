/*
 * talker: one way to get a question answered, and how long it takes.
 *
 * An adapter, a relay, or another program that speaks MCP on its standard
 * streams.  Every answer is checked; a wrong one ends the run.
 */
#ifndef TESTS_BENCH_TALKER_H
#define TESTS_BENCH_TALKER_H

#include <stdbool.h>
#include <stdint.h>

#include "lab.h"
#include "report.h"

/* A zeroed struct has samples of nothing. */
struct talker {
	const char *tool;  /* the name of echo there; NULL: no JSON there */
	struct party near; /* whom we speak to */
	struct party far;  /* a relay's other half */
	uint64_t next;	   /* id */
	struct samples us; /* of one question */
	struct samples p99;
	struct samples per_s;
};

struct question {
	const char *name;
	void (*say)(struct talker *t);
	/* Is that the answer to the question of that id?  If not, the run
	 * ends. */
	void (*judge)(const struct jsonrpc *m, uint64_t id);
};

extern const struct question question_ping;
extern const struct question
	question_call; /* tools/call of the source's echo */

/* An adapter of this home, whose tools have been listed. */
void talker_open(struct talker *t);
/* Forget the samples. */
void talker_finish(struct talker *t);

/* n questions, each after the answer to the one before.  The median and the
 * 99th of a hundred are a sample each, when it counts. */
void talker_one_by_one(struct talker *t, const struct question *q, unsigned n,
		       bool counts);
/* n questions, 32 of them open at a time; answers come in order. */
void talker_at_depth(struct talker *t, const struct question *q, unsigned n);
/* The same, but answers may overtake each other. */
void talker_overtaking(struct talker *t, const struct question *q, unsigned n);

/* The result of echo for the question of that id; m is shown if it is not. */
void talker_judge_text(const struct jsonrpc *m, struct slice result,
		       uint64_t id);

#endif
