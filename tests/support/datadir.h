/*
 * datadir: a data directory of a test's own, and the end of it.
 *
 * Whatever a candidate (support/candidate.c) was started in it is ended with
 * it: by pid, and only while that pid still is that candidate.
 */
#ifndef TESTS_SUPPORT_DATADIR_H
#define TESTS_SUPPORT_DATADIR_H

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct place {
	char top[64];
	char dir[PATH_MAX / 2]; /* the data directory: top/data */
};

static inline void place_path(const struct place *p, const char *name,
			      char to[PATH_MAX])
{
	snprintf(to, PATH_MAX, "%s/%s", p->dir, name);
}

static inline bool place_has(const struct place *p, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	place_path(p, name, path);
	return lstat(path, &st) == 0;
}

static inline void place_put(const struct place *p, const char *name,
			     const char *text)
{
	char path[PATH_MAX];

	place_path(p, name, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

/* Empty when there is none. */
static inline void place_get(const struct place *p, const char *name, char *to,
			     size_t cap)
{
	char path[PATH_MAX];

	place_path(p, name, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, to, cap - 1);
	to[got > 0 ? got : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static inline void place_make(struct place *p)
{
	char run[PATH_MAX];

	strcpy(p->top, "/tmp/executor-test-XXXXXX");
	if (!mkdtemp(p->top))
		abort();
	char *whole = realpath(p->top, NULL);
	if (!whole)
		abort();
	snprintf(p->top, sizeof(p->top), "%s", whole);
	free(whole);
	snprintf(p->dir, sizeof(p->dir), "%s/data", p->top);
	place_path(p, "run", run);
	if (mkdir(p->dir, 0700) != 0 || mkdir(run, 0700) != 0)
		abort();
}

/* Is pid a process that was started for this directory? */
static inline bool place_owns(const struct place *p, long pid)
{
	char path[64];
	char line[2 * PATH_MAX] = "";
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	for (ssize_t at = 0; at < got && !found;
	     at += (ssize_t)strlen(line + at) + 1)
		found = strcmp(line + at, p->dir) == 0;
	if (fd >= 0)
		close(fd);
	return found;
}

/* Kill it and wait until it is gone (nobody here is its parent). */
static inline void place_kill(const struct place *p, long pid)
{
	const struct timespec moment = {0, 1000000};

	while (pid > 1 && place_owns(p, pid)) {
		kill((pid_t)pid, SIGKILL);
		nanosleep(&moment, NULL);
	}
}

/* The number on the last line of a file, or 0. */
static inline long place_last(const struct place *p, const char *name)
{
	char text[4096];
	long last = 0;

	place_get(p, name, text, sizeof(text));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		last = strtol(line, NULL, 10);
	return last;
}

static inline unsigned place_lines(const struct place *p, const char *name)
{
	char text[4096];
	unsigned n = 0;

	place_get(p, name, text, sizeof(text));
	for (char *at = text; (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

/* A candidate may have been started that has not written its pid yet; it may
 * even write while the directory is being removed.  Without one it ends. */
static inline int place_end(struct place *p)
{
	char command[128];
	char text[4096];
	int left = 1;

	snprintf(command, sizeof(command), "rm -rf '%s' 2>/dev/null", p->top);
	for (int tries = 0; left != 0 && tries < 100; tries++) {
		place_get(p, "pids", text, sizeof(text));
		for (char *line = strtok(text, "\n"); line;
		     line = strtok(NULL, "\n"))
			place_kill(p, strtol(line, NULL, 10));
		left = system(command);
	}
	return left;
}

#endif
