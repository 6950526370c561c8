#include "election/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "election/home.h"
#include "election/text.h"

static const char below_home[] = ".executor";

/* A private directory, whatever the client's umask was. */
static bool make_private(int dir_fd, const char *path)
{
	mode_t old = umask(S_IRWXG | S_IRWXO);
	bool made = mkdirat(dir_fd, path, S_IRWXU) == 0;
	int error = errno;

	umask(old);
	errno = error;
	return made || error == EEXIST;
}

/* ~/.executor.  With sudo, HOME may still be someone else's: a directory that
 * root makes there would lock its owner out. */
static char *default_path(bool create, struct election_error *e)
{
	struct home home;
	struct stat st;
	char *path = NULL;

	home_find(&home);
	if (!home.dir) {
		election_error_set(e, "not_found",
				   "no home directory: HOME is not an absolute "
				   "path and uid %ld is not in /etc/passwd; "
				   "give --data-dir",
				   (long)geteuid());
		goto out;
	}
	if (create && stat(home.dir, &st) == 0 && st.st_uid != geteuid() &&
	    st.st_uid != 0) {
		election_error_set(e, "wrong_owner",
				   "the home directory %s belongs to uid %ld, "
				   "and this is uid %ld: run as its owner, or "
				   "give --data-dir",
				   home.dir, (long)st.st_uid, (long)geteuid());
		goto out;
	}
	path = text_path(home.dir, below_home);
out:
	home_finish(&home);
	return path;
}

static char *choose(const char *option, bool create, struct election_error *e)
{
	const char *said = option ? option : getenv("EXECUTOR_DATA_DIR");

	if (!said || (!option && said[0] == '\0'))
		return default_path(create, e);
	/* Clients hand over what is configured as it stands: no shell has
	 * expanded it, and a directory called "~" in each client's working
	 * directory would be a daemon for each of them. */
	if (said[0] == '\0' || strcmp(said, "~") == 0 ||
	    strncmp(said, "~/", 2) == 0) {
		election_error_set(e, "invalid_argument",
				   "the data directory \"%s\" is not a path: "
				   "write it out in full",
				   said);
		return NULL;
	}
	return text_copy(said);
}

/* mkdir -p: the last component private, its parents as umask allows. */
static bool make_path(char *path, struct election_error *e)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return true;
	for (char *slash = strchr(path + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		if (slash[1] == '\0' || slash[-1] == '/')
			continue;
		*slash = '\0';
		/* On a read-only or foreign parent mkdir fails even though the
		 * directory is there. */
		bool there = mkdir(path, 0755) == 0 || errno == EEXIST ||
			     stat(path, &st) == 0;
		if (!there)
			election_error_sys(e, "io_error", "cannot make %s",
					   path);
		*slash = '/';
		if (!there)
			return false;
	}
	if (make_private(AT_FDCWD, path))
		return true;
	return election_error_sys(e, "io_error",
				  "cannot make the data directory %s", path);
}

static bool is_one_line(const char *path)
{
	for (; *path; path++)
		if ((unsigned char)*path < 0x20 || *path == 0x7f)
			return false;
	return true;
}

char *datadir_resolve(const char *option, bool create, struct election_error *e)
{
	char *path = choose(option, create, e);
	char *whole = NULL;

	if (!path || (create && !make_path(path, e)))
		goto out;
	whole = realpath(path, NULL);
	if (!whole && errno == ENOENT)
		election_error_set(e, "not_running",
				   "there is no data directory %s: no daemon "
				   "has run here yet",
				   path);
	else if (!whole)
		election_error_sys(e, "io_error",
				   "cannot resolve the data directory %s",
				   path);
	if (whole && !is_one_line(whole)) {
		election_error_set(e, "invalid_argument",
				   "the data directory's path has control "
				   "characters: %s",
				   whole);
		free(whole);
		whole = NULL;
	}
out:
	free(path);
	return whole;
}

static bool is_ours(int fd, const char *path, struct election_error *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return election_error_sys(e, "io_error", "cannot look at %s",
					  path);
	if (st.st_uid != geteuid())
		return election_error_set(
			e, "wrong_owner",
			"%s belongs to uid %ld, and this is uid %ld: run as "
			"its owner, or give another --data-dir",
			path, (long)st.st_uid, (long)geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return election_error_set(e, "wrong_owner",
					  "others can write to %s (mode %03o): "
					  "chmod 700 it",
					  path, (unsigned)st.st_mode & 0777u);
	/* On a read-only mount it cannot be tightened, and need not be. */
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) && fchmod(fd, S_IRWXU) != 0 &&
	    errno != EROFS)
		return election_error_sys(e, "wrong_owner",
					  "cannot make %s private", path);
	return true;
}

static bool make_part(int dir_fd, const char *dir, const char *part,
		      struct election_error *e)
{
	struct stat st;
	bool there = fstatat(dir_fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0;

	if (!there && errno == ENOENT && make_private(dir_fd, part))
		there = fstatat(dir_fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!there)
		return election_error_sys(e, "io_error", "cannot make %s/%s",
					  dir, part);
	if (!S_ISDIR(st.st_mode))
		return election_error_set(e, "io_error",
					  "%s/%s is not a directory: remove it",
					  dir, part);
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return election_error_set(e, "wrong_owner",
					  "%s/%s is not ours alone to write: "
					  "remove it",
					  dir, part);
	return true;
}

bool datadir_fill(int fd, const char *path, struct election_error *e)
{
	return make_part(fd, path, "run", e) &&
	       make_part(fd, path, "run/s", e) &&
	       make_part(fd, path, "logs", e);
}

int datadir_open(const char *path, bool create, struct election_error *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		election_error_sys(e, "io_error",
				   "cannot open the data directory %s", path);
		return -1;
	}
	if (is_ours(fd, path, e) && (!create || datadir_fill(fd, path, e)))
		return fd;
	close(fd);
	return -1;
}
