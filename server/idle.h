/*
 * idle: for how long nobody has been here.
 *
 * One timer, which runs only while there is nobody: a daemon at rest is woken
 * once, by its end.  Whoever comes stops it; it begins anew when the last one
 * has gone.  Owned by the daemon.
 */
#ifndef SERVER_IDLE_H
#define SERVER_IDLE_H

#include <ev.h>
#include <stdbool.h>

struct idle {
	struct ev_loop *loop;
	unsigned ms; /* 0: never over */
	void (*over)(void *owner);
	void *owner;
	ev_timer timer;
};

/* over is called from the loop, once for each time that nobody came for ms. */
void idle_init(struct idle *i, struct ev_loop *loop, unsigned ms,
	       void (*over)(void *owner), void *owner);

/* Is somebody there?  Say so in every turn of the loop; it costs nothing while
 * that does not change. */
void idle_look(struct idle *i, bool somebody);

#endif
