/*
 * door: what a request must show to be let in over TCP.
 *
 * On the unix socket the kernel says who it is.  On TCP anybody on the machine
 * may connect, and a web page may make a browser do so; each request is
 * therefore checked, before anything is reserved for it:
 *
 *   origin          none: a browser sends it, a tool does not
 *   :authority      an address of ours with our port, so that no name that
 *                   was made to resolve to this machine leads here
 *   authorization   Bearer and the token
 *   :path           not the admin service, unless the token grants it
 */
#ifndef SERVER_FACE_DOOR_H
#define SERVER_FACE_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/bearer.h"

struct err;
struct h2_headers;
struct h2_stream;
struct services;

/* Owned by the hub; the token is wiped with it. */
struct door {
	struct bearer token;
	uint16_t port;
	bool admin;    /* the token grants the admin service, too */
	bool anywhere; /* any address is ours, not only those of loopback */
};

/* May it enter?  False with *e set: ERR_UNAUTHENTICATED, ERR_PERMISSION or
 * ERR_TOO_LARGE. */
bool door_admit(const struct door *d, const struct services *services,
		const struct h2_headers *list, struct err *e);

/* Answer a request that may not: its status, and the end of the stream. */
void door_refuse(struct h2_stream *s, const struct err *why);

#endif
