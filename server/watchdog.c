#include "server/watchdog.h"

#include <ev.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "proto/log.h"

enum { RINGS = 3, WORDS_BYTES = 200 };

/* What a signal handler shares with the loop it interrupts. */
static volatile sig_atomic_t at_work; /* between a wait's end and the next */
static volatile sig_atomic_t turned;  /* since the last ring */
static volatile sig_atomic_t set;     /* an alarm will ring */
static volatile sig_atomic_t rings;   /* in this turn, not counting the first */

static struct ev_loop *watched;
static struct itimerval period;
static char words[WORDS_BYTES];
static size_t words_len;
static ev_check woken;
static ev_prepare asleep;

static void set_alarm(void)
{
	set = 1;
	setitimer(ITIMER_REAL, &period, NULL);
}

/* Only what is async-signal-safe. */
static void on_alarm(int number)
{
	(void)number;
	set = 0;
	if (!at_work) {
		rings = 0;
		return; /* the next turn sets one again */
	}
	rings = turned ? 0 : rings + 1;
	turned = 0;
	if (rings < RINGS) {
		set_alarm();
		return;
	}
	if (write(log_fd(), words, words_len) < 0)
		_exit(128 +
		      SIGABRT); /* the log is full: be gone all the same */
	abort();
}

/* The wait is over.  A turn that only the alarm began, with nothing to do, is
 * no work: it would set the next one, for ever. */
static void on_woken(struct ev_loop *loop, ev_check *w, int revents)
{
	(void)w;
	(void)revents;
	turned = 1;
	if (ev_pending_count(loop) == 0)
		return;
	at_work = 1;
	if (!set)
		set_alarm();
}

static void on_asleep(struct ev_loop *loop, ev_prepare *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	at_work = 0;
}

void watchdog_start(struct ev_loop *loop, unsigned ms)
{
	struct sigaction action = {.sa_handler = on_alarm,
				   .sa_flags = SA_RESTART};
	unsigned ring_ms = ms / RINGS;

	if (ms == 0)
		return;
	watched = loop;
	period.it_value.tv_sec = (time_t)(ring_ms / 1000);
	period.it_value.tv_usec = (suseconds_t)(ring_ms % 1000 * 1000);
	words_len = (size_t)snprintf(
		words, sizeof(words),
		"executord: broken: the loop has not turned for %u s: ending, "
		"so that another daemon can take over\n",
		ms / 1000);
	sigemptyset(&action.sa_mask);
	sigaction(SIGALRM, &action, NULL);
	ev_check_init(&woken, on_woken);
	ev_set_priority(&woken, EV_MAXPRI);
	ev_check_start(loop, &woken);
	ev_prepare_init(&asleep, on_asleep);
	/* After all others, who still work then. */
	ev_set_priority(&asleep, EV_MINPRI);
	ev_prepare_start(loop, &asleep);
}

void watchdog_stop(void)
{
	struct itimerval none = {0};

	if (!watched)
		return;
	setitimer(ITIMER_REAL, &none, NULL);
	set = 0;
	at_work = 0;
	ev_check_stop(watched, &woken);
	ev_prepare_stop(watched, &asleep);
	watched = NULL;
}
