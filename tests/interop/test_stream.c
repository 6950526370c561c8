#include "tests/interop/test_stream.h"

#include <ev.h>
#include <stdlib.h>

#include "proto/mem.h"

enum {
	PAYLOAD_BYTES = 16 * 1024 * 1024, /* of one answer */
	ANSWERS_MAX = 100000,		  /* that wait at a time */
};

/* One answer that was asked for. */
struct answer {
	size_t bytes;
	double interval_s; /* since the one before */
	enum call_compression compression;
};

/* Freed when its call is settled or closed. */
struct stream {
	struct ev_loop *loop; /* NULL: it sends nothing by itself */
	struct call *call;
	bool at_once;
	bool ended;
	struct answer *answers;
	size_t count, cap, next;
	bool waited; /* for the interval before the next */
	ev_timer interval;
	struct arena arena;
	int64_t sum_bytes;
};

/* --- what the requests have in common ------------------------------------- */

bool test_expected(const Grpc__Testing__BoolValue *compressed,
		   const struct call *c, struct err *e)
{
	if (!compressed || !!compressed->value == call_compressed(c))
		return true;
	return err_set(e, ERR_INVALID_ARGUMENT,
		       compressed->value
			       ? "this request was to come compressed"
			       : "this request was not to come compressed");
}

bool test_can_make(Grpc__Testing__PayloadType type, int32_t size, struct err *e)
{
	if (type != GRPC__TESTING__PAYLOAD_TYPE__COMPRESSABLE)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "there is no payload of type %d", (int)type);
	if (size < 0 || size > PAYLOAD_BYTES)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "a payload has 0 to %d bytes, not %d",
			       (int)PAYLOAD_BYTES, (int)size);
	return true;
}

enum call_compression
test_compression(const Grpc__Testing__BoolValue *compressed)
{
	if (!compressed)
		return CALL_COMPRESS_WHERE_IT_PAYS;
	return compressed->value ? CALL_COMPRESS_ALWAYS : CALL_COMPRESS_NEVER;
}

/* --- a stream ------------------------------------------------------------- */

static void stream_free(struct stream *s)
{
	if (s->loop)
		ev_timer_stop(s->loop, &s->interval);
	arena_finish(&s->arena);
	free(s->answers);
	free(s);
}

static void fail(struct stream *s, const struct err *why)
{
	call_fail(s->call, why);
	stream_free(s);
}

static bool send_answer(struct stream *s, const struct answer *a, struct err *e)
{
	Grpc__Testing__StreamingOutputCallResponse m;
	Grpc__Testing__Payload payload;
	char *zeroes = mem_zalloc(a->bytes + 1);

	grpc__testing__streaming_output_call_response__init(&m);
	grpc__testing__payload__init(&payload);
	payload.body = protobuf_bytes((struct slice){zeroes, a->bytes});
	m.payload = &payload;
	call_compress(s->call, a->compression);
	bool ok = call_send(s->call, &m.base, e);
	free(zeroes);
	return ok;
}

/* "server delays sending a StreamingOutputCallResponse by the
 * ResponseParameters's `interval_us` [...] like a sleep *before* sending". */
static bool has_to_wait(struct stream *s, const struct answer *a)
{
	if (s->waited || a->interval_s <= 0)
		return false;
	ev_timer_set(&s->interval, a->interval_s, 0.);
	ev_timer_start(s->loop, &s->interval);
	return true;
}

/* Send what may be sent now; s may be gone afterwards. */
static void step(struct stream *s)
{
	struct err e;

	if (ev_is_active(&s->interval))
		return;
	while (s->next < s->count) {
		const struct answer *a = &s->answers[s->next];

		if (call_full(s->call) || has_to_wait(s, a))
			return;
		s->waited = false;
		s->next++;
		if (!send_answer(s, a, &e)) {
			fail(s, &e);
			return;
		}
	}
	s->count = s->next = 0;
	if (s->ended) {
		call_end(s->call);
		stream_free(s);
	} else {
		call_resume(s->call);
	}
}

static void on_interval(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct stream *s = w->data;

	(void)loop;
	(void)revents;
	s->waited = true;
	step(s);
}

static void on_drained(void *owner)
{
	step(owner);
}

static void on_closed(void *owner)
{
	stream_free(owner);
}

