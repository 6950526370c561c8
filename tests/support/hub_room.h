/*
 * hub_room: a router with a real store, real sources and fake clients.
 */
#ifndef TESTS_SUPPORT_HUB_ROOM_H
#define TESTS_SUPPORT_HUB_ROOM_H

#include "tests/support/room.h"

#include <signal.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "server/mcp/router.h"
#include "server/mcp/session.h"

/* One MCP client: what it was sent, a message a line. */
struct client {
	struct session *session;
	uint64_t sequence;
	struct buf lines;
	bool keeps_untaken;  /* set before it is opened */
	const char *watched; /* the same: a URI, or NULL */
	bool ended;	     /* by the hub: its session is kept a while */
	struct buf untaken;  /* the sequences that its goodbye names */
};

struct hub {
	struct room *room;
	struct sessions *sessions;
	struct router *router;
	struct client a;
	struct client b;
	char logs[96];
	char transcript[96];
	char effects[96];
	unsigned ask_ms; /* set before hub_start() */
	ev_timer guard;
	bool flag; /* set by hub_set_flag */
};

/* --- clients -------------------------------------------------------------- */

static inline void client_on_send(void *stream, struct message *m)
{
	struct client *c = stream;

	buf_append_slice(&c->lines, message_text(m));
	buf_append_text(&c->lines, "\n");
}

static inline size_t client_on_queued(void *stream)
{
	(void)stream;
	return 0;
}

static inline void client_on_accepted(void *stream, uint64_t sequence)
{
	(void)stream;
	(void)sequence;
}

static inline void client_on_pause(void *stream, bool paused)
{
	(void)stream;
	(void)paused;
}

static inline void client_on_end(void *stream,
				 Executor__Mcp__V1__Goodbye__Reason reason,
				 const char *text,
				 const envelope_untaken_t *untaken)
{
	struct client *c = stream;

	(void)reason;
	(void)text;
	c->session = NULL;
	c->ended = true;
	if (untaken)
		buf_append(&c->untaken, untaken->sequences,
			   untaken->n_sequences * sizeof(uint64_t));
}

static const struct session_stream client_functions = {
	.send = client_on_send,
	.queued = client_on_queued,
	.accepted = client_on_accepted,
	.pause = client_on_pause,
	.end = client_on_end,
};

static inline void client_open(struct hub *h, struct client *c)
{
	envelope_welcome_t welcome;
	envelope_hello_t hello;
	unsigned char instance[ENVELOPE_ID_BYTES];
	ProtobufCBinaryData watched;
	struct err e = {0};

	executor__mcp__v1__hello__init(&hello);
	executor__mcp__v1__welcome__init(&welcome);
	mem_random(instance, sizeof(instance));
	hello.adapter_instance.data = instance;
	hello.adapter_instance.len = sizeof(instance);
	hello.keeps_untaken = c->keeps_untaken;
	if (c->watched) {
		watched = protobuf_bytes(slice_of(c->watched));
		hello.subscriptions = &watched;
		hello.n_subscriptions = 1;
	}
	c->session = session_open(h->sessions, &hello, &client_functions, c,
				  &welcome, &e);
	assert_non_null(c->session);
	c->sequence = 0;
	session_attached(c->session);
	session_set_client(c->session, slice_of("{}"));
}

static inline void client_close(struct client *c)
{
	if (c->session)
		session_detach(c->session, true);
	c->session = NULL;
	buf_finish(&c->lines);
	buf_finish(&c->untaken);
}

static inline void client_say(struct client *c, const char *json)
{
	session_accept(c->session, ++c->sequence, true, slice_of(json));
}

/* A request; params is its raw text. */
static inline void client_ask(struct client *c, const char *id,
			      const char *method, const char *params)
{
	struct buf text = {0};

	jsonrpc_request(&text, slice_of(id), method, slice_of(params));
	session_accept(c->session, ++c->sequence, true, buf_slice(&text));
	buf_finish(&text);
}

/* A line that holds text, or NULL; NUL-terminated until the next line. */
static inline const char *client_find(struct client *c, const char *text)
{
	buf_append(&c->lines, "", 1);
	c->lines.len--;
	return strstr(c->lines.data, text);
}

static inline unsigned client_count(struct client *c, const char *text)
{
	const char *at = client_find(c, text);
	unsigned n = 0;

	for (; at; at = strstr(at + 1, text))
		n++;
	return n;
}

static inline void client_forget(struct client *c)
{
	buf_reset(&c->lines, 0);
}

/* --- the loop ------------------------------------------------------------- */

static inline void hub_on_guard(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	fail_msg("nothing came for a minute");
}

static inline void hub_turn(struct hub *h)
{
	ev_run(h->room->loop, EVRUN_ONCE);
}

static inline void client_await(struct hub *h, struct client *c,
				const char *text)
{
	while (!client_find(c, text))
		hub_turn(h);
}

static inline void hub_await_file(struct hub *h, const char *path,
				  const char *text)
{
	/* Another process writes it; its answers turn the loop. */
	while (!file_holds(path, text))
		ev_run(h->room->loop, EVRUN_NOWAIT);
}

