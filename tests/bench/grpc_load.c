/*
 * grpc_load: one client for every server that the gRPC axis compares.
 *
 * usage: grpc_load unary PORT CONNECTIONS STREAMS CALLS
 *        grpc_load plain PORT CONNECTIONS STREAMS CALLS
 *        grpc_load ping PORT 1 1 MESSAGES
 *        grpc_load hold PORT CONNECTIONS STREAMS 0
 *
 * unary makes CALLS of grpc.testing.TestService/UnaryCall, 200 bytes there and
 * back, STREAMS at a time on each connection; plain gets the same bytes from a
 * web server as /answer; ping sends MESSAGES to and fro on one FullDuplexCall;
 * hold opens calls of that and holds them.  Every answer is compared byte for
 * byte, and its status must be 0.
 *
 * A line on stdout says how it went ("done SECONDS P50_US P99_US"), or "held"
 * each time that all calls are open: hold then waits for a line on stdin and
 * ends the calls ("idle"), and for another one to end the connections.
 */
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/h2.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "report.h"

enum {
	PAYLOAD_BYTES = 200,
	MESSAGE_BYTES = 512, /* more than either message has */
	CONNECT_TRIES = 200, /* a web server says nothing when it listens */
	CONNECT_PAUSE_MS = 25,
};

struct mode {
	const char *name;
	const char *method;
	const char *path;
	bool grpc;
	bool stays; /* one call for all messages */
	/* protobuf: the field that holds the size wanted, and the payload's;
	 * grpc/testing/messages.proto. */
	const char *head;
	size_t head_bytes;
	char payload_tag;
};

/* response_size = 200, at the top or in response_parameters[0].size. */
static const struct mode modes[] = {
	{.name = "unary",
	 .method = "POST",
	 .path = "/grpc.testing.TestService/UnaryCall",
	 .grpc = true,
	 .head = "\x10\xc8\x01",
	 .head_bytes = 3,
	 .payload_tag = 0x1a},
	{.name = "plain", .method = "GET", .path = "/answer"},
	{.name = "ping",
	 .method = "POST",
	 .path = "/grpc.testing.TestService/FullDuplexCall",
	 .grpc = true,
	 .stays = true,
	 .head = "\x12\x03\x08\xc8\x01",
	 .head_bytes = 5,
	 .payload_tag = 0x1a},
};

/* One place for a call: the next one begins where the last has ended.  Owned
 * by the list of all. */
struct slot {
	struct h2 *h2;
	struct h2_stream *stream;
	struct buf answer;
	double since;
	bool status_ok;
};

static struct ev_loop *loop;
static const struct mode *mode;
static bool hold;
static struct slot *slots;
static unsigned slot_count;
static unsigned open_slots; /* that have had an answer, when they stay */
static unsigned long to_begin, to_end;
static bool leaving;
static struct buf request, expected;
static struct samples us;
static double began;

