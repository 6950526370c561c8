/*
 * peer: one gRPC client's connection, and all of a listener.
 *
 * Knows that a new stream is a call, and when a connection is over.  Owned by
 * the table of peers, that by the hub.
 */
#ifndef SERVER_FACE_PEER_H
#define SERVER_FACE_PEER_H

#include <stddef.h>

struct ev_loop;
struct h2_limits;
struct peers;
struct services;

/* The peers of one listener, all with these limits.  services is borrowed. */
struct peers *peers_new(struct ev_loop *loop, struct services *services,
			const struct h2_limits *limits);

/* Take the connected socket fd, whose peer may be served. */
void peers_add(struct peers *all, int fd);

size_t peers_count(const struct peers *all);
/* Calls open in all of them. */
size_t peers_streams(const struct peers *all);

/* Every connection takes no new calls, and ends with its last one. */
void peers_drain(struct peers *all);

/* Close them at once: every call hears that it is closed.  all may be NULL. */
void peers_free(struct peers *all);

#endif
