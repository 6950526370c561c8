/*
 * nametable: the names that were given to what sources have, for ever.
 *
 * From (source, its own name) to the exposed name of names.h, unique over all
 * sources.  A tool and a prompt of one source that share a name share the
 * exposed one: clients keep the two apart.  Owned by the router.
 */
#ifndef SERVER_MCP_NAMETABLE_H
#define SERVER_MCP_NAMETABLE_H

#include "proto/slice.h"

struct nametable;

struct nametable *nametable_new(void);

/* A name that was given in an earlier life; before any nametable_give(). */
void nametable_remember(struct nametable *t, const char *source,
			struct slice own, struct slice exposed);

/* The name it has, or from now on has; valid until the source is forgotten. */
const char *nametable_give(struct nametable *t, const char *source,
			   struct slice own);

/* The source that was given this exposed name, also for what is not there
 * now; NULL when none was. */
const char *nametable_whose(const struct nametable *t, struct slice exposed);

/* The source is gone, and all of its names. */
void nametable_forget(struct nametable *t, const char *source);

/* t may be NULL. */
void nametable_free(struct nametable *t);

#endif
