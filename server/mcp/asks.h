/*
 * asks: what sources ask of clients and nobody has answered yet.
 *
 * A question goes to the session that the source works for (turns.h), under a
 * number of that session's own; the answer goes back under the source's id.
 * When it is not clear whose it is, nobody is asked: a prompt on the wrong
 * screen leaks data and takes the wrong person's word.  Every question ends:
 * answered by the client, taken back by the source, or dismissed for the
 * client, when that cannot be asked, has left, or takes too long.  Part of the
 * router.
 */
#ifndef SERVER_MCP_ASKS_H
#define SERVER_MCP_ASKS_H

#include <stdbool.h>
#include <stdint.h>

struct jsonrpc;
struct routed;
struct router;

void asks_init(struct router *r);

/* A request of a source.  False when no client may be asked that for it. */
bool asks_request(struct routed *from, const struct jsonrpc *m);

/* notifications/cancelled of a source: it takes a question back. */
void asks_cancelled(struct routed *from, const struct jsonrpc *m);

/* A response of a session.  What we did not ask, or not any more, ends here. */
void asks_answered(struct router *r, uint64_t session, const struct jsonrpc *m);

/* notifications/progress of a session. */
void asks_progress(struct router *r, uint64_t session, const struct jsonrpc *m);

/* Is the session being asked something for this source? */
bool asks_open(const struct routed *at, uint64_t session);

/* The session gave up its last call there: what it is asked is dismissed, and
 * it is told so. */
void asks_withdraw(struct routed *at, uint64_t session);

/* The source has ended: its questions are taken back. */
void asks_source_ended(struct routed *at);

/* The session has gone. */
void asks_left(struct router *r, uint64_t session);

/* Dismiss every question, and whatever comes from now on. */
void asks_drain(struct router *r);

/* Forget every question; nobody hears of it. */
void asks_drop_all(struct router *r);

#endif
