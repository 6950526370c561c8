/*
 * spawn: start a candidate that outlives us, and hear what it says.
 *
 * The candidate is nobody's child and in nobody's session: forked twice, with
 * nothing of ours but the ready pipe (ready.h), and an environment that was
 * built, not inherited.  Whoever kills us, our group, our session or our
 * descendants does not find it.  Neither is it ever killed from here.
 */
#ifndef ELECTION_SPAWN_H
#define ELECTION_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "election/error.h"
#include "election/ready.h"

/* Zeroed: nothing was started. */
struct spawn {
	bool running;
	int fd;	      /* the ready pipe; readable when spawn_next() may tell */
	pid_t middle; /* the child that forks and leaves; 0 once reaped */
	char text[READY_LINE_BYTES];
	size_t len;
};

enum spawn_event {
	SPAWN_WAIT, /* nothing to read now */
	SPAWN_LINE, /* *line is filled */
	SPAWN_END,  /* the candidate is dead, or will say no more */
};

/* Start program --data-dir data_dir --ready-fd 3.  False, with *e set, when
 * not even that can be done; that program cannot be executed comes through
 * the pipe. */
bool spawn_start(struct spawn *s, const char *program, const char *data_dir,
		 struct election_error *e);

enum spawn_event spawn_next(struct spawn *s, struct ready_line *line);

/* Stop listening.  The candidate goes on. */
void spawn_finish(struct spawn *s);

/* Reap the middle child if it has left by now, also after spawn_finish(): it
 * leaves as soon as it has forked, but is never waited for. */
void spawn_reap(struct spawn *s);

#endif
