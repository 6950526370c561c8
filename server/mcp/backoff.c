#include "server/mcp/backoff.h"

#include <math.h>
#include <string.h>

static const double first_s = 0.25;
static const double longest_s = 30.0;
static const double well_s = 60.0;
static const double loop_s = 60.0;
static const double loop_rest_s = 300.0;

/* The failures of the last minute, and whether they are a loop. */
static bool note(struct backoff *b, double now)
{
	unsigned old = b->recent_count == BACKOFF_LOOP;

	while (old < b->recent_count && b->recent[old] <= now - loop_s)
		old++;
	b->recent_count -= old;
	memmove(b->recent, &b->recent[old],
		b->recent_count * sizeof(*b->recent));
	b->recent[b->recent_count++] = now;
	return b->recent_count == BACKOFF_LOOP;
}

void backoff_fail(struct backoff *b, double now, double ready_since)
{
	if (ready_since > 0 && now - ready_since >= well_s)
		*b = (struct backoff){0};
	if (note(b, now))
		b->looping = true;
	if (b->looping) {
		b->until = now + loop_rest_s;
		return;
	}
	double rest_s = first_s * (double)(1u << b->failures);
	if (rest_s < longest_s)
		b->failures++;
	b->until = now + fmin(rest_s, longest_s);
}

double backoff_left(const struct backoff *b, double now)
{
	return fmax(b->until - now, 0.0);
}
