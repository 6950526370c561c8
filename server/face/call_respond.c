#include "server/face/call_internal.h"

#include <assert.h>
#include <stdio.h>

#include "proto/base64.h"
#include "proto/h2.h"

enum {
	/* :status, content-type, grpc-encoding, grpc-accept-encoding */
	OUR_HEADERS = 4,
	/* grpc-status, grpc-message, grpc-status-details-bin */
	OUR_TRAILERS = 3,
};

/* One header block; what it points to must live until it was sent. */
struct block {
	struct h2_header
		list[OUR_HEADERS + OUR_TRAILERS + 2 * METADATA_SENT_MAX];
	size_t count;
};

static void add(struct block *b, const char *name, struct slice value)
{
	b->list[b->count++] = (struct h2_header){slice_of(name), value};
}

static void add_metadata(struct block *b, const struct metadata *m)
{
	for (size_t i = 0; i < m->count; i++)
		b->list[b->count++] = m->list[i];
}

/* gRPC over HTTP/2, Responses: "Response-Headers -> HTTP-Status
 * [Message-Encoding] [Message-Accept-Encoding] Content-Type *Custom-Metadata".
 * The same stand at the head of a Trailers-Only. */
static void add_response_headers(struct block *b, const struct call *c,
				 const char *http)
{
	add(b, ":status", slice_of(http));
	add(b, "content-type", slice_of("application/grpc"));
	if (c->gzip)
		add(b, "grpc-encoding", slice_of("gzip"));
	add(b, "grpc-accept-encoding", slice_of("identity,gzip"));
	add_metadata(b, &c->initial);
}

void call_respond(struct call *c, bool gzip)
{
	struct block b;

	assert(!c->responded);
	c->responded = true;
	c->gzip = gzip;
	b.count = 0;
	add_response_headers(&b, c, "200");
	h2_respond(c->stream, b.list, b.count);
}

/* "Trailers -> Status [Status-Message] *Custom-Metadata". */
void call_trail(struct call *c, const char *http, enum grpc_code code,
		const char *text, struct slice details)
{
	struct block b;
	struct buf message = {0};
	struct buf status = {0};
	char number[12] = "0";

	b.count = 0;
	if (!c->responded)
		add_response_headers(&b, c, http);
	/* Most calls succeed, and printf() takes longer than all the rest. */
	if (code != GRPC_OK)
		snprintf(number, sizeof(number), "%d", (int)code);
	add(&b, "grpc-status", slice_of(number));
	if (text && text[0] != '\0') {
		grpc_message_encode(&message, text);
		add(&b, "grpc-message", buf_slice(&message));
	}
	if (details.len > 0) {
		base64_encode(&status, details);
		add(&b, "grpc-status-details-bin", buf_slice(&status));
	}
	add_metadata(&b, &c->trailing);
	if (c->expired)
		h2_finish_now(c->stream, b.list, b.count);
	else
		h2_finish(c->stream, b.list, b.count);
	buf_finish(&message);
	buf_finish(&status);
}

void call_respond_plain(struct call *c, const char *http, const char *text)
{
	const struct h2_header list[] = {
		{slice_of(":status"), slice_of(http)},
		{slice_of("content-type"),
		 slice_of("text/plain; charset=utf-8")},
	};

	h2_respond(c->stream, list, sizeof(list) / sizeof(list[0]));
	buf_printf(h2_output(c->stream), "%s\n", text);
	h2_send(c->stream);
	h2_finish(c->stream, NULL, 0);
}
