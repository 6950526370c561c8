/*
 * query: one run of a prepared statement.
 *
 *   query_begin(&q, s, "SELECT ..");  query_text(&q, name);
 *   while (query_next(&q)) .. query_u64(&q, 0) ..
 *   return query_end(&q, e);
 *
 * Statements are literals and are prepared once; data is only ever bound.  The
 * first failure sticks: what follows does nothing, and query_end() reports it.
 */
#ifndef SERVER_STORE_QUERY_H
#define SERVER_STORE_QUERY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct err;
struct store;

struct query {
	struct store *store;
	sqlite3_stmt *stmt;
	int bound;  /* parameters so far */
	int rc;	    /* SQLITE_OK until something fails */
	int number; /* then, the errno behind it, or 0 */
};

/* sql is a literal: it is remembered by its address.  A statement runs once
 * at a time. */
void query_begin(struct query *q, struct store *s, const char *sql);

/* Bind the next parameter; borrowed until query_end(). */
void query_text(struct query *q, const char *text);
void query_slice(struct query *q, struct slice text);
void query_blob(struct query *q, struct slice bytes);
void query_number(struct query *q, int64_t number);

/* Is there a (further) row? */
bool query_next(struct query *q);

/* A column of the row, borrowed until the next query_next().  A text has a NUL
 * behind it. */
struct slice query_column(struct query *q, int column);
const char *query_column_text(struct query *q, int column);
int64_t query_column_number(struct query *q, int column);

/* Did it fail because a row breaks a rule of the schema? */
bool query_conflicts(const struct query *q);

bool query_end(struct query *q, struct err *e);

/* begin, run to the end, end. */
bool query_run(struct store *s, const char *sql, struct err *e);

/* Statements that are needed once: a literal of several. */
bool query_script(struct store *s, const char *sql, struct err *e);

/* Fill *e with what SQLite's rc means for a person.  errno is as SQLite left
 * it, having been set to 0 before. */
bool query_error(struct store *s, int rc, struct err *e);

/* Forget all prepared statements. */
void query_forget(struct store *s);

#endif
