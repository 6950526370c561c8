/*
 * units: the texts of the systemd user units, and where they lie.
 *
 * No I/O but to find our own programs.
 */
#ifndef ADAPTER_CLI_UNITS_H
#define ADAPTER_CLI_UNITS_H

#include <stdbool.h>

struct buf;
struct err;

/* executor.service: the daemon of the canonical data_dir.  Every path in it is
 * absolute.  False, with *e set, when one cannot be written into a unit. */
bool units_service(struct buf *to, const char *data_dir, struct err *e);

/* executor.socket: where programs that cannot start a daemon find one. */
bool units_socket(struct buf *to, const char *data_dir, struct err *e);

/* The directory of a person's own units; the caller frees.  NULL with *e set
 * when there is no home. */
char *units_dir(struct err *e);

#endif
