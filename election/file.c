#include "election/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 64 };

int file_open_dir(int dir_fd, const char *name)
{
	return openat(dir_fd, name,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Up to cap bytes, or -1.  A regular file gives them all at once. */
static ssize_t read_up_to(int fd, char *to, size_t cap)
{
	ssize_t got;

	do
		got = read(fd, to, cap);
	while (got < 0 && errno == EINTR);
	return got;
}

bool file_read(int dir_fd, const char *name, char *to, size_t cap, size_t *len)
{
	/* O_NONBLOCK: the open of a FIFO would wait for a writer. */
	int fd = openat(dir_fd, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				O_CLOEXEC);
	struct stat st;
	ssize_t got = -1;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == geteuid() && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 &&
	    (uintmax_t)st.st_size <= cap)
		got = read_up_to(fd, to, cap);
	close(fd);
	*len = got > 0 ? (size_t)got : 0;
	return got >= 0;
}

bool file_line(const char *text, const char *key, char *to, size_t cap)
{
	size_t key_len = strlen(key);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, key, key_len) != 0 || at[key_len] != ' ')
			continue;
		const char *value = at + key_len + 1;
		size_t len = strcspn(value, "\n");
		if (value[len] != '\n' || len >= cap)
			return false;
		memcpy(to, value, len);
		to[len] = '\0';
		return true;
	}
	return false;
}

static bool write_whole(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, text, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		text += put;
		len -= (size_t)put;
	}
	return true;
}

/* A new file of that name, 0600 whatever the umask. */
static int create(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			S_IRUSR | S_IWUSR);

	if (fd >= 0 && fchmod(fd, S_IRUSR | S_IWUSR) != 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

bool file_replace(int dir_fd, const char *dir, const char *name,
		  const char *text, size_t len, bool lasting,
		  struct election_error *e)
{
	char fresh[NAME_BYTES];
	bool done = false;

	snprintf(fresh, sizeof(fresh), "%s.new", name);
	/* A predecessor may have died between making and renaming. */
	unlinkat(dir_fd, fresh, 0);
	int fd = create(dir_fd, fresh);
	if (fd < 0 || !write_whole(fd, text, len) ||
	    (lasting && fsync(fd) != 0) ||
	    renameat(dir_fd, fresh, dir_fd, name) != 0)
		goto out;
	/* Some file systems cannot sync a directory; they say EINVAL. */
	done = !lasting || fsync(dir_fd) == 0 || errno == EINVAL;
out:
	if (!done)
		election_error_sys(e, "io_error", "cannot write %s/%s", dir,
				   name);
	if (fd >= 0)
		close(fd);
	if (!done)
		unlinkat(dir_fd, fresh, 0);
	return done;
}
