#include "proto/h2_internal.h"

#include <math.h>
#include <string.h>

#include "proto/mem.h"

/* An answer brings back what was asked. */
static const uint8_t drain_payload[8] = "drained";
static const uint8_t alive_payload[8] = "alive";

static ev_tstamp seconds(uint32_t ms)
{
	return (ev_tstamp)ms / 1000;
}

/* --- the rules: each says when it is to be looked at again --- */

/* Something is heard now and then, if only the answer to a PING. */
static ev_tstamp keep_alive(struct h2 *h, ev_tstamp now)
{
	struct h2_life *l = &h->life;
	ev_tstamp ask_at = l->heard_at + seconds(h->limits.keepalive_ms);
	ev_tstamp lost_at =
		l->asked_at + seconds(h->limits.keepalive_timeout_ms);

	if (l->asked_at <= l->heard_at) { /* nothing is being asked */
		if (now < ask_at)
			return ask_at;
		l->asked_at = now;
		nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE,
				    alive_payload);
		h2_wake(h);
		lost_at = now + seconds(h->limits.keepalive_timeout_ms);
	} else if (now >= lost_at) {
		h2_doom(h, NGHTTP2_NO_ERROR, ERR_LOST,
			"keepalive pings are not answered");
	}
	/* Once it is answered the next one is due. */
	return fmin(lost_at, now + seconds(h->limits.keepalive_ms));
}

/* A connection without streams is not kept for ever. */
static ev_tstamp leave_idle(struct h2 *h, ev_tstamp now)
{
	ev_tstamp idle_s = seconds(h->limits.idle_ms);

	if (h->stream_count > 0)
		return now + idle_s;
	if (now < h->life.rested_at + idle_s)
		return h->life.rested_at + idle_s;
	h2_drain(h);
	return now + idle_s;
}

/* Nor is any other, so that clients spread over servers anew. */
static ev_tstamp leave_old(struct h2 *h, ev_tstamp now)
{
	struct h2_life *l = &h->life;

	if (l->old_at == 0) {
		if (now < l->born_at + l->age_s)
			return l->born_at + l->age_s;
		l->old_at = now;
		h2_drain(h);
	} else if (now >= l->old_at + seconds(h->limits.age_grace_ms)) {
		h2_doom(h, NGHTTP2_NO_ERROR, ERR_DRAINING,
			"calls were still open when its time was over");
	}
	return l->old_at + seconds(h->limits.age_grace_ms);
}

static void look(struct h2 *h)
{
	static const ev_tstamp least_s = 0.001;
	ev_tstamp now = ev_now(h->loop);
	ev_tstamp next = INFINITY;

	if (h->limits.keepalive_ms > 0)
		next = fmin(next, keep_alive(h, now));
	if (h->limits.idle_ms > 0)
		next = fmin(next, leave_idle(h, now));
	if (h->limits.age_ms > 0)
		next = fmin(next, leave_old(h, now));
	if (h->doomed || isinf(next))
		return;
	ev_timer_set(&h->life.timer, fmax(next - now, least_s), 0);
	ev_timer_start(h->loop, &h->life.timer);
}

static void on_time(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct h2 *h = w->data;

	(void)loop;
	(void)revents;
	h2_enter(h);
	look(h);
	h2_leave(h);
}

/* --- draining --- */

/* The last stream of the peer is known. */
static void conclude(struct h2 *h)
{
	if (!ev_is_active(&h->life.drain))
		return;
	ev_timer_stop(h->loop, &h->life.drain);
	h->life.last_id = nghttp2_session_get_last_proc_stream_id(h->session);
	nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, h->life.last_id,
			      NGHTTP2_NO_ERROR, NULL, 0);
	h2_wake(h);
}

static void on_drain(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	conclude(w->data);
}

void h2_life_drain(struct h2 *h)
{
	nghttp2_submit_shutdown_notice(h->session);
	nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, drain_payload);
	ev_timer_again(h->loop, &h->life.drain);
}

void h2_life_answered(struct h2 *h, const uint8_t payload[8])
{
	if (memcmp(payload, drain_payload, sizeof(drain_payload)) == 0)
		conclude(h);
}

/* --- the beginning and the end --- */

void h2_life_init(struct h2 *h)
{
	struct h2_life *l = &h->life;
	uint8_t dice;

	ev_timer_init(&l->drain, on_drain, 0, seconds(h->limits.preface_ms));
	ev_init(&l->timer, on_time);
	l->last_id = INT32_MAX;
	l->drain.data = h;
	l->timer.data = h;
	l->born_at = l->heard_at = l->rested_at = ev_now(h->loop);
	mem_random(&dice, sizeof(dice));
	/* Of many that came at once not all shall go at once. */
	l->age_s = seconds(h->limits.age_ms) * (0.9 + 0.2 * dice / UINT8_MAX);
	look(h);
}

void h2_life_stop(struct h2 *h)
{
	ev_timer_stop(h->loop, &h->life.drain);
	ev_timer_stop(h->loop, &h->life.timer);
}
