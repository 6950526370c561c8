/*
 * env: the environment of a source, as one sealed value.
 *
 * Names, values and their origin are sealed together and bound to the name of
 * the source: a value can be moved to no other source and no other variable,
 * and without the key not even the names are known.
 */
#ifndef SERVER_STORE_ENV_H
#define SERVER_STORE_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

struct buf;
struct err;
struct secrets;
struct stored_env;

/* An opened environment; it owns its bytes. */
struct env {
	struct stored_env *vars;
	size_t count;
	char *text;
	size_t text_len;
};

/* Append it sealed; nothing when count is 0. */
bool env_seal(struct secrets *s, const char *source,
	      const struct stored_env *vars, size_t count, struct buf *sealed,
	      struct err *e);

/* Open what env_seal() made.  *env is zeroed when it fails. */
bool env_open(struct secrets *s, const char *source, struct slice sealed,
	      struct env *env, struct err *e);

/* Wipe and release; a zeroed one may be finished. */
void env_finish(struct env *env);

#endif
