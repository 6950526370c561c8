/*
 * port: the TCP endpoint, from the bound socket to its clients.
 *
 * Owns the door, the listener and the peers of it.  It is bound before
 * anything else is begun, so that a port that is taken is found out early;
 * opened when the daemon can serve.  Owned by the hub, before that by the
 * daemon.
 */
#ifndef SERVER_FACE_PORT_H
#define SERVER_FACE_PORT_H

#include <stdbool.h>
#include <stddef.h>

struct bearer;
struct err;
struct ev_loop;
struct h2_limits;
struct port;
struct services;
struct tcp_address;

/* Bound, and closed to everybody.  admin: whoever has the token may call the
 * admin service, too.  NULL with *e set. */
struct port *port_new(const struct tcp_address *a, bool admin, struct err *e);

/* Serve whoever has the token, which is copied as the limits are; at most so
 * many connections at a time. */
bool port_open(struct port *p, struct ev_loop *loop, struct services *services,
	       const struct bearer *token, const struct h2_limits *limits,
	       size_t connections, struct err *e);

/* "http://127.0.0.1:4780" */
const char *port_url(const struct port *p);

/* Another token, from now on.  What is open was opened with the old one: it is
 * closed once what is queued in this turn has left. */
void port_rotate(struct port *p, const struct bearer *token);

/* As in peer.h; 0 before it is open. */
size_t port_peers(const struct port *p);
size_t port_streams(const struct port *p);

/* Nobody finds it any more; who is connected stays. */
void port_shut(struct port *p);

/* Its connections take no new calls, and end with their last one. */
void port_drain(struct port *p);

/* At once, from any state.  p may be NULL. */
void port_free(struct port *p);

#endif
