#include "election/address.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "election/file.h"
#include "election/plat.h"

enum place { PLACE_DATA_DIR, PLACE_RUN_USER, PLACE_TMP, PLACE_COUNT };
enum { PREFIX_BYTES = 48, TRIES = 4 };

static const char suffix[] = ".sock";

static void print_dir(enum place place, const char *data_dir, char to[PATH_MAX])
{
	switch (place) {
	case PLACE_DATA_DIR:
		snprintf(to, PATH_MAX, "%s/run/s", data_dir);
		break;
	case PLACE_RUN_USER:
		snprintf(to, PATH_MAX, "/run/user/%ld/executor",
			 (long)geteuid());
		break;
	case PLACE_TMP:
	case PLACE_COUNT:
		snprintf(to, PATH_MAX, "/tmp/executor-%ld", (long)geteuid());
		break;
	}
}

/* Where data directories share a place, which one it is of. */
static bool print_prefix(enum place place, int dir_fd, char to[PREFIX_BYTES])
{
	struct stat st;

	to[0] = '\0';
	if (place == PLACE_DATA_DIR)
		return true;
	if (fstat(dir_fd, &st) != 0)
		return false;
	snprintf(to, PREFIX_BYTES, "%jx-%ju-", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	return true;
}

/* Anyone may have made a directory of that name below /tmp: only one that is
 * ours and private is used.  In a sticky directory nobody can then move it. */
static bool is_private(const char *dir, struct election_error *e)
{
	struct stat st;

	if (lstat(dir, &st) != 0)
		return election_error_sys(e, "io_error", "no directory %s",
					  dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IRWXG | S_IRWXO)))
		return election_error_set(e, "wrong_owner",
					  "%s is not a directory of ours alone",
					  dir);
	return true;
}

static int bind_and_listen(const char *path, struct election_error *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, path, strlen(path) + 1);
	mode_t old = umask(S_IXUSR | S_IRWXG | S_IRWXO);
	bool ok = fd >= 0 &&
		  bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
		  listen(fd, SOMAXCONN) == 0;
	int error = errno;
	umask(old);
	if (ok)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = error;
	election_error_sys(e, "io_error", "cannot listen on %s", path);
	return -1;
}

static int listen_at(enum place place, struct address *a, const char *data_dir,
		     int dir_fd, uint64_t epoch, struct election_error *e)
{
	char dir[PATH_MAX];
	char path[PATH_MAX + PREFIX_BYTES];
	char prefix[PREFIX_BYTES];
	int fd = -1;

	print_dir(place, data_dir, dir);
	if (!print_prefix(place, dir_fd, prefix)) {
		election_error_sys(e, "io_error", "cannot look at %s",
				   data_dir);
		return -1;
	}
	if (place != PLACE_DATA_DIR) {
		mkdir(dir, S_IRWXU);
		if (!is_private(dir, e))
			return -1;
	}
	for (int i = 0; fd < 0 && i < TRIES; i++) {
		uint32_t random;

		plat_random(&random, sizeof(random));
		int len = snprintf(path, sizeof(path),
				   "%s/%s%" PRIu64 "-%08" PRIx32 "%s", dir,
				   prefix, epoch, random, suffix);
		if (len >= (int)sizeof(a->path)) {
			election_error_set(e, "io_error",
					   "%s is too long for a socket", path);
			return -1;
		}
		fd = bind_and_listen(path, e);
		if (fd < 0 && errno != EADDRINUSE)
			return -1;
	}
	struct stat st;
	if (fd < 0 || lstat(path, &st) != 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*a = (struct address){.below_run = place == PLACE_DATA_DIR,
			      .dev = st.st_dev,
			      .ino = st.st_ino};
	memcpy(a->path, path, strlen(path) + 1);
	return fd;
}

int address_listen(struct address *a, const char *data_dir, int dir_fd,
		   uint64_t epoch, struct election_error *e)
{
	struct election_error first;
	struct election_error other;

	int fd = listen_at(PLACE_DATA_DIR, a, data_dir, dir_fd, epoch, &first);
	for (enum place p = PLACE_RUN_USER; fd < 0 && p < PLACE_COUNT; p++)
		fd = listen_at(p, a, data_dir, dir_fd, epoch, &other);
	/* What is wrong with the first place is what a person can mend. */
	if (fd < 0)
		*e = first;
	return fd;
}

bool address_is_current(const struct address *a)
{
	struct stat st;

	return a->path[0] != '\0' && lstat(a->path, &st) == 0 &&
	       st.st_dev == a->dev && st.st_ino == a->ino;
}

void address_remove(struct address *a)
{
	if (address_is_current(a))
		unlink(a->path);
	a->path[0] = '\0';
}

void address_dir(const struct address *a, char to[MANIFEST_PATH_BYTES])
{
	const char *slash = strrchr(a->path, '/');

	snprintf(to, MANIFEST_PATH_BYTES, "%.*s",
		 slash ? (int)(slash - a->path) : 0, a->path);
}

static bool is_socket_of(const char *name, const char *prefix)
{
	size_t len = strlen(name);
	size_t end = sizeof(suffix) - 1;

	return strncmp(name, prefix, strlen(prefix)) == 0 && len > end &&
	       strcmp(name + len - end, suffix) == 0;
}

static void sweep(enum place place, const char *data_dir, int dir_fd)
{
	char path[PATH_MAX];
	char prefix[PREFIX_BYTES];
	struct election_error ignored;
	struct dirent *entry;

	print_dir(place, data_dir, path);
	if (!print_prefix(place, dir_fd, prefix) || !is_private(path, &ignored))
		return;
	int fd = file_open_dir(AT_FDCWD, path);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (is_socket_of(entry->d_name, prefix))
			unlinkat(fd, entry->d_name, 0);
	closedir(dir);
}

void address_sweep(const char *data_dir, int dir_fd)
{
	for (enum place p = PLACE_DATA_DIR; p < PLACE_COUNT; p++)
		sweep(p, data_dir, dir_fd);
}
