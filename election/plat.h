/*
 * plat: the operating system, as far as an election needs it.
 *
 * The one file of election/ that knows which system it runs on: everything
 * else is POSIX.  Linux has inotify, epoll and /proc; macOS and the BSDs have
 * kqueue and sysctl.  Each function has an answer for a system that cannot:
 * callers then poll, or say "unknown".
 */
#ifndef ELECTION_PLAT_H
#define ELECTION_PLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PLAT_BOOT_ID_BYTES = 40 };

/* Milliseconds since boot, sleep included. */
int64_t plat_boottime_ms(void);

/* Which boot of the machine this is, or "unknown". */
void plat_boot_id(char to[PLAT_BOOT_ID_BYTES]);

/* When a process started, in the system's own unit (with pid and boot id it
 * names a process for good), and whether it is stopped.  False when nobody
 * can tell. */
bool plat_process(pid_t pid, uint64_t *start_ticks, bool *stopped);

/* Who holds flock() on the file of that name below dir_fd; 0 when nobody does,
 * or when nobody can tell.  Takes no lock, not even for a moment. */
pid_t plat_lock_holder(int dir_fd, const char *name);

/* A descriptor, of the caller, that is readable once this process has ended;
 * -1 where there is no such process, or the system has no such thing. */
int plat_process_fd(pid_t pid);

/* Fill with random bytes, 256 at most. */
void plat_random(void *to, size_t len);

/* Close every descriptor from first on.  Async-signal-safe. */
void plat_close_from(int first);

/* The name of the network or user-space file system that dir_fd lies on,
 * where flock() may be granted twice; NULL for a local one. */
const char *plat_network_fs(int dir_fd);

/*
 * A watch: one descriptor that is readable when one of several directories
 * changed or when its input descriptor is readable.
 */
struct plat_watch;

enum { PLAT_WATCH_DIRS = 4 };

/* NULL, with errno, if the system has no descriptor left. */
struct plat_watch *plat_watch_new(void);
int plat_watch_fd(const struct plat_watch *w);

/* Watch this descriptor too, instead of the one before; -1 for none.  Call it
 * before that descriptor is closed. */
bool plat_watch_input(struct plat_watch *w, int fd);

/* Watch the entries of a directory (removed, renamed; who only makes one or
 * writes to it may go unnoticed) and the directory itself.  False: poll. */
bool plat_watch_dir(struct plat_watch *w, const char *path);

/* How many directories are being watched. */
unsigned plat_watch_dirs(const struct plat_watch *w);

/* Take note of the changes so far: the descriptor is silent until the next.
 * A directory that is gone itself ends the watching of all of them. */
void plat_watch_drain(struct plat_watch *w);

/* Stop watching directories; nothing wakes up for them any more. */
void plat_watch_forget(struct plat_watch *w);

/* w may be NULL. */
void plat_watch_free(struct plat_watch *w);

#endif