_Noreturn static void fail(const char *what, const char *why)
{
	fprintf(stderr, "grpc_load: %s: %s\n", what, why);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- bytes ------------------------------------------------------------------
 */

/* A payload with a body of PAYLOAD_BYTES zeroes, as the field of that tag. */
static void append_payload(struct buf *to, char tag)
{
	const char head[] = {tag, (char)0xcb, 0x01, 0x12, (char)0xc8, 0x01};
	static const char zeroes[PAYLOAD_BYTES];

	buf_append(to, head, sizeof(head));
	buf_append(to, zeroes, sizeof(zeroes));
}

static void append_framed(struct buf *to, const struct buf *message)
{
	unsigned char prefix[GRPC_PREFIX_BYTES];

	grpc_prefix(prefix, (uint32_t)message->len);
	buf_append(to, prefix, sizeof(prefix));
	buf_append(to, message->data, message->len);
}

static void make_messages(void)
{
	struct buf message = {0};

	if (mode->grpc) {
		buf_append(&message, mode->head, mode->head_bytes);
		append_payload(&message, mode->payload_tag);
		append_framed(&request, &message);
		buf_reset(&message, MESSAGE_BYTES);
	}
	append_payload(&message, 0x0a);
	append_framed(&expected, &message);
	buf_finish(&message);
}

/* --- a call -----------------------------------------------------------------
 */

static void begin(struct slot *s);

static void say(struct slot *s)
{
	s->since = now();
	buf_append(h2_output(s->stream), request.data, request.len);
	h2_send(s->stream);
	if (!mode->stays)
		h2_end(s->stream);
}

static void finish_run(void)
{
	printf("done %.6f %.2f %.2f\n", now() - began, samples_at(&us, 0.5),
	       samples_at(&us, 0.99));
	ev_break(loop, EVBREAK_ALL);
}

static void count_answer(struct slot *s)
{
	if (s->answer.len != expected.len ||
	    memcmp(s->answer.data, expected.data, expected.len) != 0)
		fail("an answer", "not what was asked for");
	buf_reset(&s->answer, MESSAGE_BYTES);
	samples_add(&us, (now() - s->since) * 1e6);
	if (to_end > 0)
		to_end--;
}

/* One answer on a call that stays. */
static void go_on(struct slot *s)
{
	count_answer(s);
	if (hold && ++open_slots == slot_count) {
		puts("held");
		fflush(stdout);
	}
	if (hold)
		return;
	if (to_end > 0) {
		say(s);
		return;
	}
	leaving = true;
	h2_end(s->stream);
}

static void on_headers(void *owner, const struct h2_headers *h)
{
	struct slot *s = owner;
	struct slice status = h2_header(h, ":status");
	struct slice code = h2_header(h, "grpc-status");

	if (status.ptr && !slice_is(status, "200"))
		fail("an answer's :status", "not 200");
	if (code.ptr && !slice_is(code, "0"))
		fail("an answer's grpc-status", "not 0");
	s->status_ok |= code.ptr || !mode->grpc;
}

static void on_data(void *owner, struct slice bytes)
{
	struct slot *s = owner;

	h2_consume(s->stream, bytes.len);
	buf_append_slice(&s->answer, bytes);
	if (mode->stays && s->answer.len >= expected.len)
		go_on(s);
}

static void on_end(void *owner)
{
	(void)owner;
}

static void on_closed(void *owner, uint32_t error)
{
	struct slot *s = owner;

	s->stream = NULL;
	if (error != H2_NO_ERROR || !s->status_ok)
		fail("a call", "ended without a status");
	if (!mode->stays)
		count_answer(s);
	else if (!leaving)
		fail("a call", "ended too early");
	if (!hold && to_end == 0) {
		finish_run();
	} else if (!mode->stays && to_begin > 0) {
		begin(s);
	} else if (hold && --open_slots == 0) {
		puts("idle");
		fflush(stdout);
	}
}

static const struct h2_stream_events stream_events = {
	.headers = on_headers,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
};

static void begin(struct slot *s)
{
	const struct h2_header headers[] = {
		{slice_of(":method"), slice_of(mode->method)},
		{slice_of(":scheme"), slice_of("http")},
		{slice_of(":path"), slice_of(mode->path)},
		{slice_of(":authority"), slice_of("localhost")},
		{slice_of("te"), slice_of("trailers")},
		{slice_of("content-type"), slice_of("application/grpc")},
	};
	struct err e;

	if (to_begin > 0)
		to_begin--;
	s->status_ok = false;
	s->stream =
		h2_request(s->h2, headers, sizeof(headers) / sizeof(*headers),
			   &stream_events, s, &e);
	if (!s->stream)
		fail("a call", e.text);
	say(s);
}

/* --- connections ------------------------------------------------------------
 */

static void on_down(void *owner, const struct err *why)
{
	(void)owner;
	fail("a connection", why->text);
}

static const struct h2_events events = {.down = on_down};

static int connect_to(const char *port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	const struct timespec pause = {.tv_nsec = CONNECT_PAUSE_MS * 1000000L};

	for (int i = 0; i < CONNECT_TRIES; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			fail("socket", strerror(errno));
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			return fd;
		close(fd);
		nanosleep(&pause, NULL);
	}
	fail(port, strerror(errno));
}

static void on_stdin(struct ev_loop *l, ev_io *w, int revents)
{
	char line[64];

	(void)revents;
	if (read(w->fd, line, sizeof(line)) <= 0 || leaving) {
		ev_break(l, EVBREAK_ALL);
		return;
	}
	leaving = true;
	for (unsigned i = 0; i < slot_count; i++)
		h2_end(slots[i].stream);
}

static const struct mode *find_mode(const char *name)
{
	hold = strcmp(name, "hold") == 0;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (strcmp(modes[i].name, hold ? "ping" : name) == 0)
			return &modes[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct h2_limits limits = h2_limits_local();
	struct ev_io input;

	mode = argc == 6 ? find_mode(argv[1]) : NULL;
	if (!mode) {
		fputs("usage: grpc_load unary|plain|ping|hold PORT CONNECTIONS "
		      "STREAMS COUNT\n",
		      stderr);
		return 2;
	}
	unsigned connections = (unsigned)strtoul(argv[3], NULL, 10);
	unsigned streams = (unsigned)strtoul(argv[4], NULL, 10);

	to_begin = to_end = strtoul(argv[5], NULL, 10);
	log_open(STDERR_FILENO, LOG_ODD);
	loop = ev_default_loop(0);
	make_messages();
	slot_count = connections * streams;
	slots = mem_zalloc(slot_count * sizeof(*slots));
	struct h2 **all = mem_zalloc(connections * sizeof(struct h2 *));
	for (unsigned i = 0; i < connections; i++)
		all[i] = h2_new_client(loop, connect_to(argv[2]), &limits,
				       &events, NULL);
	ev_io_init(&input, on_stdin, STDIN_FILENO, EV_READ);
	if (hold)
		ev_io_start(loop, &input);
	began = now();
	for (unsigned i = 0; i < slot_count; i++) {
		slots[i].h2 = all[i % connections];
		if (hold || to_begin > 0)
			begin(&slots[i]);
	}
	ev_run(loop, 0);
	for (unsigned i = 0; i < connections; i++)
		h2_free(all[i]);
	for (unsigned i = 0; i < slot_count; i++)
		buf_finish(&slots[i].answer);
	samples_finish(&us);
	buf_finish(&request);
	buf_finish(&expected);
	free(all);
	free(slots);
	return 0;
}