static inline void hub_set_flag(void *owner)
{
	((struct hub *)owner)->flag = true;
}

static inline void hub_await_answer(struct hub *h, struct answer *a)
{
	while (a->calls == 0)
		hub_turn(h);
	assert_int_equal(a->calls, 1);
}

static inline void hub_await_listed(struct hub *h)
{
	h->flag = false;
	router_when_listed(h->router, hub_set_flag, h);
	while (!h->flag)
		hub_turn(h);
}

/* --- sources -------------------------------------------------------------- */

/* A source that is the fake one, started by this command. */
static inline void hub_order_command(struct hub *h, const char *name,
				     const char *const *command,
				     struct stored_settings settings,
				     struct answer *a)
{
	const struct stored_env env[] = {
		{"TRANSCRIPT", h->transcript, true},
		{"EFFECTS", h->effects, true},
	};
	const struct stored_source source = {
		.name = name,
		.command = command,
		.cwd = "/",
		.env = env,
		.env_count = 2,
		.settings = settings,
	};

	router_source_add(h->router, &source, on_done, a);
}

/* With this argument, or NULL for none. */
static inline void hub_order(struct hub *h, const char *name, const char *mode,
			     struct answer *a)
{
	const char *const command[] = {FAKE_SOURCE, mode, NULL};

	hub_order_command(h, name, command, (struct stored_settings){false}, a);
}

static inline void hub_add(struct hub *h, const char *name, const char *mode)
{
	struct answer a = {0};

	hub_order(h, name, mode, &a);
	hub_await_answer(h, &a);
	if (a.reason != ERR_NONE)
		fail_msg("%s", a.text);
}

/* --- life ----------------------------------------------------------------- */

static inline void hub_on_loaded(void *owner, const struct err *why)
{
	if (why)
		fail_msg("%s", why->text);
	hub_set_flag(owner);
}

/* Open the store and all above it, as a daemon does at its start. */
static inline void hub_start(struct hub *h, unsigned first_list_ms)
{
	struct session_limits limits = {
		.message_bytes = 1 << 20,
		.session_bytes = 8 << 20,
		.all_bytes = 64 << 20,
		.sessions = 16,
		.in_flight = 64,
		.detached_ms = 60000,
	};
	struct router_options options = {
		.data_dir = h->room->dir,
		.limits = {.message_bytes = 1 << 20,
			   .start_ms = 30000,
			   .request_ms = 60000,
			   .queued = 64},
		.first_list_ms = first_list_ms,
		.ask_ms = h->ask_ms,
		.epoch = 1,
	};

	room_open(h->room);
	h->sessions = sessions_new(h->room->loop, &limits);
	h->router = router_new(h->room->loop, h->room->store, h->sessions,
			       &options);
	sessions_set_router(h->sessions, h->router);
	h->flag = false;
	router_load(h->router, hub_on_loaded, h);
	while (!h->flag)
		hub_turn(h);
	client_open(h, &h->a);
	client_open(h, &h->b);
}

/* End all of it in good order; every counter has returned to zero. */
static inline void hub_end(struct hub *h)
{
	client_close(&h->a);
	client_close(&h->b);
	assert_int_equal(router_in_flight(h->router), 0);
	assert_int_equal(sessions_in_flight(h->sessions), 0);
	assert_int_equal(sessions_count(h->sessions), h->a.ended + h->b.ended);
	h->flag = false;
	router_stop(h->router, hub_set_flag, h);
	while (!h->flag)
		hub_turn(h);
	router_free(h->router);
	sessions_free(h->sessions);
	room_close(h->room);
}

static inline int hub_make(void **state)
{
	struct hub *h = calloc(1, sizeof(*h));
	void *room;

	if (room_make(&room) != 0)
		return -1;
	signal(SIGPIPE, SIG_IGN); /* as a daemon does */
	h->room = room;
	/* Children are reaped by the default one. */
	ev_loop_destroy(h->room->loop);
	h->room->loop = ev_default_loop(EVFLAG_AUTO);
	snprintf(h->logs, sizeof(h->logs), "%s/logs", h->room->dir);
	snprintf(h->transcript, sizeof(h->transcript), "%s/transcript",
		 h->room->dir);
	snprintf(h->effects, sizeof(h->effects), "%s/effects", h->room->dir);
	if (mkdir(h->logs, 0700) != 0)
		return -1;
	ev_timer_init(&h->guard, hub_on_guard, 60.0, 0.0);
	ev_timer_start(h->room->loop, &h->guard);
	*state = h;
	return 0;
}

static inline int hub_clear(void **state)
{
	struct hub *h = *state;
	void *room = h->room;
	DIR *dir = opendir(h->logs);

	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
	ev_timer_stop(h->room->loop, &h->guard);
	free(h);
	return room_clear(&room);
}

#define hub_test(name)                                                         \
	cmocka_unit_test_setup_teardown(name, hub_make, hub_clear)

#endif
