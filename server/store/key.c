#include "server/store/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/mem.h"
#include "server/store/path.h"

static bool check_file(const char *path, const struct stat *st, struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_STORE, "%s is not a file", path);
	if (st->st_uid != geteuid())
		return err_set(e, ERR_WRONG_OWNER,
			       "%s belongs to uid %ld, not to you", path,
			       (long)st->st_uid);
	if (st->st_mode & 077)
		return err_set(e, ERR_PERMISSION,
			       "%s is open to others (mode %04o): if nobody "
			       "else has read it, chmod 600 it",
			       path, (unsigned)st->st_mode & 07777u);
	if (st->st_size != KEY_BYTES)
		return err_set(
			e, ERR_STORE,
			"%s has %lld bytes and not %d: restore it from a "
			"backup, or move it away and add your sources "
			"again",
			path, (long long)st->st_size, KEY_BYTES);
	return true;
}

/* Read from the open file. */
static bool read_file(int fd, const char *path, unsigned char *key,
		      struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, ERR_STORE, "cannot examine %s", path);
	if (!check_file(path, &st, e))
		return false;
	ssize_t n = read(fd, key, KEY_BYTES);
	if (n < 0)
		return err_sys(e, ERR_STORE, "cannot read %s", path);
	return n == KEY_BYTES ||
	       err_set(e, ERR_STORE, "%s was cut off while it was read", path);
}

/* Never a link, and never waiting for the other end of a fifo. */
static int open_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* A new name in the directory must outlive a power cut, as what will be
 * sealed with the key does. */
static bool sync_directory(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (!ok)
		err_sys(e, ERR_STORE, "cannot sync %s", dir);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool write_file(int fd, const char *path, struct err *e)
{
	unsigned char key[KEY_BYTES];

	mem_random(key, sizeof(key));
	ssize_t n = write(fd, key, sizeof(key));
	mem_wipe(key, sizeof(key));
	if (n == KEY_BYTES && fsync(fd) == 0)
		return true;
	if (n >= 0 && n < KEY_BYTES)
		errno = ENOSPC; /* of 32 bytes, a part */
	return err_sys(e, ERR_STORE, "cannot write %s", path);
}

/* Written under a name of its own (mkostemp: O_EXCL, 0600), then linked: the
 * key appears whole, and never in the place of another. */
static bool create_file(const char *dir, const char *path, struct err *e)
{
	char *draft = path_of(dir, "key.XXXXXX");
	int fd = mkostemp(draft, O_CLOEXEC);
	bool ok = false;

	if (fd < 0) {
		err_sys(e, ERR_STORE, "cannot create a key in %s", dir);
		goto out;
	}
	if (!write_file(fd, draft, e))
		goto out;
	if (link(draft, path) != 0 && errno != EEXIST) {
		err_sys(e, ERR_STORE, "cannot create %s", path);
		goto out;
	}
	ok = true;
out:
	if (fd >= 0) {
		close(fd);
		unlink(draft);
	}
	free(draft);
	return ok && sync_directory(dir, e);
}

bool key_read(const char *data_dir, bool create, unsigned char *key,
	      struct err *e)
{
	char *path = path_of(data_dir, "key");
	int fd = open_file(path);
	bool ok = false;

	if (fd < 0 && errno == ENOENT && create) {
		if (!create_file(data_dir, path, e))
			goto out;
		fd = open_file(path);
	}
	if (fd < 0 && errno == ENOENT)
		err_set(e, ERR_STORE,
			"%s is missing, and the secrets in executor.db were "
			"sealed with it: restore it from a backup, or remove "
			"the source and add it again",
			path);
	else if (fd < 0)
		err_sys(e, ERR_STORE, "cannot open %s", path);
	else
		ok = read_file(fd, path, key, e);
out:
	if (fd >= 0)
		close(fd);
	free(path);
	return ok;
}
