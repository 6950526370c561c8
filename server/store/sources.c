#include "server/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/mem.h"
#include "server/store/env.h"
#include "server/store/query.h"
#include "server/store/queue.h"
#include "server/store/store_internal.h"

static const char sql_add[] =
	"INSERT INTO source (name, command, cwd, env, enabled, interactive,"
	"  roots, trusted) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
/* What is not to change is bound as -1 or ''. */
static const char sql_set[] =
	"UPDATE source SET enabled = ifnull(nullif(?, -1), enabled),"
	"  interactive = ifnull(nullif(?, ''), interactive),"
	"  roots = ifnull(nullif(?, ''), roots),"
	"  trusted = ifnull(nullif(?, -1), trusted) "
	"WHERE name = ?";
static const char sql_remove[] = "DELETE FROM source WHERE name = ?";
static const char sql_sources[] =
	"SELECT name, command, cwd, env, enabled, interactive, roots, trusted "
	"FROM source ORDER BY id";

/* --- add ------------------------------------------------------------------ */

struct add {
	struct op op;
	char *name;
	char *cwd;
	struct buf command; /* every word with its NUL */
	struct buf env;	    /* sealed */
	bool disabled;
	char *interactive;
	char *roots;
	bool trusted;
};

static char *text_or(const char *text, const char *otherwise)
{
	return mem_text(text ? text : otherwise);
}

static bool run_add(struct store *s, struct op *op, struct err *e)
{
	struct add *add = (struct add *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_add);
	query_text(&q, add->name);
	query_blob(&q, buf_slice(&add->command));
	query_text(&q, add->cwd);
	query_blob(&q, buf_slice(&add->env));
	query_number(&q, !add->disabled);
	query_text(&q, add->interactive);
	query_text(&q, add->roots);
	query_number(&q, add->trusted);
	query_next(&q);
	bool taken = query_conflicts(&q);
	if (query_end(&q, e))
		return true;
	return taken ? err_set(e, ERR_ALREADY_EXISTS,
			       "there is a source '%s' already", add->name)
		     : false;
}

static void free_add(struct op *op)
{
	struct add *add = (struct add *)(void *)op;

	free(add->name);
	free(add->cwd);
	buf_finish(&add->command);
	buf_finish(&add->env);
	free(add->interactive);
	free(add->roots);
	free(add);
}

/* Somebody waits for the answer and believes it: a power cut must not make it
 * untrue. */
static const struct op_kind kind_add = {
	.writes = true, .durable = true, .run = run_add, .free = free_add};

void store_source_add(struct store *s, const struct stored_source *source,
		      store_done_fn *done, void *owner)
{
	struct add *add = mem_zalloc(sizeof(*add));
	struct err why;

	add->name = mem_text(source->name);
	add->cwd = mem_text(source->cwd);
	for (const char *const *word = source->command; *word; word++)
		buf_append(&add->command, *word, strlen(*word) + 1);
	/* Sealed at once: no copy of a plain value waits in the queue. */
	if (!env_seal(&s->secrets, source->name, source->env, source->env_count,
		      &add->env, &why))
		add->op.why = mem_copy(&why, sizeof(why));
	add->disabled = source->settings.disabled;
	add->interactive = text_or(source->settings.interactive, "auto");
	add->roots = text_or(source->settings.roots, "none");
	add->trusted = source->settings.trusted;
	queue_put(s, &add->op, &kind_add, done, owner);
}

/* --- change --------------------------------------------------------------- */

struct change {
	struct op op;
	char *name;
	int enabled;
	char *interactive; /* "": as it was, as roots */
	char *roots;
	int trusted; /* -1: as it was */
};

/* A statement that names a source has found it. */
static bool was_there(const struct store *s, const char *name, struct err *e)
{
	return sqlite3_changes(s->db) > 0 ||
	       err_set(e, ERR_NOT_FOUND, "there is no source '%s'", name);
}

static bool run_change(struct store *s, struct op *op, struct err *e)
{
	struct change *change = (struct change *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_set);
	query_number(&q, change->enabled);
	query_text(&q, change->interactive);
	query_text(&q, change->roots);
	query_number(&q, change->trusted);
	query_text(&q, change->name);
	query_next(&q);
	return query_end(&q, e) && was_there(s, change->name, e);
}

