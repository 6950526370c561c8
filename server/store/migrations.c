#include "server/store/migrations.h"

/* Bytes that a source may choose freely (its tools' names, NULs and all) are
 * blobs. */
const char *const migrations[] = {
	"CREATE TABLE owner ("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  epoch INTEGER NOT NULL,"
	"  instance BLOB NOT NULL"
	") STRICT;"
	"INSERT INTO owner VALUES (1, 0, zeroblob(16));"

	/* AUTOINCREMENT: the order is that of adding, also after a removal. */
	"CREATE TABLE source ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  name TEXT NOT NULL UNIQUE,"
	"  command BLOB NOT NULL," /* every word with its NUL */
	"  cwd TEXT NOT NULL,"
	"  env BLOB NOT NULL" /* sealed (env.h); empty: none */
	") STRICT;"

	"CREATE TABLE catalogue ("
	"  source INTEGER PRIMARY KEY REFERENCES source ON DELETE CASCADE,"
	"  server_name TEXT NOT NULL,"
	"  server_version TEXT NOT NULL,"
	"  revision TEXT NOT NULL,"
	"  capabilities TEXT NOT NULL"
	") STRICT;"

	"CREATE TABLE tool ("
	"  source INTEGER NOT NULL REFERENCES source ON DELETE CASCADE,"
	"  position INTEGER NOT NULL,"
	"  own BLOB NOT NULL,"
	"  json TEXT NOT NULL,"
	"  PRIMARY KEY (source, position)"
	") STRICT;"

	/* No reference from tool: a name stays when its tool goes. */
	"CREATE TABLE name ("
	"  source INTEGER NOT NULL REFERENCES source ON DELETE CASCADE,"
	"  own BLOB NOT NULL,"
	"  exposed TEXT NOT NULL UNIQUE,"
	"  PRIMARY KEY (source, own)"
	") STRICT, WITHOUT ROWID;"

	"PRAGMA application_id = 0x45584543;"
	"PRAGMA user_version = 1;",

	/* What can be changed of a source. */
	"ALTER TABLE source ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE source ADD COLUMN interactive TEXT NOT NULL"
	"  DEFAULT 'auto';"
	"ALTER TABLE source ADD COLUMN roots TEXT NOT NULL DEFAULT 'none';"
	"PRAGMA user_version = 2;",

	/* Tools are one kind of several; a resource has a key, but no name. */
	"CREATE TABLE item ("
	"  source INTEGER NOT NULL REFERENCES source ON DELETE CASCADE,"
	"  kind INTEGER NOT NULL,"
	"  position INTEGER NOT NULL,"
	"  own BLOB NOT NULL,"
	"  json TEXT NOT NULL,"
	"  PRIMARY KEY (source, kind, position)"
	") STRICT;"
	"INSERT INTO item SELECT source, 0, position, own, json FROM tool;"
	"DROP TABLE tool;"
	"ALTER TABLE catalogue ADD COLUMN instructions TEXT NOT NULL DEFAULT "
	"'';"
	"PRAGMA user_version = 3;",

	/* The journal (journal.h), and whose hints about its tools count. */
	"CREATE TABLE daemon ("
	"  epoch INTEGER PRIMARY KEY,"
	"  instance BLOB NOT NULL,"
	"  began_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE call ("
	"  adapter BLOB NOT NULL,"
	"  sequence INTEGER NOT NULL,"
	"  state INTEGER NOT NULL,"
	"  hash INTEGER NOT NULL,"
	"  accepted_ms INTEGER NOT NULL,"
	"  name TEXT NOT NULL,"
	"  size INTEGER NOT NULL," /* of the result */
	"  result BLOB,"
	"  PRIMARY KEY (adapter, sequence)"
	") STRICT, WITHOUT ROWID;"
	"ALTER TABLE source ADD COLUMN trusted INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 4;",

	/* What sources were asked (audit.h). */
	"CREATE TABLE audit ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  ended_ms INTEGER NOT NULL,"
	"  duration_us INTEGER NOT NULL,"
	"  client TEXT NOT NULL,"
	"  source TEXT NOT NULL,"
	"  method TEXT NOT NULL,"
	"  name BLOB NOT NULL,"
	"  request_bytes INTEGER NOT NULL,"
	"  answer_bytes INTEGER NOT NULL,"
	"  outcome TEXT NOT NULL"
	") STRICT;"
	"PRAGMA user_version = 5;",

	/* Which programs may own the directory; read by older ones, too. */
	"ALTER TABLE owner ADD COLUMN min_version TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE owner ADD COLUMN version TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE owner ADD COLUMN program BLOB NOT NULL DEFAULT x'';"
	"PRAGMA user_version = 6;",

	/* A row of the journal is found by a number that memory has of it.  An
	 * audit row's own is never used again, because only the oldest go:
	 * AUTOINCREMENT wrote that down with each. */
	"ALTER TABLE call RENAME TO old_call;"
	"CREATE TABLE call ("
	"  place INTEGER PRIMARY KEY,"
	"  adapter BLOB NOT NULL,"
	"  sequence INTEGER NOT NULL,"
	"  state INTEGER NOT NULL,"
	"  hash INTEGER NOT NULL,"
	"  accepted_ms INTEGER NOT NULL,"
	"  name TEXT NOT NULL,"
	"  size INTEGER NOT NULL," /* of the result */
	"  result BLOB"
	") STRICT;"
	"INSERT INTO call (adapter, sequence, state, hash, accepted_ms, name,"
	"  size, result) SELECT adapter, sequence, state, hash, accepted_ms,"
	"  name, size, result FROM old_call ORDER BY accepted_ms;"
	"DROP TABLE old_call;"
	"ALTER TABLE audit RENAME TO old_audit;"
	"CREATE TABLE audit ("
	"  id INTEGER PRIMARY KEY,"
	"  ended_ms INTEGER NOT NULL,"
	"  duration_us INTEGER NOT NULL,"
	"  client TEXT NOT NULL,"
	"  source TEXT NOT NULL,"
	"  method TEXT NOT NULL,"
	"  name BLOB NOT NULL,"
	"  request_bytes INTEGER NOT NULL,"
	"  answer_bytes INTEGER NOT NULL,"
	"  outcome TEXT NOT NULL"
	") STRICT;"
	"INSERT INTO audit SELECT * FROM old_audit ORDER BY id;"
	"DROP TABLE old_audit;"
	"PRAGMA user_version = 7;",

	/* Of the audit log, what is added in one turn is one row. */
	"ALTER TABLE audit RENAME TO old_audit;"
	"CREATE TABLE audit ("
	"  id INTEGER PRIMARY KEY,"    /* the number of the last in rows */
	"  ended_ms INTEGER NOT NULL," /* the same one's */
	"  rows TEXT NOT NULL"	       /* audit.c */
	") STRICT;"
	"INSERT INTO audit SELECT id, ended_ms, json_array(json_array("
	"  ended_ms, duration_us, client, source, method, CAST(name AS TEXT),"
	"  request_bytes, answer_bytes, outcome)) FROM old_audit ORDER BY id;"
	"DROP TABLE old_audit;"
	"PRAGMA user_version = 8;",
};

const int migrations_count = (int)(sizeof(migrations) / sizeof(migrations[0]));
