#include "server/store/secrets.h"

#include <assert.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/mem.h"
#include "server/store/key.h"
#include "server/vault/vault.h"

_Static_assert((int)KEY_BYTES == (int)VAULT_KEY_BYTES,
	       "the file holds one key");

/* Seen from the directory of the program: the build tree and a plain prefix,
 * then where CMake was told to install libraries. */
static const char *const module_dirs[] = {
	"../lib/executor",
	EXECUTOR_MODULE_DIR,
};

enum { MODULE_DIRS = sizeof(module_dirs) / sizeof(module_dirs[0]) };

const struct vault *secrets_load_vault(const char *path, struct err *e)
{
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!module) {
		err_set(e, ERR_STORE,
			"secrets need the module %s, which cannot be loaded "
			"(%s): install executor and OpenSSL's libcrypto again",
			path, dlerror());
		return NULL;
	}
	/* It stays: libcrypto cannot be unloaded cleanly. */
	const struct vault *vault = dlsym(module, VAULT_SYMBOL);
	if (vault && vault->version == VAULT_VERSION)
		return vault;
	err_set(e, ERR_STORE,
		"the module %s is of another version of executor: restart the "
		"daemon, or install executor again",
		path);
	return NULL;
}

/* Next to the program, wherever that was installed. */
static const struct vault *find_vault(struct err *e)
{
	char program[PATH_MAX];
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (len < 0) {
		err_sys(e, ERR_STORE, "cannot read /proc/self/exe");
		return NULL;
	}
	program[len] = '\0';
	*strrchr(program, '/') = '\0';
	for (int i = 0; i < MODULE_DIRS; i++) {
		int need = snprintf(path, sizeof(path), "%s/%s/vault.so",
				    program, module_dirs[i]);

		if (need < (int)sizeof(path) && access(path, F_OK) == 0)
			return secrets_load_vault(path, e);
	}
	err_set(e, ERR_STORE,
		"secrets need the module vault.so, which is neither in "
		"%s/%s nor in %s below the program: install executor again",
		program, module_dirs[0], module_dirs[1]);
	return NULL;
}

static bool need_vault(struct secrets *s, struct err *e)
{
	if (!s->vault)
		s->vault = find_vault(e);
	return s->vault != NULL;
}

void secrets_init(struct secrets *s, const char *data_dir)
{
	*s = (struct secrets){.data_dir = mem_text(data_dir)};
}

bool secrets_seal(struct secrets *s, struct slice bound, struct slice plain,
		  struct buf *sealed, struct err *e)
{
	unsigned char key[KEY_BYTES];
	size_t len = plain.len + VAULT_OVERHEAD_BYTES;

	if (plain.len > VAULT_LIMIT_BYTES)
		return err_set(e, ERR_TOO_LARGE,
			       "secrets of %zu bytes: at most %d", plain.len,
			       VAULT_LIMIT_BYTES);
	if (!need_vault(s, e) || !key_read(s->data_dir, true, key, e))
		return false;
	unsigned char *to = (unsigned char *)buf_reserve(sealed, len);
	enum vault_outcome outcome = s->vault->seal(key, bound, plain, to);
	mem_wipe(key, sizeof(key));
	if (outcome != VAULT_OK)
		return err_set(e, ERR_INTERNAL,
			       "OpenSSL's libcrypto cannot encrypt a secret");
	buf_added(sealed, len);
	return true;
}

char *secrets_open(struct secrets *s, struct slice bound, struct slice sealed,
		   size_t *len, struct err *e)
{
	unsigned char key[KEY_BYTES];

	if (!need_vault(s, e) || !key_read(s->data_dir, false, key, e))
		return NULL;
	char *plain = mem_alloc(sealed.len);
	enum vault_outcome outcome =
		s->vault->open(key, bound, sealed, (unsigned char *)plain);
	mem_wipe(key, sizeof(key));
	if (outcome == VAULT_OK) {
		*len = sealed.len - VAULT_OVERHEAD_BYTES;
		return plain;
	}
	free(plain);
	if (outcome == VAULT_BROKEN)
		err_set(e, ERR_INTERNAL,
			"OpenSSL's libcrypto cannot decrypt a secret");
	else
		err_set(e, ERR_STORE,
			"%s/key is not the key that this was sealed with, or "
			"executor.db was changed: restore both from one "
			"backup, or remove the source and add it again",
			s->data_dir);
	return NULL;
}

void secrets_finish(struct secrets *s)
{
	free(s->data_dir);
	*s = (struct secrets){0};
}
