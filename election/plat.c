#include "election/plat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#else
#include <sys/event.h>
#include <sys/mount.h>
#include <sys/param.h>
#include <sys/sysctl.h>
#endif

enum { NANO_PER_MS = 1000000, MANY_DESCRIPTORS = 1 << 20 };

static int64_t clock_ms(clockid_t which)
{
	struct timespec t = {0, 0};

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / NANO_PER_MS;
}

void plat_random(void *to, size_t len)
{
	if (getentropy(to, len) == 0)
		return;
	/* A jail that forbids it.  What is asked for here spreads waits and
	 * names sockets; no secret is made of it. */
	int64_t seed = clock_ms(CLOCK_REALTIME) * 1000003 + getpid();
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t x = (uint64_t)seed ^ (uint64_t)now.tv_nsec << 32;
	for (size_t i = 0; i < len; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)to)[i] = (unsigned char)(x >> 56);
	}
}

/* The slow way, for a system without close_range(): bounded by the hard
 * limit, as the soft one may have been lowered after descriptors were made. */
static void close_one_by_one(int first)
{
	struct rlimit limit;
	int end = MANY_DESCRIPTORS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_max < (rlim_t)end)
		end = (int)limit.rlim_max;
	for (int fd = first; fd < end; fd++)
		close(fd);
}

#ifdef __linux__
/* --- Linux --------------------------------------------------------------- */

int64_t plat_boottime_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

static size_t read_small(const char *path, char *to, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, to, cap - 1);

	if (fd >= 0)
		close(fd);
	to[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

void plat_boot_id(char to[PLAT_BOOT_ID_BYTES])
{
	size_t len = read_small("/proc/sys/kernel/random/boot_id", to,
				PLAT_BOOT_ID_BYTES);

	if (len > 0 && to[len - 1] == '\n')
		to[--len] = '\0';
	if (len == 0)
		strcpy(to, "unknown");
}

bool plat_process(pid_t pid, uint64_t *start_ticks, bool *stopped)
{
	char path[48];
	char text[1024];

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (read_small(path, text, sizeof(text)) == 0)
		return false;
	/* proc(5): the name may hold spaces and parentheses; what follows the
	 * last one is field 3, the state, and field 22 is starttime. */
	char *at = strrchr(text, ')');
	if (!at || at[1] != ' ' || at[2] == '\0')
		return false;
	*stopped = at[2] == 'T' || at[2] == 't';
	at++;
	for (int field = 2; field < 21 && at; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*start_ticks = strtoull(at + 1, NULL, 10);
	return true;
}

void plat_close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
		return;
#endif
	close_one_by_one(first);
}

/* proc_locks(5): "1: FLOCK ADVISORY WRITE 708 08:02:13 0 EOF", the device in
 * hexadecimal.  The pid, when the line is about that file. */
static pid_t flock_pid(char *line, const struct stat *st)
{
	enum { KIND = 1, PID = 4, FILE_ID = 5, FIELDS };
	char *fields[FIELDS] = {NULL};
	char id[64];
	char *rest = NULL;
	char *word = strtok_r(line, " ", &rest);

	for (int i = 0; i < FIELDS && word; i++) {
		fields[i] = word;
		word = strtok_r(NULL, " ", &rest);
	}
	snprintf(id, sizeof(id), "%02x:%02x:%ju", major(st->st_dev),
		 minor(st->st_dev), (uintmax_t)st->st_ino);
	if (!fields[FILE_ID] || strcmp(fields[KIND], "FLOCK") != 0 ||
	    strcmp(fields[FILE_ID], id) != 0)
		return 0;
	long pid = strtol(fields[PID], NULL, 10);
	return pid > 0 ? (pid_t)pid : 0;
}

int plat_process_fd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

pid_t plat_lock_holder(int dir_fd, const char *name)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	struct stat st;
	pid_t holder = 0;

	if (!locks)
		return 0;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		while (holder == 0 && fgets(line, sizeof(line), locks))
			holder = flock_pid(line, &st);
	fclose(locks);
	return holder;
}

