/*
 * tcp: an address to listen on, read, bound, and named for clients.
 *
 * Names are never looked up: what a resolver answers is not what a person
 * wrote.  `localhost` is 127.0.0.1.
 */
#ifndef SERVER_FACE_TCP_H
#define SERVER_FACE_TCP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

enum { TCP_URL_BYTES = 80, TCP_PORT_DEFAULT = 4780 };

struct tcp_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name;
	bool set; /* false: there is no address */
	bool loopback;
};

/* Read HOST:PORT, HOST or PORT.  HOST is an IPv4 address, an IPv6 address in
 * brackets, or localhost; without it 127.0.0.1.  Port 0 is any free one,
 * without it 4780. */
bool tcp_parse(struct tcp_address *a, const char *text, struct err *e);

/* A socket with that name, or -1.  It takes no connections yet; the text says
 * who should change what. */
int tcp_bind(const struct tcp_address *a, struct err *e);

/* From now on connections are taken.  The socket is the caller's still. */
bool tcp_listen(int fd, struct err *e);

/* The URL of a bound socket, "http://127.0.0.1:4780", and its port. */
bool tcp_url(int fd, char to[TCP_URL_BYTES], uint16_t *port, struct err *e);

#endif
