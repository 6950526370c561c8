/*
 * child: a command becomes a child with three pipes.
 *
 * The child leads a session and a process group of its own, has the default
 * signal dispositions, no descriptor of ours, exactly the environment it is
 * given (and the marker, procs.h), and on Linux dies with us.  Whether the
 * command could be executed is known when child_start() returns.  No loop, no
 * state.
 */
#ifndef SERVER_UPSTREAM_CHILD_H
#define SERVER_UPSTREAM_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct buf;
struct err;

struct child_options {
	const char *name; /* for errors */
	const char *const *command;
	const char *const *env; /* "K=V", NULL-terminated */
	const char *marker;	/* the same, and stands before them */
	const char *cwd;	/* absolute */
};

/* What the caller owns of a child: its number, which is also that of its
 * group, and our ends of its pipes. */
struct child {
	pid_t pid;
	int stdin_fd;
	int stdout_fd;
	int stderr_fd;
};

/* Would it start?  Appends the path of the program, with a NUL; ERR_SOURCE_DOWN
 * as child_start(). */
bool child_find(const struct child_options *options, struct buf *program,
		struct err *e);

/* Start the command.  Returns when it runs or could not be executed, as
 * posix_spawn(3) does: the wait is that of an execve(2).  ERR_SOURCE_DOWN
 * names what was sought, where, and what to do. */
bool child_start(const struct child_options *options, struct child *child,
		 struct err *e);

#endif
