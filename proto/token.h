/*
 * token: the file DIR/token, whose holder may call the daemon over TCP.
 *
 * One bearer token, 0600, without a line break, so that `$(cat token)` and
 * read() give the same.  The daemon alone writes it; programs of its owner
 * read it with suspicion: anything may lie at a path.
 */
#ifndef PROTO_TOKEN_H
#define PROTO_TOKEN_H

#include <stdbool.h>

#include "proto/bearer.h"

struct err;

#define TOKEN_FILE "token"

/* Read it.  ERR_NOT_FOUND when there is none; other errors when it is no
 * regular file, not ours, open to others, or holds no token.  The text names
 * the file and what to do.  The caller wipes *b. */
bool token_read(const char *data_dir, struct bearer *b, struct err *e);

/* Put a new one in its place, in one step and for good: readers see the old or
 * the new one.  Whatever was there is replaced, but for a directory.  The
 * caller wipes *b. */
bool token_renew(const char *data_dir, struct bearer *b, struct err *e);

#endif
