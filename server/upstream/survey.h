/*
 * survey: how much memory each session of the machine uses, in one walk.
 *
 * Sources look at theirs at different times, and a walk over all processes
 * costs some 20 us for each: so one walk serves whoever asks within a second.
 * A zeroed struct has seen nothing.  Owned by the router.
 */
#ifndef SERVER_UPSTREAM_SURVEY_H
#define SERVER_UPSTREAM_SURVEY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct session_memory;

struct survey {
	struct session_memory *sessions;
	size_t count;
	int64_t taken_ms;
};

/* Resident memory of a session, in bytes, at most a second ago; what processes
 * share is counted for each.  0 when nobody can tell.  now_ms is any clock that
 * does not go back. */
uint64_t survey_memory(struct survey *s, pid_t session, int64_t now_ms);

void survey_finish(struct survey *s);

#endif
