#include "proto/h2_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/log.h"
#include "proto/mem.h"

enum {
	FIRST_HEADERS = 16,
	/* Eight frames; nghttp2 counts one again for each piece in which its
	 * head of nine bytes arrives. */
	MAX_CONTINUATIONS = 8 * 9,
	MAX_SETTINGS = 16,
	MAX_OUTBOUND_ACKS = 1000,
	PEER_STREAMS = 100, /* until its SETTINGS say how many */
	HEADER_OVERHEAD = 32,
	LISTS_REFUSED = 16, /* times the limit */
};

/* --- header blocks --- */

/* nghttp2 refuses an :authority that is absent or holds a slash, and has no
 * hook for that one header: where those are welcome, h2_check.c looks at
 * requests instead. */
static bool checks(const struct h2 *h)
{
	return h->server && h->limits.any_authority;
}

static struct slice slice_of_rcbuf(nghttp2_rcbuf *rc)
{
	nghttp2_vec v = nghttp2_rcbuf_get_buf(rc);

	return (struct slice){(const char *)v.base, v.len};
}

void h2_block_release(struct h2_block *b)
{
	for (size_t i = 0; i < 2 * b->count; i++)
		nghttp2_rcbuf_decref(b->held[i]);
	free(b->held);
	free(b->list);
	*b = (struct h2_block){0};
}

static void block_begin(struct h2 *h, int32_t stream_id, bool trailers)
{
	struct h2_block *b = &h->block;

	h2_block_release(b);
	b->open = true;
	b->stream_id = stream_id;
	h2_check_begin(&b->check, trailers);
	h->guard.block_began = true;
}

static void block_add(struct h2 *h, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
	struct h2_block *b = &h->block;
	struct h2_header header = {slice_of_rcbuf(name), slice_of_rcbuf(value)};

	/* RFC 9113 section 6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE: "The value is
	 * based on the uncompressed size of field lines, including the length
	 * of the name and value in units of octets plus an overhead of 32
	 * octets for each field line."  nghttp2 announces it and leaves the
	 * counting to us. */
	b->bytes += header.name.len + header.value.len + HEADER_OVERHEAD;
	if (b->bytes > h->limits.header_list_bytes ||
	    b->count >= h->limits.header_count)
		b->too_large = true;
	if (b->too_large)
		return;
	if (checks(h))
		h2_check_header(&b->check, header.name, header.value);
	if (b->count == b->cap) {
		b->cap = b->cap ? 2 * b->cap : FIRST_HEADERS;
		b->list = mem_grow(b->list, b->cap * sizeof(*b->list));
		b->held = mem_grow(b->held, 2 * b->cap * sizeof(*b->held));
	}
	nghttp2_rcbuf_incref(name);
	nghttp2_rcbuf_incref(value);
	b->held[2 * b->count] = name;
	b->held[2 * b->count + 1] = value;
	b->list[b->count++] = header;
}

static struct h2_headers block_headers(const struct h2_block *b)
{
	return (struct h2_headers){b->list, b->count, b->too_large};
}

/* --- what comes in --- */

static struct h2_stream *stream_of(const struct h2 *h, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h->session, id);
}

/* What a receiving callback returns: nghttp2 stops at once when there is
 * nobody to hear more, and the session is only written to after that. */
static int verdict(const struct h2 *h)
{
	return h->freed || h->doomed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd,
			  void *user)
{
	struct h2 *h = user;

	(void)session;
	if (hd->type != NGHTTP2_CONTINUATION)
		h->block.open = false;
	h2_guard_frame(h, hd);
	return verdict(h);
}

static int on_begin_headers(nghttp2_session *session,
			    const nghttp2_frame *frame, void *user)
{
	(void)session;
	block_begin(user, frame->hd.stream_id,
		    frame->headers.cat == NGHTTP2_HCAT_HEADERS);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
		     nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
		     void *user)
{
	struct h2 *h = user;

	(void)session;
	(void)frame;
	(void)flags;
	block_add(h, name, value);
	/* A list somewhat too large is answered; one that is made to be large
	 * is not even looked at any more, and the stream is reset. */
	return h->block.bytes / LISTS_REFUSED > h->limits.header_list_bytes
		       ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
		       : 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id,
			 const uint8_t *data, size_t len, void *user)
{
	struct h2 *h = user;
	struct h2_stream *s = stream_of(h, id);

	(void)flags;
	/* The connection's window never waits for one stream's reader. */
	nghttp2_session_consume_connection(session, len);
	h->used_bytes += (uint32_t)len;
	if (h->used_bytes >= h->window_bytes &&
	    h->window_bytes < h->limits.window_connection_bytes) {
		h->window_bytes *= 2;
		if (h->window_bytes > h->limits.window_connection_bytes)
			h->window_bytes = h->limits.window_connection_bytes;
		h->used_bytes = 0;
		nghttp2_session_set_local_window_size(session,
						      NGHTTP2_FLAG_NONE, 0,
						      (int32_t)h->window_bytes);
	}
	if (s)
		h2_stream_data(s, (struct slice){(const char *)data, len});
	return verdict(h);
}

