/*
 * walfile: the write-ahead log, written once for each transaction.
 *
 * SQLite writes each page of a transaction with two calls, its header's 24
 * bytes and the page.  A VFS over SQLite's own holds back what goes on where
 * the last write ended, and writes it in one piece when the page that commits
 * comes, which fails if that write does: nothing is held when a COMMIT is
 * reported.  Whatever else is asked of the file writes first what is held.
 * All other files are SQLite's own.
 *
 * What could not be written is lost, and SQLite may take it for written: until
 * it begins again, there or before, nothing behind it is written or read.
 * https://sqlite.org/fileformat2.html#walformat
 */
#ifndef SERVER_STORE_WALFILE_H
#define SERVER_STORE_WALFILE_H

/* Register it; more than once does no harm.  Its name, for sqlite3_open_v2(),
 * or NULL when SQLite has no VFS to build on. */
const char *walfile_vfs(void);

#endif
