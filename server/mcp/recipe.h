/*
 * recipe: how a source is started; a copy of what the store keeps of it.
 *
 * Holds secrets: the values of its environment, wiped when it is released.
 */
#ifndef SERVER_MCP_RECIPE_H
#define SERVER_MCP_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/upstream/process.h"

struct stored_change;
struct stored_source;

struct recipe {
	char *name;
	char **command;	  /* NULL-terminated, as all of these */
	char *cwd;	  /* NULL: the built-in source, which has only a name */
	char **env;	  /* "K=V" */
	char **env_names; /* those that were asked for */
	char *log_path;
	bool disabled;
	char *interactive; /* never NULL, nor is roots: store.h */
	char *roots;
	bool trusted;
};

void recipe_init(struct recipe *r, const struct stored_source *stored,
		 const char *log_dir);
void recipe_init_builtin(struct recipe *r, const char *name);

/* Change what can be changed of it. */
void recipe_change(struct recipe *r, const struct stored_change *change);

/* How to start it; borrowed from the recipe. */
struct process_options recipe_process(const struct recipe *r);

void recipe_finish(struct recipe *r);

#endif
