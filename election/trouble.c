#include "election/trouble.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "election/file.h"
#include "election/plat.h"

enum { RECORD_BYTES = 1024, PHASE_BYTES = 65 };

/* Is that process still that process, and stopped? */
static bool is_stopped(int64_t pid, uint64_t start_ticks, const char *boot_id)
{
	char now[PLAT_BOOT_ID_BYTES];
	uint64_t ticks;
	bool stopped;

	plat_boot_id(now);
	return strcmp(now, boot_id) == 0 &&
	       plat_process((pid_t)pid, &ticks, &stopped) &&
	       ticks == start_ticks && stopped;
}

static void say_stopped(struct election_error *e, int64_t pid,
			const char *data_dir)
{
	election_error_set(e, "daemon_stopped",
			   "the daemon of %s (pid %" PRId64
			   ") is stopped; kill -CONT %" PRId64 " lets it go on",
			   data_dir, pid, pid);
}

void trouble_gone(struct election_error *e, const struct manifest *m,
		  const char *data_dir, const char *why, bool may_start)
{
	if (may_start)
		election_error_set(e, "daemon_starting",
				   "the daemon of %s (pid %" PRId64
				   ") is gone (%s); starting another",
				   data_dir, m->pid, why);
	else
		election_error_set(e, "not_running",
				   "no daemon runs for %s: the last one (pid "
				   "%" PRId64 ") is gone (%s)",
				   data_dir, m->pid, why);
}

void trouble_silent(struct election_error *e, const struct manifest *m,
		    const char *data_dir, const char *why)
{
	if (is_stopped(m->pid, m->start_ticks, m->boot_id))
		say_stopped(e, m->pid, data_dir);
	else
		election_error_set(e, "daemon_unreachable",
				   "the daemon of %s (pid %" PRId64
				   " on %s) does not answer: %s",
				   data_dir, m->pid, m->host, why);
}

void trouble_starting(struct election_error *e, int dir_fd,
		      const char *data_dir)
{
	char text[RECORD_BYTES];
	char pid[24] = "unknown";
	char ticks[24] = "";
	char boot_id[PLAT_BOOT_ID_BYTES] = "";
	char phase[PHASE_BYTES] = "unknown";
	size_t len;

	if (file_read(dir_fd, "owner.lock", text, sizeof(text) - 1, &len)) {
		text[len] = '\0';
		file_line(text, "pid", pid, sizeof(pid));
		file_line(text, "start_ticks", ticks, sizeof(ticks));
		file_line(text, "boot_id", boot_id, sizeof(boot_id));
		file_line(text, "phase", phase, sizeof(phase));
	}
	int64_t who = strtoll(pid, NULL, 10);
	/* One that was stopped before it could write says nothing there. */
	pid_t holder = plat_lock_holder(dir_fd, "owner.lock");
	bool stopped = false;
	if (holder > 0 && holder != who) {
		who = holder;
		snprintf(pid, sizeof(pid), "%" PRId64, who);
		snprintf(phase, sizeof(phase), "unknown");
		plat_boot_id(boot_id);
		uint64_t start_ticks = 0;
		plat_process(holder, &start_ticks, &stopped);
	}
	if (stopped || is_stopped(who, strtoull(ticks, NULL, 10), boot_id))
		say_stopped(e, who, data_dir);
	else
		election_error_set(e, "daemon_starting",
				   "another executord holds %s/owner.lock and "
				   "is not ready yet (the last to take it: pid "
				   "%s, %s)",
				   data_dir, pid, phase);
}

void trouble_other(struct election_error *e, const struct manifest *m,
		   const char *data_dir, const char *why)
{
	election_error_set(e, "daemon_unreachable",
			   "what answers at %s is not the daemon of %s: %s",
			   m->socket, data_dir, why);
}
