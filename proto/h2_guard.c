#include "proto/h2_internal.h"

#include <math.h>

enum {
	MS_PER_S = 1000,
	FAULTS_REFILL_S = 60,
	PREFACE_BYTES = 24,
	HEAD_BYTES = 9,
};

/* One token; false when there is none. */
static bool take(struct h2 *h, struct h2_rate *r, double burst, double per_s)
{
	ev_tstamp now = ev_now(h->loop);

	r->left += (now - r->at) * per_s;
	if (r->left > burst)
		r->left = burst;
	r->at = now;
	if (r->left < 1)
		return false;
	r->left -= 1;
	return true;
}

static void calm(struct h2 *h, const char *why)
{
	h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM, ERR_OVERLOADED, why);
}

static void give_up(struct h2 *h, uint32_t error, const char *why)
{
	h2_enter(h);
	h2_doom(h, error, ERR_PROTOCOL, why);
	h2_leave(h);
}

static void on_handshake(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	give_up(w->data, NGHTTP2_SETTINGS_TIMEOUT,
		"the HTTP/2 handshake was not finished in time");
}

static void on_block(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	give_up(w->data, NGHTTP2_PROTOCOL_ERROR,
		"a header block was not finished in time");
}

/* Look after those that wait, and at the next of them when it is due. */
static void end_stalled(struct h2 *h)
{
	ev_tstamp stall_s = (double)h->limits.stall_ms / MS_PER_S;
	ev_tstamp now = ev_now(h->loop);

	h2_enter(h);
	ev_tstamp moved_at = h2_streams_stalled(h, now - stall_s);
	h->guard.stall.repeat =
		moved_at > 0 ? fmax(moved_at + stall_s - now, 0.001) : stall_s;
	if (moved_at > 0)
		ev_timer_again(h->loop, &h->guard.stall);
	else
		ev_timer_stop(h->loop, &h->guard.stall);
	h2_leave(h);
}

static void on_stall(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	end_stalled(w->data);
}

void h2_guard_init(struct h2 *h)
{
	struct h2_guard *g = &h->guard;
	double patience_s = (double)h->limits.preface_ms / MS_PER_S;

	g->idle = (struct h2_rate){h->limits.idle_frames_per_s, 0};
	g->resets = (struct h2_rate){h->limits.resets_burst, 0};
	g->settings = (struct h2_rate){h->limits.settings_per_s, 0};
	g->pings = (struct h2_rate){h->limits.pings_per_s, 0};
	g->faults = (struct h2_rate){h->limits.faults, 0};
	ev_timer_init(&g->handshake, on_handshake, patience_s, 0);
	ev_timer_init(&g->block, on_block, 0, patience_s);
	ev_timer_init(&g->stall, on_stall, 0,
		      (double)h->limits.stall_ms / MS_PER_S);
	g->skip_bytes = h->server ? PREFACE_BYTES : 0;
	g->handshake.data = h;
	g->block.data = h;
	g->stall.data = h;
	/* The loop's clock stands still while the program does other things;
	 * a timer counted from there would run out too early. */
	ev_now_update(h->loop);
	ev_timer_start(h->loop, &g->handshake);
}

void h2_guard_idle(struct h2 *h)
{
	if (!take(h, &h->guard.idle, h->limits.idle_frames_per_s,
		  h->limits.idle_frames_per_s))
		calm(h, "too many idle frames");
}

void h2_guard_progress(struct h2 *h)
{
	h->guard.idle.left += 1;
}

/* gRPC's own servers count so (keepalive.md), and its clients know the word
 * for it. */
static bool may_ping(struct h2 *h)
{
	struct h2_guard *g = &h->guard;
	ev_tstamp now = ev_now(h->loop);
	ev_tstamp allowed_at =
		g->pinged_at + (double)h->limits.ping_interval_ms / MS_PER_S;

	if (g->pinged_at > 0 && now < allowed_at)
		g->strikes++;
	g->pinged_at = now;
	return take(h, &g->pings, h->limits.pings_per_s,
		    h->limits.pings_per_s) &&
	       (h->limits.ping_interval_ms == 0 ||
		g->strikes <= h->limits.ping_strikes);
}