static void take_request(struct h2 *h, int32_t id)
{
	/* Streams of one connection take turns; nghttp2 would send one to its
	 * end before it looks at the next. */
	const nghttp2_extpri in_turn = {NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
	struct h2_headers headers = block_headers(&h->block);
	struct h2_stream *s = h2_stream_new(h, id);

	if (checks(h))
		s->content_length = h->block.check.content_length;
	nghttp2_session_set_stream_user_data(h->session, id, s);
	nghttp2_session_change_extpri_stream_priority(h->session, id, &in_turn,
						      1);
	h->events->request(h->owner, s, &headers);
	assert(s->events || s->resetting || h->freed);
}

/* 1xx responses are not the response; nghttp2 gives what follows them another
 * category, so the status decides. */
static bool informational(const struct h2_headers *headers)
{
	struct slice status = h2_header(headers, ":status"); /* or none */

	return status.len == 3 && status.ptr[0] == '1';
}

static void take_headers(struct h2 *h, const nghttp2_frame *frame)
{
	bool end_stream = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct h2_headers headers = block_headers(&h->block);
	int32_t id = frame->hd.stream_id;
	struct h2_stream *s = stream_of(h, id);
	bool malformed =
		checks(h) && !h2_check_end(&h->block.check, end_stream);

	if (malformed && s)
		h2_reset(s, H2_PROTOCOL_ERROR);
	else if (malformed)
		nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id,
					  NGHTTP2_PROTOCOL_ERROR);
	if (malformed || (s && informational(&headers)))
		return;
	if (id > h->life.last_id) {
		/* The GOAWAY that says so has not left yet, and this must not
		 * be worked on: the client is going to ask somebody else. */
		nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id,
					  NGHTTP2_REFUSED_STREAM);
		return;
	}
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		take_request(h, id);
	else if (s)
		h2_stream_headers(s, &headers);
	else
		return;
	h2_guard_progress(h);
}

static void take_goaway(struct h2 *h, const nghttp2_goaway *goaway)
{
	h->peer_drains = true;
	if (goaway->error_code != NGHTTP2_NO_ERROR && h->why.reason == ERR_NONE)
		err_set(&h->why,
			goaway->error_code == NGHTTP2_ENHANCE_YOUR_CALM
				? ERR_OVERLOADED
				: ERR_PROTOCOL,
			"the other side ended the connection: %s",
			nghttp2_http2_strerror(goaway->error_code));
	if (h->events->goaway)
		h->events->goaway(h->owner);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame,
			 void *user)
{
	struct h2 *h = user;
	bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		take_headers(h, frame);
		h2_block_release(&h->block);
		break;
	case NGHTTP2_DATA:
		if (frame->hd.length == frame->data.padlen &&
		    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
			h2_guard_idle(h);
		break;
	case NGHTTP2_SETTINGS:
		h2_guard_settings(h, ack);
		return verdict(h);
	case NGHTTP2_PING:
		if (ack)
			h2_life_answered(h, frame->ping.opaque_data);
		return verdict(h);
	case NGHTTP2_GOAWAY:
		take_goaway(h, &frame->goaway);
		return verdict(h);
	default:
		return verdict(h);
	}
	/* RFC 9113 section 8.1: END_STREAM may stand on HEADERS, on the last
	 * DATA, on an empty one or on trailers: all alike. */
	struct h2_stream *s = stream_of(h, frame->hd.stream_id);
	if (s && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && !verdict(h))
		h2_stream_end(s);
	return verdict(h);
}

/* --- what goes out.  These return 0 always: a session that fails while it
 * sends could not even send its GOAWAY. --- */

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame,
			 void *user)
{
	struct h2 *h = user;

	h2_guard_sent(h, frame);
	if (frame->hd.type == NGHTTP2_GOAWAY &&
	    frame->goaway.error_code != NGHTTP2_NO_ERROR) {
		h->said_goaway = true;
		h2_doom(h, frame->goaway.error_code, ERR_PROTOCOL,
			"the other side broke HTTP/2");
	}
	/* RFC 9113 section 8.1: "A server MAY request that the client abort
	 * transmission of a request without error by sending a RST_STREAM with
	 * an error code of NO_ERROR after sending a complete response".
	 * Submitted any earlier it would overtake the response's DATA. */
	if (h->server && frame->hd.type == NGHTTP2_HEADERS &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
	    nghttp2_session_get_stream_remote_close(session,
						    frame->hd.stream_id) == 0) {
		struct h2_stream *s = stream_of(h, frame->hd.stream_id);

		if (s)
			h2_reset(s, H2_NO_ERROR);
	}
	return 0;
}

