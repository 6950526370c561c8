#include "server/hub.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "proto/err.h"
#include "proto/h2.h"
#include "proto/mem.h"
#include "proto/token.h"
#include "server/config.h"
#include "server/face/health_service.h"
#include "server/face/line_stream.h"
#include "server/face/listener.h"
#include "server/face/mcp_service.h"
#include "server/face/peer.h"
#include "server/face/port.h"
#include "server/face/reflection_service.h"
#include "server/face/service.h"
#include "server/mcp/journaling.h"
#include "server/mcp/router.h"
#include "server/mcp/session.h"
#include "server/store/store.h"

enum {
	SESSIONS_EACH = 2, /* times the connections: some are detached */
	SESSION_REQUESTS = 1024,
	SOURCE_START_MS = 30000,
	SOURCE_REQUEST_MS = 600000,
	SOURCE_QUEUED = 1024,
	SOURCE_MEMORY_MS = 10000,
	FIRST_LIST_MS = 5000,
	HELLO_MS = 5000,
	OTHERS = 4,
};

/* In the order in which they are made. */
struct hub {
	struct ev_loop *loop;
	const struct config *config;
	const char *data_dir;
	struct store *store;
	uint64_t epoch;
	unsigned char instance[ENVELOPE_ID_BYTES];
	struct journaling *journaling; /* or NULL */
	struct sessions *sessions;
	struct router *router;
	void (*loaded)(void *owner, const struct err *why);
	void *loaded_owner;
	struct services services;
	struct mcp_service *mcp;
	struct line_streams *lines;
	struct admin *admin;
	struct health *health;
	struct reflection *reflection;
	struct peers *peers;
	struct listener *listener;
	struct port *port;		 /* NULL: not on TCP */
	struct listener *others[OTHERS]; /* passed by a service manager */
	size_t other_count;
	const struct admin_events *events; /* the daemon's, and owner with it */
	void *owner;
};

static void make_journaling(struct hub *h)
{
	struct journaling_options options = {
		.result_bytes = h->config->journal_result_bytes,
		.all_bytes = h->config->journal_bytes,
		.keep_ms = h->config->journal_keep_ms,
	};

	memcpy(options.instance, h->instance, sizeof(options.instance));
	h->journaling = journaling_new(h->store, &options);
}

static void on_journal_loaded(void *owner, const struct err *why)
{
	struct hub *h = owner;

	if (why)
		h->loaded(h->loaded_owner, why);
	else
		router_load(h->router, h->loaded, h->loaded_owner);
}

static void make_sessions(struct hub *h)
{
	const struct config *c = h->config;
	struct session_limits limits = {
		.message_bytes = c->message_bytes,
		.session_bytes = c->session_bytes,
		.all_bytes = c->all_bytes,
		.sessions = (unsigned)(SESSIONS_EACH * c->connections),
		.in_flight = SESSION_REQUESTS,
		.detached_ms = c->detached_ms,
	};

	h->sessions = sessions_new(h->loop, &limits);
	sessions_set_journaling(h->sessions, h->journaling);
}

static void make_router(struct hub *h)
{
	struct router_options options = {
		.data_dir = h->data_dir,
		.limits = {.message_bytes = h->config->message_bytes,
			   .start_ms = SOURCE_START_MS,
			   .request_ms = SOURCE_REQUEST_MS,
			   .idle_ms = h->config->source_idle_ms,
			   .queued = SOURCE_QUEUED,
			   .memory_bytes = h->config->source_memory_bytes,
			   .memory_ms = SOURCE_MEMORY_MS},
		.first_list_ms = FIRST_LIST_MS,
		.audit_rows = h->config->audit_rows,
		.epoch = h->epoch,
	};

	h->router = router_new(h->loop, h->store, h->sessions, &options);
	sessions_set_router(h->sessions, h->router);
}

/* A listener's limits, with what the options say otherwise. */
static struct h2_limits limits_of(const struct hub *h, struct h2_limits l)
{
	const struct config *c = h->config;

	if (c->client_idle_ms > 0)
		l.idle_ms = c->client_idle_ms;
	if (c->client_age_ms > 0)
		l.age_ms = c->client_age_ms;
	if (c->client_keepalive_ms > 0)
		l.keepalive_ms = c->client_keepalive_ms;
	/* Two results side by side, however large. */
	if (l.queue_all_bytes < 2 * c->message_bytes)
		l.queue_all_bytes = 2 * c->message_bytes;
	return l;
}

/* A program that is newer, and cannot speak to us. */
static void on_outdated(void *owner, const char *version)
{
	struct hub *h = owner;

	h->events->drain(h->owner, 0, version);
}

static void make_face(struct hub *h, const struct admin_events *events,
		      void *owner)
{
	struct mcp_options options = {
		.epoch = h->epoch,
		.message_bytes = h->config->message_bytes,
		.session_bytes = h->config->session_bytes,
		.hello_ms = HELLO_MS,
		.outdated = on_outdated,
		.owner = h,
	};
	h->events = events;
	h->owner = owner;
	const struct h2_limits local = limits_of(h, h2_limits_local());

	memcpy(options.instance, h->instance, sizeof(options.instance));
	h->mcp = mcp_service_new(h->loop, &h->services, h->sessions, &options);
	h->lines = line_streams_new(h->loop, &h->services, h->sessions,
				    h->config->message_bytes);
	h->admin = admin_new(h->loop, &h->services, h->router, h->sessions,
			     h->store, events, owner);
	h->health = health_new(&h->services);
	h->reflection = reflection_new(&h->services);
	h->peers = peers_new(h->loop, &h->services, &local);
}

