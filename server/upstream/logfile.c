#include "server/upstream/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/mem.h"

static void complain(struct logfile *l, const char *what)
{
	if (!l->complained)
		log_odd("upstream", "cannot %s %s: %s", what, l->path,
			strerror(errno));
	l->complained = true;
}

static void close_file(struct logfile *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/* O_NONBLOCK: what lies there may be a pipe that nobody reads. */
static void open_file(struct logfile *l)
{
	int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
		    O_NONBLOCK;
	struct stat st;

	l->fd = open(l->path, flags, 0600);
	if (l->fd < 0 || fstat(l->fd, &st) != 0) {
		complain(l, "open");
		close_file(l);
		return;
	}
	l->size = (size_t)st.st_size;
}

static void rotate(struct logfile *l)
{
	struct buf old = {0};

	close_file(l);
	buf_printf(&old, "%s.1", l->path);
	/* Where it cannot be moved it is emptied: the bound comes first. */
	if (rename(l->path, old.data) != 0 && truncate(l->path, 0) != 0)
		complain(l, "rotate");
	else
		open_file(l);
	buf_finish(&old);
}

/* A short write is a full disk, and there is nobody to wait for. */
static void put(struct logfile *l, struct slice bytes)
{
	while (bytes.len > 0 && l->fd >= 0) {
		if (l->size >= LOGFILE_BYTES) {
			rotate(l);
			continue;
		}
		size_t step = LOGFILE_BYTES - l->size;
		if (step > bytes.len)
			step = bytes.len;
		ssize_t written = write(l->fd, bytes.ptr, step);
		if (written <= 0) {
			complain(l, "write");
			return;
		}
		l->size += (size_t)written;
		bytes.ptr += written;
		bytes.len -= (size_t)written;
	}
}

static void tell_left_out(struct logfile *l)
{
	char line[64];

	if (l->left_out == 0)
		return;
	int n = snprintf(line, sizeof(line), "\n[%llu bytes left out]\n",
			 l->left_out);
	put(l, (struct slice){line, (size_t)n});
	l->left_out = 0;
}

void logfile_init(struct logfile *l, const char *path)
{
	*l = (struct logfile){.fd = -1, .window_s = INT64_MIN};
	if (!path)
		return;
	l->path = mem_text(path);
	open_file(l);
}

void logfile_write(struct logfile *l, struct slice bytes, int64_t now_s)
{
	if (now_s != l->window_s) {
		l->window_s = now_s;
		l->window_left = LOGFILE_BYTES;
		tell_left_out(l);
	}
	if (bytes.len > l->window_left) {
		l->left_out += bytes.len - l->window_left;
		bytes.len = l->window_left;
	}
	l->window_left -= bytes.len;
	put(l, bytes);
}

size_t logfile_tail(const char *path, char *to, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t got = 0;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		off_t past = (off_t)cap;

		got = pread(fd, to, cap,
			    st.st_size > past ? st.st_size - past : 0);
	}
	close(fd);
	return got > 0 ? (size_t)got : 0;
}

void logfile_finish(struct logfile *l)
{
	tell_left_out(l);
	close_file(l);
	free(l->path);
	*l = (struct logfile){.fd = -1};
}
