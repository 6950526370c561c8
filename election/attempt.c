#include "election/attempt.h"

#include <stdio.h>
#include <unistd.h>

#include "election/lock.h"

enum {
	/* A candidate's first line comes at once; later ones while work goes
	 * on.  Past this nobody listens any more; it is not killed. */
	SILENT_MS = 5000,
	WORKING_MS = 30000,
};

void attempt_init(struct attempt *a)
{
	*a = (struct attempt){.lock_fd = -1};
}

bool attempt_lock(struct attempt *a, int dir_fd, const char *data_dir)
{
	struct election_error ignored;

	switch (lock_try(dir_fd, data_dir, "spawn.lock", &a->lock_fd,
			 &ignored)) {
	case LOCK_HELD:
		return false;
	case LOCK_TAKEN:
	case LOCK_FAILED:
		break;
	}
	return true;
}

bool attempt_start(struct attempt *a, const char *candidate,
		   const char *data_dir, int64_t now_ms,
		   struct election_error *e)
{
	a->phase[0] = '\0';
	a->until_ms = now_ms + SILENT_MS;
	return spawn_start(&a->spawn, candidate, data_dir, e);
}

static enum attempt_event fail(const struct attempt *a, const char *code,
			       const char *what, const char *data_dir,
			       struct election_error *e)
{
	election_error_set(e, code,
			   "executord %s%s%s (see %s/logs/executord.log)", what,
			   a->phase[0] ? ", lately: " : "", a->phase, data_dir);
	return ATTEMPT_FAIL;
}

static enum attempt_event hear(struct attempt *a, const struct ready_line *line,
			       const char *data_dir, int64_t now_ms,
			       int64_t *wait_ms, struct election_error *e)
{
	switch (line->kind) {
	case READY_WON:
		snprintf(a->phase, sizeof(a->phase), "%.*s",
			 ATTEMPT_PHASE_BYTES - 1, line->error.why);
		a->until_ms = now_ms + WORKING_MS;
		election_error_set(e, "daemon_starting",
				   "executord is starting: %s", a->phase);
		return ATTEMPT_WORK;
	case READY_READY:
		return ATTEMPT_READY;
	case READY_LOST:
		return ATTEMPT_LOST;
	case READY_BREAKER:
		*wait_ms = line->wait_ms;
		*e = line->error;
		return ATTEMPT_REST;
	case READY_FAILED:
		election_error_set(e, line->error.code,
				   "executord could not start: %s (see "
				   "%s/logs/executord.log)",
				   line->error.why, data_dir);
		return ATTEMPT_FAIL;
	}
	return ATTEMPT_WAIT;
}

enum attempt_event attempt_next(struct attempt *a, const char *data_dir,
				int64_t now_ms, int64_t *wait_ms,
				struct election_error *e)
{
	struct ready_line line;

	switch (spawn_next(&a->spawn, &line)) {
	case SPAWN_LINE:
		return hear(a, &line, data_dir, now_ms, wait_ms, e);
	case SPAWN_END:
		return fail(a, "daemon_unreachable", "died while starting",
			    data_dir, e);
	case SPAWN_WAIT:
		break;
	}
	if (now_ms < a->until_ms)
		return ATTEMPT_WAIT;
	return fail(a, "daemon_starting", "is starting, but says nothing",
		    data_dir, e);
}

void attempt_finish(struct attempt *a)
{
	spawn_finish(&a->spawn);
	if (a->lock_fd >= 0)
		close(a->lock_fd);
	a->lock_fd = -1;
}

void attempt_reap(struct attempt *a)
{
	spawn_reap(&a->spawn);
}