struct hub *hub_new(struct ev_loop *loop, const struct config *config,
		    const char *data_dir, char **newer, struct err *e)
{
	struct hub *h = mem_zalloc(sizeof(*h));

	h->loop = loop;
	h->config = config;
	h->data_dir = data_dir;
	h->store = store_open_or_yield(loop, data_dir, newer, e);
	mem_random(h->instance, sizeof(h->instance));
	if (h->store)
		h->epoch = store_begin_epoch(h->store, h->instance, e);
	if (h->epoch != 0)
		return h;
	hub_free(h);
	return NULL;
}

uint64_t hub_epoch(const struct hub *h)
{
	return h->epoch;
}

const unsigned char *hub_instance(const struct hub *h)
{
	return h->instance;
}

void hub_load(struct hub *h, const struct admin_events *events,
	      void (*done)(void *owner, const struct err *why), void *owner)
{
	if (h->config->journal)
		make_journaling(h);
	make_sessions(h);
	make_router(h);
	make_face(h, events, owner);
	h->loaded = done;
	h->loaded_owner = owner;
	if (h->journaling)
		journaling_load(h->journaling, on_journal_loaded, h);
	else
		router_load(h->router, done, owner);
}

void hub_listen(struct hub *h, int fd)
{
	listener_free(h->listener);
	h->listener =
		listener_new(h->loop, fd, h->peers, h->config->connections);
}

/* The first daemon that needs a token makes it. */
static bool find_token(const struct hub *h, struct bearer *token, struct err *e)
{
	return token_read(h->data_dir, token, e) ||
	       (e->reason == ERR_NOT_FOUND &&
		token_renew(h->data_dir, token, e));
}

bool hub_open_port(struct hub *h, struct port *port, struct err *e)
{
	const struct h2_limits limits = limits_of(h, h2_limits_tcp());
	struct bearer token;

	h->port = port;
	bool ok = find_token(h, &token, e) &&
		  port_open(port, h->loop, &h->services, &token, &limits,
			    h->config->connections, e);
	mem_wipe(&token, sizeof(token));
	return ok;
}

const char *hub_url(const struct hub *h)
{
	return h->port ? port_url(h->port) : "";
}

bool hub_rotate_token(struct hub *h, struct err *e)
{
	struct bearer token;
	bool ok = token_renew(h->data_dir, &token, e);

	if (ok && h->port)
		port_rotate(h->port, &token);
	mem_wipe(&token, sizeof(token));
	return ok;
}

void hub_listen_also(struct hub *h, int fd)
{
	assert(h->other_count < OTHERS);
	h->others[h->other_count++] =
		listener_new(h->loop, fd, h->peers, h->config->connections);
}

size_t hub_peers(const struct hub *h)
{
	return peers_count(h->peers) + (h->port ? port_peers(h->port) : 0);
}

size_t hub_streams(const struct hub *h)
{
	return peers_streams(h->peers) + (h->port ? port_streams(h->port) : 0);
}

unsigned hub_in_flight(const struct hub *h)
{
	return sessions_in_flight(h->sessions);
}

bool hub_is_used(const struct hub *h)
{
	/* Nobody is elected for who connects to a port. */
	return h->port || peers_count(h->peers) > 0 ||
	       sessions_count(h->sessions) > 0 ||
	       sessions_in_flight(h->sessions) > 0;
}

void hub_take(struct hub *h)
{
	listener_take(h->listener);
	for (size_t i = 0; i < h->other_count; i++)
		listener_take(h->others[i]);
}

void hub_shut(struct hub *h)
{
	listener_free(h->listener);
	h->listener = NULL;
	while (h->other_count > 0)
		listener_free(h->others[--h->other_count]);
}

void hub_require(struct hub *h, const char *min_version,
		 void (*done)(void *owner, const struct err *why), void *owner)
{
	store_require(h->store, min_version, done, owner);
}

void hub_drain(struct hub *h)
{
	if (h->port)
		port_shut(h->port);
	health_set_serving(h->health, false);
	sessions_drain(h->sessions);
	router_drain(h->router);
}

void hub_leave(struct hub *h)
{
	peers_drain(h->peers);
	if (h->port)
		port_drain(h->port);
	sessions_end(h->sessions);
	admin_leave(h->admin);
	health_end(h->health);
	reflection_end(h->reflection);
}

void hub_stop(struct hub *h, void (*done)(void *owner), void *owner)
{
	port_free(h->port);
	h->port = NULL;
	hub_shut(h);
	peers_free(h->peers);
	h->peers = NULL;
	router_stop(h->router, done, owner);
}

void hub_free(struct hub *h)
{
	if (!h)
		return;
	port_free(h->port);
	hub_shut(h);
	peers_free(h->peers);
	reflection_free(h->reflection);
	health_free(h->health);
	line_streams_free(h->lines);
	mcp_service_free(h->mcp);
	/* Before the admin service, to which they may still answer. */
	router_free(h->router);
	sessions_free(h->sessions);
	store_close(h->store);
	journaling_free(h->journaling);
	admin_free(h->admin);
	free(h);
}
