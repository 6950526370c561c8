/*
 * client_fake: a daemon that misbehaves on demand, and whoever owns the client.
 *
 * Both live in one loop, in a private data directory with a manifest.
 */
#ifndef TESTS_UNIT_CLIENT_FAKE_H
#define TESTS_UNIT_CLIENT_FAKE_H

#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapter/attach.h"
#include "adapter/client.h"
#include "proto/err.h"
#include "proto/h2.h"
#include "proto/link.h"
#include "proto/message.h"

#define TEXT "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}"

enum behaviour { WELCOME, ANOTHER_EPOCH, MESSAGE_FIRST, REFUSE, HANG_UP };

enum { EPOCH = 7, GUARD_S = 20 };

struct rig {
	struct ev_loop *loop;
	char dir[64];
	char socket[96];
	struct client *client;

	/* the daemon */
	enum behaviour behaviour;
	ev_io listening;
	struct h2 *h2;
	struct h2_stream *stream;
	struct link *link;
	struct manifest manifest;
	unsigned hellos;
	char path[64]; /* of the request */
	unsigned goodbyes;

	/* what was told, on either side */
	char got[64];
	unsigned attached;
	unsigned farewells; /* goodbyes of the daemon */
	uint64_t untaken_above;
	unsigned lost;
	enum reason lost_why;
	unsigned troubles;
	struct err trouble;
	uint64_t acked;
};

/* --- the daemon ----------------------------------------------------------- */

static void send_envelope(struct rig *r, envelope_t *e)
{
	link_send_envelope(r->link, e);
}

static void send_welcome(struct rig *r, uint64_t epoch)
{
	static uint8_t session[ENVELOPE_ID_BYTES] = "a session";
	envelope_t e = EXECUTOR__MCP__V1__ENVELOPE__INIT;
	envelope_welcome_t w = EXECUTOR__MCP__V1__WELCOME__INIT;

	w.protocol = 1;
	w.epoch = epoch;
	w.daemon_instance.data = r->manifest.instance;
	w.daemon_instance.len = MANIFEST_ID_BYTES;
	w.session.data = session;
	w.session.len = sizeof(session);
	e.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_WELCOME;
	e.welcome = &w;
	send_envelope(r, &e);
}

static void send_goodbye(struct rig *r,
			 Executor__Mcp__V1__Goodbye__Reason reason)
{
	static char text[] = "that is why";
	envelope_t e = EXECUTOR__MCP__V1__ENVELOPE__INIT;
	envelope_goodbye_t g = EXECUTOR__MCP__V1__GOODBYE__INIT;
	envelope_untaken_t untaken = EXECUTOR__MCP__V1__UNTAKEN__INIT;

	untaken.above = 5;
	g.untaken = &untaken;
	g.reason = reason;
	g.text = text;
	e.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE;
	e.goodbye = &g;
	send_envelope(r, &e);
}

static void send_message(struct rig *r, uint64_t sequence)
{
	struct message *m = message_new(slice_of(TEXT), false);

	m->sequence = sequence;
	link_send(r->link, m, 0);
	message_unref(m);
}

static void refuse_stream(struct rig *r)
{
	const struct h2_header trailers[] = {
		{slice_of("grpc-status"), slice_of("9")},
		{slice_of("grpc-message"), slice_of("too%20old")},
	};

	h2_finish(r->stream, trailers, 2);
}

static void on_hello(struct rig *r, const envelope_hello_t *hello)
{
	r->hellos++;
	assert_int_equal(hello->epoch, EPOCH);
	assert_memory_equal(hello->daemon_instance.data, r->manifest.instance,
			    MANIFEST_ID_BYTES);
	assert_string_equal(hello->revision, "from the owner");
	switch (r->behaviour) {
	case WELCOME:
		send_welcome(r, EPOCH);
		break;
	case ANOTHER_EPOCH:
		send_welcome(r, EPOCH + 1);
		break;
	case MESSAGE_FIRST:
		send_message(r, 1);
		break;
	case REFUSE:
		refuse_stream(r);
		break;
	case HANG_UP:
		h2_free(r->h2);
		r->h2 = NULL;
		break;
	}
}

