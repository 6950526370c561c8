/*
 * crowd: many sessions of one daemon, opened straight on its socket.
 *
 * usage: crowd SOCKET COUNT STREAMS
 *
 * Each says hello, initialize and ping; STREAMS of them share a connection.
 * When all have their answers "attached COUNT" is printed.  A line on stdin is
 * a number of pings, one after the other, each in the session that had none
 * for longest, and printed is how long they took: "pinged P50_US P99_US".  At
 * the end of stdin all say goodbye, and the program ends when the daemon has
 * closed every stream.
 */
#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/h2.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/link.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "proto/version.h"
#include "report.h"

enum {
	ANSWERS = 2, /* of each, before it is attached */
	WAVE = 200,  /* that are about to attach at a time: a daemon does not
		      * wait for ever for a preface that is not sent yet */
};

/* One session.  Owned by the list of all. */
struct visitor {
	struct h2_stream *stream;
	struct link *link;
	unsigned answers;
	uint64_t said; /* messages */
	bool leaving;
};

static struct ev_loop *loop;
static struct visitor *visitors;
static unsigned count;
static unsigned streams; /* on each connection */
static const char *path;
static struct h2 **all;
static unsigned entered;
static unsigned attached;
static unsigned closed;
static unsigned long to_ping;
static unsigned next_to_ping;
static double said_us;
static struct samples us;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

_Noreturn static void fail(const char *what, const char *why)
{
	fprintf(stderr, "crowd: %s: %s\n", what, why);
	exit(1);
}

static void enter_next(void);

static void say(struct visitor *v, const char *json)
{
	struct message *m = message_new(slice_of(json), false);

	m->sequence = ++v->said;
	link_send(v->link, m, 0);
	message_unref(m);
}

/* --- pings ------------------------------------------------------------------
 */

static void say_ping(struct visitor *v)
{
	char json[80];

	snprintf(json, sizeof(json),
		 "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"ping\"}",
		 (unsigned long long)v->said + 1);
	say(v, json);
}

static void ping_next(void)
{
	if (to_ping == 0) {
		printf("pinged %.2f %.2f\n", samples_at(&us, 0.5),
		       samples_at(&us, 0.99));
		fflush(stdout);
		samples_finish(&us);
		return;
	}
	to_ping--;
	said_us = now_us();
	say_ping(&visitors[next_to_ping++ % count]);
}

/* --- events of a link ------------------------------------------------------
 */

static void on_envelope(void *owner, const envelope_t *e)
{
	struct visitor *v = owner;

	if (e->body_case != EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME)
		fail("instead of a welcome", "a goodbye");
	say(v, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\","
	       "\"params\":{\"protocolVersion\":\"2025-11-25\","
	       "\"capabilities\":{},\"clientInfo\":{\"name\":\"crowd\","
	       "\"version\":\"1\"}}}");
	say_ping(v);
}

static void on_message(void *owner, uint64_t sequence, bool effect,
		       struct slice json, struct buf *whole)
{
	struct visitor *v = owner;

	(void)effect;
	(void)whole;
	link_received(v->link, sequence);
	struct jsonrpc m;
	unsigned long long id = 0;

	if (!jsonrpc_slice(json, &m, NULL) || m.kind != JSONRPC_RESULT ||
	    !json_u64(m.id, &id) || id != ++v->answers)
		fail("an answer", "not to what was asked");
	if (v->answers > ANSWERS) {
		samples_add(&us, now_us() - said_us);
		ping_next();
	} else if (v->answers == ANSWERS) {
		enter_next();
		if (++attached < count)
			return;
		printf("attached %u\n", count);
		fflush(stdout);
	}
}

static void on_acked(void *owner, uint64_t received)
{
	(void)owner;
	(void)received;
}

static void on_broken(void *owner, const struct err *why)
{
	(void)owner;
	fail("the stream", why->text);
}

static const struct link_events link_events = {
	.envelope = on_envelope,
	.message = on_message,
	.acked = on_acked,
	.broken = on_broken,
};

/* --- events of a stream and a connection -----------------------------------
 */

static void on_headers(void *owner, const struct h2_headers *h)
{
	(void)owner;
	(void)h;
}

static void on_data(void *owner, struct slice bytes)
{
	link_on_data(((struct visitor *)owner)->link, bytes);
}

static void on_end(void *owner)
{
	(void)owner;
}

static void on_drained(void *owner)
{
	link_on_drained(((struct visitor *)owner)->link);
}

