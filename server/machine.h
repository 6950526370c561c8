/*
 * machine: what the daemon asks of the operating system for itself.
 *
 * Limits, signals and memory of this process.  Best effort: nothing here may
 * keep a daemon from starting.
 */
#ifndef SERVER_MACHINE_H
#define SERVER_MACHINE_H

#include <stddef.h>

/* Once, before the loop is made, for so many clients. */
void machine_prepare(size_t connections);

#endif
