#include "proto/h2_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/log.h"
#include "proto/mem.h"

enum { KEEP_BYTES = 64 * 1024 }; /* of a queue that ran empty */

struct h2_saved {
	size_t count;
	nghttp2_nv list[]; /* what they point to stands behind them */
};

/* nghttp2's own type, pointing to the same bytes.  The caller frees. */
static nghttp2_nv *nv_of(const struct h2_header *headers, size_t count)
{
	nghttp2_nv *list = mem_alloc(count * sizeof(*list));

	for (size_t i = 0; i < count; i++)
		list[i] = (nghttp2_nv){
			.name = (uint8_t *)(uintptr_t)headers[i].name.ptr,
			.namelen = headers[i].name.len,
			.value = (uint8_t *)(uintptr_t)headers[i].value.ptr,
			.valuelen = headers[i].value.len,
			.flags = NGHTTP2_NV_FLAG_NONE,
		};
	return list;
}

static struct h2_saved *save(const struct h2_header *headers, size_t count)
{
	size_t text_bytes = 0;

	for (size_t i = 0; i < count; i++)
		text_bytes += headers[i].name.len + headers[i].value.len;
	struct h2_saved *saved = mem_zalloc(
		sizeof(*saved) + count * sizeof(nghttp2_nv) + text_bytes);
	uint8_t *text = (uint8_t *)&saved->list[count];

	saved->count = count;
	for (size_t i = 0; i < count; i++) {
		nghttp2_nv *nv = &saved->list[i];

		nv->namelen = headers[i].name.len;
		nv->valuelen = headers[i].value.len;
		nv->name = memcpy(text, headers[i].name.ptr, nv->namelen);
		text += nv->namelen;
		nv->value = text;
		if (nv->valuelen > 0)
			memcpy(text, headers[i].value.ptr, nv->valuelen);
		text += nv->valuelen;
	}
	return saved;
}

/* Does the owner hear of more than the end? */
static bool hears(const struct h2_stream *s)
{
	return s->events && !s->resetting && !s->h2->freed && !s->h2->doomed;
}

/* --- the queue --- */

/* It has changed. */
static void recount(struct h2_stream *s)
{
	struct h2 *h = s->h2;

	if (s->waiting_bytes == 0 && s->queue.len > 0) {
		h->waiting++;
		s->moved_at = ev_now(h->loop);
	} else if (s->waiting_bytes > 0 && s->queue.len == 0) {
		h->waiting--;
	}
	h->waiting_bytes = h->waiting_bytes - s->waiting_bytes + s->queue.len;
	s->waiting_bytes = s->queue.len;
}

static void drop_queue(struct h2_stream *s)
{
	buf_finish(&s->queue);
	recount(s);
}

static void resume(struct h2_stream *s)
{
	if (s->deferred) {
		s->deferred = false;
		nghttp2_session_resume_data(s->h2->session, s->id);
	}
	h2_wake(s->h2);
}

static void mark_drained(struct h2_stream *s)
{
	if (!s->above_high || s->queue.len > s->h2->limits.queue_low_bytes)
		return;
	s->above_high = false;
	list_append(&s->h2->drained, &s->drained_link);
}

/* nghttp2 makes a DATA frame.  RFC 9113 section 8.1: a message ends with "an
 * optional trailer section, if present", so when trailers follow, the last
 * DATA must not carry END_STREAM. */
static ssize_t on_frame_wanted(nghttp2_session *session, int32_t id,
			       uint8_t *to, size_t len, uint32_t *flags,
			       nghttp2_data_source *source, void *user)
{
	struct h2_stream *s = source->ptr;

	(void)user;
	/* The trailers are on their way already. */
	if (s->sent_all) {
		*flags |=
			NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		return 0;
	}
	if (len > s->queue.len)
		len = s->queue.len;
	if (len > 0)
		memcpy(to, s->queue.data, len);
	buf_consume(&s->queue, len);
	recount(s);
	s->moved_at = ev_now(s->h2->loop);
	mark_drained(s);
	if (s->queue.len > 0)
		return (ssize_t)len;
	buf_reset(&s->queue, KEEP_BYTES);
	s->sent_all = s->finishing || s->ending;
	if (s->finishing) {
		*flags |=
			NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, id, s->trailers->list,
				       s->trailers->count);
	} else if (s->ending) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	} else if (len == 0) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)len;
}

static nghttp2_data_provider provider_of(struct h2_stream *s)
{
	return (nghttp2_data_provider){.source.ptr = s,
				       .read_callback = on_frame_wanted};
}

