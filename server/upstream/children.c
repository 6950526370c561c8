#include "server/upstream/children.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/upstream/procs.h"

enum {
	FILE_BYTES = 256 << 10,
	LEFTOVERS = 1024,
};

struct known {
	pid_t pid;
	uint64_t start_ticks;
	char marker[PROCS_MARKER_BYTES];
};

/* Owned by the router. */
struct children {
	char *path;
	char *path_new;
	char boot_id[PROCS_BOOT_ID_BYTES];
	struct known *list;
	size_t count;
	bool complained;
};

/* --- what a daemon before us left ----------------------------------------- */

/* The file as a string; empty when there is none. */
static void read_all(const char *path, struct buf *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char bytes[4096];
	ssize_t got;

	while (fd >= 0 && to->len < FILE_BYTES &&
	       (got = read(fd, bytes, sizeof(bytes))) > 0)
		buf_append(to, bytes, (size_t)got);
	if (fd >= 0)
		close(fd);
	buf_append(to, "", 1);
}

/* "PID TICKS MARKER" */
static bool parse(const char *line, struct known *to)
{
	char *end;

	long pid = strtol(line, &end, 10);
	if (pid <= 1 || pid > INT_MAX || *end != ' ')
		return false;
	to->pid = (pid_t)pid;
	to->start_ticks = strtoull(end, &end, 10);
	if (*end != ' ' || strlen(end + 1) >= sizeof(to->marker))
		return false;
	snprintf(to->marker, sizeof(to->marker), "%s", end + 1);
	return true;
}

/* The pid may be a stranger's now; its start tells. */
static bool is_same(const struct known *left)
{
	uint64_t start_ticks;

	return procs_started(left->pid, &start_ticks) &&
	       start_ticks == left->start_ticks;
}

static void end_leftovers(const struct known *left, size_t count)
{
	const char **markers = mem_alloc((count + 1) * sizeof(*markers));
	size_t groups = 0;

	for (size_t i = 0; i < count; i++) {
		markers[i] = left[i].marker;
		if (is_same(&left[i]) && kill(-left[i].pid, SIGKILL) == 0)
			groups++;
	}
	size_t marked = procs_kill_marked(markers, count);
	if (groups + marked > 0)
		log_odd("upstream",
			"ended what a daemon that died had left: %zu groups, "
			"%zu other processes",
			groups, marked);
	free(markers);
}

static void end_those_before(const struct children *c)
{
	struct buf text = {0};
	struct known *left = mem_zalloc(LEFTOVERS * sizeof(*left));
	size_t count = 0;
	char *at = NULL;

	read_all(c->path, &text);
	const char *line = strtok_r(text.data, "\n", &at);
	/* Of another boot nothing is left. */
	if (line && strncmp(line, "boot ", 5) == 0 &&
	    strcmp(line + 5, c->boot_id) == 0)
		while (count < LEFTOVERS && (line = strtok_r(NULL, "\n", &at)))
			count += parse(line, &left[count]);
	if (count > 0)
		end_leftovers(left, count);
	unlink(c->path);
	free(left);
	buf_finish(&text);
}

/* --- ours ----------------------------------------------------------------- */

static void complain(struct children *c)
{
	if (!c->complained)
		log_odd("upstream", "cannot write %s: %s", c->path,
			strerror(errno));
	c->complained = true;
}

static bool write_new(const struct children *c, struct slice text)
{
	int fd = open(c->path_new,
		      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		      0600);

	if (fd < 0)
		return false;
	ssize_t written = write(fd, text.ptr, text.len);
	int number = errno;
	close(fd);
	if (written == (ssize_t)text.len)
		return true;
	errno = written < 0 ? number : ENOSPC;
	return false;
}

static void keep(struct children *c)
{
	struct buf text = {0};

	if (c->count == 0) {
		unlink(c->path);
		return;
	}
	buf_printf(&text, "boot %s\n", c->boot_id);
	for (size_t i = 0; i < c->count; i++)
		buf_printf(&text, "%d %" PRIu64 " %s\n", (int)c->list[i].pid,
			   c->list[i].start_ticks, c->list[i].marker);
	if (!write_new(c, buf_slice(&text)) ||
	    rename(c->path_new, c->path) != 0) {
		complain(c);
		unlink(c->path_new);
	}
	buf_finish(&text);
}

static char *path_in(const char *dir, const char *name)
{
	struct buf path = {0};

	buf_printf(&path, "%s/%s", dir, name);
	char *copy = mem_ntext(path.data, path.len);
	buf_finish(&path);
	return copy;
}

struct children *children_new(const char *run_dir)
{
	struct children *c = mem_zalloc(sizeof(*c));

	c->path = path_in(run_dir, "children");
	c->path_new = path_in(run_dir, "children.new");
	procs_boot_id(c->boot_id);
	end_those_before(c);
	return c;
}

void children_add(struct children *c, pid_t pid, const char *marker)
{
	struct known added = {.pid = pid};

	if (!c || !procs_started(pid, &added.start_ticks))
		return;
	snprintf(added.marker, sizeof(added.marker), "%s", marker);
	c->list = mem_grow(c->list, (c->count + 1) * sizeof(*c->list));
	c->list[c->count++] = added;
	keep(c);
}

void children_remove(struct children *c, pid_t pid)
{
	for (size_t i = 0; c && i < c->count; i++) {
		if (c->list[i].pid != pid)
			continue;
		c->list[i] = c->list[--c->count];
		keep(c);
		return;
	}
}

void children_free(struct children *c)
{
	if (!c)
		return;
	free(c->path);
	free(c->path_new);
	free(c->list);
	free(c);
}
