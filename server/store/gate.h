/*
 * gate: which programs may own this database.
 *
 * The row of the owner has the newest program that ever owned it, and the
 * version below which none may any more: set when a daemon makes way for a
 * newer one, so that two versions that cannot speak to each other do not take
 * turns.  Programs to come read it as we do, whatever else they change.
 */
#ifndef SERVER_STORE_GATE_H
#define SERVER_STORE_GATE_H

#include <stdbool.h>

struct err;
struct store;

/* May this program own it?  version is the schema's.  ERR_VERSION if not. */
bool gate_check(struct store *s, int version, struct err *e);

/* The path of the newest program that owned it, for a person and to be run
 * instead of us; NULL when there is none newer.  The caller frees. */
char *gate_newer(struct store *s, int version);

/* Remember this program, if none newer has been here.  In a transaction. */
bool gate_record(struct store *s, struct err *e);

#endif
