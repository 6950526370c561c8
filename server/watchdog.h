/*
 * watchdog: a loop that has stopped turning ends the process.
 *
 * An owner that hangs can be neither used nor replaced: it holds the lock.
 * Dead, it is replaced by whoever comes next.
 *
 * Costs two stores a turn and a system call now and then: a turn that finds no
 * alarm set sets one, which stays when the turn is over.  When it rings and
 * the loop sleeps, nothing is set any more, so a daemon at rest is woken once
 * after its last work, and then never.  The alarm is the kernel's own
 * (ITIMER_REAL, which counts CLOCK_MONOTONIC), so a clock that is set, and a
 * machine that sleeps, are nothing to it.  A process that was stopped, or is
 * being debugged, meets one alarm when it goes on, however long that was; it
 * takes four of them in one and the same turn.
 *
 * There is one in a process; it uses SIGALRM.
 */
#ifndef SERVER_WATCHDOG_H
#define SERVER_WATCHDOG_H

struct ev_loop;

/* From now on a turn of the loop may take ms, and up to a third more; 0: as
 * long as it likes.  The loop must not run yet.  What ends it is a line in the
 * log, and abort(). */
void watchdog_start(struct ev_loop *loop, unsigned ms);

/* The loop turns no more.  Harmless when it was never started. */
void watchdog_stop(void);

#endif
