/*
 * elicited: which client was sent to which URL.
 *
 * What a user does in a browser ends long after the request that led there
 * was answered; the source tells it by the id that it gave the elicitation, in
 * notifications/elicitation/complete.  Remembers the session for each, within a
 * bound.  Part of the router.
 */
#ifndef SERVER_MCP_ELICITED_H
#define SERVER_MCP_ELICITED_H

#include <stdint.h>

#include "proto/slice.h"

struct jsonrpc;
struct routed;
struct router;

/* The session was sent there; id is raw, or empty for none. */
void elicited_note(struct routed *at, uint64_t session, struct slice id);

/* The same for every elicitation in the error with which a source answers the
 * session (URLElicitationRequiredError). */
void elicited_note_error(struct routed *at, uint64_t session,
			 struct slice error);

/* notifications/elicitation/complete: tell whom it concerns. */
void elicited_complete(struct routed *at, const struct jsonrpc *m);

/* The source has ended, or the session; NULL or 0 for any. */
void elicited_forget(struct router *r, const struct routed *at,
		     uint64_t session);

#endif
