#include "proto/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/mem.h"

enum { READ_BYTES = BEARER_CHARS + 2 }; /* one more than may be there */

static char *path_in(const char *dir, const char *name)
{
	size_t cap = strlen(dir) + strlen(name) + 2;
	char *path = mem_alloc(cap);

	snprintf(path, cap, "%s/%s", dir, name);
	return path;
}

static bool check_file(const char *path, const struct stat *st, struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_IO,
			       "%s is not a file: move it away, and do: "
			       "executor token rotate",
			       path);
	if (st->st_uid != geteuid())
		return err_set(e, ERR_WRONG_OWNER,
			       "%s belongs to uid %ld, not to you: do: "
			       "executor token rotate",
			       path, (long)st->st_uid);
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, ERR_PERMISSION,
			       "%s is open to others (mode %04o): do: executor "
			       "token rotate; or, if nobody else has read it, "
			       "chmod 600 it",
			       path, (unsigned)st->st_mode & 07777u);
	return true;
}

/* A file that is being replaced is whole all the same: it is another one. */
static bool read_file(int fd, const char *path, struct bearer *b, struct err *e)
{
	char text[READ_BYTES];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, ERR_IO, "cannot examine %s", path);
	if (!check_file(path, &st, e))
		return false;
	ssize_t n = read(fd, text, sizeof(text));
	if (n < 0)
		return err_sys(e, ERR_IO, "cannot read %s", path);
	bool ok = bearer_parse(b, (struct slice){text, (size_t)n});
	mem_wipe(text, sizeof(text));
	return ok ||
	       err_set(e, ERR_IO,
		       "%s holds no token: do: executor token rotate", path);
}

bool token_read(const char *data_dir, struct bearer *b, struct err *e)
{
	char *path = path_in(data_dir, TOKEN_FILE);
	/* Never a link, and never waiting for the other end of a fifo. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
				    O_NOCTTY);
	bool ok = false;

	if (fd >= 0)
		ok = read_file(fd, path, b, e);
	else if (errno == ENOENT)
		err_set(e, ERR_NOT_FOUND,
			"there is no %s yet: do: executor token rotate", path);
	else if (errno == ELOOP)
		err_set(e, ERR_IO,
			"%s is a symbolic link, and is not followed: do: "
			"executor token rotate",
			path);
	else
		err_sys(e, ERR_IO, "cannot open %s", path);
	if (fd >= 0)
		close(fd);
	free(path);
	return ok;
}

static bool write_file(int fd, const struct bearer *b)
{
	ssize_t n = write(fd, b->text, BEARER_CHARS);

	if (n >= 0 && n < BEARER_CHARS)
		errno = ENOSPC; /* of 43 bytes, a part */
	return n == BEARER_CHARS && fsync(fd) == 0;
}

/* So that a power cut does not bring the old one back, where that can be had:
 * the new one is in force already. */
static void sync_directory(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* Written under a name of its own (mkostemp: O_EXCL, 0600), then renamed. */
bool token_renew(const char *data_dir, struct bearer *b, struct err *e)
{
	char *path = path_in(data_dir, TOKEN_FILE);
	char *draft = path_in(data_dir, TOKEN_FILE ".XXXXXX");
	int fd = mkostemp(draft, O_CLOEXEC);
	bool ok = false;

	bearer_make(b);
	if (fd < 0) {
		err_sys(e, ERR_IO, "cannot create a token in %s", data_dir);
		goto out;
	}
	ok = write_file(fd, b) && rename(draft, path) == 0;
	if (ok) {
		sync_directory(data_dir);
	} else {
		err_sys(e, ERR_IO, "cannot write %s", path);
		unlink(draft);
	}
out:
	if (fd >= 0)
		close(fd);
	free(draft);
	free(path);
	return ok;
}
