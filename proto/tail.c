#include "proto/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/mem.h"

enum { STEP_BYTES = 65536 };

/* A regular file, or -1: nobody waits for the other end of a FIFO. */
static int open_regular(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

/* Where the last n lines start. */
static off_t find_lines(int fd, off_t size, unsigned long n)
{
	char block[STEP_BYTES];
	off_t at = size;

	if (n == 0)
		return size;
	while (at > 0) {
		size_t len = at < STEP_BYTES ? (size_t)at : STEP_BYTES;
		ssize_t got = pread(fd, block, len, at - (off_t)len);

		if (got != (ssize_t)len)
			return 0;
		for (size_t i = len; i > 0; i--) {
			off_t here = at - (off_t)len + (off_t)i;

			/* The newline that ends the file starts no line. */
			if (block[i - 1] != '\n' || here == size)
				continue;
			if (n-- <= 1)
				return here;
		}
		at -= (off_t)len;
	}
	return 0;
}

bool tail_open(struct tail *t, const char *path, unsigned long lines,
	       struct err *e)
{
	struct stat st;
	int fd = open_regular(path, &st);

	*t = (struct tail){.fd = -1};
	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
			       "there is no log at %s", path);
	t->path = mem_text(path);
	t->fd = fd;
	t->at = find_lines(fd, st.st_size, lines);
	return true;
}

/* The log was turned over: go on with the new one.  False when it was not. */
static bool take_successor(struct tail *t)
{
	struct stat held;
	struct stat now;
	int fd = open_regular(t->path, &now);

	if (fd < 0)
		return false;
	if (fstat(t->fd, &held) != 0 ||
	    (now.st_ino == held.st_ino && now.st_dev == held.st_dev)) {
		close(fd);
		/* Cut short: what comes now stands at its beginning. */
		if (now.st_size < t->at)
			t->at = now.st_size;
		return false;
	}
	close(t->fd);
	t->fd = fd;
	t->at = 0;
	return true;
}

static ssize_t read_on(struct tail *t, char *to, size_t cap)
{
	ssize_t got = pread(t->fd, to, cap, t->at);

	if (got > 0)
		t->at += got;
	return got;
}

size_t tail_read(struct tail *t, char *to, size_t cap)
{
	ssize_t got = read_on(t, to, cap);

	/* What was written to the old one since the last look came first. */
	if (got == 0 && take_successor(t))
		got = read_on(t, to, cap);
	return got > 0 ? (size_t)got : 0;
}

void tail_finish(struct tail *t)
{
	if (t->path)
		close(t->fd);
	free(t->path);
	*t = (struct tail){.fd = -1};
}