/* --- what the session tells --- */

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream *s = mem_zalloc(sizeof(*s));

	s->h2 = h;
	s->id = id;
	s->content_length = -1;
	s->window_bytes = h->limits.window_start_bytes;
	list_append(&h->streams, &s->link);
	list_init(&s->drained_link);
	h->stream_count++;
	return s;
}

void h2_stream_headers(struct h2_stream *s, const struct h2_headers *headers)
{
	if (hears(s))
		s->events->headers(s->owner, headers);
}

void h2_stream_data(struct h2_stream *s, struct slice bytes)
{
	if (!hears(s))
		return;
	s->body_bytes += bytes.len;
	s->unconsumed_bytes += bytes.len;
	/* RFC 9113 section 8.1.1: a message "is also malformed if the value of
	 * a Content-Length header field does not equal the sum of the DATA
	 * frame payload lengths". */
	if (s->content_length >= 0 &&
	    s->body_bytes > (uint64_t)s->content_length)
		h2_reset(s, H2_PROTOCOL_ERROR);
	else
		s->events->data(s->owner, bytes);
}

void h2_stream_end(struct h2_stream *s)
{
	if (!hears(s))
		return;
	if (s->content_length >= 0 &&
	    s->body_bytes != (uint64_t)s->content_length)
		h2_reset(s, H2_PROTOCOL_ERROR);
	else
		s->events->end(s->owner);
}

/* The other side does not take what it asked for. */
static void give_up(struct h2_stream *s, const char *why)
{
	log_info("h2", "stream %d: %zu bytes are dropped: %s", s->id,
		 s->waiting_bytes, why);
	h2_reset(s, H2_ENHANCE_YOUR_CALM);
}

static void tell_late(struct h2_stream *s)
{
	h2_expect(s, false);
	if (!hears(s))
		return;
	if (s->events->late)
		s->events->late(s->owner);
	else
		h2_reset(s, H2_CANCEL);
}

ev_tstamp h2_streams_stalled(struct h2 *h, ev_tstamp since)
{
	ev_tstamp oldest = 0;

	for (struct list *at = h->streams.next; at != &h->streams;
	     at = at->next) {
		struct h2_stream *s = LIST_ITEM(at, struct h2_stream, link);

		if (s->waiting_bytes > 0 && s->moved_at <= since)
			give_up(s, "its window stays closed");
		if (s->expects_at > 0 && s->expects_at <= since)
			tell_late(s);
		if (s->waiting_bytes > 0 &&
		    (oldest == 0 || s->moved_at < oldest))
			oldest = s->moved_at;
		if (s->expects_at > 0 &&
		    (oldest == 0 || s->expects_at < oldest))
			oldest = s->expects_at;
	}
	return oldest;
}

void h2_stream_drained(struct h2_stream *s)
{
	if (hears(s) && s->events->drained)
		s->events->drained(s->owner);
}

void h2_stream_close(struct h2_stream *s, uint32_t error)
{
	list_remove(&s->link);
	list_remove(&s->drained_link);
	s->h2->stream_count--;
	s->resetting = true;
	s->h2->life.rested_at = ev_now(s->h2->loop);
	if (s->events)
		s->events->closed(s->owner,
				  s->refused ? H2_REFUSED_STREAM : error);
	drop_queue(s);
	h2_expect(s, false);
	free(s->trailers);
	free(s);
}

/* --- what the owner does --- */

struct slice h2_header(const struct h2_headers *h, const char *name)
{
	struct slice wanted = slice_of(name);

	for (size_t i = 0; i < h->count; i++)
		if (slice_equal(h->list[i].name, wanted))
			return h->list[i].value;
	return (struct slice){NULL, 0};
}

void h2_stream_listen(struct h2_stream *s,
		      const struct h2_stream_events *events, void *owner)
{
	s->events = events;
	s->owner = owner;
}

void h2_respond(struct h2_stream *s, const struct h2_header *headers,
		size_t count)
{
	nghttp2_data_provider provider = provider_of(s);

	assert(s->h2->server && !s->responded);
	s->responded = true;
	if (s->resetting)
		return;
	nghttp2_nv *nv = nv_of(headers, count);
	nghttp2_submit_response(s->h2->session, s->id, nv, count, &provider);
	free(nv);
	h2_wake(s->h2);
}

