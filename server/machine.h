/*
 * machine: what the daemon asks of the operating system for itself.
 *
 * Limits, signals and memory of this process.  Best effort: nothing here may
 * keep a daemon from starting.
 */
#ifndef SERVER_MACHINE_H
#define SERVER_MACHINE_H

/* Once, before the loop is made. */
void machine_prepare(void);

#endif
