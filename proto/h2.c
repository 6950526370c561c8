#include "proto/h2_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/mem.h"
#include "proto/pump.h"

enum {
	/* Frames are made up to here, and again when the kernel has taken all
	 * but that: what is not made yet can still be overtaken. */
	OUTPUT_HIGH_BYTES = 256 * 1024,
	OUTPUT_LOW_BYTES = 64 * 1024,
	LINGER_BYTES = 16 * 1024 * 1024,
};

static const double LINGER_S = 1;

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[H2_OPEN] = 1u << H2_ENDING | 1u << H2_LINGERING | 1u << H2_DOWN,
	[H2_ENDING] = 1u << H2_DOWN,
	[H2_LINGERING] = 1u << H2_DOWN,
	[H2_DOWN] = 0,
};

/* The only writer of h->state. */
static void advance(struct h2 *h, enum h2_state next)
{
	assert(may_follow[h->state] & 1u << next);
	h->state = next;
}

void h2_doom(struct h2 *h, uint32_t error, enum reason reason, const char *why)
{
	if (h->doomed)
		return;
	h->doomed = true;
	h->doom = error;
	h->doom_why = why;
	if (h->why.reason == ERR_NONE)
		err_set(&h->why, reason, "%s: %s", why,
			nghttp2_http2_strerror(error));
}

static void doom_fatal(struct h2 *h, int rv)
{
	if (h->freed)
		return;
	if (rv == NGHTTP2_ERR_FLOODED)
		h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM, ERR_OVERLOADED,
			"too many frames that must be acknowledged");
	else if (rv == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
		h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM, ERR_OVERLOADED,
			"too many continuations of a header block");
	else
		h2_doom(h, NGHTTP2_PROTOCOL_ERROR, ERR_PROTOCOL,
			nghttp2_strerror(rv));
}

void h2_wake(struct h2 *h)
{
	if (h->pump)
		pump_wake(h->pump);
}

/* --- the turns --- */

static void make_frames(struct h2 *h)
{
	while (pump_queued(h->pump) <= OUTPUT_HIGH_BYTES) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(h->session, &bytes);

		if (n < 0)
			doom_fatal(h, (int)n);
		if (n <= 0)
			return;
		pump_write(h->pump,
			   (struct slice){(const char *)bytes, (size_t)n});
		if (h->freed)
			return;
	}
}

/* Frames, then word to the streams whose queues they came from, which may be
 * good for more frames. */
static void make_output(struct h2 *h)
{
	do {
		make_frames(h);
		if (list_empty(&h->drained))
			return;
		while (!list_empty(&h->drained)) {
			struct list *link = list_pop(&h->drained);

			h2_stream_drained(LIST_ITEM(link, struct h2_stream,
						    drained_link));
		}
	} while (!h->freed && !h->doomed);
}

static void close_streams(struct h2 *h)
{
	while (!list_empty(&h->streams))
		h2_stream_close(LIST_ITEM(list_pop(&h->streams),
					  struct h2_stream, link),
				H2_LOST);
}

static void release_session(struct h2 *h)
{
	h2_guard_stop(h);
	h2_life_stop(h);
	close_streams(h);
	h2_block_release(&h->block);
	nghttp2_session_del(h->session);
	h->session = NULL;
}

static void release_connection(struct h2 *h)
{
	release_session(h);
	ev_timer_stop(h->loop, &h->linger);
	pump_free(h->pump);
	h->pump = NULL;
}

static void finish(struct h2 *h)
{
	advance(h, H2_DOWN);
	release_connection(h);
	if (!h->freed)
		h->events->down(h->owner, &h->why);
}

/* As much of a GOAWAY as the kernel takes at once: this peer gets no more of
 * our time. */
static void say_last_words(struct h2 *h)
{
	if (!h->said_goaway)
		nghttp2_submit_goaway(
			h->session, NGHTTP2_FLAG_NONE,
			nghttp2_session_get_last_proc_stream_id(h->session),
			h->doom, (const uint8_t *)h->doom_why,
			strlen(h->doom_why));
	make_frames(h);
	if (!h->freed)
		pump_flush(h->pump);
}

/* A socket that is closed with unread bytes in it is reset, and the peer may
 * never see what we said last: what it still sends is read for a moment, and
 * dropped. */
static void linger(struct h2 *h)
{
	advance(h, H2_LINGERING);
	release_session(h);
	if (h->freed)
		return;
	pump_close_write(h->pump);
	ev_timer_set(&h->linger, LINGER_S, 0);
	ev_timer_start(h->loop, &h->linger);
}

