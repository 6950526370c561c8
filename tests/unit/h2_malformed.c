/* h2_malformed: frames of every kind that break a rule, or only look like it,
 * and what comes of them; by sections of RFC 9113 and of RFC 7541.  For the
 * rules of header fields see h2_check.c. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/h2_raw.h"

enum {
	FLOW_CONTROL_ERROR = 3,
	STREAM_CLOSED = 5,
	FRAME_SIZE_ERROR = 6,
	COMPRESSION_ERROR = 9,
	PUSH_PROMISE = 5,
	END = RAW_END_STREAM | RAW_END_HEADERS,
	PRIORITY_FLAG = 0x20,
	MAX_FRAME = 16384,
};

enum reaction {
	IGNORED,    /* and everything goes on */
	RESET,	    /* RST_STREAM of stream 1; others go on */
	CONNECTION, /* GOAWAY, and the end */
};

struct frame {
	unsigned type, flags;
	uint32_t stream;
	const char *body;
	size_t len;
};

/* The fields of a good request, and nothing behind them. */
#define OPEN(stream, flags)                                                    \
	{                                                                      \
		RAW_HEADERS, flags, stream, NULL, 0                            \
	}

struct row {
	const char *rule;
	enum reaction reaction;
	uint32_t error;
	struct frame frames[4];
};

static const char zeros[MAX_FRAME + 1];

#define FRAME(type, flags, stream, literal)                                    \
	{                                                                      \
		type, flags, stream, literal, sizeof(literal) - 1              \
	}
#define LARGE(type, flags, stream)                                             \
	{                                                                      \
		type, flags, stream, zeros, MAX_FRAME + 1                      \
	}
#define FINE(rule, ...)                                                        \
	{                                                                      \
		rule, IGNORED, 0,                                              \
		{                                                              \
			__VA_ARGS__                                            \
		}                                                              \
	}
#define RESETS(rule, error, ...)                                               \
	{                                                                      \
		rule, RESET, error,                                            \
		{                                                              \
			__VA_ARGS__                                            \
		}                                                              \
	}
#define ENDS(rule, error, ...)                                                 \
	{                                                                      \
		rule, CONNECTION, error,                                       \
		{                                                              \
			__VA_ARGS__                                            \
		}                                                              \
	}

