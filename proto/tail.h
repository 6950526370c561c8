/*
 * tail: the end of a log file, and what is written to it from then on.
 *
 * Follows the file's successor when the log is turned over.  Blocks no longer
 * than a disk takes to read one piece.
 */
#ifndef PROTO_TAIL_H
#define PROTO_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

struct tail {
	char *path;
	int fd;
	off_t at; /* what was read up to */
};

/* Begin where the last lines of the regular file at path begin.  ERR_NOT_FOUND
 * when there is none; *t is zeroed then. */
bool tail_open(struct tail *t, const char *path, unsigned long lines,
	       struct err *e);

/* The next bytes, at most cap of them; how many, 0 when there are no more for
 * now. */
size_t tail_read(struct tail *t, char *to, size_t cap);

/* A zeroed one may be finished. */
void tail_finish(struct tail *t);

#endif
