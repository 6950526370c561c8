/*
 * key: the file DIR/key, which opens what is sealed in the database.
 *
 * 32 random bytes, 0600, made when the first secret is sealed and never
 * changed.  It is read each time: nothing is kept that would have to be
 * protected in memory, and a key put back by its owner is seen at once.
 */
#ifndef SERVER_STORE_KEY_H
#define SERVER_STORE_KEY_H

#include <stdbool.h>

struct err;

enum { KEY_BYTES = 32 };

/* Read it; where there is none, make it when create, or refuse.  Refuses a
 * key that is not ours, open to others or not of its size; the text names the
 * file.  The caller wipes key. */
bool key_read(const char *data_dir, bool create, unsigned char *key,
	      struct err *e);

#endif
