/*
 * handshake: initialize, as the client of a source.
 *
 * What we say of ourselves, and what the source answered.  Whether there will
 * be a client that can be asked is not known yet, so what we declare is what
 * the source's settings allow.  A zeroed struct knows nothing.  No I/O.
 */
#ifndef SERVER_MCP_HANDSHAKE_H
#define SERVER_MCP_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct jsonrpc;

struct handshake {
	char *server_name; /* NULL until known */
	char *server_version;
	const char *revision; /* static */
	char *capabilities;   /* raw object of capabilities_len bytes */
	size_t capabilities_len;
	unsigned kinds;	    /* it declares these: 1 << enum kind */
	bool logging;	    /* it takes logging/setLevel */
	char *instructions; /* instructions_len bytes, cut; or NULL */
	size_t instructions_len;
};

/* Append our request, with that number as its id.  may_ask: declare sampling
 * and elicitation; has_roots: declare roots. */
void handshake_ask(struct buf *line, uint64_t number, bool may_ask,
		   bool has_roots);

/* Learn from the answer to it; what was known before is replaced.  On failure
 * h is left as it was. */
bool handshake_learn(struct handshake *h, const char *source,
		     const struct jsonrpc *answer, struct err *e);

/* The struct is zeroed. */
void handshake_finish(struct handshake *h);

#endif
