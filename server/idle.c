#include "server/idle.h"

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct idle *i = w->data;

	(void)loop;
	(void)revents;
	i->over(i->owner);
}

void idle_init(struct idle *i, struct ev_loop *loop, unsigned ms,
	       void (*over)(void *owner), void *owner)
{
	i->loop = loop;
	i->ms = ms;
	i->over = over;
	i->owner = owner;
	ev_timer_init(&i->timer, on_timer, 0., 0.);
	i->timer.data = i;
}

void idle_look(struct idle *i, bool somebody)
{
	bool waiting = ev_is_active(&i->timer);

	if (somebody && waiting) {
		ev_timer_stop(i->loop, &i->timer);
	} else if (!somebody && !waiting && i->ms > 0) {
		/* The loop's own time may be that of a turn long ago. */
		ev_now_update(i->loop);
		ev_timer_set(&i->timer, i->ms / 1e3, 0.);
		ev_timer_start(i->loop, &i->timer);
	}
}
