/* source: how much memory its processes use, and what follows from it. */
#include <math.h>

#include "proto/log.h"
#include "server/mcp/source_internal.h"
#include "server/upstream/survey.h"

/* How long after a request its memory is looked at. */
static const double look_after_s = 1.0;
/* So far over the limit nothing is waited for. */
static const double far_over = 1.25;

void source_look_soon(struct source *s)
{
	double interval = (double)s->limits.memory_ms / 1000.0;

	if (interval > 0 && !s->functions)
		s->look_at =
			fmin(s->look_at,
			     fmax(s->looked_at + interval,
				  alarm_now() + fmin(look_after_s, interval)));
}

static uint64_t memory_of(const struct source *s, pid_t session, double now)
{
	struct survey own = {0};
	uint64_t bytes = survey_memory(s->survey ? s->survey : &own, session,
				       (int64_t)(now * 1000));

	survey_finish(&own);
	return bytes;
}

/* While something is under way, and once more after it: at rest nobody looks.
 */
void source_look(struct source *s, double now)
{
	double limit = (double)s->limits.memory_bytes;
	bool idle = !isinf(leg_idle_since(s->leg));
	struct err e;

	s->rss_bytes = memory_of(s, (pid_t)leg_pid(s->leg), now);
	s->looked_at = now;
	s->look_at = INFINITY;
	double used = (double)s->rss_bytes;
	if (limit == 0 || used <= limit ||
	    (!idle && used <= limit * far_over)) {
		if (!idle)
			source_look_soon(s);
		return;
	}
	err_set(&e, ERR_SOURCE_DOWN,
		"source %s was ended: it used %.0f MiB of memory, more than "
		"its limit of %.0f MiB (executord --source-memory)",
		s->recipe.name, used / (1 << 20), limit / (1 << 20));
	log_odd("source", "%s", e.text);
	s->last_error = e;
	source_begin_stop(s, &e);
}
