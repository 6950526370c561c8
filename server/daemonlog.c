#include "server/daemonlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/mem.h"

enum {
	/* One look at the file for so many turns of the loop: a turn logs a
	 * few lines at most. */
	TURNS_PER_LOOK = 64,
	NAME_BYTES = 32,
};

struct daemonlog {
	int dir_fd; /* logs/ */
	int fd;
	enum log_level level;
	bool streams;
	unsigned turns;
};

/* "executord.log", "executord.log.1", ... */
static void print_name(char to[NAME_BYTES], int generation)
{
	if (generation == 0)
		snprintf(to, NAME_BYTES, "executord.log");
	else
		snprintf(to, NAME_BYTES, "executord.log.%d", generation);
}

/* O_NONBLOCK, and a regular file: what lies there may be a pipe that nobody
 * reads. */
static int open_current(int dir_fd)
{
	char name[NAME_BYTES];
	struct stat st;

	print_name(name, 0);
	int fd = openat(dir_fd, name,
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
				O_NONBLOCK,
			0600);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static bool is_full(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size >= DAEMONLOG_BYTES;
}

/* The oldest falls off the end.  What cannot be renamed stays, and the log
 * goes on in the file it has: a daemon does not stop for its log. */
static void shift(int dir_fd)
{
	char from[NAME_BYTES];
	char to[NAME_BYTES];

	for (int i = DAEMONLOG_KEPT - 1; i > 0; i--) {
		print_name(from, i - 1);
		print_name(to, i);
		renameat(dir_fd, from, dir_fd, to);
	}
}

/* Write to fd from now on. */
static void use(struct daemonlog *l, int fd)
{
	log_open(fd, l->level);
	if (l->streams) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = fd;
}

struct daemonlog *daemonlog_open(int dir_fd, enum log_level level, bool streams,
				 struct err *e)
{
	struct daemonlog *l = mem_zalloc(sizeof(*l));
	int fd = -1;

	l->fd = -1;
	l->level = level;
	l->streams = streams;
	l->dir_fd = openat(dir_fd, "logs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir_fd >= 0)
		fd = open_current(l->dir_fd);
	if (fd < 0) {
		err_sys(e, ERR_IO, "logs/executord.log");
		if (l->dir_fd >= 0)
			close(l->dir_fd);
		free(l);
		return NULL;
	}
	use(l, fd);
	l->turns = TURNS_PER_LOOK;
	daemonlog_check(l);
	return l;
}

void daemonlog_check(struct daemonlog *l)
{
	if (++l->turns < TURNS_PER_LOOK)
		return;
	l->turns = 0;
	if (!is_full(l->fd))
		return;
	shift(l->dir_fd);
	daemonlog_reopen(l);
}

void daemonlog_reopen(struct daemonlog *l)
{
	int fd = open_current(l->dir_fd);

	if (fd >= 0)
		use(l, fd);
	else
		log_odd("daemonlog",
			"logs/executord.log cannot be opened anew");
}

void daemonlog_close(struct daemonlog *l)
{
	if (!l)
		return;
	log_open(STDERR_FILENO, l->level);
	close(l->fd);
	close(l->dir_fd);
	free(l);
}
