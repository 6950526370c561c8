/*
 * blank-database FILE: make the database that every new directory begins with.
 *
 * Run by the build (blank.h).  Whatever went wrong is printed, and the exit
 * status is 1.
 */
#include <sqlite3.h>
#include <stdio.h>

#include "server/store/migrations.h"

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int migrate(sqlite3 *db)
{
	int rc = run(db, "PRAGMA page_size = 1024; PRAGMA journal_mode = OFF;"
			 "BEGIN");

	for (int i = 0; i < migrations_count && rc == SQLITE_OK; i++)
		rc = run(db, migrations[i]);
	/* Tables that a later migration dropped have left their room. */
	return rc == SQLITE_OK
		       ? run(db, "COMMIT; VACUUM; PRAGMA journal_mode = WAL")
		       : rc;
}

int main(int argc, char *argv[])
{
	sqlite3 *db = NULL;

	if (argc != 2) {
		fputs("usage: blank-database FILE\n", stderr);
		return 2;
	}
	remove(argv[1]);
	int rc = sqlite3_open(argv[1], &db);
	if (rc == SQLITE_OK)
		rc = migrate(db);
	if (rc != SQLITE_OK)
		fprintf(stderr, "blank-database: %s: %s\n", argv[1],
			sqlite3_errmsg(db));
	return sqlite3_close(db) == SQLITE_OK && rc == SQLITE_OK ? 0 : 1;
}
