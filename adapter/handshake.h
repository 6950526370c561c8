/*
 * handshake: how a Session begins and ends, as values.
 *
 * What our Hello says, whether a Welcome proves what it must, and what the
 * daemon means when it ends the stream.  No I/O.
 */
#ifndef ADAPTER_HANDSHAKE_H
#define ADAPTER_HANDSHAKE_H

#include <stdbool.h>

#include "election/election.h"
#include "proto/envelope.h"

struct err;
struct h2_headers;

/* Can we speak to the daemon of the manifest, or will it make way for us?  When
 * not, ERR_VERSION says which of the two is too old. */
bool handshake_fits(const struct manifest *m, bool may_start, struct err *e);

/* The daemon's identity and ours; the manifest must outlive *hello.  may_start:
 * could we start its successor? */
void handshake_hello(envelope_hello_t *hello, struct manifest *m,
		     bool may_start);

/* Does the Welcome come from the daemon of the manifest, in a protocol that
 * we speak?  ERR_MISMATCH otherwise. */
bool handshake_check(const envelope_welcome_t *w, const struct manifest *m,
		     struct err *e);

/* Fill *e with why the daemon ended the session, and say what that means for
 * the election. */
enum election_refusal handshake_goodbye(const envelope_goodbye_t *g,
					struct err *e);

/* The same for response headers or trailers; false, and *e untouched, when
 * they end nothing. */
bool handshake_status(const struct h2_headers *h, enum election_refusal *how,
		      struct err *e);

#endif
