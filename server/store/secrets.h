/*
 * secrets: bytes that reach the disk only sealed.
 *
 * Seals and opens with DIR/key (key.h), through the module vault.so
 * (server/vault/vault.h), which is loaded when it is first needed and stays.
 */
#ifndef SERVER_STORE_SECRETS_H
#define SERVER_STORE_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

struct buf;
struct err;
struct vault;

struct secrets {
	char *data_dir;
	const struct vault *vault; /* NULL until it is needed */
};

void secrets_init(struct secrets *s, const char *data_dir);

/* Append plain, sealed.  It opens only with the same bound, which says what
 * it is, and whose. */
bool secrets_seal(struct secrets *s, struct slice bound, struct slice plain,
		  struct buf *sealed, struct err *e);

/* The plain bytes, in *plain, *len; the caller wipes and frees them.  NULL
 * with *e set when they cannot be opened; the text names the file, never
 * anything that was sealed. */
char *secrets_open(struct secrets *s, struct slice bound, struct slice sealed,
		   size_t *len, struct err *e);

/* A zeroed one may be finished. */
void secrets_finish(struct secrets *s);

/* The module at path; ERR_STORE says what is missing. */
const struct vault *secrets_load_vault(const char *path, struct err *e);

#endif
