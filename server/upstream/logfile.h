/*
 * logfile: what a child writes to stderr, in a file of bounded size.
 *
 * PATH grows to LOGFILE_BYTES, then becomes PATH.1 (the one before is gone)
 * and begins again.  A child that floods is cut to LOGFILE_BYTES a second, so
 * that it costs neither disk nor the others' time; what is left out is
 * counted in the file.  A file that cannot be written is told to the log once.
 */
#ifndef SERVER_UPSTREAM_LOGFILE_H
#define SERVER_UPSTREAM_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

enum { LOGFILE_BYTES = 1 << 20 };

struct logfile {
	char *path;
	int fd;		    /* -1 when it cannot be written */
	size_t size;	    /* of the file */
	int64_t window_s;   /* the second that is being counted */
	size_t window_left; /* what it may still take */
	unsigned long long left_out;
	bool complained;
};

/* path NULL discards everything. */
void logfile_init(struct logfile *l, const char *path);

/* now_s is any clock that does not go back, in whole seconds. */
void logfile_write(struct logfile *l, struct slice bytes, int64_t now_s);

/* The last bytes of the file at path, at most cap of them; how many. */
size_t logfile_tail(const char *path, char *to, size_t cap);

void logfile_finish(struct logfile *l);

#endif
