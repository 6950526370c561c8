/*
 * backoff: how long a source rests after it failed.
 *
 * 0.25 s, then twice as long each time, up to 30 s.  Six failures within a
 * minute are a crash loop: then it rests for five minutes, and after them for
 * five more if it fails again.  Having been ready for a minute makes everything
 * before forgotten.  A zeroed struct has seen no failure.  Times are those of
 * alarm_now().
 */
#ifndef SERVER_MCP_BACKOFF_H
#define SERVER_MCP_BACKOFF_H

#include <stdbool.h>

enum { BACKOFF_LOOP = 6 };

struct backoff {
	unsigned failures; /* in a row, as far as they count */
	double until;
	double recent[BACKOFF_LOOP]; /* when it failed, the oldest first */
	unsigned recent_count;
	bool looping;
};

/* It failed; ready_since is 0 when it had not become ready. */
void backoff_fail(struct backoff *b, double now, double ready_since);

/* Seconds until it is tried again. */
double backoff_left(const struct backoff *b, double now);

#endif
