#include "server/store/query.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proto/err.h"
#include "server/store/store_internal.h"

/* What SQLite's primary codes mean for a person, and what to do. */
static const struct meaning {
	int code;
	enum reason reason;
	const char *what;
	const char *advice;
} meanings[] = {
	{SQLITE_FULL, ERR_NO_SPACE, "cannot grow",
	 "free some space, then try again"},
	{SQLITE_READONLY, ERR_READ_ONLY, "cannot be written",
	 "make it and its directory writable"},
	{SQLITE_CORRUPT, ERR_CORRUPT, "is damaged",
	 "stop executord, keep a copy, then restore a backup or move it away "
	 "to start with an empty one"},
	{SQLITE_NOTADB, ERR_CORRUPT, "is not a database",
	 "restore a backup, or move it away to start with an empty one"},
	{SQLITE_CANTOPEN, ERR_STORE, "cannot be opened",
	 "it must be a file, and it and its directory yours to write"},
	{SQLITE_PERM, ERR_STORE, "cannot be opened",
	 "it must be a file, and it and its directory yours to write"},
	{SQLITE_BUSY, ERR_STORE, "is in use by another program",
	 "close what has it open, a sqlite3 shell or a backup"},
	{SQLITE_TOOBIG, ERR_TOO_LARGE, "cannot hold a value so large",
	 "one value has at most 1 GB"},
	{SQLITE_IOERR, ERR_IO, "cannot be read or written",
	 "check the disk and its file system"},
};

static const struct meaning unexpected = {
	SQLITE_ERROR, ERR_INTERNAL, "refused a statement",
	"this is a mistake in executord: please report it"};

/* Not SQLite's: it says CANTOPEN. */
static const struct meaning no_descriptors = {
	SQLITE_CANTOPEN, ERR_NO_DESCRIPTORS, "cannot be opened",
	"raise `ulimit -n`"};

static const struct meaning *meaning_of(int code, int number)
{
	size_t count = sizeof(meanings) / sizeof(meanings[0]);

	if (code == SQLITE_CANTOPEN && (number == EMFILE || number == ENFILE))
		return &no_descriptors;
	for (size_t i = 0; i < count; i++)
		if (meanings[i].code == code)
			return &meanings[i];
	return &unexpected;
}

/* SQLite says FULL only for ENOSPC, and IOERR or CANTOPEN for the rest of
 * what a file system can say no with. */
static int code_of(int rc, int number)
{
	int code = rc & 0xff;

	if (code != SQLITE_IOERR && code != SQLITE_CANTOPEN)
		return code;
	if (number == ENOSPC || number == EDQUOT || number == EFBIG)
		return SQLITE_FULL;
	return number == EROFS ? SQLITE_READONLY : code;
}

/* Of errno, because sqlite3_system_errno() misses what a COMMIT fails of. */
bool query_error(struct store *s, int rc, struct err *e)
{
	int number = errno;
	const struct meaning *m = meaning_of(code_of(rc, number), number);
	bool system =
		(rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;

	return err_set(e, m->reason, "%s %s (%s, %d): %s", s->path, m->what,
		       system && number ? strerror(number) : sqlite3_errstr(rc),
		       rc, m->advice);
}

static sqlite3_stmt *statement_of(struct store *s, const char *sql, int *rc)
{
	size_t at = (uintptr_t)sql / 16;
	struct statement *st = &s->statements[at % STORE_STATEMENTS];

	for (size_t i = 1; st->sql; i++) {
		if (st->sql == sql)
			return st->stmt;
		assert(i < STORE_STATEMENTS);
		st = &s->statements[(at + i) % STORE_STATEMENTS];
	}
	*rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
				 &st->stmt, NULL);
	if (*rc != SQLITE_OK)
		return NULL;
	st->sql = sql;
	return st->stmt;
}

void query_begin(struct query *q, struct store *s, const char *sql)
{
	*q = (struct query){.store = s, .rc = SQLITE_OK};
	errno = 0;
	q->stmt = statement_of(s, sql, &q->rc);
	q->number = errno;
	assert(!q->stmt || !sqlite3_stmt_busy(q->stmt));
}

/* NULL would be bound as SQL's NULL. */
static const char *bytes_of(struct slice s)
{
	return s.len > 0 ? s.ptr : "";
}

void query_text(struct query *q, const char *text)
{
	query_slice(q, slice_of(text));
}

void query_slice(struct query *q, struct slice text)
{
	if (q->rc == SQLITE_OK)
		q->rc = sqlite3_bind_text64(q->stmt, ++q->bound, bytes_of(text),
					    text.len, SQLITE_STATIC,
					    SQLITE_UTF8);
}

void query_blob(struct query *q, struct slice bytes)
{
	if (q->rc == SQLITE_OK)
		q->rc = sqlite3_bind_blob64(q->stmt, ++q->bound,
					    bytes_of(bytes), bytes.len,
					    SQLITE_STATIC);
}

void query_number(struct query *q, int64_t number)
{
	if (q->rc == SQLITE_OK)
		q->rc = sqlite3_bind_int64(q->stmt, ++q->bound, number);
}

bool query_next(struct query *q)
{
	if (q->rc != SQLITE_OK)
		return false;
	assert(q->bound == sqlite3_bind_parameter_count(q->stmt));
	errno = 0;
	int rc = sqlite3_step(q->stmt);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		q->rc = rc;
		q->number = errno;
	}
	return rc == SQLITE_ROW;
}

struct slice query_column(struct query *q, int column)
{
	const void *bytes = sqlite3_column_blob(q->stmt, column);
	int len = sqlite3_column_bytes(q->stmt, column);

	return (struct slice){bytes, (size_t)len};
}

const char *query_column_text(struct query *q, int column)
{
	const unsigned char *text = sqlite3_column_text(q->stmt, column);

	return text ? (const char *)text : "";
}

int64_t query_column_number(struct query *q, int column)
{
	return sqlite3_column_int64(q->stmt, column);
}

bool query_conflicts(const struct query *q)
{
	return (q->rc & 0xff) == SQLITE_CONSTRAINT;
}

bool query_end(struct query *q, struct err *e)
{
	bool ok = q->rc == SQLITE_OK;

	if (!ok) {
		errno = q->number;
		query_error(q->store, q->rc, e);
	}
	if (q->stmt) {
		/* Repeats the failure of the step, reported already.  What was
		 * bound stays, and is looked at by nobody until it is bound
		 * anew. */
		(void)sqlite3_reset(q->stmt);
	}
	return ok;
}

bool query_run(struct store *s, const char *sql, struct err *e)
{
	struct query q;

	query_begin(&q, s, sql);
	while (query_next(&q))
		;
	return query_end(&q, e);
}

bool query_script(struct store *s, const char *sql, struct err *e)
{
	errno = 0;
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK || query_error(s, rc, e);
}

void query_forget(struct store *s)
{
	for (int i = 0; i < STORE_STATEMENTS; i++)
		sqlite3_finalize(s->statements[i].stmt);
	memset(s->statements, 0, sizeof(s->statements));
}
