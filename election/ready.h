/*
 * ready: what a candidate says to the one who started it.
 *
 * Lines through a pipe, one an event, each written whole (below PIPE_BUF) and
 * without ever waiting: a starter that stopped reading, or died, must not
 * hold a daemon up.  The end of the pipe without a verdict means that the
 * candidate died.
 *
 *   L                 lost: another one holds owner.lock
 *   W <phase>         won, and at work on <phase>
 *   R                 ready: the manifest is there
 *   B <ms> <text>     too many failed starts: none before <ms> are over
 *   F <code> <text>   failed, and why
 *
 * A line of an unknown kind is from a later version and is skipped.
 */
#ifndef ELECTION_READY_H
#define ELECTION_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "election/error.h"

/* The descriptor that a candidate finds the pipe at. */
enum { READY_FD = 3, READY_LINE_BYTES = 1024 };

enum ready_kind {
	READY_LOST,
	READY_WON,
	READY_READY,
	READY_BREAKER,
	READY_FAILED,
};

struct ready_line {
	enum ready_kind kind;
	int64_t wait_ms;	     /* READY_BREAKER */
	struct election_error error; /* BREAKER, FAILED; why: WON's phase */
};

/* Make fd ours: close-on-exec, never waiting.  -1, and a descriptor that is
 * not open, stay silent. */
int ready_open(int fd);

/* Say it; fd may be -1.  SIGPIPE must be ignored: the starter may be dead. */
void ready_tell(int fd, const struct ready_line *line);

/* Read one line without its end.  False: not one that we know. */
bool ready_parse(const char *text, struct ready_line *line);

#endif