const char *plat_network_fs(int dir_fd)
{
	/* f_type of statfs(2) and the kernel's sources. */
	static const struct {
		uint32_t type;
		const char *name;
	} kinds[] = {
		{0x00006969, "nfs"},	{0xff534d42, "cifs"},
		{0xfe534d42, "smb2"},	{0x0000517b, "smb"},
		{0x01021997, "9p"},	{0x65735546, "fuse or virtiofs"},
		{0x00c36400, "ceph"},	{0x0bd00bd0, "lustre"},
		{0x47504653, "gpfs"},	{0x5346414f, "afs"},
		{0x6b414653, "kafs"},	{0x73757245, "coda"},
		{0x786f4256, "vboxsf"}, {0xbacbacbc, "vmhgfs"},
	};
	struct statfs fs;

	if (fstatfs(dir_fd, &fs) != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((uint32_t)fs.f_type == kinds[i].type)
			return kinds[i].name;
	return NULL;
}

struct plat_watch {
	int set;    /* epoll: what the caller watches */
	int notify; /* inotify, or -1: an instance is scarce, 128 a user */
	int input;  /* borrowed, or -1 */
	unsigned dirs;
};

struct plat_watch *plat_watch_new(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct plat_watch *w;

	if (set < 0)
		return NULL;
	w = malloc(sizeof(*w));
	if (!w)
		abort();
	*w = (struct plat_watch){set, -1, -1, 0};
	return w;
}

static bool add_to_set(struct plat_watch *w, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(w->set, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool plat_watch_input(struct plat_watch *w, int fd)
{
	if (w->input >= 0)
		epoll_ctl(w->set, EPOLL_CTL_DEL, w->input, NULL);
	w->input = -1;
	if (fd < 0)
		return true;
	if (!add_to_set(w, fd))
		return false;
	w->input = fd;
	return true;
}

bool plat_watch_dir(struct plat_watch *w, const char *path)
{
	/* Not IN_CREATE: what counts is renamed into its place, and many
	 * adapters would wake up for each file that is going to be. */
	const uint32_t mask = IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
			      IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |
			      IN_DONT_FOLLOW | IN_EXCL_UNLINK;

	if (w->notify < 0) {
		w->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (w->notify < 0)
			return false;
		if (!add_to_set(w, w->notify)) {
			plat_watch_forget(w);
			return false;
		}
	}
	if (inotify_add_watch(w->notify, path, mask) < 0) {
		if (w->dirs == 0)
			plat_watch_forget(w);
		return false;
	}
	w->dirs++;
	return true;
}

void plat_watch_drain(struct plat_watch *w)
{
	/* Aligned as inotify(7) asks. */
	_Alignas(struct inotify_event) char events[4096];
	bool gone = false;
	ssize_t got;

	if (w->notify < 0)
		return;
	while ((got = read(w->notify, events, sizeof(events))) > 0) {
		const char *at = events;

		while (at < events + got) {
			struct inotify_event event;

			memcpy(&event, at, sizeof(event));
			gone |= (event.mask &
				 (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED |
				  IN_UNMOUNT | IN_Q_OVERFLOW)) != 0;
			at += sizeof(event) + event.len;
		}
	}
	if (gone)
		plat_watch_forget(w);
}

void plat_watch_forget(struct plat_watch *w)
{
	if (w->notify >= 0) {
		/* A child between fork and exec may still hold a copy. */
		epoll_ctl(w->set, EPOLL_CTL_DEL, w->notify, NULL);
		close(w->notify);
	}
	w->notify = -1;
	w->dirs = 0;
}

#else
/* --- macOS and the BSDs -------------------------------------------------- */

int64_t plat_boottime_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

void plat_boot_id(char to[PLAT_BOOT_ID_BYTES])
{
	struct timeval boot;
	size_t len = sizeof(boot);
	int name[2] = {CTL_KERN, KERN_BOOTTIME};

	strcpy(to, "unknown");
	if (sysctl(name, 2, &boot, &len, NULL, 0) == 0)
		snprintf(to, PLAT_BOOT_ID_BYTES, "boot-%lld",
			 (long long)boot.tv_sec);
}

/* Each of these systems has its own layout of struct kinfo_proc; nothing is
 * decided by the answer, so it is left unknown. */
bool plat_process(pid_t pid, uint64_t *start_ticks, bool *stopped)
{
	(void)pid;
	*start_ticks = 0;
	*stopped = false;
	return false;
}

void plat_close_from(int first)
{
	close_one_by_one(first);
}

int plat_process_fd(pid_t pid)
{
	(void)pid;
	return -1;
}

/* The kernel does not say. */
pid_t plat_lock_holder(int dir_fd, const char *name)
{
	(void)dir_fd;
	(void)name;
	return 0;
}

const char *plat_network_fs(int dir_fd)
{
	struct statfs fs;

	if (fstatfs(dir_fd, &fs) != 0 || (fs.f_flags & MNT_LOCAL) != 0)
		return NULL;
	return "a network file system";
}

struct plat_watch {
	int set;   /* kqueue: what the caller watches */
	int input; /* borrowed, or -1 */
	unsigned dirs;
	int dir[PLAT_WATCH_DIRS];
};

struct plat_watch *plat_watch_new(void)
{
	int set = kqueue();
	struct plat_watch *w;

	if (set < 0)
		return NULL;
	fcntl(set, F_SETFD, FD_CLOEXEC);
	w = malloc(sizeof(*w));
	if (!w)
		abort();
	*w = (struct plat_watch){.set = set, .input = -1, .dirs = 0};
	return w;
}

static bool change(struct plat_watch *w, int fd, short filter,
		   unsigned short flags, unsigned notes)
{
	struct kevent event;

	EV_SET(&event, fd, filter, flags, notes, 0, NULL);
	return kevent(w->set, &event, 1, NULL, 0, NULL) == 0;
}

bool plat_watch_input(struct plat_watch *w, int fd)
{
	if (w->input >= 0)
		change(w, w->input, EVFILT_READ, EV_DELETE, 0);
	w->input = -1;
	if (fd < 0)
		return true;
	if (!change(w, fd, EVFILT_READ, EV_ADD, 0))
		return false;
	w->input = fd;
	return true;
}

bool plat_watch_dir(struct plat_watch *w, const char *path)
{
	int fd;

	if (w->dirs == PLAT_WATCH_DIRS)
		return false;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (!change(w, fd, EVFILT_VNODE, EV_ADD | EV_CLEAR,
		    NOTE_WRITE | NOTE_DELETE | NOTE_RENAME)) {
		close(fd);
		return false;
	}
	w->dir[w->dirs++] = fd;
	return true;
}

void plat_watch_drain(struct plat_watch *w)
{
	const struct timespec at_once = {0, 0};
	struct kevent events[PLAT_WATCH_DIRS + 1];
	bool gone = false;
	int n = kevent(w->set, NULL, 0, events, PLAT_WATCH_DIRS + 1, &at_once);

	for (int i = 0; i < n; i++)
		gone |= events[i].filter == EVFILT_VNODE &&
			(events[i].fflags & (NOTE_DELETE | NOTE_RENAME)) != 0;
	if (gone)
		plat_watch_forget(w);
}

void plat_watch_forget(struct plat_watch *w)
{
	while (w->dirs > 0)
		close(w->dir[--w->dirs]); /* leaves the kqueue by itself */
}
#endif

int plat_watch_fd(const struct plat_watch *w)
{
	return w->set;
}

unsigned plat_watch_dirs(const struct plat_watch *w)
{
	return w->dirs;
}

void plat_watch_free(struct plat_watch *w)
{
	if (!w)
		return;
	plat_watch_forget(w);
	close(w->set);
	free(w);
}
