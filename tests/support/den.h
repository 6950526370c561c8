/*
 * den: a private directory and the default loop, and the proof that no child
 * outlives a test.
 */
#ifndef TESTS_SUPPORT_DEN_H
#define TESTS_SUPPORT_DEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/log.h"

struct den {
	char dir[64];
	struct ev_loop *loop;
	struct ev_timer tick;
	unsigned ticks;
};

/* A guard against hanging, not a measurement. */
enum { DEN_TICK_MS = 10, DEN_MOST_TICKS = 3000 };

static inline void den_on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct den *d = w->data;

	(void)loop;
	(void)revents;
	d->ticks++;
	assert_true(d->ticks < DEN_MOST_TICKS);
}

static inline int den_setup(void **state)
{
	struct den *d = calloc(1, sizeof(*d));

	snprintf(d->dir, sizeof(d->dir), "/tmp/executor-test.XXXXXX");
	assert_non_null(mkdtemp(d->dir));
	log_open(STDERR_FILENO, getenv("DEN_DEBUG") ? LOG_DEBUG : LOG_OFF);
	signal(SIGPIPE, SIG_IGN);
	d->loop = ev_default_loop(0);
	ev_timer_init(&d->tick, den_on_tick, DEN_TICK_MS / 1000.0,
		      DEN_TICK_MS / 1000.0);
	d->tick.data = d;
	ev_timer_start(d->loop, &d->tick);
	signal(SIGPIPE, SIG_IGN); /* as a daemon does */
	*state = d;
	return 0;
}

/* One turn of the loop, at most a tick long. */
static inline void den_turn(struct den *d)
{
	ev_run(d->loop, EVRUN_ONCE);
}

#define DEN_UNTIL(d, truth)                                                    \
	do {                                                                   \
		(d)->ticks = 0;                                                \
		while (!(truth))                                               \
			den_turn(d);                                           \
	} while (0)

/* Has every child been reaped?  The loop does it. */
static inline bool den_is_empty(void)
{
	siginfo_t info = {0};

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 &&
	       errno == ECHILD;
}

static inline int den_teardown(void **state)
{
	struct den *d = *state;
	struct dirent *file;

	DEN_UNTIL(d, den_is_empty());
	ev_timer_stop(d->loop, &d->tick);
	ev_loop_destroy(d->loop);
	DIR *dir = opendir(d->dir);
	while ((file = readdir(dir)))
		unlinkat(dirfd(dir), file->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(d->dir), 0);
	free(d);
	return 0;
}

/* "dir/name" into a buffer that the next call but three overwrites. */
static inline const char *den_path(const struct den *d, const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", d->dir, name);
	return path;
}

/* A whole file as a string; empty when it is not there. */
static inline void den_read(const struct den *d, const char *name,
			    struct buf *to)
{
	char bytes[4096];
	ssize_t got;
	int fd = open(den_path(d, name), O_RDONLY | O_CLOEXEC);

	buf_reset(to, 0);
	while (fd >= 0 && (got = read(fd, bytes, sizeof(bytes))) > 0)
		buf_append(to, bytes, (size_t)got);
	if (fd >= 0)
		close(fd);
	buf_append(to, "", 1);
	to->len--;
}

/* Does the file hold this text? */
static inline bool den_holds(const struct den *d, const char *name,
			     const char *text)
{
	struct buf all = {0};

	den_read(d, name, &all);
	bool holds = strstr(all.data, text) != NULL;
	buf_finish(&all);
	return holds;
}

#endif