static void on_daemon_envelope(void *owner, const envelope_t *e)
{
	struct rig *r = owner;

	if (e->body_case == EXECUTOR__MCP__V1__ENVELOPE__BODY_HELLO) {
		on_hello(r, e->hello);
		return;
	}
	assert_int_equal(e->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE);
	assert_int_equal(
		e->goodbye->reason,
		EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_CLIENT_LEFT);
	r->goodbyes++;
}

static void on_daemon_message(void *owner, uint64_t sequence, bool effect,
			      struct slice json, struct buf *whole)
{
	struct rig *r = owner;

	(void)whole;
	assert_true(effect);
	snprintf(r->got, sizeof(r->got), "daemon %llu %.*s",
		 (unsigned long long)sequence, (int)json.len, json.ptr);
	link_received(r->link, sequence);
}

static void on_daemon_acked(void *owner, uint64_t received)
{
	((struct rig *)owner)->acked = received;
}

static void on_daemon_broken(void *owner, const struct err *why)
{
	(void)owner;
	fail_msg("%s", why->text);
}

static const struct link_events link_events = {
	.envelope = on_daemon_envelope,
	.message = on_daemon_message,
	.acked = on_daemon_acked,
	.broken = on_daemon_broken,
};

static void on_stream_headers(void *owner, const struct h2_headers *h)
{
	(void)owner;
	(void)h;
}

static void on_stream_data(void *owner, struct slice bytes)
{
	link_on_data(((struct rig *)owner)->link, bytes);
}

static void on_stream_end(void *owner)
{
	(void)owner;
}

static void on_stream_drained(void *owner)
{
	link_on_drained(((struct rig *)owner)->link);
}

static void on_stream_closed(void *owner, uint32_t h2_error)
{
	struct rig *r = owner;

	(void)h2_error;
	link_free(r->link);
	r->link = NULL;
	r->stream = NULL;
}

static const struct h2_stream_events stream_events = {
	.headers = on_stream_headers,
	.data = on_stream_data,
	.end = on_stream_end,
	.drained = on_stream_drained,
	.closed = on_stream_closed,
};

static void on_request(void *owner, struct h2_stream *s,
		       const struct h2_headers *h)
{
	const struct h2_header headers[] = {
		{slice_of(":status"), slice_of("200")},
		{slice_of("content-type"), slice_of("application/grpc")},
	};
	struct rig *r = owner;
	struct slice path = h2_header(h, ":path");

	snprintf(r->path, sizeof(r->path), "%.*s", (int)path.len, path.ptr);
	assert_true(slice_is(h2_header(h, "te"), "trailers"));
	assert_true(slice_is(h2_header(h, "content-type"), "application/grpc"));
	r->stream = s;
	h2_stream_listen(s, &stream_events, r);
	h2_respond(s, headers, 2);
	r->link = link_new(r->loop, s, ENVELOPE_MESSAGE_BYTES, &link_events, r);
}

static void on_down(void *owner, const struct err *why)
{
	struct rig *r = owner;

	(void)why;
	h2_free(r->h2);
	r->h2 = NULL;
}

static const struct h2_events h2_events = {
	.request = on_request,
	.down = on_down,
};

static void on_acceptable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct rig *r = w->data;
	struct h2_limits limits = h2_limits_local();
	int fd = accept(w->fd, NULL, NULL);

	(void)revents;
	if (fd < 0)
		return;
	h2_free(r->h2);
	r->h2 = h2_new_server(loop, fd, &limits, &h2_events, r);
}

static void listen_and_publish(struct rig *r)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char fresh[96];
	char path[96];
	char text[4096];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", r->socket);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	ev_io_init(&r->listening, on_acceptable, fd, EV_READ);
	r->listening.data = r;
	ev_io_start(r->loop, &r->listening);

	r->manifest.epoch = EPOCH;
	memset(r->manifest.instance, 'i', MANIFEST_ID_BYTES);
	r->manifest.pid = getpid();
	r->manifest.protocol_min = 1;
	r->manifest.protocol_max = 1;
	snprintf(r->manifest.boot_id, sizeof(r->manifest.boot_id), "boot");
	snprintf(r->manifest.host, sizeof(r->manifest.host), "host");
	snprintf(r->manifest.version, sizeof(r->manifest.version), "1");
	snprintf(r->manifest.socket, sizeof(r->manifest.socket), "%s",
		 r->socket);
	size_t len = manifest_print(&r->manifest, text, sizeof(text));
	assert_true(len > 0);
	snprintf(fresh, sizeof(fresh), "%s/run/manifest.new", r->dir);
	snprintf(path, sizeof(path), "%s/run/manifest", r->dir);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
	assert_int_equal(rename(fresh, path), 0);
}