static void free_change(struct op *op)
{
	struct change *change = (struct change *)(void *)op;

	free(change->name);
	free(change->interactive);
	free(change->roots);
	free(change);
}

static const struct op_kind kind_change = {.writes = true,
					   .durable = true,
					   .run = run_change,
					   .free = free_change};

void store_source_set(struct store *s, const char *name,
		      const struct stored_change *change, store_done_fn *done,
		      void *owner)
{
	struct change *op = mem_zalloc(sizeof(*op));

	op->name = mem_text(name);
	op->enabled = change->enabled;
	op->interactive = text_or(change->interactive, "");
	op->roots = text_or(change->roots, "");
	op->trusted = change->trusted == 0 ? -1 : change->trusted > 0;
	queue_put(s, &op->op, &kind_change, done, owner);
}

/* --- remove --------------------------------------------------------------- */

struct removal {
	struct op op;
	char *name;
};

static bool run_removal(struct store *s, struct op *op, struct err *e)
{
	struct removal *removal = (struct removal *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_remove);
	query_text(&q, removal->name);
	query_next(&q);
	return query_end(&q, e) && was_there(s, removal->name, e);
}

static void free_removal(struct op *op)
{
	struct removal *removal = (struct removal *)(void *)op;

	free(removal->name);
	free(removal);
}

static const struct op_kind kind_removal = {.writes = true,
					    .durable = true,
					    .run = run_removal,
					    .free = free_removal};

void store_source_remove(struct store *s, const char *name, store_done_fn *done,
			 void *owner)
{
	struct removal *removal = mem_zalloc(sizeof(*removal));

	removal->name = mem_text(name);
	queue_put(s, &removal->op, &kind_removal, done, owner);
}

/* --- read ----------------------------------------------------------------- */

struct reading {
	struct op op;
	store_source_row_fn *row;
};

/* The words of a command; the caller frees the array, not the words. */
static const char **words_of(struct slice command)
{
	const char *end = command.ptr + command.len;
	size_t count = 0;

	for (size_t i = 0; i < command.len; i++)
		count += command.ptr[i] == '\0';
	const char **words = mem_zalloc((count + 1) * sizeof(*words));
	const char *at = command.ptr;
	for (size_t i = 0; i < count; i++) {
		words[i] = at;
		at = (const char *)memchr(at, '\0', (size_t)(end - at)) + 1;
	}
	return words;
}

static void hand_up(struct store *s, struct reading *reading, struct query *q)
{
	struct env env = {0};
	struct err why = {0};
	const char *name = query_column_text(q, 0);
	const char **words = words_of(query_column(q, 1));
	bool ok = env_open(&s->secrets, name, query_column(q, 3), &env, &why);
	const struct stored_source source = {
		.name = name,
		.command = words,
		.cwd = query_column_text(q, 2),
		.env = env.vars,
		.env_count = env.count,
		.settings =
			{
				.disabled = query_column_number(q, 4) == 0,
				.interactive = query_column_text(q, 5),
				.roots = query_column_text(q, 6),
				.trusted = query_column_number(q, 7) != 0,
			},
	};

	reading->row(reading->op.owner, &source, ok ? NULL : &why);
	env_finish(&env);
	free(words);
}

static bool run_reading(struct store *s, struct op *op, struct err *e)
{
	struct reading *reading = (struct reading *)(void *)op;
	struct query q;

	query_begin(&q, s, sql_sources);
	while (query_next(&q))
		hand_up(s, reading, &q);
	return query_end(&q, e);
}

static void free_reading(struct op *op)
{
	free(op);
}

static const struct op_kind kind_reading = {.run = run_reading,
					    .free = free_reading};

void store_sources(struct store *s, store_source_row_fn *row,
		   store_done_fn *done, void *owner)
{
	struct reading *reading = mem_zalloc(sizeof(*reading));

	reading->row = row;
	queue_put(s, &reading->op, &kind_reading, done, owner);
}
