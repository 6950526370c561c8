#include "election/owner.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "election/address.h"
#include "election/breaker.h"
#include "election/file.h"
#include "election/lock.h"
#include "election/notice.h"
#include "election/plat.h"
#include "election/ready.h"
#include "election/text.h"

enum { RECORD_BYTES = 1024 };

static const char lock_name[] = "owner.lock";

/* Owned by the daemon. */
struct owner {
	int dir_fd;
	int run_fd;
	int lock_fd;
	int ready_fd; /* -1 once the verdict is told */
	char *data_dir;
	char *run;  /* data_dir/run, for messages and the watch */
	char *link; /* data_dir/run/executor.sock */
	struct plat_watch *watch;
	struct breaker breaker;
	struct address address;
	uint64_t epoch;
	bool published;
	struct notice notice;
};

static struct owner *new_owner(const char *data_dir, int ready_fd)
{
	struct owner *o = calloc(1, sizeof(*o));

	assert(o);
	o->dir_fd = o->run_fd = o->lock_fd = -1;
	o->ready_fd = ready_open(ready_fd);
	o->data_dir = text_copy(data_dir);
	o->run = text_path(data_dir, "run");
	o->link = text_path(o->run, NOTICE_LINK);
	return o;
}

static void tell(struct owner *o, enum ready_kind kind, int64_t wait_ms,
		 const struct election_error *e)
{
	struct ready_line line = {.kind = kind, .wait_ms = wait_ms};

	if (e)
		line.error = *e;
	ready_tell(o->ready_fd, &line);
}

static void close_ready(struct owner *o)
{
	if (o->ready_fd >= 0)
		close(o->ready_fd);
	o->ready_fd = -1;
}

/* Who am I, in words that survive the reuse of a pid. */
static void identify(struct manifest *m)
{
	bool stopped;

	m->pid = getpid();
	if (!plat_process(getpid(), &m->start_ticks, &stopped))
		m->start_ticks = 0;
	plat_boot_id(m->boot_id);
	if (gethostname(m->host, sizeof(m->host)) != 0 || m->host[0] == '\0')
		snprintf(m->host, sizeof(m->host), "unknown");
	m->host[sizeof(m->host) - 1] = '\0';
}

/* For people who look into owner.lock; nothing is decided by it, so a full
 * disk does not matter here. */
static void write_record(struct owner *o, const char *phase)
{
	struct manifest me = {0};
	char text[RECORD_BYTES];

	identify(&me);
	int len = snprintf(
		text, sizeof(text),
		"pid %" PRId64 "\nstart_ticks %" PRIu64
		"\nboot_id %s\nhost %s\nepoch %" PRIu64 "\nphase %.64s\n",
		me.pid, me.start_ticks, me.boot_id, me.host, o->epoch, phase);
	if (pwrite(o->lock_fd, text, (size_t)len, 0) == len &&
	    ftruncate(o->lock_fd, len) != 0)
		return;
}

static void watch_dirs(struct owner *o)
{
	char socket_dir[MANIFEST_PATH_BYTES];

	if (!plat_watch_dir(o->watch, o->data_dir) ||
	    !plat_watch_dir(o->watch, o->run)) {
		plat_watch_forget(o->watch);
		return;
	}
	address_dir(&o->address, socket_dir);
	if (socket_dir[0] != '\0')
		plat_watch_dir(o->watch, socket_dir);
}

/* May a daemon run here, and is now the time?  The lock is held. */
static enum owner_outcome begin(struct owner *o, int64_t *wait_ms,
				struct election_error *e)
{
	char boot_id[PLAT_BOOT_ID_BYTES];
	int64_t now = plat_boottime_ms();
	unsigned char jitter;

