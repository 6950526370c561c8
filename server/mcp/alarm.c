#include "server/mcp/alarm.h"

#include <math.h>

#include "proto/clock.h"

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct alarm *a = w->data;

	(void)loop;
	(void)revents;
	a->ring(a->owner);
}

void alarm_init(struct alarm *a, struct ev_loop *loop,
		void (*ring)(void *owner), void *owner)
{
	a->loop = loop;
	a->at = INFINITY;
	a->ring = ring;
	a->owner = owner;
	ev_init(&a->timer, on_timer);
	a->timer.data = a;
}

double alarm_now(void)
{
	return (double)clock_now_us() / 1e6;
}

void alarm_by(struct alarm *a, double due)
{
	if (isinf(due) || (ev_is_active(&a->timer) && a->at <= due))
		return;
	ev_timer_stop(a->loop, &a->timer);
	ev_timer_set(&a->timer, fmax(due - alarm_now(), 0.0), 0.0);
	ev_timer_start(a->loop, &a->timer);
	a->at = due;
}

void alarm_stop(struct alarm *a)
{
	ev_timer_stop(a->loop, &a->timer);
}
