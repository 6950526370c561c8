#include "election/trouble.h"

#include <inttypes.h>
#include <string.h>

#include "election/plat.h"

/* Is the process that the manifest names still that process, and stopped? */
static bool is_stopped(const struct manifest *m)
{
	char boot_id[PLAT_BOOT_ID_BYTES];
	uint64_t start_ticks;
	bool stopped;

	plat_boot_id(boot_id);
	return strcmp(boot_id, m->boot_id) == 0 &&
	       plat_process((pid_t)m->pid, &start_ticks, &stopped) &&
	       start_ticks == m->start_ticks && stopped;
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
	if (is_stopped(m))
		election_error_set(e, "daemon_unreachable",
				   "the daemon of %s (pid %" PRId64
				   ") is stopped; kill -CONT %" PRId64
				   " lets it go on",
				   data_dir, m->pid, m->pid);
	else
		election_error_set(e, "daemon_unreachable",
				   "the daemon of %s (pid %" PRId64
				   " on %s) does not answer: %s",
				   data_dir, m->pid, m->host, why);
}

void trouble_other(struct election_error *e, const struct manifest *m,
		   const char *data_dir, const char *why)
{
	election_error_set(e, "daemon_unreachable",
			   "what answers at %s is not the daemon of %s: %s",
			   m->socket, data_dir, why);
}
