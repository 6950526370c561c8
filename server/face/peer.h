/*
 * peer: one gRPC client's connection, and all of a listener.
 *
 * Knows that a new stream is a call, and when a connection is over.  Owned by
 * the table of peers, that by the hub.
 */
#ifndef SERVER_FACE_PEER_H
#define SERVER_FACE_PEER_H

#include <stddef.h>

struct door;
struct ev_loop;
struct h2_limits;
struct peers;
struct services;

/* The peers of one listener, all with these limits.  services is borrowed. */
struct peers *peers_new(struct ev_loop *loop, struct services *services,
			const struct h2_limits *limits);

/* Every call must pass door, which is borrowed and may change.  A connection
 * that brings none within patience_s which may is closed: those who may not
 * could take the place of those who may. */
void peers_guard(struct peers *all, const struct door *door, double patience_s);

/* Take the connected socket fd, whose peer may be served. */
void peers_add(struct peers *all, int fd);

size_t peers_count(const struct peers *all);
/* Calls open in all of them. */
size_t peers_streams(const struct peers *all);

/* Every connection takes no new calls, and ends with its last one.  What calls
 * have queued until now leaves before their client hears of it. */
void peers_drain(struct peers *all);

/* Close them at once: every call hears that it is closed.  Not from inside a
 * call. */
void peers_close(struct peers *all);

/* The same, and release.  all may be NULL. */
void peers_free(struct peers *all);

#endif