static int on_frame_not_send(nghttp2_session *session,
			     const nghttp2_frame *frame, int error, void *user)
{
	struct h2 *h = user;
	struct list *at;

	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	log_debug("h2", "stream %d: headers not sent: %s", frame->hd.stream_id,
		  nghttp2_strerror(error));
	for (at = h->streams.next; at != &h->streams; at = at->next) {
		struct h2_stream *s = LIST_ITEM(at, struct h2_stream, link);

		if (s->id != frame->hd.stream_id || s->resetting)
			continue;
		if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			s->refused = true;
		else
			h2_reset(s, H2_INTERNAL_ERROR);
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error,
			   void *user)
{
	struct h2_stream *s = stream_of(user, id);

	(void)session;
	if (s)
		h2_stream_close(s, error);
	return 0;
}

static int on_error(nghttp2_session *session, int error, const char *text,
		    size_t len, void *user)
{
	(void)session;
	(void)error;
	(void)user;
	log_debug("h2", "%.*s", (int)len, text);
	return 0;
}

/* --- the session --- */

static void *alloc(size_t len, void *unused)
{
	(void)unused;
	return mem_alloc(len);
}

static void release(void *p, void *unused)
{
	(void)unused;
	free(p);
}

static void *zalloc(size_t count, size_t len, void *unused)
{
	(void)unused;
	assert(len == 0 || count <= SIZE_MAX / len);
	return mem_zalloc(count * len);
}

static void *grow(void *p, size_t len, void *unused)
{
	(void)unused;
	return mem_grow(p, len);
}

static nghttp2_session_callbacks *callbacks_new(void)
{
	nghttp2_session_callbacks *c;

	if (nghttp2_session_callbacks_new(&c) != 0)
		abort();
	nghttp2_session_callbacks_set_on_begin_frame_callback(c,
							      on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(
		c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
		c, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(
		c, on_frame_not_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(c,
							       on_stream_close);
	nghttp2_session_callbacks_set_error_callback2(c, on_error);
	return c;
}

static nghttp2_option *option_new(const struct h2 *h)
{
	nghttp2_option *o;

	if (nghttp2_option_new(&o) != 0)
		abort();
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_stream_reset_rate_limit(o, h->limits.resets_burst,
						   h->limits.resets_per_s);
	nghttp2_option_set_max_continuations(o, MAX_CONTINUATIONS);
	nghttp2_option_set_max_settings(o, MAX_SETTINGS);
	nghttp2_option_set_max_outbound_ack(o, MAX_OUTBOUND_ACKS);
	nghttp2_option_set_max_reserved_remote_streams(o, 0);
	nghttp2_option_set_peer_max_concurrent_streams(o, PEER_STREAMS);
	if (checks(h))
		nghttp2_option_set_no_http_messaging(o, 1);
	return o;
}

static void submit_settings(const struct h2 *h, nghttp2_session *session)
{
	const struct h2_limits *l = &h->limits;
	nghttp2_settings_entry list[4] = {
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, l->window_start_bytes},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, l->header_list_bytes},
	};
	size_t count = 2;

	if (h->server) {
		list[count++] = (nghttp2_settings_entry){
			NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, l->streams};
		list[count++] = (nghttp2_settings_entry){
			NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1};
	} else {
		/* Without NO_RFC7540_PRIORITIES: a client's streams share the
		 * way out by the old tree, whose default is fair. */
		list[count++] = (nghttp2_settings_entry){
			NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
	}
	nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, list, count);
	if (l->window_start_bytes != NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE)
		nghttp2_session_set_local_window_size(
			session, NGHTTP2_FLAG_NONE, 0,
			(int32_t)l->window_start_bytes);
}

nghttp2_session *h2_session_new(struct h2 *h)
{
	nghttp2_mem mem = {NULL, alloc, release, zalloc, grow};
	nghttp2_session_callbacks *callbacks = callbacks_new();
	nghttp2_option *option = option_new(h);
	nghttp2_session *session;
	int rv;

	if (h->server)
		rv = nghttp2_session_server_new3(&session, callbacks, h, option,
						 &mem);
	else
		rv = nghttp2_session_client_new3(&session, callbacks, h, option,
						 &mem);
	assert(rv == 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	submit_settings(h, session);
	return session;
}
