/*
 * migrations: the way from each version of the schema to the next.
 *
 * Row n leads from version n to version n + 1.  One more step is one more row,
 * never a changed one.
 */
#ifndef SERVER_STORE_MIGRATIONS_H
#define SERVER_STORE_MIGRATIONS_H

/* Each is a script that ends by saying the version that it led to. */
extern const char *const migrations[];

extern const int migrations_count;

#endif
