/*
 * peer_executor: how the npm `executor` is given a source, and asked.
 *
 * Its clients see one tool, which runs code; sources and their tools are
 * objects of that code.  A client that adds a source is asked whether it may.
 */
#ifndef TESTS_BENCH_PEER_EXECUTOR_H
#define TESTS_BENCH_PEER_EXECUTOR_H

#include "talker.h"

/* Code that calls the source's echo. */
extern const struct question question_code;

/* Add echo_source, over a client that is initialized. */
void peer_executor_set_up(struct party *client);

#endif
