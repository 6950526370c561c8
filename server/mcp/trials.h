/*
 * trials: who waits for one source to be started and asked what it has.
 *
 * Part of the router: router_source_test() begins a trial, and what the source
 * says next of every kind, or its end, settles it.
 */
#ifndef SERVER_MCP_TRIALS_H
#define SERVER_MCP_TRIALS_H

struct err;
struct routed;
struct router;

/* It has told what it has of these kinds (why is NULL), or it will not.  A
 * trial is over when that is so of all kinds, and well over when all were
 * told. */
void trials_note(struct routed *at, unsigned kinds, const struct err *why);

/* Forget everybody. */
void trials_drop_all(struct router *r);

#endif