static bool add_answer(struct stream *s,
		       const Grpc__Testing__StreamingOutputCallRequest *asked,
		       const Grpc__Testing__ResponseParameters *wanted,
		       struct err *e)
{
	if (!test_can_make(asked->response_type, wanted->size, e))
		return false;
	if (s->count == ANSWERS_MAX)
		return err_set(e, ERR_OVERLOADED,
			       "more than %d answers wait to be sent",
			       (int)ANSWERS_MAX);
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 4;
		s->answers = mem_grow(s->answers, s->cap * sizeof(*s->answers));
	}
	s->answers[s->count++] = (struct answer){
		.bytes = (size_t)wanted->size,
		.interval_s = wanted->interval_us / 1e6,
		.compression = test_compression(wanted->compressed),
	};
	return true;
}

/* Take what a request asks for.  False when the stream is over. */
static bool take_request(struct stream *s, struct slice message)
{
	const Grpc__Testing__StreamingOutputCallRequest *asked;
	struct err e = {0};

	arena_reset(&s->arena);
	asked = protobuf_unpack(
		&s->arena,
		&grpc__testing__streaming_output_call_request__descriptor,
		message, &e);
	for (size_t i = 0; asked && i < asked->n_response_parameters; i++)
		if (!add_answer(s, asked, asked->response_parameters[i], &e))
			asked = NULL;
	if (!asked) {
		fail(s, &e);
		return false;
	}
	if (!asked->response_status)
		return true;
	/* "the server closes the stream with the status code and messsage
	 * contained within said response_status". */
	call_status(s->call, (enum grpc_code)asked->response_status->code,
		    asked->response_status->message);
	stream_free(s);
	return false;
}

static struct stream *stream_new(struct ev_loop *loop, struct call *c)
{
	struct stream *s = mem_zalloc(sizeof(*s));

	s->loop = loop;
	s->call = c;
	ev_init(&s->interval, on_interval);
	s->interval.data = s;
	/* Each message decides for itself; but the response headers leave
	 * first, and must offer it. */
	call_compress(c, CALL_COMPRESS_ALWAYS);
	return s;
}

/* --- StreamingOutputCall -------------------------------------------------- */

static const struct call_events output_events = {
	.drained = on_drained,
	.closed = on_closed,
};

struct fate *test_stream_output(struct ev_loop *loop, struct call *c,
				struct slice request)
{
	struct stream *s = stream_new(loop, c);
	struct fate *fate = call_stream(c, &output_events, s);

	s->ended = true;
	if (take_request(s, request))
		step(s);
	return fate;
}

/* --- FullDuplexCall, HalfDuplexCall --------------------------------------- */

static void on_request(void *owner, struct slice message)
{
	struct stream *s = owner;

	if (!take_request(s, message) || !s->at_once)
		return;
	/* One after the other: the client waits when it asks for more than it
	 * takes. */
	call_pause(s->call);
	step(s);
}

static void on_end(void *owner)
{
	struct stream *s = owner;

	s->ended = true;
	step(s);
}

static const struct call_events duplex_events = {
	.message = on_request,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

struct fate *test_stream_duplex(struct ev_loop *loop, struct call *c,
				bool at_once)
{
	struct stream *s = stream_new(loop, c);

	s->at_once = at_once;
	return call_stream(c, &duplex_events, s);
}

/* --- StreamingInputCall --------------------------------------------------- */

static void on_input(void *owner, struct slice message)
{
	struct stream *s = owner;
	const Grpc__Testing__StreamingInputCallRequest *asked;
	struct err e;

	arena_reset(&s->arena);
	asked = protobuf_unpack(
		&s->arena,
		&grpc__testing__streaming_input_call_request__descriptor,
		message, &e);
	if (!asked || !test_expected(asked->expect_compressed, s->call, &e)) {
		fail(s, &e);
		return;
	}
	if (asked->payload)
		s->sum_bytes += (int64_t)asked->payload->body.len;
}

static void on_input_end(void *owner)
{
	struct stream *s = owner;
	Grpc__Testing__StreamingInputCallResponse answer;

	grpc__testing__streaming_input_call_response__init(&answer);
	answer.aggregated_payload_size = (int32_t)s->sum_bytes;
	call_reply(s->call, &answer.base);
	stream_free(s);
}

static const struct call_events input_events = {
	.message = on_input,
	.end = on_input_end,
	.closed = on_closed,
};

struct fate *test_stream_input(struct call *c)
{
	return call_stream(c, &input_events, stream_new(NULL, c));
}
