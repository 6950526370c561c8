#include "server/mcp/backoff.h"

#include <math.h>

static const double first_s = 0.25;
static const double longest_s = 30.0;
static const double well_s = 60.0;

void backoff_fail(struct backoff *b, double now, double ready_since)
{
	if (ready_since > 0 && now - ready_since >= well_s)
		b->failures = 0;
	double rest_s = first_s * (double)(1u << b->failures);
	if (rest_s < longest_s)
		b->failures++;
	b->until = now + fmin(rest_s, longest_s);
}

double backoff_left(const struct backoff *b, double now)
{
	return fmax(b->until - now, 0.0);
}
