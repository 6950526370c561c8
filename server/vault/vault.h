/*
 * vault: AES-256-GCM, in a module of its own.
 *
 * Linked in, libcrypto would cost every start of the daemon; so vault.c is
 * built as vault.so, which server/store/secrets.c loads when a secret is first
 * sealed or opened.  This is all that the two know of each other: the module
 * calls nothing of ours, and exports one symbol.
 *
 * A sealed value is: format (1 byte), nonce (12), ciphertext, tag (16).
 */
#ifndef SERVER_VAULT_VAULT_H
#define SERVER_VAULT_VAULT_H

#include <stdint.h>

#include "proto/slice.h"

enum {
	VAULT_VERSION = 1, /* of this interface: counted up with any change */
	VAULT_KEY_BYTES = 32,
	VAULT_OVERHEAD_BYTES = 1 + 12 + 16,   /* sealed minus plain */
	VAULT_LIMIT_BYTES = 16 * 1024 * 1024, /* of a plain value */
};

enum vault_outcome {
	VAULT_OK,
	VAULT_REFUSED, /* another key, another bound, or changed bytes */
	VAULT_BROKEN,  /* libcrypto or the kernel's random says no */
};

struct vault {
	uint32_t version;

	/* Encrypt at most VAULT_LIMIT_BYTES.  bound is not encrypted, but the
	 * value opens only with the same bound.  sealed has room for plain.len
	 * + VAULT_OVERHEAD_BYTES. */
	enum vault_outcome (*seal)(const unsigned char *key, struct slice bound,
				   struct slice plain, unsigned char *sealed);

	/* Decrypt at most VAULT_LIMIT_BYTES + VAULT_OVERHEAD_BYTES.  plain has
	 * room for sealed.len; holds sealed.len - VAULT_OVERHEAD_BYTES when
	 * the outcome is VAULT_OK, zeroes else. */
	enum vault_outcome (*open)(const unsigned char *key, struct slice bound,
				   struct slice sealed, unsigned char *plain);
};

/* The one symbol of vault.so, and its name for dlsym(). */
extern const struct vault executor_vault;
#define VAULT_SYMBOL "executor_vault"

#endif
