/*
 * hub: everything that serves, from the store to the socket.
 *
 * Owns the store, the sessions, the router, the gRPC services and the peers,
 * and knows in which order they are made and released.  When to do what is the
 * daemon's business.  Owned by the daemon.
 */
#ifndef SERVER_HUB_H
#define SERVER_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/face/admin_service.h"

struct config;
struct err;
struct ev_loop;
struct hub;
struct port;

/* Open the store in data_dir and begin an epoch.  Both are borrowed.  With
 * ERR_VERSION *newer is the program that should own it instead, or NULL; the
 * caller's. */
struct hub *hub_new(struct ev_loop *loop, const struct config *config,
		    const char *data_dir, char **newer, struct err *e);

uint64_t hub_epoch(const struct hub *h);
const unsigned char *hub_instance(const struct hub *h); /* 16 bytes */

/* Make all the rest and load the catalogue; done, with NULL, when it can
 * serve.  events are those of the admin service; owner is theirs, too. */
void hub_load(struct hub *h, const struct admin_events *events,
	      void (*done)(void *owner, const struct err *why), void *owner);

/* Serve the listening socket fd, which is the hub's from now on; one that was
 * served before is closed. */
void hub_listen(struct hub *h, int fd);

/* Serve this TCP port, which is the hub's from now on, also when it fails.
 * Makes the token when there is none yet. */
bool hub_open_port(struct hub *h, struct port *port, struct err *e);

/* Of the port; "" when there is none. */
const char *hub_url(const struct hub *h);

/* Another token; what the old one opened is closed. */
bool hub_rotate_token(struct hub *h, struct err *e);

/* Serve that one, too, for as long as the hub is served at all. */
void hub_listen_also(struct hub *h, int fd);

/* Connections, and calls in them. */
size_t hub_peers(const struct hub *h);
size_t hub_streams(const struct hub *h);
/* Requests for which some client waits. */
unsigned hub_in_flight(const struct hub *h);
/* Is somebody connected (who has said nothing yet, too), or expected back; or
 * may anybody come who would find no successor, because there is a port? */
bool hub_is_used(const struct hub *h);

/* Take in all who wait at the socket; and shut it: who still stands there is
 * turned away before anybody has heard anything of him. */
void hub_take(struct hub *h);
void hub_shut(struct hub *h);

/* No version before this one shall own the directory any more. */
void hub_require(struct hub *h, const char *min_version,
		 void (*done)(void *owner, const struct err *why), void *owner);

/* The end, step by step: no new sessions; goodbye to the open ones; no more
 * connections, and every source ended in good order (done, once). */
void hub_drain(struct hub *h);
void hub_leave(struct hub *h);
void hub_stop(struct hub *h, void (*done)(void *owner), void *owner);

/* At once, from any state.  h may be NULL. */
void hub_free(struct hub *h);

#endif