struct h2_stream *h2_request(struct h2 *h, const struct h2_header *headers,
			     size_t count,
			     const struct h2_stream_events *events, void *owner,
			     struct err *e)
{
	assert(!h->server);
	if (h->state != H2_OPEN || h->doomed || h->freed) {
		err_set(e, ERR_LOST, "the connection is over");
		return NULL;
	}
	if (h->draining || !nghttp2_session_check_request_allowed(h->session)) {
		err_set(e, ERR_DRAINING, "the connection takes no more calls");
		return NULL;
	}
	struct h2_stream *s = h2_stream_new(h, 0);
	nghttp2_data_provider provider = provider_of(s);
	nghttp2_nv *nv = nv_of(headers, count);

	h2_stream_listen(s, events, owner);
	s->responded = true; /* its headers are on their way */
	s->id = nghttp2_submit_request(h->session, NULL, nv, count, &provider,
				       s);
	free(nv);
	assert(s->id > 0); /* or the check above would have failed */
	h2_wake(h);
	return s;
}

struct buf *h2_output(struct h2_stream *s)
{
	return &s->queue;
}

void h2_send(struct h2_stream *s)
{
	if (s->resetting || s->sent_all) {
		drop_queue(s);
		return;
	}
	assert(s->responded);
	recount(s);
	if (s->h2->waiting_bytes > s->h2->limits.queue_all_bytes &&
	    s->h2->waiting > 1) {
		give_up(s, "too much waits for a client that does not read");
		return;
	}
	if (s->queue.len > s->h2->limits.queue_high_bytes) {
		s->above_high = true;
		list_remove(&s->drained_link);
	}
	resume(s);
}

size_t h2_queued(const struct h2_stream *s)
{
	return s->queue.len;
}

bool h2_full(const struct h2_stream *s)
{
	return s->above_high;
}

void h2_expect(struct h2_stream *s, bool more)
{
	if (more && s->expects_at == 0)
		s->h2->expecting++;
	else if (!more && s->expects_at > 0)
		s->h2->expecting--;
	s->expects_at = more ? ev_now(s->h2->loop) : 0;
}

void h2_end(struct h2_stream *s)
{
	assert(!s->h2->server);
	s->ending = true;
	if (!s->resetting)
		resume(s);
}

void h2_finish(struct h2_stream *s, const struct h2_header *trailers,
	       size_t count)
{
	assert(s->h2->server && !s->finishing);
	s->finishing = true;
	if (s->resetting)
		return;
	if (s->responded) {
		s->trailers = save(trailers, count);
		resume(s);
		return;
	}
	assert(s->queue.len == 0);
	s->responded = true;
	nghttp2_nv *nv = nv_of(trailers, count);
	nghttp2_submit_response(s->h2->session, s->id, nv, count, NULL);
	free(nv);
	h2_wake(s->h2);
}

void h2_finish_now(struct h2_stream *s, const struct h2_header *trailers,
		   size_t count)
{
	drop_queue(s);
	if (!s->responded || s->resetting) {
		h2_finish(s, trailers, count);
		return;
	}
	assert(s->h2->server && !s->finishing);
	s->finishing = true;
	s->sent_all = true;
	nghttp2_nv *nv = nv_of(trailers, count);
	/* Headers overtake DATA, and no DATA follows the end of a stream. */
	nghttp2_submit_trailer(s->h2->session, s->id, nv, count);
	free(nv);
	h2_wake(s->h2);
}

void h2_reset(struct h2_stream *s, enum h2_error error)
{
	if (s->resetting)
		return;
	s->resetting = true;
	s->above_high = false;
	list_remove(&s->drained_link);
	drop_queue(s);
	h2_expect(s, false);
	nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id,
				  error);
	h2_wake(s->h2);
}

void h2_consume(struct h2_stream *s, size_t len)
{
	struct h2 *h = s->h2;

	assert(len <= s->unconsumed_bytes);
	s->unconsumed_bytes -= len;
	if (s->resetting || len == 0)
		return;
	nghttp2_session_consume_stream(h->session, s->id, len);
	s->used_bytes += (uint32_t)len;
	/* Who used up a whole window may have twice of it. */
	if (s->used_bytes >= s->window_bytes &&
	    s->window_bytes < h->limits.window_stream_bytes) {
		s->window_bytes *= 2;
		if (s->window_bytes > h->limits.window_stream_bytes)
			s->window_bytes = h->limits.window_stream_bytes;
		s->used_bytes = 0;
		nghttp2_session_set_local_window_size(h->session,
						      NGHTTP2_FLAG_NONE, s->id,
						      (int32_t)s->window_bytes);
	}
	h2_wake(h);
}

struct h2 *h2_of(const struct h2_stream *s)
{
	return s->h2;
}
