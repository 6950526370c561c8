/*
 * client: the one Session stream to the daemon: opened, lost, opened again.
 *
 * Speaks executor.mcp.v1.McpService/Session over whatever attach connects to:
 * Hello, the proof in the Welcome, then numbered messages.  What must survive
 * a lost stream is its owner's.
 *
 *   SEEKING --connected--> GREETING --welcome, identity right--> ATTACHED
 *   GREETING, ATTACHED --stream ended, goodbye, broken--> SEEKING
 */
#ifndef ADAPTER_CLIENT_H
#define ADAPTER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"

struct attach_options;
struct buf;
struct client;
struct err;
struct ev_loop;
struct message;

/* Called from the loop, never from inside a call to the client, except that
 * client_pause() may hand up what it held back. */
struct client_events {
	/* Fill in what the Hello must say; protocol, version and the daemon's
	 * identity are there already.  Borrowed until the next event. */
	void (*hello)(void *owner, envelope_hello_t *hello);
	/* Attached: client_send() works. */
	void (*attached)(void *owner, const envelope_welcome_t *welcome);
	/* A whole message, as link_events has it. */
	void (*message)(void *owner, uint64_t sequence, struct slice json,
			struct buf *whole);
	/* The daemon has accepted everything up to this. */
	void (*acked)(void *owner, uint64_t received);
	/* The daemon ends the session, whose Welcome came: it takes over
	 * nothing more.  .lost follows. */
	void (*goodbye)(void *owner, const envelope_goodbye_t *goodbye);
	/* No longer attached; seeks again by itself. */
	void (*lost)(void *owner, const struct err *why);
	/* What keeps us from being attached has changed. */
	void (*trouble)(void *owner, const struct err *why);
};

/* Does nothing before client_start(). */
struct client *client_new(struct ev_loop *loop,
			  const struct attach_options *options,
			  const struct client_events *events, void *owner);

/* A daemon is needed; see attach_start(). */
void client_start(struct client *c);

/* Queue m; takes a reference of its own.  after: see link_send().  Dropped
 * when not attached: .lost follows. */
void client_send(struct client *c, struct message *m, uint64_t after);

/* This message was delivered; see link_received(). */
void client_received(struct client *c, uint64_t sequence);

/* Bytes queued for the daemon. */
size_t client_queued(const struct client *c);

/* Hand up no messages while paused.  Every new stream starts unpaused. */
void client_pause(struct client *c, bool paused);

/* Say hello again: what the Hello said is no longer so. */
void client_renew(struct client *c);

/* The MCP client has left: say goodbye and write as much of it as the kernel
 * takes now.  True when all of it is out. */
bool client_leave(struct client *c);

/* c may be NULL. */
void client_free(struct client *c);

#endif
