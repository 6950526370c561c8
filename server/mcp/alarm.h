/*
 * alarm: one timer for whatever is due first.
 *
 * Deadlines are set for every request and met by nearly none, so a timer that
 * is early enough is left alone: it may ring before anything is due, and is
 * then set again.  A stopped alarm, or one that nothing was asked of, wakes
 * nobody up.
 */
#ifndef SERVER_MCP_ALARM_H
#define SERVER_MCP_ALARM_H

#include <ev.h>

struct alarm {
	struct ev_loop *loop;
	ev_timer timer;
	double at; /* while the timer runs */
	void (*ring)(void *owner);
	void *owner;
};

void alarm_init(struct alarm *a, struct ev_loop *loop,
		void (*ring)(void *owner), void *owner);

/* Seconds of a clock that nobody sets, unlike that of ev_now(). */
double alarm_now(void);

/* Ring at due (by alarm_now()) or earlier; INFINITY asks for nothing. */
void alarm_by(struct alarm *a, double due);

void alarm_stop(struct alarm *a);

#endif