static void on_lingered(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct h2 *h = w->data;

	(void)loop;
	(void)revents;
	h2_enter(h);
	finish(h);
	h2_leave(h);
}

/* After the last event of a turn, and outside nghttp2: may the connection go
 * on? */
static void settle(struct h2 *h)
{
	if (h->state != H2_OPEN)
		return;
	if (h->doomed) {
		say_last_words(h);
		if (h->server)
			linger(h);
		else
			finish(h);
	} else if (nghttp2_session_want_read(h->session) ||
		   nghttp2_session_want_write(h->session)) {
		h2_guard_block(h);
		h2_guard_stall(h);
	} else if (pump_queued(h->pump) == 0) {
		finish(h);
	} else {
		/* Both sides are done with it: .drained of the pump is next. */
		advance(h, H2_ENDING);
		h2_guard_stop(h);
		h2_life_stop(h);
		pump_pause(h->pump);
		pump_marks(h->pump, 0, 0);
	}
}

static void destroy(struct h2 *h)
{
	h->busy++; /* nobody shall come here twice */
	if (h->state != H2_DOWN)
		release_connection(h);
	free(h);
}

void h2_enter(struct h2 *h)
{
	h->busy++;
}

void h2_leave(struct h2 *h)
{
	assert(h->busy > 0);
	if (h->busy == 1 && !h->freed)
		settle(h);
	if (--h->busy == 0 && h->freed)
		destroy(h);
}

/* --- the pump ---
 *
 * A peer that does not read is read all the same: two peers that both wait with
 * reading until their own bytes have left would wait for each other.  What it
 * can make us owe it is bounded without that: streams that cannot be closed
 * count against its limit of streams, queues have marks, nghttp2 counts the
 * acknowledgements; and the pump gives up when nothing moves. */

static void on_bytes(void *owner, struct slice bytes)
{
	struct h2 *h = owner;

	h2_enter(h);
	h->life.heard_at = ev_now(h->loop);
	if (h->state == H2_OPEN) {
		ssize_t n = h2_receive(h, bytes);

		if (n < 0)
			doom_fatal(h, (int)n);
		else
			h2_guard_received(h, bytes);
		h2_wake(h);
	} else if (h->state == H2_LINGERING) {
		h->lingered_bytes += bytes.len;
		if (h->lingered_bytes > LINGER_BYTES)
			finish(h);
	}
	h2_leave(h);
}

static void on_fill(void *owner)
{
	struct h2 *h = owner;

	h2_enter(h);
	if (h->state == H2_OPEN && !h->doomed)
		make_output(h);
	h2_leave(h);
}

static void on_drained(void *owner)
{
	struct h2 *h = owner;

	h2_enter(h);
	if (h->state == H2_ENDING) {
		finish(h);
	} else if (h->state == H2_OPEN) {
		h2_wake(h);
	}
	h2_leave(h);
}

/* End of file is a loss only where somebody waited for something. */
static void explain(struct h2 *h, const struct err *why)
{
	if (h->why.reason != ERR_NONE || h->state != H2_OPEN)
		return;
	if (why->reason != ERR_NONE)
		h->why = *why;
	else if (h->stream_count > 0 ||
		 !(h->server || h->draining || h->peer_drains))
		err_set(&h->why, ERR_LOST,
			"the other side closed the connection");
}

static void on_pump_down(void *owner, const struct err *why)
{
	struct h2 *h = owner;

	h2_enter(h);
	explain(h, why);
	finish(h);
	h2_leave(h);
}

static const struct pump_events pump_events = {
	.bytes = on_bytes,
	.fill = on_fill,
	.drained = on_drained,
	.down = on_pump_down,
};

/* --- the owner --- */

struct h2_limits h2_limits_local(void)
{
	return (struct h2_limits){
		.streams = 256,
		.header_list_bytes = 16 * 1024,
		.header_count = 128,
		/* HTTP/2's own 64 KiB, which nobody needs to be told. */
		.window_start_bytes = NGHTTP2_INITIAL_WINDOW_SIZE,
		.window_stream_bytes = 1024 * 1024,
		.window_connection_bytes = 8 * 1024 * 1024,
		.resets_burst = 10000,
		.resets_per_s = 1000,
		.faults = 100,
		.idle_frames_per_s = 10000,
		.settings_per_s = 100,
		.pings_per_s = 100,
		.preface_ms = 5000,
		.stall_ms = 60000,
		.queue_high_bytes = 256 * 1024,
		.queue_low_bytes = 64 * 1024,
		.queue_all_bytes = 512 * 1024 * 1024,
		.keepalive_timeout_ms = 20000,
		.age_grace_ms = 60000,
		.any_authority = true,
	};
}

