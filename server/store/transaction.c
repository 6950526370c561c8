#include "server/store/transaction.h"

#include <assert.h>

#include "proto/clock.h"
#include "server/store/query.h"
#include "server/store/store_internal.h"

enum { FILE_CHECKED_MS = 100 }; /* at least that often */

static const char sql_begin[] = "BEGIN IMMEDIATE";
static const char sql_commit[] = "COMMIT";
static const char sql_rollback[] = "ROLLBACK";
static const char sql_epoch[] = "SELECT epoch FROM owner";

/* Not prepared: SQLite obeys this pragma while it compiles it; and not inside
 * a transaction, where it is refused. */
static bool set_durable(struct store *s, bool durable, struct err *e)
{
	if (durable == s->durable)
		return true;
	if (!query_script(s,
			  durable ? "PRAGMA synchronous = FULL"
				  : "PRAGMA synchronous = NORMAL",
			  e))
		return false;
	s->durable = durable;
	return true;
}

bool transaction_epoch(struct store *s, uint64_t *epoch, struct err *e)
{
	struct query q;

	query_begin(&q, s, sql_epoch);
	bool found = query_next(&q);
	if (found)
		*epoch = (uint64_t)query_column_number(&q, 0);
	if (!query_end(&q, e))
		return false;
	/* The row is there since the first migration. */
	return found || query_error(s, SQLITE_CORRUPT, e);
}

/* Our locks are on the file that we opened.  Where the path leads to another
 * one (or to none), a new owner would not notice us. */
static bool check_file(struct store *s, struct err *e)
{
	int moved = 0;

	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED,
				 &moved) == SQLITE_OK &&
	    !moved)
		return true;
	s->replaced = true;
	return err_set(
		e, ERR_MISMATCH,
		"%s was moved, removed or replaced while executord had "
		"it open: nothing is written any more; restart executord",
		s->path);
}

/* SQLite's number for the contents: it is another one after each change, ours
 * or another's (SQLITE_FCNTL_DATA_VERSION).  0: it has none. */
static unsigned data_version(struct store *s)
{
	unsigned version = 0;

	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_DATA_VERSION,
				 &version) != SQLITE_OK)
		return 0;
	return version;
}

static bool check_epoch(struct store *s, struct err *e)
{
	unsigned version = data_version(s);
	uint64_t epoch = 0;

	/* Nobody but our last transaction has changed anything. */
	if (version != 0 && version == s->version)
		return true;
	if (!transaction_epoch(s, &epoch, e))
		return false;
	if (epoch == s->epoch)
		return true;
	s->replaced = true;
	return err_set(e, ERR_MISMATCH,
		       "this owner was replaced: %s is of epoch %llu, ours is "
		       "%llu; nothing is written any more",
		       s->path, (unsigned long long)epoch,
		       (unsigned long long)s->epoch);
}

bool transaction_begin(struct store *s, bool durable, struct err *e)
{
	assert(sqlite3_get_autocommit(s->db));
	/* Small transactions come by the thousand, and this is a fifth of what
	 * one costs. */
	int64_t now = clock_now_ms();
	if (durable || now - s->checked_ms >= FILE_CHECKED_MS) {
		if (!check_file(s, e))
			return false;
		s->checked_ms = now;
	}
	if (!set_durable(s, durable, e))
		return false;
	if (query_run(s, sql_begin, e) && check_epoch(s, e))
		return true;
	transaction_abort(s);
	return false;
}

bool transaction_commit(struct store *s, struct err *e)
{
	if (query_run(s, sql_commit, e)) {
		s->version = data_version(s);
		return true;
	}
	transaction_abort(s);
	return false;
}

void transaction_abort(struct store *s)
{
	/* A full disk and the like have rolled it back already. */
	if (!sqlite3_get_autocommit(s->db))
		query_run(s, sql_rollback, NULL);
}