	o->run_fd = file_open_dir(o->dir_fd, "run");
	if (o->run_fd < 0) {
		election_error_sys(e, "io_error", "cannot open %s", o->run);
		return OWNER_FAILED;
	}
	plat_boot_id(boot_id);
	plat_random(&jitter, sizeof(jitter));
	breaker_read(&o->breaker, o->run_fd, boot_id, now);
	*wait_ms = breaker_wait_ms(&o->breaker, now, jitter);
	if (*wait_ms > 0) {
		election_error_set(
			e, "crash_loop",
			"executord did not become ready %u times in a row%s%s; "
			"next try in %" PRId64 " s, see "
			"%s/logs/executord.log",
			o->breaker.failures,
			o->breaker.cause[0] ? ", lately: " : "",
			o->breaker.cause, (*wait_ms + 999) / 1000, o->data_dir);
		return OWNER_RESTING;
	}
	/* What the predecessor left is nobody's: it is dead. */
	if (!breaker_begin(&o->breaker, o->run_fd, o->run, now, e) ||
	    !notice_drop_stale(o->run_fd, o->run, e))
		return OWNER_FAILED;
	address_sweep(o->data_dir, o->dir_fd);
	o->watch = plat_watch_new();
	if (o->watch)
		watch_dirs(o);
	if (o->watch && plat_watch_dirs(o->watch) == 0) {
		plat_watch_free(o->watch);
		o->watch = NULL;
	}
	return OWNER_WON;
}

static enum owner_outcome take(struct owner *o, int64_t *wait_ms,
			       struct election_error *e)
{
	o->dir_fd = datadir_open(o->data_dir, true, e);
	if (o->dir_fd < 0)
		return OWNER_FAILED;
	const char *network = plat_network_fs(o->dir_fd);
	if (network) {
		election_error_set(
			e, "network_fs",
			"%s lies on %s, where two machines can hold "
			"one lock: put the data directory on a local "
			"disk",
			o->data_dir, network);
		return OWNER_FAILED;
	}
	switch (lock_try(o->dir_fd, o->data_dir, lock_name, &o->lock_fd, e)) {
	case LOCK_HELD:
		election_error_set(e, "already_exists",
				   "another process owns %s: see %s/%s",
				   o->data_dir, o->data_dir, lock_name);
		return OWNER_LOST;
	case LOCK_FAILED:
		return OWNER_FAILED;
	case LOCK_TAKEN:
		break;
	}
	owner_progress(o, "starting");
	return begin(o, wait_ms, e);
}

enum owner_outcome owner_take(struct owner **to, const char *data_dir,
			      int ready_fd, int64_t *wait_ms,
			      struct election_error *e)
{
	struct owner *o = new_owner(data_dir, ready_fd);

	*wait_ms = 0;
	enum owner_outcome outcome = take(o, wait_ms, e);
	switch (outcome) {
	case OWNER_WON:
		*to = o;
		return OWNER_WON;
	case OWNER_LOST:
		tell(o, READY_LOST, 0, NULL);
		break;
	case OWNER_RESTING:
		tell(o, READY_BREAKER, *wait_ms, e);
		break;
	case OWNER_FAILED:
		tell(o, READY_FAILED, 0, e);
		if (o->breaker.failures > 0)
			breaker_blame(&o->breaker, o->run_fd, o->run, e->why);
		break;
	}
	/* No owner's code has run: the lock may go before the process. */
	if (o->lock_fd >= 0)
		close(o->lock_fd);
	owner_free(o);
	return outcome;
}

void owner_progress(struct owner *o, const char *phase)
{
	struct election_error e;

	election_error_set(&e, "daemon_starting", "%s", phase);
	tell(o, READY_WON, 0, &e);
	write_record(o, e.why);
}

int owner_listen(struct owner *o, uint64_t epoch, struct election_error *e)
{
	assert(epoch > 0);
	o->epoch = epoch;
	return address_listen(&o->address, o->data_dir, o->dir_fd, epoch, e);
}

bool owner_publish(struct owner *o, struct manifest *m,
		   struct election_error *e)
{
	char socket_dir[MANIFEST_PATH_BYTES];

	assert(o->address.path[0] != '\0' && m->epoch == o->epoch);
	identify(m);
	memcpy(m->socket, o->address.path, sizeof(m->socket));
	if (!notice_write(&o->notice, m, o->address.below_run, e) ||
	    !notice_post(&o->notice, o->run_fd, o->run, e))
		return false;
	address_dir(&o->address, socket_dir);
	if (o->watch && !o->published)
		plat_watch_dir(o->watch, socket_dir);
	o->published = true;
	return true;
}

