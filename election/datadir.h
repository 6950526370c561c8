/*
 * datadir: which directory, and is it ours to use.
 *
 * --data-dir, else EXECUTOR_DATA_DIR, else ~/.executor with HOME when it is
 * absolute, else the home in /etc/passwd (read without NSS: the adapter is
 * static).  Nothing else of the environment takes part: clients clear it, and
 * two answers would be two daemons.
 */
#ifndef ELECTION_DATADIR_H
#define ELECTION_DATADIR_H

#include <stdbool.h>

#include "election/error.h"

/* The directory's path, canonical (realpath), with what is missing created:
 * the directory 0700, parents 0755 as umask allows.  option is --data-dir's
 * value or NULL.  The caller frees.  Without create, a directory that does
 * not exist is "not_running": no daemon ever ran there. */
char *datadir_resolve(const char *option, bool create,
		      struct election_error *e);

/* Open it.  Refuses a directory that is not owned by our euid, and one that
 * group or others can write; tightens one that they can only read to 0700.
 * When create, datadir_fill() too.  -1 on error. */
int datadir_open(const char *path, bool create, struct election_error *e);

/* Make run/, run/s/ and logs/ (0700) in the open directory; refuse one of them
 * that is no directory of ours. */
bool datadir_fill(int fd, const char *path, struct election_error *e);

#endif
