#include "server/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/log.h"
#include "proto/mem.h"
#include "server/store/blank.h"
#include "server/store/gate.h"
#include "server/store/journal.h"
#include "server/store/path.h"
#include "server/store/query.h"
#include "server/store/queue.h"
#include "server/store/schema.h"
#include "server/store/store_internal.h"
#include "server/store/transaction.h"
#include "server/store/walfile.h"

enum {
	INSTANCE_BYTES = 16,
	BUSY_MS = 500, /* a backup or a shell has it open; nobody else can */
	/* Of the log, until a checkpoint, which waits for the disk. */
	LOG_TRANSACTIONS = 700,
	LOG_FRAMES = 4000,
};

/* What may be said to a database that we may yet refuse: it stays on this
 * side.  EXCLUSIVE before the first access keeps the index of the WAL in our
 * memory: no -shm file, and no second process in the file while we live.
 * page_size, of a file that is still empty: what a call changes are a few
 * hundred bytes, and whole pages are written, checked and synced. */
static const char sql_careful[] = "PRAGMA page_size = 1024;"
				  "PRAGMA locking_mode = EXCLUSIVE;"
				  "PRAGMA trusted_schema = OFF;"
				  "PRAGMA cell_size_check = ON;"
				  "PRAGMA temp_store = MEMORY;"
				  "PRAGMA foreign_keys = ON;"
				  "PRAGMA synchronous = NORMAL;";

/* journal_size_limit: 17 MiB are 4000 pages of databases whose pages have 4096
 * bytes; what is cut off would have to be allocated again.
 * cache_size: read once at the start, then written; 512 KiB are plenty.
 * cache_spill: pages that are written before the commit make SQLite 3.40 come
 * back to something else at a ROLLBACK TO; a turn's are in memory anyway.
 * secure_delete: what is deleted is wiped where that costs no write of its
 * own; rows of the journal live for milliseconds. */
static const char sql_ours[] = "PRAGMA journal_size_limit = 17825792;"
			       "PRAGMA secure_delete = FAST;"
			       "PRAGMA cache_size = -512;"
			       "PRAGMA cache_spill = OFF;";

static const char sql_wal[] = "PRAGMA journal_mode = WAL";
static const char sql_begin_epoch[] =
	"UPDATE owner SET epoch = epoch + 1, instance = ? RETURNING epoch";

/* SQLite takes the WAL of an empty database for a leftover and unlinks it;
 * but when it is the database that went missing, the WAL may be all there
 * is. */
static bool check_wal(const char *path, const char *data_dir, struct err *e)
{
	char *wal_path = path_of(data_dir, "executor.db-wal");
	struct stat db;
	struct stat wal;
	bool empty = stat(path, &db) != 0 || db.st_size == 0;
	bool alone = empty && stat(wal_path, &wal) == 0 && wal.st_size > 0;

	free(wal_path);
	return !alone || err_set(e, ERR_CORRUPT,
				 "%s is missing or empty, but its -wal is not: "
				 "nothing was touched; restore both from one "
				 "backup, or move the -wal away to start empty",
				 path);
}

static bool set_option(struct store *s, int option, int on, struct err *e)
{
	int rc = sqlite3_db_config(s->db, option, on, NULL);

	return rc == SQLITE_OK || query_error(s, rc, e);
}

/* Open it so that whatever is in it stays as it is. */
static bool open_careful(struct store *s, struct err *e)
{
	/* One thread, and nobody asks how much memory SQLite has: neither
	 * needs a mutex for each allocation.  Refused, and not needed, when
	 * SQLite runs already. */
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	errno = 0;
	int rc = sqlite3_open_v2(s->path, &s->db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
					 SQLITE_OPEN_EXRESCODE,
				 walfile_vfs());

	if (rc != SQLITE_OK)
		return query_error(s, rc, e);
	/* SQLite falls back to reading alone without a word. */
	if (sqlite3_db_readonly(s->db, "main") != 0)
		return query_error(s, SQLITE_READONLY, e);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	return set_option(s, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, e) &&
	       set_option(s, SQLITE_DBCONFIG_DEFENSIVE, 1, e) &&
	       query_script(s, sql_careful, e);
}

