/*
 * hello: whom a Session's first envelope means, and what it is answered.
 *
 * No I/O and no memory: a Hello against who we are, a Welcome filled in.
 */
#ifndef SERVER_FACE_HELLO_H
#define SERVER_FACE_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"

struct err;

struct mcp_options {
	/* Who we are: what a Hello must expect, and a Welcome says. */
	uint64_t epoch;
	unsigned char instance[ENVELOPE_ID_BYTES];
	/* The limits that a Welcome tells. */
	size_t message_bytes;
	size_t session_bytes;
	unsigned hello_ms; /* to wait for a Hello: 5000 */
	/* A newer program of that version cannot speak to us, and asks us to
	 * make way.  May be NULL. */
	void (*outdated)(void *owner, const char *version);
	void *owner;
};

/* Does the sender speak our protocol, and does it mean us?  ERR_VERSION,
 * ERR_MISMATCH. */
bool hello_check(const envelope_hello_t *hello, const struct mcp_options *o,
		 struct err *e);

/* Does a sender that does not speak our protocol ask us to make way, and may
 * it?  Only to a newer one. */
bool hello_replaces(const envelope_hello_t *hello);

/* Fill in what does not depend on the session.  *welcome points to *limits
 * and into *o. */
void hello_welcome(const envelope_hello_t *hello, const struct mcp_options *o,
		   envelope_welcome_t *welcome,
		   Executor__Mcp__V1__Limits *limits);

#endif
