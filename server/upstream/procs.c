#include "server/upstream/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/mem.h"

enum {
	STAT_BYTES = 1024,
	/* A marker is the first of a child's variables; a shell may put it
	 * elsewhere when it hands them on. */
	ENVIRON_BYTES = 128 << 10,
	RANDOM_BYTES = 16,
	KILL_ROUNDS = 3,
};

#define MARKER "EXECUTOR_SOURCE="

/* The fields of /proc/PID/stat that are of use, see proc(5). */
enum {
	FIELD_AFTER_NAME = 3,
	FIELD_SESSION = 6,
	FIELD_START = 22,
	FIELD_RSS = 24
};

struct stat_line {
	pid_t session;
	uint64_t start_ticks;
	uint64_t rss_pages;
};

/* Up to cap bytes of a file; -1 when it cannot be read. */
static ssize_t read_file(const char *path, char *to, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got = 0;

	if (fd < 0)
		return -1;
	while (len < cap && (got = read(fd, to + len, cap - len)) != 0) {
		if (got > 0)
			len += (size_t)got;
		else if (errno != EINTR)
			break;
	}
	close(fd);
	return got < 0 ? -1 : (ssize_t)len;
}

/* The name stands in parentheses and may hold some itself. */
static bool parse_stat(const char *text, struct stat_line *to)
{
	const char *at = strrchr(text, ')');
	int field = FIELD_AFTER_NAME;

	if (!at)
		return false;
	for (at++; *at == ' ' && field <= FIELD_RSS; field++) {
		uint64_t value = strtoull(++at, NULL, 10);

		if (field == FIELD_SESSION)
			to->session = (pid_t)value;
		else if (field == FIELD_START)
			to->start_ticks = value;
		else if (field == FIELD_RSS)
			to->rss_pages = value;
		at += strcspn(at, " ");
	}
	return field > FIELD_RSS;
}

static bool read_stat(pid_t pid, struct stat_line *to)
{
	char path[64];
	char text[STAT_BYTES];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	ssize_t len = read_file(path, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	return parse_stat(text, to);
}

/* The next number in /proc, or 0 at the end. */
static pid_t next_pid(DIR *dir)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			return (pid_t)strtol(entry->d_name, NULL, 10);
	return 0;
}

bool procs_started(pid_t pid, uint64_t *start_ticks)
{
	struct stat_line line;

	if (!read_stat(pid, &line))
		return false;
	*start_ticks = line.start_ticks;
	return true;
}

void procs_boot_id(char to[PROCS_BOOT_ID_BYTES])
{
	ssize_t len = read_file("/proc/sys/kernel/random/boot_id", to,
				PROCS_BOOT_ID_BYTES - 1);

	to[len > 0 ? len : 0] = '\0';
	to[strcspn(to, " \n")] = '\0';
	if (to[0] == '\0')
		snprintf(to, PROCS_BOOT_ID_BYTES, "unknown");
}

void procs_each(void (*each)(void *owner, pid_t session, uint64_t bytes),
		void *owner)
{
	DIR *dir = opendir("/proc");
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct stat_line line;
	pid_t pid;

	if (!dir)
		return;
	while ((pid = next_pid(dir)))
		if (read_stat(pid, &line) && line.rss_pages > 0)
			each(owner, line.session, line.rss_pages * page);
	closedir(dir);
}

void procs_make_marker(char to[PROCS_MARKER_BYTES], const char *name)
{
	unsigned char random[RANDOM_BYTES];
	int len = snprintf(to, PROCS_MARKER_BYTES, MARKER "%.40s/", name);

	mem_random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		len += snprintf(to + len, PROCS_MARKER_BYTES - (size_t)len,
				"%02x", random[i]);
}

static bool is_one_of(const char *text, const char *const *markers,
		      size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, markers[i]) == 0)
			return true;
	return false;
}

/* Its environment as it was when it became the program that it is.  Others'
 * cannot be read, and that of what has ended is empty. */
static bool is_marked(pid_t pid, const char *const *markers, size_t count,
		      char *space)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	ssize_t len = read_file(path, space, ENVIRON_BYTES - 1);
	if (len <= 0)
		return false;
	space[len] = '\0';
	for (const char *at = space; at < space + len; at += strlen(at) + 1)
		if (strncmp(at, MARKER, sizeof(MARKER) - 1) == 0 &&
		    is_one_of(at, markers, count))
			return true;
	return false;
}

size_t procs_signal_marked(const char *const *markers, size_t count, int number)
{
	DIR *dir = opendir("/proc");
	size_t found = 0;
	pid_t pid;

	if (!dir)
		return 0;
	char *space = mem_alloc(ENVIRON_BYTES);
	while ((pid = next_pid(dir)))
		if (pid != getpid() && is_marked(pid, markers, count, space) &&
		    kill(pid, number) == 0)
			found++;
	free(space);
	closedir(dir);
	return found;
}

size_t procs_kill_marked(const char *const *markers, size_t count)
{
	size_t first = procs_signal_marked(markers, count, SIGKILL);
	size_t found = first;

	for (int i = 1; i < KILL_ROUNDS && found > 0; i++)
		found = procs_signal_marked(markers, count, SIGKILL);
	return first;
}