/* --- the owner of the client ---------------------------------------------- */

static void fill_hello(void *owner, envelope_hello_t *hello)
{
	static uint8_t instance[ENVELOPE_ID_BYTES] = "an adapter";
	static char revision[] = "from the owner";

	(void)owner;
	hello->adapter_instance.data = instance;
	hello->adapter_instance.len = sizeof(instance);
	hello->revision = revision;
}

static void on_attached(void *owner, const envelope_welcome_t *welcome)
{
	struct rig *r = owner;

	assert_int_equal(welcome->epoch, EPOCH);
	r->attached++;
}

static void on_message(void *owner, uint64_t sequence, struct slice json,
		       struct buf *whole)
{
	struct rig *r = owner;

	(void)whole;
	snprintf(r->got, sizeof(r->got), "client %llu %.*s",
		 (unsigned long long)sequence, (int)json.len, json.ptr);
	client_received(r->client, sequence);
}

static void on_acked(void *owner, uint64_t received)
{
	((struct rig *)owner)->acked = received;
}

static void on_goodbye(void *owner, const envelope_goodbye_t *goodbye)
{
	struct rig *r = owner;

	assert_int_equal(r->lost, 0);
	r->farewells++;
	r->untaken_above = goodbye->untaken ? goodbye->untaken->above : 0;
}

static void on_lost(void *owner, const struct err *why)
{
	struct rig *r = owner;

	r->lost++;
	r->lost_why = why->reason;
}

static void on_trouble(void *owner, const struct err *why)
{
	struct rig *r = owner;

	r->troubles++;
	r->trouble = *why;
}

static const struct client_events client_events = {
	.hello = fill_hello,
	.attached = on_attached,
	.message = on_message,
	.acked = on_acked,
	.goodbye = on_goodbye,
	.lost = on_lost,
	.trouble = on_trouble,
};

static void on_guard(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	fail_msg("it never happened");
}

/* Turn the loop until *value is at least that; the guard is against hanging. */
static void run_until(struct rig *r, const unsigned *value, unsigned least)
{
	ev_timer guard;

	ev_timer_init(&guard, on_guard, GUARD_S, 0);
	ev_timer_start(r->loop, &guard);
	while (*value < least)
		ev_run(r->loop, EVRUN_ONCE);
	ev_timer_stop(r->loop, &guard);
}

static void run_until_got(struct rig *r, const char *text)
{
	ev_timer guard;

	ev_timer_init(&guard, on_guard, GUARD_S, 0);
	ev_timer_start(r->loop, &guard);
	while (strcmp(r->got, text) != 0)
		ev_run(r->loop, EVRUN_ONCE);
	ev_timer_stop(r->loop, &guard);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	char path[96];

	r->loop = ev_loop_new(0);
	snprintf(r->dir, sizeof(r->dir), "/tmp/executor-client-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(path, sizeof(path), "%s/run", r->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/run/s", r->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(r->socket, sizeof(r->socket), "%s/run/s/7.sock", r->dir);
	r->client = client_new(r->loop,
			       &(struct attach_options){.data_dir = r->dir},
			       &client_events, r);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;
	char path[96];

	client_free(r->client);
	h2_free(r->h2);
	if (ev_is_active(&r->listening)) {
		ev_io_stop(r->loop, &r->listening);
		close(r->listening.fd);
	}
	ev_loop_destroy(r->loop);
	unlink(r->socket);
	snprintf(path, sizeof(path), "%s/run/manifest", r->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/run/s", r->dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/run", r->dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/logs", r->dir);
	rmdir(path);
	assert_int_equal(rmdir(r->dir), 0);
	free(r);
	return 0;
}

static void attach(struct rig *r)
{
	listen_and_publish(r);
	client_start(r->client);
	run_until(r, &r->attached, 1);
}

#endif
