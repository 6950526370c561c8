#include "server/store/blank.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/err.h"
#include "server/store/path.h"

static bool write_image(int fd)
{
	size_t done = 0;

	while (done < blank_image_bytes) {
		ssize_t put =
			write(fd, blank_image + done, blank_image_bytes - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		done += (size_t)put;
	}
	return fsync(fd) == 0;
}

/* A new file, 0600 whatever the umask: SQLite gives its WAL the mode of the
 * database. */
static bool make(const char *path, struct err *e)
{
	/* A predecessor may have died between making and renaming. */
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, ERR_STORE, "cannot create %s", path);
	bool ok = write_image(fd) ||
		  err_sys(e, ERR_STORE, "cannot write %s", path);
	close(fd);
	return ok;
}

/* Before SQLite makes its WAL: that one must not be found without its
 * database. */
static bool sync_names(const char *data_dir, struct err *e)
{
	int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems cannot sync a directory; they say EINVAL. */
	bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);

	if (!ok)
		err_sys(e, ERR_STORE, "cannot sync %s", data_dir);
	if (fd >= 0)
		close(fd);
	return ok;
}

bool blank_create(const char *data_dir, struct err *e)
{
	char *path = path_of(data_dir, "executor.db");
	char *fresh = path_of(data_dir, "executor.db.new");
	struct stat st;
	bool ok = true;

	if (lstat(path, &st) == 0 || errno != ENOENT)
		goto out; /* whoever opens it sees what is wrong with it */
	ok = make(fresh, e) &&
	     (rename(fresh, path) == 0 ||
	      err_sys(e, ERR_STORE, "cannot create %s", path));
	if (!ok)
		unlink(fresh);
	ok = ok && sync_names(data_dir, e);
out:
	free(path);
	free(fresh);
	return ok;
}