void h2_guard_frame(struct h2 *h, const nghttp2_frame_hd *hd)
{
	h->guard.begun++;
	switch (hd->type) {
	case NGHTTP2_DATA:	   /* empty ones are counted when complete */
	case NGHTTP2_CONTINUATION: /* bounded by nghttp2 */
		return;
	case NGHTTP2_RST_STREAM:
		if (!take(h, &h->guard.resets, h->limits.resets_burst,
			  h->limits.resets_per_s))
			calm(h, "too many streams are reset");
		return;
	case NGHTTP2_SETTINGS:
		if (!take(h, &h->guard.settings, h->limits.settings_per_s,
			  h->limits.settings_per_s))
			calm(h, "too many settings");
		return;
	case NGHTTP2_PING:
		if (!(hd->flags & NGHTTP2_FLAG_ACK) && !may_ping(h))
			calm(h, "too_many_pings");
		else if (hd->flags & NGHTTP2_FLAG_ACK)
			h2_guard_idle(h);
		return;
	case NGHTTP2_PRIORITY:
		/* Section 6.3; nghttp2 does not look at them without
		 * priorities. */
		if (hd->stream_id == 0)
			h2_doom(h, NGHTTP2_PROTOCOL_ERROR, ERR_PROTOCOL,
				"PRIORITY of stream 0");
		h2_guard_idle(h);
		return;
	default: /* window updates; headers, until they are used */
		h2_guard_idle(h);
	}
}

/* Count the heads of frames as they pass. */
static void count_heads(struct h2_guard *g, struct slice bytes)
{
	for (size_t at = 0; at < bytes.len;) {
		if (g->skip_bytes > 0) {
			size_t step = bytes.len - at;

			if (step > g->skip_bytes)
				step = g->skip_bytes;
			g->skip_bytes -= step;
			at += step;
			continue;
		}
		if (g->head_bytes < 3) /* the length comes first */
			g->length =
				g->length << 8 | (unsigned char)bytes.ptr[at];
		at++;
		if (++g->head_bytes < HEAD_BYTES)
			continue;
		g->skip_bytes = g->length;
		g->length = 0;
		g->head_bytes = 0;
		g->heads++;
	}
}

void h2_guard_received(struct h2 *h, struct slice bytes)
{
	struct h2_guard *g = &h->guard;

	count_heads(g, bytes);
	/* nghttp2 is silent about what it ignores: types that it does not
	 * know, and frames on closed streams. */
	for (; g->heads > g->begun && !h->doomed; g->begun++)
		h2_guard_idle(h);
	g->heads = 0;
	g->begun = 0;
}

void h2_guard_sent(struct h2 *h, const nghttp2_frame *frame)
{
	bool data = frame->hd.type == NGHTTP2_DATA;

	if (data || frame->hd.type == NGHTTP2_HEADERS) {
		/* A ping is earned, and those before are forgiven; by DATA two
		 * window updates, of stream and connection. */
		h->guard.idle.left += data ? 2 : 0;
		h->guard.pings.left += 1;
		h->guard.pinged_at = 0;
		h->guard.strikes = 0;
		return;
	}
	if (frame->hd.type != NGHTTP2_RST_STREAM)
		return;
	if (frame->hd.stream_id == h->block.stream_id)
		h->block.open = false;
	const struct h2_stream *s = nghttp2_session_get_stream_user_data(
		h->session, frame->hd.stream_id);
	uint32_t error = frame->rst_stream.error_code;
	/* A reset that nghttp2 answers a fault with opens a place for the next
	 * stream while our work on this one may go on (CVE-2025-8671). */
	if (error == NGHTTP2_NO_ERROR ||
	    frame->hd.stream_id > h->life.last_id ||
	    (s && s->resetting &&
	     (error == NGHTTP2_CANCEL || error == NGHTTP2_REFUSED_STREAM)))
		return;
	if (!take(h, &h->guard.faults, h->limits.faults,
		  (double)h->limits.faults / FAULTS_REFILL_S))
		calm(h, "too many streams are broken");
}

void h2_guard_settings(struct h2 *h, bool ack)
{
	struct h2_guard *g = &h->guard;

	if (ack)
		g->settings_acked = true;
	else
		g->settings_came = true;
	if (g->settings_acked && g->settings_came)
		ev_timer_stop(h->loop, &g->handshake);
}

void h2_guard_block(struct h2 *h)
{
	struct h2_guard *g = &h->guard;

	if (!h->block.open)
		ev_timer_stop(h->loop, &g->block);
	else if (g->block_began)
		ev_timer_again(h->loop, &g->block);
	g->block_began = false;
}

void h2_guard_stall(struct h2 *h)
{
	struct h2_guard *g = &h->guard;

	if (!h->server || h->limits.stall_ms == 0)
		return;
	if (h->waiting + h->expecting == 0)
		ev_timer_stop(h->loop, &g->stall);
	else if (!ev_is_active(&g->stall))
		ev_timer_again(h->loop, &g->stall);
}

void h2_guard_stop(struct h2 *h)
{
	ev_timer_stop(h->loop, &h->guard.handshake);
	ev_timer_stop(h->loop, &h->guard.block);
	ev_timer_stop(h->loop, &h->guard.stall);
}