struct h2_limits h2_limits_tcp(void)
{
	struct h2_limits l = h2_limits_local();

	l.window_stream_bytes = 256 * 1024;
	l.window_connection_bytes = 1024 * 1024;
	l.resets_burst = 2000;
	l.resets_per_s = 200;
	l.idle_frames_per_s = 2000;
	l.settings_per_s = 20;
	l.pings_per_s = 20;
	/* Half of the least that gRPC's clients can be told to. */
	l.ping_interval_ms = 5000;
	l.ping_strikes = 2;
	l.queue_all_bytes = 128 * 1024 * 1024;
	l.idle_ms = 15 * 60 * 1000;
	l.any_authority = false;
	return l;
}

static struct h2 *h2_new(struct ev_loop *loop, int fd, bool server,
			 const struct h2_limits *limits,
			 const struct h2_events *events, void *owner)
{
	struct h2 *h = mem_zalloc(sizeof(*h));

	assert(limits->queue_low_bytes <= limits->queue_high_bytes);
	h->loop = loop;
	h->events = events;
	h->owner = owner;
	h->limits = *limits;
	h->server = server;
	h->window_bytes = limits->window_start_bytes;
	list_init(&h->streams);
	list_init(&h->drained);
	h->session = h2_session_new(h);
	h->pump = pump_new(loop, fd, fd, &pump_events, h);
	pump_marks(h->pump, OUTPUT_LOW_BYTES, OUTPUT_HIGH_BYTES);
	pump_stall(h->pump, limits->stall_ms);
	h2_idle_init(h);
	h2_guard_init(h);
	h2_life_init(h);
	ev_init(&h->linger, on_lingered);
	h->linger.data = h;
	/* Our SETTINGS and the answer to what came with the connection go out
	 * together. */
	if (server)
		pump_look(h->pump);
	h2_wake(h);
	return h;
}

struct h2 *h2_new_server(struct ev_loop *loop, int fd,
			 const struct h2_limits *limits,
			 const struct h2_events *events, void *owner)
{
	return h2_new(loop, fd, true, limits, events, owner);
}

struct h2 *h2_new_client(struct ev_loop *loop, int fd,
			 const struct h2_limits *limits,
			 const struct h2_events *events, void *owner)
{
	return h2_new(loop, fd, false, limits, events, owner);
}

size_t h2_streams(const struct h2 *h)
{
	return h->stream_count;
}

size_t h2_queued_all(const struct h2 *h)
{
	size_t sum = h->pump ? pump_queued(h->pump) : 0;

	for (struct list *at = h->streams.next; at != &h->streams;
	     at = at->next)
		sum += LIST_ITEM(at, struct h2_stream, link)->queue.len;
	return sum;
}

void h2_drain(struct h2 *h)
{
	/* RFC 9113 section 6.8: "A server that is attempting to gracefully
	 * shut down a connection SHOULD send an initial GOAWAY frame with the
	 * last stream identifier set to 2^31-1"; the PING behind it comes back
	 * after all that the peer sent before it knew. */
	if (h->state != H2_OPEN || h->draining)
		return;
	h->draining = true;
	if (h->server) {
		h2_life_drain(h);
	} else {
		nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, 0,
				      NGHTTP2_NO_ERROR, NULL, 0);
	}
	h2_wake(h);
}

bool h2_flush(struct h2 *h)
{
	bool done = false;

	if (h->state == H2_DOWN || h->state == H2_LINGERING)
		return true;
	/* Inside an event nghttp2 may be on the stack: no new frames. */
	if (h->busy > 0)
		return pump_flush(h->pump) &&
		       !nghttp2_session_want_write(h->session);
	h->busy++;
	if (h->state == H2_OPEN && !h->doomed)
		make_output(h);
	if (!h->freed)
		done = pump_flush(h->pump) &&
		       !nghttp2_session_want_write(h->session);
	h2_wake(h); /* the turn settles what this brought about */
	if (--h->busy == 0 && h->freed)
		destroy(h);
	return done;
}

void h2_free(struct h2 *h)
{
	if (!h || h->freed)
		return;
	h->freed = true;
	if (h->busy == 0)
		destroy(h);
}
