/*
 * listener: takes connections from a listening socket.
 *
 * At a unix socket only a peer whose uid is ours is let in: the kernel says
 * who it is.  At a TCP port everybody is, and each call must show who it is
 * (door.h).  Runs out of descriptors without spinning: then it rests for a
 * moment.  Owned by the hub.
 */
#ifndef SERVER_FACE_LISTENER_H
#define SERVER_FACE_LISTENER_H

#include <stddef.h>

struct ev_loop;
struct listener;
struct peers;

/* Takes the listening fd, and gives every connection to peers, as long as
 * there are fewer than most. */
struct listener *listener_new(struct ev_loop *loop, int fd, struct peers *peers,
			      size_t most);

/* Take all who wait now. */
void listener_take(struct listener *l);

/* Close the socket.  l may be NULL. */
void listener_free(struct listener *l);

#endif