void owner_ready(struct owner *o)
{
	tell(o, READY_READY, 0, NULL);
	close_ready(o);
	breaker_end(&o->breaker, o->run_fd);
	write_record(o, "serving");
}

void owner_fail(struct owner *o, const struct election_error *e)
{
	tell(o, READY_FAILED, 0, e);
	close_ready(o);
	if (strcmp(e->code, "version") == 0)
		breaker_undo(&o->breaker, o->run_fd, o->run);
	else if (o->breaker.failures > 0)
		breaker_blame(&o->breaker, o->run_fd, o->run, e->why);
}

static bool is_safe(const char *path, bool directory, struct election_error *e)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return election_error_sys(e, "version", "%s", path);
	if (directory ? !S_ISDIR(st.st_mode)
		      : !S_ISREG(st.st_mode) || access(path, X_OK) != 0)
		return election_error_set(e, "version", "%s is no program",
					  path);
	if ((st.st_uid != geteuid() && st.st_uid != 0) ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		return election_error_set(e, "version",
					  "%s can be changed by others", path);
	return true;
}

/* Whoever can rename the program's directory entry can change it, too. */
static bool is_safe_program(const char *program, struct election_error *e)
{
	const char *slash = strrchr(program, '/');
	char dir[PATH_MAX];

	if (program[0] != '/' || strlen(program) >= sizeof(dir))
		return election_error_set(e, "version", "%s is no program",
					  program);
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - program) + 1, program);
	return is_safe(dir, true, e) && is_safe(program, false, e);
}

void owner_yield(struct owner *o, const char *program, char *const argv[],
		 struct election_error *e)
{
	if (!is_safe_program(program, e))
		return;
	breaker_undo(&o->breaker, o->run_fd, o->run);
	if (o->ready_fd >= 0)
		fcntl(o->ready_fd, F_SETFD, 0);
	execv(program, argv);
	election_error_sys(e, "version", "cannot run %s", program);
	if (o->ready_fd >= 0)
		fcntl(o->ready_fd, F_SETFD, FD_CLOEXEC);
}

int owner_watch_fd(const struct owner *o)
{
	return o->watch ? plat_watch_fd(o->watch) : -1;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Do those who resolve our paths now still arrive where we are? */
static bool dirs_are_current(const struct owner *o)
{
	struct stat mine;
	struct stat there;

	return fstat(o->dir_fd, &mine) == 0 && stat(o->data_dir, &there) == 0 &&
	       is_same(&mine, &there) && fstat(o->run_fd, &mine) == 0 &&
	       fstatat(o->dir_fd, "run", &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       is_same(&mine, &there);
}

enum owner_state owner_check(struct owner *o)
{
	struct election_error e;

	if (o->watch) {
		plat_watch_drain(o->watch);
		if (plat_watch_dirs(o->watch) == 0)
			watch_dirs(o);
	}
	if (!lock_is_current(o->dir_fd, lock_name, o->lock_fd) ||
	    !dirs_are_current(o))
		return OWNER_DEPOSED;
	if (!o->published)
		return OWNER_STILL;
	if (!address_is_current(&o->address) ||
	    !notice_keep(&o->notice, o->run_fd, o->run, &e))
		return OWNER_DEPOSED;
	return OWNER_STILL;
}

void owner_unpublish(struct owner *o)
{
	if (o->published && lock_is_current(o->dir_fd, lock_name, o->lock_fd))
		notice_remove(&o->notice, o->run_fd);
	address_remove(&o->address);
	o->published = false;
}

const char *owner_socket(const struct owner *o)
{
	return o->address.path;
}

const char *owner_link(const struct owner *o)
{
	return o->link;
}

void owner_free(struct owner *o)
{
	if (!o)
		return;
	close_ready(o);
	plat_watch_free(o->watch);
	if (o->run_fd >= 0)
		close(o->run_fd);
	if (o->dir_fd >= 0)
		close(o->dir_fd);
	free(o->data_dir);
	free(o->run);
	free(o->link);
	free(o);
}
