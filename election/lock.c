#include "election/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 10, OWNER_ONLY = 0600 };

/* -1 with *e set.  O_NONBLOCK and the check afterwards: whatever lies in the
 * place of a lock file must neither block us nor be locked. */
static int open_file(int dir_fd, const char *dir, const char *name,
		     struct election_error *e)
{
	struct stat st;
	mode_t old = umask(S_IRWXG | S_IRWXO);
	int fd = openat(dir_fd, name,
			O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				O_CLOEXEC,
			OWNER_ONLY);
	int error = errno;

	umask(old);
	errno = error;
	if (fd < 0) {
		if (errno == ELOOP || errno == EISDIR || errno == ENXIO)
			election_error_set(e, "io_error",
					   "%s/%s is not a regular file: "
					   "remove it",
					   dir, name);
		else
			election_error_sys(e, "io_error", "cannot open %s/%s",
					   dir, name);
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	election_error_set(e, "io_error",
			   "%s/%s is not a regular file: remove it", dir, name);
	close(fd);
	return -1;
}

bool lock_is_current(int dir_fd, const char *name, int fd)
{
	struct stat mine;
	struct stat there;

	return fstat(fd, &mine) == 0 && mine.st_nlink > 0 &&
	       fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

enum lock_outcome lock_try(int dir_fd, const char *dir, const char *name,
			   int *fd, struct election_error *e)
{
	for (int i = 0; i < TRIES; i++) {
		int file = open_file(dir_fd, dir, name, e);
		int done;

		if (file < 0)
			return LOCK_FAILED;
		do
			done = flock(file, LOCK_EX | LOCK_NB);
		while (done != 0 && errno == EINTR);
		/* The file may have been replaced between open and flock: a
		 * lock on what is no longer there excludes nobody. */
		if (done == 0 && lock_is_current(dir_fd, name, file)) {
			*fd = file;
			return LOCK_TAKEN;
		}
		bool held = done != 0 && errno == EWOULDBLOCK;
		if (done != 0 && !held)
			election_error_sys(
				e, "fs_no_locks",
				"cannot lock %s/%s: the file system must "
				"support flock(); give another --data-dir",
				dir, name);
		close(file);
		if (done != 0)
			return held ? LOCK_HELD : LOCK_FAILED;
	}
	election_error_set(e, "io_error",
			   "%s/%s keeps being replaced: who removes it?", dir,
			   name);
	return LOCK_FAILED;
}
