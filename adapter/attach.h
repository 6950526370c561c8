/*
 * attach: a connection to the daemon of a data directory, found or started.
 *
 * Drives the election in the loop and connects where it says.  What proves
 * that the other side is the daemon that the manifest names is the owner's
 * protocol: it says so by attach_confirm().  Never gives up: whatever ends,
 * it seeks again, and the diagnosis says meanwhile what the matter is.  At
 * rest nothing wakes up.
 *
 *   IDLE --attach_start()--> SEEKING --manifest, connect--> PROVING
 *   PROVING --attach_confirm()--> ATTACHED
 *   PROVING, ATTACHED --refused, lost--> SEEKING
 */
#ifndef ADAPTER_ATTACH_H
#define ADAPTER_ATTACH_H

#include <stdbool.h>

#include "election/election.h"

struct attach;
struct err;
struct ev_loop;
struct h2;
struct manifest;

/* Called from the loop, never from inside a call to attach. */
struct attach_events {
	/* A connection whose peer has our uid.  h2 is attach's; use it until
	 * .lost or attach_refuse().  Prove and attach_confirm() it within
	 * 2 s. */
	void (*connected)(void *owner, struct h2 *h2,
			  const struct manifest *manifest);
	/* The connection has ended, confirmed or not; its streams are gone.
	 * Seeks again by itself.  Not called after attach_refuse(). */
	void (*lost)(void *owner, const struct err *why);
	/* What keeps us from a daemon has changed; ERR_DAEMON_STARTING with a
	 * new text is progress, ERR_NOT_RUNNING is said when none may be
	 * started. */
	void (*trouble)(void *owner, const struct err *why);
};

struct attach_options {
	const char *data_dir; /* --data-dir's value, or NULL */
	const char *argv0;    /* where to look for executord, last */
	bool may_start;
};

/* Does nothing before attach_start(), not even look at a file. */
struct attach *attach_new(struct ev_loop *loop,
			  const struct attach_options *options,
			  const struct attach_events *events, void *owner);

/* A daemon is needed: begin when the loop has nothing better to do.  When
 * begun: look again at once, if the directory could not be used. */
void attach_start(struct attach *a);

/* While connected: when this daemon goes, start none before the next
 * attach_start().  It was told to stop, or is of no use to us, and nobody needs
 * another one now; if one appears all the same it is attached. */
void attach_rest(struct attach *a);

/* The other side has proved to be the daemon of the manifest. */
void attach_confirm(struct attach *a);

/* Drop this connection, confirmed or not, and seek again: how and why it is
 * not, or no longer, the daemon we want. */
void attach_refuse(struct attach *a, enum election_refusal how,
		   const struct err *why);

/* Close everything.  a may be NULL. */
void attach_free(struct attach *a);

#endif
