/*
 * file: small control files, read with suspicion and replaced in one step.
 *
 * Anything may lie at a path: a directory, a FIFO, a link to /etc/passwd, ten
 * megabytes of noise.  It is never followed, never waited for, and never read
 * beyond a bound.
 */
#ifndef ELECTION_FILE_H
#define ELECTION_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "election/error.h"

/* Open a directory below dir_fd, but not a link to one.  -1, with errno. */
int file_open_dir(int dir_fd, const char *name);

/* Read a regular file that is ours and closed to others into to[cap].  False
 * when there is none, or when it is larger. */
bool file_read(int dir_fd, const char *name, char *to, size_t cap, size_t *len);

/* Copy the value of the line "key value" of a text.  False when there is no
 * such line, or its value does not fit. */
bool file_line(const char *text, const char *key, char *to, size_t cap);

/* Put len bytes at name, 0600: a new file, written and renamed, so that
 * readers see the old or the new one.  lasting: file and directory are
 * fsync'ed too.  dir is for messages.  Of several writers at once none is
 * safe: hold a lock. */
bool file_replace(int dir_fd, const char *dir, const char *name,
		  const char *text, size_t len, bool lasting,
		  struct election_error *e);

#endif