static const struct row rows[] = {
	FINE("4.1 frames of unknown types are ignored",
	     FRAME(RAW_UNKNOWN, 0xff, 0, "anything")),
	FINE("4.1 so they are on a stream", OPEN(1, RAW_END_HEADERS),
	     FRAME(RAW_UNKNOWN, 0, 1, "anything")),
	FINE("4.1 unknown flags are ignored",
	     FRAME(RAW_PING, 0xfe, 0, "01234567")),
	FINE("4.1 the reserved bit is ignored",
	     FRAME(RAW_PING, 0, 0x80000000, "01234567")),
	ENDS("4.2 DATA is larger than allowed", FRAME_SIZE_ERROR,
	     OPEN(1, RAW_END_HEADERS), LARGE(RAW_DATA, 0, 1)),
	ENDS("4.2 HEADERS are larger than allowed", FRAME_SIZE_ERROR,
	     LARGE(RAW_HEADERS, END, 1)),
	ENDS("4.2 an unknown frame is larger than allowed", FRAME_SIZE_ERROR,
	     LARGE(RAW_UNKNOWN, 0, 0)),
	ENDS("4.3 a frame of another stream in a header block",
	     H2_PROTOCOL_ERROR, OPEN(1, RAW_END_STREAM), OPEN(3, END)),
	ENDS("4.3 PRIORITY in a header block", H2_PROTOCOL_ERROR,
	     OPEN(1, RAW_END_STREAM), FRAME(RAW_PRIORITY, 0, 1, "\0\0\0\0\1")),
	ENDS("5.5 an unknown frame in a header block", H2_PROTOCOL_ERROR,
	     OPEN(1, RAW_END_STREAM), FRAME(RAW_UNKNOWN, 0, 1, "x")),

	ENDS("5.1 DATA of an idle stream", H2_PROTOCOL_ERROR,
	     FRAME(RAW_DATA, 0, 1, "x")),
	/* a connection error by the RFC; gRPC's own clients do it */
	FINE("5.1 RST_STREAM of an idle stream",
	     FRAME(RAW_RST_STREAM, 0, 1, "\0\0\0\x8")),
	ENDS("5.1 WINDOW_UPDATE of an idle stream", H2_PROTOCOL_ERROR,
	     FRAME(RAW_WINDOW_UPDATE, 0, 1, "\0\0\0\1")),
	ENDS("5.1 CONTINUATION of an idle stream", H2_PROTOCOL_ERROR,
	     FRAME(RAW_CONTINUATION, RAW_END_HEADERS, 1, "")),
	FINE("5.1 PRIORITY of an idle stream",
	     FRAME(RAW_PRIORITY, 0, 1, "\0\0\0\0\1")),
	/* or RST_STREAM */
	ENDS("5.1 DATA after the end of the stream", STREAM_CLOSED,
	     OPEN(1, END), FRAME(RAW_DATA, 0, 1, "x")),
	ENDS("5.1 HEADERS after the end of the stream", STREAM_CLOSED,
	     OPEN(1, END), OPEN(1, END)),
	ENDS("5.1 CONTINUATION after the end of the stream", H2_PROTOCOL_ERROR,
	     OPEN(1, END), FRAME(RAW_CONTINUATION, RAW_END_HEADERS, 1, "")),
	FINE("5.1 WINDOW_UPDATE, PRIORITY after the end of the stream",
	     OPEN(1, END), FRAME(RAW_WINDOW_UPDATE, 0, 1, "\0\0\0\1"),
	     FRAME(RAW_PRIORITY, 0, 1, "\0\0\0\0\1")),
	/* an error, or not */
	FINE("5.1 DATA after the peer's own RST_STREAM",
	     OPEN(1, RAW_END_HEADERS), FRAME(RAW_RST_STREAM, 0, 1, "\0\0\0\x8"),
	     FRAME(RAW_DATA, 0, 1, "x")),
	FINE("5.1 HEADERS after the peer's own RST_STREAM",
	     OPEN(1, RAW_END_HEADERS), FRAME(RAW_RST_STREAM, 0, 1, "\0\0\0\x8"),
	     OPEN(1, END)),
	ENDS("5.1.1 a stream with an even number", H2_PROTOCOL_ERROR,
	     OPEN(2, END)),
	/* h2spec asks for an error */
	FINE("5.1.1 a smaller number than before", OPEN(5, END), OPEN(3, END)),
	FINE("5.3.1 a stream that depends on itself: no priorities, no matter",
	     OPEN(1, END), FRAME(RAW_PRIORITY, 0, 1, "\0\0\0\1\1")),

	ENDS("6.1 DATA of stream 0", H2_PROTOCOL_ERROR,
	     FRAME(RAW_DATA, 0, 0, "x")),
	ENDS("6.1 more padding than DATA", H2_PROTOCOL_ERROR,
	     OPEN(1, RAW_END_HEADERS), FRAME(RAW_DATA, RAW_PADDED, 1, "\x9xx")),
	/* for nghttp2 so */
	ENDS("6.1 no room for the length of the padding", H2_PROTOCOL_ERROR,
	     OPEN(1, RAW_END_HEADERS), FRAME(RAW_DATA, RAW_PADDED, 1, "")),
	FINE("6.1 nothing but padding", OPEN(1, RAW_END_HEADERS),
	     FRAME(RAW_DATA, RAW_PADDED, 1, "\2xx")),
	ENDS("6.2 HEADERS of stream 0", H2_PROTOCOL_ERROR, OPEN(0, END)),
	ENDS("6.2 more padding than HEADERS", H2_PROTOCOL_ERROR,
	     FRAME(RAW_HEADERS, END | RAW_PADDED, 1, "\x9xx")),
	ENDS("6.2 HEADERS too short for their priority", FRAME_SIZE_ERROR,
	     FRAME(RAW_HEADERS, END | PRIORITY_FLAG, 1, "\0\0")),
	ENDS("6.3 PRIORITY of stream 0", H2_PROTOCOL_ERROR,
	     FRAME(RAW_PRIORITY, 0, 0, "\0\0\0\0\1")),
	ENDS("6.3 PRIORITY of another length", FRAME_SIZE_ERROR,
	     FRAME(RAW_PRIORITY, 0, 1, "\0\0\0\1")),
	ENDS("6.4 RST_STREAM of stream 0", H2_PROTOCOL_ERROR,
	     FRAME(RAW_RST_STREAM, 0, 0, "\0\0\0\x8")),
	ENDS("6.4 RST_STREAM of another length", FRAME_SIZE_ERROR, OPEN(1, END),
	     FRAME(RAW_RST_STREAM, 0, 1, "\0\0\x8")),
	FINE("7 RST_STREAM with an unknown code", OPEN(1, END),
	     FRAME(RAW_RST_STREAM, 0, 1, "\xff\0\0\xff")),
	ENDS("6.5 SETTINGS of a stream", H2_PROTOCOL_ERROR,
	     FRAME(RAW_SETTINGS, 0, 1, "")),
	ENDS("6.5 SETTINGS of another length", FRAME_SIZE_ERROR,
	     FRAME(RAW_SETTINGS, 0, 0, "\0\3\0")),
	ENDS("6.5 an acknowledgement with settings", FRAME_SIZE_ERROR,
	     FRAME(RAW_SETTINGS, RAW_ACK, 0, "\0\3\0\0\0\1")),
	FINE("6.5.2 an unknown setting",
	     FRAME(RAW_SETTINGS, 0, 0, "\x77\7\0\0\0\1")),
	ENDS("6.5.2 ENABLE_PUSH is neither 0 nor 1", H2_PROTOCOL_ERROR,
	     FRAME(RAW_SETTINGS, 0, 0, "\0\2\0\0\0\2")),
	ENDS("6.5.2 INITIAL_WINDOW_SIZE of 2^31", FLOW_CONTROL_ERROR,
	     FRAME(RAW_SETTINGS, 0, 0, "\0\4\x80\0\0\0")),
	ENDS("6.5.2 MAX_FRAME_SIZE below 2^14", H2_PROTOCOL_ERROR,
	     FRAME(RAW_SETTINGS, 0, 0, "\0\5\0\0\x3f\xff")),
	ENDS("6.5.2 MAX_FRAME_SIZE above 2^24 - 1", H2_PROTOCOL_ERROR,
	     FRAME(RAW_SETTINGS, 0, 0, "\0\5\1\0\0\0")),
	FINE("6.5.2 the last of equal settings counts, few streams are no "
	     "error",
	     FRAME(RAW_SETTINGS, 0, 0, "\0\4\0\0\0\0\0\4\0\1\0\0\0\3\0\0\0\0")),
	/* nghttp2 minds */
	ENDS("6.5.3 an acknowledgement of nothing", H2_PROTOCOL_ERROR,
	     FRAME(RAW_SETTINGS, RAW_ACK, 0, "")),
	ENDS("6.6 a client does not push", H2_PROTOCOL_ERROR,
	     OPEN(1, RAW_END_HEADERS),
	     FRAME(PUSH_PROMISE, RAW_END_HEADERS, 1, "\0\0\0\2")),
	ENDS("6.7 PING of a stream", H2_PROTOCOL_ERROR,
	     FRAME(RAW_PING, 0, 1, "01234567")),
	ENDS("6.7 PING of another length", FRAME_SIZE_ERROR,
	     FRAME(RAW_PING, 0, 0, "0123456")),
	FINE("6.7 an answer to no PING",
	     FRAME(RAW_PING, RAW_ACK, 0, "01234567")),
	ENDS("6.8 GOAWAY of a stream", H2_PROTOCOL_ERROR, OPEN(1, END),
	     FRAME(RAW_GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0")),
	ENDS("6.8 GOAWAY that is too short", FRAME_SIZE_ERROR, OPEN(1, END),
	     FRAME(RAW_GOAWAY, 0, 0, "\0\0\0\0\0\0\0")),
	ENDS("6.9 WINDOW_UPDATE of nothing, connection", H2_PROTOCOL_ERROR,
	     FRAME(RAW_WINDOW_UPDATE, 0, 0, "\0\0\0\0")),
	/* or RST_STREAM */
	ENDS("6.9 WINDOW_UPDATE of nothing, stream", H2_PROTOCOL_ERROR,
	     OPEN(1, END), FRAME(RAW_WINDOW_UPDATE, 0, 1, "\0\0\0\0")),
	ENDS("6.9 WINDOW_UPDATE of another length", FRAME_SIZE_ERROR,
	     FRAME(RAW_WINDOW_UPDATE, 0, 0, "\0\0\1")),
	ENDS("6.9.1 a connection's window over 2^31 - 1", FLOW_CONTROL_ERROR,
	     FRAME(RAW_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff")),
	RESETS("6.9.1 a stream's window over 2^31 - 1", FLOW_CONTROL_ERROR,
	       OPEN(1, END),
	       FRAME(RAW_WINDOW_UPDATE, 0, 1, "\x7f\xff\xff\xff")),
	/* the same */
	RESETS("6.9.2 settings that take a stream's window over it",
	       FLOW_CONTROL_ERROR, OPEN(1, END),
	       FRAME(RAW_WINDOW_UPDATE, 0, 1, "\x7f\xff\0\0"),
	       FRAME(RAW_SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff")),
	ENDS("6.10 CONTINUATION of stream 0", H2_PROTOCOL_ERROR,
	     FRAME(RAW_CONTINUATION, RAW_END_HEADERS, 0, "")),
	ENDS("6.10 CONTINUATION of another stream", H2_PROTOCOL_ERROR,
	     OPEN(1, RAW_END_STREAM),
	     FRAME(RAW_CONTINUATION, RAW_END_HEADERS, 3, "")),
	ENDS("6.10 CONTINUATION after the end of the block", H2_PROTOCOL_ERROR,
	     OPEN(1, RAW_END_HEADERS),
	     FRAME(RAW_CONTINUATION, RAW_END_HEADERS, 1, "")),
	ENDS("6.10 CONTINUATION after DATA", H2_PROTOCOL_ERROR,
	     OPEN(1, RAW_END_HEADERS), FRAME(RAW_DATA, 0, 1, "x"),
	     FRAME(RAW_CONTINUATION, RAW_END_HEADERS, 1, "")),
	FINE("6.10 CONTINUATION with nothing in it", OPEN(1, RAW_END_STREAM),
	     FRAME(RAW_CONTINUATION, 0, 1, ""),
	     FRAME(RAW_CONTINUATION, RAW_END_HEADERS, 1, "")),
	RESETS("8.1 trailers that are not the end", H2_PROTOCOL_ERROR,
	       OPEN(1, RAW_END_HEADERS),
	       FRAME(RAW_HEADERS, RAW_END_HEADERS, 1, "\0\3x-a\1b")),

	ENDS("7541 6.1 index 0", COMPRESSION_ERROR,
	     FRAME(RAW_HEADERS, END, 1, "\x80")),
	ENDS("7541 2.3.3 an index that is not in the table", COMPRESSION_ERROR,
	     FRAME(RAW_HEADERS, END, 1, "\xff\x80\x01")),
	ENDS("7541 5.1 an integer without an end", COMPRESSION_ERROR,
	     FRAME(RAW_HEADERS, END, 1,
		   "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
	ENDS("7541 5.2 a text longer than the block", COMPRESSION_ERROR,
	     FRAME(RAW_HEADERS, END, 1, "\0\7x-a")),
	ENDS("7541 5.2 Huffman padding of a whole byte", COMPRESSION_ERROR,
	     FRAME(RAW_HEADERS, END, 1, "\0\x82\xff\xff\1a")),
	ENDS("7541 5.2 Huffman padding with zeros", COMPRESSION_ERROR,
	     FRAME(RAW_HEADERS, END, 1, "\0\x81\x18\1a")),
	ENDS("7541 5.2 Huffman with the end of all texts", COMPRESSION_ERROR,
	     FRAME(RAW_HEADERS, END, 1, "\0\x84\xff\xff\xff\xff\1a")),
	ENDS("7541 6.3 a table larger than allowed", COMPRESSION_ERROR,
	     FRAME(RAW_HEADERS, END, 1, "\x3f\xe2\x1f")),
	ENDS("7541 4.2 a table resized behind a field", COMPRESSION_ERROR,
	     FRAME(RAW_HEADERS, END, 1, "\x82\x20")),
};

static struct ev_loop *loop;

static void say(struct raw *r, const struct frame *f)
{
	if (f->body)
		raw_frame(r, (enum frame_type)f->type, f->flags, f->stream,
			  f->body, f->len);
	else
		raw_headers(r, f->stream, f->flags, RAW_REQUEST);
}

/* Is it still there, and does it serve others? */
static bool serves(struct raw *r)
{
	unsigned answers = raw_count(r, RAW_PING, 0, NULL);
	unsigned requests = r->requests;

	raw_frame(r, RAW_PING, 0, 0, "alive?  ", 8);
	raw_headers(r, 77, END, RAW_REQUEST);
	raw_talk(r);
	return r->downs == 0 && raw_count(r, RAW_GOAWAY, 0, NULL) == 0 &&
	       raw_count(r, RAW_PING, 0, NULL) == answers + 1 &&
	       r->requests == requests + 1;
}

static const char *verdict(struct raw *r, const struct row *row)
{
	uint32_t error = UINT32_MAX;
	unsigned resets = raw_count(r, RAW_RST_STREAM, 0, &error);

	switch (row->reaction) {
	case IGNORED:
		if (resets > 0)
			return "a stream was reset";
		break;
	case RESET:
		if (resets != 1 || raw_count(r, RAW_RST_STREAM, 1, NULL) != 1)
			return "the stream was not reset";
		if (error != row->error)
			return "the stream was reset with another code";
		break;
	case CONNECTION:
		if (raw_count(r, RAW_GOAWAY, 0, &error) != 1)
			return "there was no GOAWAY";
		if (error != row->error)
			return "GOAWAY has another code";
		return r->downs == 1 && r->closed == r->requests
			       ? NULL
			       : "the connection goes on";
	}
	return serves(r) ? NULL : "the connection is broken";
}

static unsigned judge(const struct row *row, const struct h2_limits *limits)
{
	size_t most = sizeof(row->frames) / sizeof(row->frames[0]);
	struct raw r;

	raw_open(&r, loop, limits);
	raw_hello(&r);
	raw_talk(&r);
	for (size_t i = 0; i < most; i++)
		if (row->frames[i].body || row->frames[i].flags)
			say(&r, &row->frames[i]);
	raw_talk(&r);
	const char *why = verdict(&r, row);
	uint32_t error = 0;
	if (why && raw_count(&r, RAW_GOAWAY, 0, &error) == 0)
		raw_count(&r, RAW_RST_STREAM, 0, &error);
	if (why)
		print_error("%s: %s (%u)\n", row->rule, why, error);
	raw_close(&r);
	return why != NULL;
}

static void judge_all(const struct h2_limits *limits)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		wrong += judge(&rows[i], limits);
	assert_int_equal(wrong, 0);
}

static void a_socket_that_looks_for_itself_reacts_as_it_should(void **state)
{
	const struct h2_limits limits = h2_limits_local();

	(void)state;
	assert_true(limits.any_authority);
	judge_all(&limits);
}

static void a_port_where_nghttp2_looks_reacts_the_same(void **state)
{
	const struct h2_limits limits = h2_limits_tcp();

	(void)state;
	assert_false(limits.any_authority);
	judge_all(&limits);
}

/* --- what takes more than a few frames --- */

static struct raw peer;

static uint32_t goaway(void)
{
	uint32_t error = UINT32_MAX;

	raw_talk(&peer);
	assert_int_equal(raw_count(&peer, RAW_GOAWAY, 0, &error), 1);
	assert_int_equal(peer.downs, 1);
	return error;
}

static void a_preface_must_be_right_and_settings_come_first(void **state)
{
	static const char *const starts[] = {
		"INVALID CONNECTION PREFACE\r\n\r\n",
		"PRI * HTTP/1.0\r\n\r\nSM\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
		"\0\0\x08\6\0\0\0\0\0"
		"01234567",
	};
	static const size_t lengths[] = {30, 24, 41};
	const struct h2_limits limits = h2_limits_local();

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		raw_open(&peer, loop, &limits);
		buf_append(&peer.out, starts[i], lengths[i]);
		assert_int_equal(goaway(), H2_PROTOCOL_ERROR);
		raw_close(&peer);
	}
}

static void more_data_than_a_window_is_an_error(void **state)
{
	const struct h2_limits limits = h2_limits_local();

	(void)state;
	raw_open(&peer, loop, &limits);
	raw_hello(&peer);
	raw_headers(&peer, 1, RAW_END_HEADERS, RAW_REQUEST);
	for (int i = 0; i < 5; i++)
		raw_frame(&peer, RAW_DATA, 0, 1, zeros, MAX_FRAME);
	raw_talk(&peer);
	uint32_t error = 0;
	if (raw_count(&peer, RAW_GOAWAY, 0, &error) == 0)
		assert_int_equal(raw_count(&peer, RAW_RST_STREAM, 1, &error),
				 1);
	assert_int_equal(error, FLOW_CONTROL_ERROR);
	raw_close(&peer);
}

static void more_streams_than_allowed_are_an_error(void **state)
{
	struct h2_limits limits = h2_limits_local();

	(void)state;
	limits.streams = 5;
	raw_open(&peer, loop, &limits);
	raw_hello(&peer);
	raw_talk(&peer);
	for (uint32_t id = 1; id < 13; id += 2)
		raw_headers(&peer, id, END, RAW_REQUEST);
	assert_int_equal(goaway(), H2_PROTOCOL_ERROR);
	assert_int_equal(peer.requests, 5);
	raw_close(&peer);
}

static void too_many_settings_in_one_frame_are_an_error(void **state)
{
	const struct h2_limits limits = h2_limits_local();
	char settings[33 * 6] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(settings); i += 6)
		settings[i + 1] = 6;
	raw_open(&peer, loop, &limits);
	raw_hello(&peer);
	raw_frame(&peer, RAW_SETTINGS, 0, 0, settings, sizeof(settings));
	assert_int_equal(goaway(), H2_ENHANCE_YOUR_CALM);
	raw_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_socket_that_looks_for_itself_reacts_as_it_should),
		cmocka_unit_test(a_port_where_nghttp2_looks_reacts_the_same),
		cmocka_unit_test(
			a_preface_must_be_right_and_settings_come_first),
		cmocka_unit_test(more_data_than_a_window_is_an_error),
		cmocka_unit_test(more_streams_than_allowed_are_an_error),
		cmocka_unit_test(too_many_settings_in_one_frame_are_an_error),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
