/*
 * address: where the owner's socket lies.
 *
 * run/s/<epoch>-<random>.sock in the data directory: a name of its own for
 * each owner, so that nobody ever has to unlink a socket that another one may
 * have bound again.  Where that path does not fit sun_path, or the file system
 * has no sockets, it lies under /run/user/UID/executor or /tmp/executor-UID,
 * which must be ours and closed to others.  The manifest says which: clients
 * derive nothing from their environment.
 */
#ifndef ELECTION_ADDRESS_H
#define ELECTION_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "election/error.h"
#include "election/manifest.h"

struct address {
	char path[MANIFEST_PATH_BYTES]; /* absolute; empty: not listening */
	bool below_run;			/* in run/s of the data directory */
	dev_t dev;			/* the socket's own identity */
	ino_t ino;
};

/* Bind a new name, 0600, and listen.  The descriptor, close-on-exec and
 * non-blocking, or -1. */
int address_listen(struct address *a, const char *data_dir, int dir_fd,
		   uint64_t epoch, struct election_error *e);

/* Is the socket still the one at its path? */
bool address_is_current(const struct address *a);

/* Unlink it, if it is. */
void address_remove(struct address *a);

/* The directory that it is in, for a watch; "" when not listening. */
void address_dir(const struct address *a, char to[MANIFEST_PATH_BYTES]);

/* Unlink what dead owners of this data directory left behind.  For the owner
 * alone, before it listens. */
void address_sweep(const char *data_dir, int dir_fd);

#endif