static bool enter_wal(struct store *s, struct err *e)
{
	struct query q;
	bool entered = false;

	query_begin(&q, s, sql_wal);
	if (query_next(&q))
		entered = strcmp(query_column_text(&q, 0), "wal") == 0;
	if (!query_end(&q, e))
		return false;
	return entered || err_set(e, ERR_STORE,
				  "%s: this file system cannot hold a "
				  "write-ahead log; name a local directory "
				  "with --data-dir",
				  s->path);
}

/* After each commit.  One by one, calls write the same few pages again and
 * again, and SQLite looks for a page that is written past all that the log has
 * of it: 350 calls.  Many together write more and other pages. */
static int on_log(void *owner, sqlite3 *db, const char *name, int frames)
{
	struct store *s = owner;

	if (++s->logged < LOG_TRANSACTIONS && frames < LOG_FRAMES)
		return SQLITE_OK;
	s->logged = 0;
	/* What fails is in the log as before, and tried again. */
	(void)sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE,
					NULL, NULL);
	return SQLITE_OK;
}

/* It is ours, and of a version that we know. */
static bool make_ours(struct store *s, struct err *e)
{
	if (chmod(s->path, 0600) != 0)
		return err_sys(e, ERR_STORE, "cannot chmod %s", s->path);
	sqlite3_wal_hook(s->db, on_log, s);
	return enter_wal(s, e) && query_script(s, sql_ours, e);
}

/* Everything but the queue. */
static void release(struct store *s)
{
	query_forget(s);
	if (s->db && sqlite3_close(s->db) != SQLITE_OK)
		log_broken("store", "%s cannot be closed: %s", s->path,
			   sqlite3_errmsg(s->db));
	secrets_finish(&s->secrets);
	free(s->path);
	free(s);
}

struct store *store_open(struct ev_loop *loop, const char *data_dir,
			 struct err *e)
{
	return store_open_or_yield(loop, data_dir, NULL, e);
}

struct store *store_open_or_yield(struct ev_loop *loop, const char *data_dir,
				  char **newer, struct err *e)
{
	struct store *s = mem_zalloc(sizeof(*s));
	int version = 0;

	s->loop = loop;
	s->path = path_of(data_dir, "executor.db");
	secrets_init(&s->secrets, data_dir);
	if (check_wal(s->path, data_dir, e) && blank_create(data_dir, e) &&
	    open_careful(s, e) && schema_check(s, &version, e) &&
	    gate_check(s, version, e) && make_ours(s, e) &&
	    schema_upgrade(s, version, e) &&
	    transaction_epoch(s, &s->epoch, e) &&
	    set_option(s, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, e)) {
		queue_init(s);
		return s;
	}
	if (newer)
		*newer = e->reason == ERR_VERSION ? gate_newer(s, version)
						  : NULL;
	release(s);
	return NULL;
}

uint64_t store_begin_epoch(struct store *s, const unsigned char *instance,
			   struct err *e)
{
	struct query q;
	uint64_t epoch = 0;

	if (!transaction_begin(s, true, e))
		return 0;
	query_begin(&q, s, sql_begin_epoch);
	query_blob(&q, (struct slice){(const char *)instance, INSTANCE_BYTES});
	while (query_next(&q))
		epoch = (uint64_t)query_column_number(&q, 0);
	if (!query_end(&q, e) || !journal_begin_epoch(s, e) ||
	    !gate_record(s, e)) {
		transaction_abort(s);
		return 0;
	}
	if (!transaction_commit(s, e))
		return 0;
	s->epoch = epoch;
	return epoch;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	queue_finish(s);
	/* The file that a new owner has is not ours to checkpoint into. */
	if (s->replaced)
		sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
				  NULL);
	release(s);
}