static void on_closed(void *owner, uint32_t error)
{
	struct visitor *v = owner;

	(void)error;
	if (!v->leaving)
		fail("a stream", "closed too early");
	link_free(v->link);
	v->link = NULL;
	v->stream = NULL;
	if (++closed == count)
		ev_break(loop, EVBREAK_ALL);
}

static const struct h2_stream_events stream_events = {
	.headers = on_headers,
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

static void on_down(void *owner, const struct err *why)
{
	(void)owner;
	if (closed < count)
		fail("the connection", why->text);
}

static const struct h2_events events = {.down = on_down};

/* --- coming and going ------------------------------------------------------
 */

static int connect_to_daemon(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		fail(path, "too long");
	strcpy(a.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		fail(path, strerror(errno));
	return fd;
}

static void enter(struct visitor *v, struct h2 *h)
{
	static char version[] = "crowd";
	const struct h2_header headers[] = {
		{slice_of(":method"), slice_of("POST")},
		{slice_of(":scheme"), slice_of("http")},
		{slice_of(":path"),
		 slice_of("/executor.mcp.v1.McpService/Session")},
		{slice_of(":authority"), slice_of("localhost")},
		{slice_of("te"), slice_of("trailers")},
		{slice_of("content-type"), slice_of("application/grpc")},
	};
	unsigned char instance[ENVELOPE_ID_BYTES];
	envelope_hello_t hello;
	envelope_t envelope;
	struct err e;

	v->stream = h2_request(h, headers, sizeof(headers) / sizeof(*headers),
			       &stream_events, v, &e);
	if (!v->stream)
		fail("a stream", e.text);
	v->link = link_new(loop, v->stream, ENVELOPE_MESSAGE_BYTES,
			   &link_events, v);
	mem_random(instance, sizeof(instance));
	executor__mcp__v1__envelope__init(&envelope);
	executor__mcp__v1__hello__init(&hello);
	hello.protocol_min = version_protocol_min;
	hello.protocol_max = version_protocol_max;
	hello.version = version;
	hello.adapter_instance =
		(ProtobufCBinaryData){sizeof(instance), instance};
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_HELLO;
	envelope.hello = &hello;
	link_send_envelope(v->link, &envelope);
}

static void enter_next(void)
{
	const struct h2_limits limits = h2_limits_local();
	unsigned i = entered;

	if (i == count)
		return;
	entered++;
	if (!all[i / streams])
		all[i / streams] = h2_new_client(loop, connect_to_daemon(),
						 &limits, &events, NULL);
	enter(&visitors[i], all[i / streams]);
}

static void leave(struct visitor *v)
{
	envelope_goodbye_t goodbye;
	envelope_t envelope;

	v->leaving = true;
	executor__mcp__v1__envelope__init(&envelope);
	executor__mcp__v1__goodbye__init(&goodbye);
	goodbye.reason = EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_CLIENT_LEFT;
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE;
	envelope.goodbye = &goodbye;
	link_send_envelope(v->link, &envelope);
	h2_end(v->stream);
}

static void on_stdin(struct ev_loop *l, ev_io *w, int revents)
{
	char line[32];
	ssize_t got = read(w->fd, line, sizeof(line) - 1);

	(void)revents;
	if (got > 0) {
		line[got] = '\0';
		to_ping = strtoul(line, NULL, 10);
		ping_next();
		return;
	}
	ev_io_stop(l, w);
	for (unsigned i = 0; i < count; i++)
		leave(&visitors[i]);
}

int main(int argc, char **argv)
{
	struct ev_io input;

	count = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	streams = count > 0 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	if (streams == 0) {
		fputs("usage: crowd SOCKET COUNT STREAMS\n", stderr);
		return 2;
	}
	log_open(STDERR_FILENO, LOG_ODD);
	loop = ev_default_loop(0);
	visitors = mem_zalloc(count * sizeof(*visitors));
	unsigned connections = (count + streams - 1) / streams;
	path = argv[1];
	all = mem_zalloc(connections * sizeof(struct h2 *));
	for (unsigned i = 0; i < WAVE; i++)
		enter_next();
	ev_io_init(&input, on_stdin, STDIN_FILENO, EV_READ);
	ev_io_start(loop, &input);
	ev_run(loop, 0);
	for (unsigned i = 0; i < connections; i++)
		h2_free(all[i]);
	free(all);
	free(visitors);
	return 0;
}
