/*
 * schema: whose database it is, which version, and the way up to ours.
 *
 * PRAGMA application_id says that it is ours, PRAGMA user_version how far it
 * is.  The steps are the rows of migrations.h.
 */
#ifndef SERVER_STORE_SCHEMA_H
#define SERVER_STORE_SCHEMA_H

#include <stdbool.h>

struct err;
struct store;

/* "EXEC", read as a number. */
enum { SCHEMA_APPLICATION_ID = 0x45584543 };

/* Reads only: is it empty, or ours and not newer?  ERR_STORE, or ERR_VERSION
 * for a newer one, when it is not.  *version is what it has now, 0 when it is
 * empty. */
bool schema_check(struct store *s, int *version, struct err *e);

/* From version to ours, in one transaction that waits for the disk. */
bool schema_upgrade(struct store *s, int version, struct err *e);

/* The version that this program writes. */
int schema_version(void);

#endif
