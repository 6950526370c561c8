/* What the doctor sees without a daemon: the directory, the lock, limits. */
#include "adapter/cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "adapter/sibling.h"
#include "election/datadir.h"
#include "election/plat.h"
#include "proto/mem.h"
#include "proto/token.h"

enum {
	MIB = 1024 * 1024,
	SPACE_BAD_MIB = 16, /* the store needs some to say that it is full */
	SPACE_ODD_MIB = 256,
	WAL_ODD_MIB = 64,
	DESCRIPTORS = 4096, /* what the daemon raises its limit to */
	FIX_BYTES = 512,
};

/* --- the directory -------------------------------------------------------- */

/* False when it cannot be used so. */
static bool check_owner(struct doctor *d, const char *dir,
			const struct stat *st)
{
	char fix[FIX_BYTES];

	snprintf(fix, sizeof(fix), "chown -R %ld '%.400s'", (long)geteuid(),
		 dir);
	if (st->st_uid != geteuid())
		doctor_find(d, GROUP_DIRECTORY, FINDING_BAD, fix,
			    "%s is owned by user %ld, not by you", dir,
			    (long)st->st_uid);
	snprintf(fix, sizeof(fix), "chmod 700 '%.400s'", dir);
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		doctor_find(d, GROUP_DIRECTORY,
			    st->st_mode & (S_IWGRP | S_IWOTH) ? FINDING_BAD
							      : FINDING_ODD,
			    fix, "%s is open to others (mode %03o)", dir,
			    (unsigned)st->st_mode & 0777);
	else if (st->st_uid == geteuid())
		doctor_find(d, GROUP_DIRECTORY, FINDING_GOOD, NULL,
			    "%s is yours alone", dir);
	return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static void check_space(struct doctor *d)
{
	const char *network = plat_network_fs(d->dir_fd);
	struct statvfs fs;

	if (network)
		doctor_find(d, GROUP_DIRECTORY, FINDING_ODD,
			    "executor --data-dir DIR, with DIR on a local disk",
			    "it lies on %s, where two machines may both "
			    "believe that they own it",
			    network);
	else
		doctor_find(d, GROUP_DIRECTORY, FINDING_GOOD, NULL,
			    "it lies on a local file system");
	if (fstatvfs(d->dir_fd, &fs) != 0)
		return;
	uint64_t free_mib = (uint64_t)fs.f_bavail * fs.f_frsize / MIB;
	doctor_find(d, GROUP_DIRECTORY,
		    free_mib < SPACE_BAD_MIB   ? FINDING_BAD
		    : free_mib < SPACE_ODD_MIB ? FINDING_ODD
					       : FINDING_GOOD,
		    free_mib < SPACE_ODD_MIB ? "df -h, and make room" : NULL,
		    "%" PRIu64 " MiB are free there", free_mib);
	if (fs.f_flag & ST_RDONLY)
		doctor_find(d, GROUP_DIRECTORY, FINDING_BAD,
			    "mount -o remount,rw, or another --data-dir",
			    "it is mounted read-only");
}

/* unix(7): sun_path has 108 bytes, its NUL included.  Our own programs find
 * another place for the socket; others are given the link. */
static void check_length(struct doctor *d, const char *dir)
{
	size_t len = strlen(dir) + strlen("/run/executor.sock");

	if (len >= MANIFEST_PATH_BYTES)
		doctor_find(d, GROUP_DIRECTORY, FINDING_ODD,
			    "executor --data-dir DIR, with a shorter DIR",
			    "the path of its socket has %zu bytes: stock gRPC "
			    "clients take %d at most",
			    len, MANIFEST_PATH_BYTES - 1);
	else
		doctor_find(d, GROUP_DIRECTORY, FINDING_GOOD, NULL,
			    "the path of its socket is short enough");
}

static void check_key(struct doctor *d, const char *dir)
{
	char fix[FIX_BYTES];
	struct stat st;

	if (fstatat(d->dir_fd, "key", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return; /* made with the first secret */
	snprintf(fix, sizeof(fix), "chmod 600 '%.400s/key'", dir);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		doctor_find(d, GROUP_DIRECTORY, FINDING_BAD, fix,
			    "its key is open to others (mode %03o)",
			    (unsigned)st.st_mode & 0777);
}

static void check_token(struct doctor *d, const char *dir)
{
	struct bearer token;
	struct err e;

	if (token_read(dir, &token, &e))
		doctor_find(d, GROUP_ENDPOINTS, FINDING_GOOD, NULL,
			    "the token of its TCP port is closed to others");
	else if (e.reason != ERR_NOT_FOUND) /* made with the first port */
		doctor_find(d, GROUP_ENDPOINTS, FINDING_BAD, NULL, "%s",
			    e.text); /* it says what to do */
	mem_wipe(&token, sizeof(token));
}

static void check_files(struct doctor *d)
{
	struct stat db;
	struct stat wal;

	if (fstatat(d->dir_fd, "executor.db", &db, AT_SYMLINK_NOFOLLOW) != 0)
		return; /* made by the first daemon */
	if (fstatat(d->dir_fd, "executor.db-wal", &wal, AT_SYMLINK_NOFOLLOW) !=
	    0)
		wal.st_size = 0;
	bool much = wal.st_size / MIB >= WAL_ODD_MIB;
	doctor_find(d, GROUP_STORE, much ? FINDING_ODD : FINDING_GOOD,
		    much ? "executor daemon restart" : NULL,
		    "executor.db has %jd KiB, its log %jd KiB",
		    (intmax_t)db.st_size / 1024, (intmax_t)wal.st_size / 1024);
}

static void check_directory(struct doctor *d)
{
	struct election_error why;
	struct stat st;
	struct err e;

	if (!cli_data_dir(d->cli, false, &e)) {
		bool absent = e.reason == ERR_NOT_RUNNING;

		doctor_find(d, GROUP_DIRECTORY,
			    absent ? FINDING_GOOD : FINDING_BAD, NULL, "%s%s",
			    e.text,
			    absent ? "; the first client makes it" : "");
		return;
	}
	const char *dir = d->cli->data_dir;
	if (stat(dir, &st) != 0) {
		doctor_find(d, GROUP_DIRECTORY, FINDING_BAD, NULL, "%s: %s",
			    dir, strerror(errno));
		return;
	}
	bool usable = check_owner(d, dir, &st);
	check_length(d, dir);
	if (!usable)
		return;
	d->dir_fd = datadir_open(dir, false, &why);
	if (d->dir_fd < 0) {
		doctor_find(d, GROUP_DIRECTORY, FINDING_BAD, NULL, "%s",
			    why.why);
		return;
	}
	check_space(d);
	check_key(d, dir);
	check_token(d, dir);
	check_files(d);
}

/* --- the rest ------------------------------------------------------------- */

static void check_program(struct doctor *d)
{
	char *path = sibling_path(NULL, "executord");

	if (access(path, X_OK) == 0)
		doctor_find(d, GROUP_ELECTION, FINDING_GOOD, NULL,
			    "%s can be started", path);
	else
		doctor_find(d, GROUP_ELECTION, FINDING_BAD,
			    "install executor again", "%s: %s", path,
			    strerror(errno));
	free(path);
}

static void check_limits(struct doctor *d)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	bool few =
		limit.rlim_max != RLIM_INFINITY && limit.rlim_max < DESCRIPTORS;
	doctor_find(d, GROUP_LIMITS, few ? FINDING_ODD : FINDING_GOOD,
		    few ? "ulimit -Hn 4096, in the shell that starts it" : NULL,
		    "a daemon started here may open %ju descriptors",
		    few ? (uintmax_t)limit.rlim_max : (uintmax_t)DESCRIPTORS);
}

/* The limit counts what all of the user's programs have: trying says more than
 * a number. */
static void check_processes(struct doctor *d)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0) {
		doctor_find(d, GROUP_LIMITS, FINDING_BAD,
			    "end some of your programs, or raise ulimit -u",
			    "no process can be started: %s", strerror(errno));
		return;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	doctor_find(d, GROUP_LIMITS, FINDING_GOOD, NULL,
		    "a process can be started");
}

void doctor_look_at_place(struct doctor *d)
{
	check_directory(d);
	doctor_look_at_owner(d);
	check_program(d);
	check_limits(d);
	check_processes(d);
}

void doctor_look_at_owner(struct doctor *d)
{
	struct election_error why;

	if (d->dir_fd < 0 && d->cli->data_dir)
		d->dir_fd = datadir_open(d->cli->data_dir, false, &why);
	if (d->dir_fd < 0)
		return;
	d->has_manifest = manifest_read(d->dir_fd, &d->manifest);
	d->holder = plat_lock_holder(d->dir_fd, "owner.lock");
}
