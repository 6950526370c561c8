/*
 * store: what must survive: who owned, sources, tools, names.
 *
 * Owned by the daemon, used by it alone.  Everything goes through completion
 * callbacks, so that the database can move to a thread of its own; today it
 * answers on the loop thread.  Writes of one turn of the loop are one
 * transaction, committed before the loop sleeps; .done comes after the commit.
 * Every transaction is fenced: an owner that was replaced commits nothing.
 *
 * Nothing here says SQLite: another backend is another directory.
 */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct err;
struct ev_loop;
struct store;

/* why is NULL when it is done.  Called from the loop, never from inside the
 * call that asked, nor from store_close(), nor after it.  May ask for more,
 * but not close.  Where a function takes one, NULL tells nobody.
 *
 * An operation that is refused (ERR_ALREADY_EXISTS, ERR_NOT_FOUND,
 * ERR_TOO_LARGE) undoes no other; what the machine says no to
 * (ERR_NO_SPACE, ERR_READ_ONLY, ERR_IO, ERR_STORE) fails every write of that
 * turn, and the next turn tries anew.  ERR_MISMATCH: this owner was replaced,
 * and nothing is written any more.  docs/durability.md says what done
 * outlives. */
typedef void store_done_fn(void *owner, const struct err *why);

/* Open (or create and migrate) the database in the canonical data_dir, whose
 * owner.lock the caller holds.  ERR_STORE names the file and what to do when
 * it is corrupt, ERR_VERSION when it wants a newer program than this one; it is
 * never touched then. */
struct store *store_open(struct ev_loop *loop, const char *data_dir,
			 struct err *e);

/* The same; with ERR_VERSION *newer is the path of the newest program that has
 * owned it, if it is new enough: the caller's to free, else NULL. */
struct store *store_open_or_yield(struct ev_loop *loop, const char *data_dir,
				  char **newer, struct err *e);

/* From now on no program of a version before this one may own it. */
void store_require(struct store *s, const char *min_version,
		   store_done_fn *done, void *owner);

/* Begin an epoch: one transaction that counts it up, writes the instance (16
 * bytes) and waits for the disk.  Returns it, or 0. */
uint64_t store_begin_epoch(struct store *s, const unsigned char *instance,
			   struct err *e);

/* Read the database through; ERR_STORE says what is wrong with it. */
void store_check(struct store *s, store_done_fn *done, void *owner);

/* Of the schema. */
int store_version(void);

/* What was queued to be written is committed first, in silence: those who
 * asked may be gone already.  s may be NULL. */
void store_close(struct store *s);

/* --- sources: in the order in which they were added ---------------------- */

struct stored_env {
	const char *name;
	const char *value;
	bool asked; /* --env or --env-file; else the captured base */
};

/* What can be changed of a source that is there. */
struct stored_settings {
	bool disabled;
	const char *interactive; /* "auto", "always", "never"; NULL: "auto" */
	const char *roots;	 /* "none", "client", or a JSON array of
				  * {"uri", "name"}; NULL: "none" */
	bool trusted; /* what its tools say of themselves counts: one that
		       * says it does no harm may be run again */
};

/* A change of some of them. */
struct stored_change {
	int enabled;		 /* 1, 0; -1: as it was */
	const char *interactive; /* NULL: as it was */
	const char *roots;	 /* the same */
	int trusted;		 /* 1, -1; 0: as it was */
};

struct stored_source {
	const char *name;
	const char *const *command; /* NULL-terminated argv */
	const char *cwd;
	const struct stored_env *env;
	size_t env_count;
	struct stored_settings settings;
};

/* Add; ERR_ALREADY_EXISTS when there is one of that name.  Values of env are
 * sealed with the directory's key before they reach the disk.  Borrows. */
void store_source_add(struct store *s, const struct stored_source *source,
		      store_done_fn *done, void *owner);

/* Change its settings; ERR_NOT_FOUND.  Borrows. */
void store_source_set(struct store *s, const char *name,
		      const struct stored_change *change, store_done_fn *done,
		      void *owner);

/* Remove with its tools and names; ERR_NOT_FOUND. */
void store_source_remove(struct store *s, const char *name, store_done_fn *done,
			 void *owner);

/* Every source, borrowed until row returns; then done.  A source whose env
 * cannot be opened is handed up with env_count 0 and *why set.  The values are
 * wiped when row has returned: wipe your copies too. */
typedef void store_source_row_fn(void *owner,
				 const struct stored_source *source,
				 const struct err *why);
void store_sources(struct store *s, store_source_row_fn *row,
		   store_done_fn *done, void *owner);

/* --- what a source said of itself ---------------------------------------- */

/* A tool, or what else a source lists; which kinds there are is not known
 * here. */
struct stored_item {
	unsigned kind;	      /* below 32 */
	struct slice key;     /* the source's own, decoded */
	struct slice exposed; /* the name that clients see, unique for ever;
			       * empty when it is given none */
	struct slice json;    /* as the source sent it */
};

struct stored_catalogue {
	const char *source;
	const char *server_name; /* all of these as it answered initialize */
	const char *server_version;
	const char *revision;
	struct slice capabilities; /* raw JSON object */
	struct slice instructions; /* text */
	unsigned kinds;		   /* 1 << kind: those that items are all of */
	const struct stored_item *items; /* in the source's order */
	size_t count;
};

/* Replace what is known of the source, and of these kinds; ERR_NOT_FOUND when
 * it was removed.  The names are kept for as long as the source is, so that a
 * tool that comes back has its old one: the first that it was ever given
 * counts.  ERR_ALREADY_EXISTS when a new one is another's.  Borrows. */
void store_catalogue_put(struct store *s, const struct stored_catalogue *c,
			 store_done_fn *done, void *owner);

/* All kinds of a source at once, one kind after the other. */
typedef void store_catalogue_row_fn(void *owner,
				    const struct stored_catalogue *c);
void store_catalogues(struct store *s, store_catalogue_row_fn *row,
		      store_done_fn *done, void *owner);

/* Every exposed name that was ever given, also to what is gone; not
 * those of removed sources. */
typedef void store_name_row_fn(void *owner, const char *source,
			       struct slice name, struct slice exposed);
void store_names(struct store *s, store_name_row_fn *row, store_done_fn *done,
		 void *owner);

#endif
