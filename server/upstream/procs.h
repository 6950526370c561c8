/*
 * procs: what the operating system says of other processes.
 *
 * The one file of upstream/ that reads /proc.  Where there is none, nothing is
 * known of any process: callers then do without.
 *
 * A child carries a marker in its environment, EXECUTOR_SOURCE=NAME/RANDOM,
 * which everything that it starts inherits unless it is taken away: so what
 * left its process group and session is still found.
 */
#ifndef SERVER_UPSTREAM_PROCS_H
#define SERVER_UPSTREAM_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCS_BOOT_ID_BYTES = 40, PROCS_MARKER_BYTES = 96 };

/* With the pid and which boot of the machine it is, this names a process for
 * good: when it started, in the system's own unit.  False when there is no
 * such process, or nobody can tell. */
bool procs_started(pid_t pid, uint64_t *start_ticks);

/* Which boot of the machine this is, or "unknown". */
void procs_boot_id(char to[PROCS_BOOT_ID_BYTES]);

/* Every process that has memory: its session, and what is resident of it. */
void procs_each(void (*each)(void *owner, pid_t session, uint64_t bytes),
		void *owner);

/* Make a marker of a source, never the same twice. */
void procs_make_marker(char to[PROCS_MARKER_BYTES], const char *name);

/* Signal every process that carries one of the markers, except this one, by 0
 * only look.  How many there were; those that ended and were not yet reaped
 * do not count. */
size_t procs_signal_marked(const char *const *markers, size_t count,
			   int number);

/* Kill them, and what they start meanwhile; within bounds.  How many there
 * were at first. */
size_t procs_kill_marked(const char *const *markers, size_t count);

#endif
