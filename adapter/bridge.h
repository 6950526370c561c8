/*
 * bridge: what the MCP client says and hears, whatever becomes of the daemon.
 *
 * Between lines of the host and numbered messages of the daemon.  Answers on
 * its own what must not wait for a daemon, keeps the rest until it is settled
 * (ledger), remembers what the client set up (setup), and acknowledges what
 * was really written (delivery).  Every request is answered: by the daemon, or
 * with the reason why it cannot be.  Owned by main.  No I/O: what it does to
 * the two sides goes through struct bridge_sides, so a test can be both.
 */
#ifndef ADAPTER_BRIDGE_H
#define ADAPTER_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"

struct bridge;
struct err;
struct message;

enum {
	/* While more than this waits for stdout, the daemon is held up. */
	BRIDGE_HOST_BYTES = 1024 * 1024,
	/* And the host itself, who fills it with what we answer. */
	BRIDGE_HOST_MOST_BYTES = 4 * 1024 * 1024,
	/* While more than this waits for the daemon, the host is held up. */
	BRIDGE_DAEMON_BYTES = 1024 * 1024,
};

/* What the bridge does to the two sides. */
struct bridge_sides {
	/* stdio_write(), stdio_take(), stdio_queued(), stdio_hold(). */
	uint64_t (*write)(void *owner, struct slice text);
	uint64_t (*take)(void *owner, struct buf *text);
	size_t (*host_queued)(void *owner);
	void (*hold_host)(void *owner, bool held);
	/* client_start(), client_send(), client_received(),
	 * client_queued(), client_pause(), client_renew(). */
	void (*seek)(void *owner);
	void (*send)(void *owner, struct message *m, uint64_t after);
	void (*received)(void *owner, uint64_t sequence);
	size_t (*daemon_queued)(void *owner);
	void (*pause_daemon)(void *owner, bool paused);
	void (*renew)(void *owner);
};

/* cwd is a path's bytes, or NULL; copied. */
struct bridge *bridge_new(const char *cwd, const struct bridge_sides *sides,
			  void *owner);

/* --- from the host -------------------------------------------------------- */

void bridge_from_host(struct bridge *b, struct slice line, int64_t now_ms);

/* A line was too long; this is how it began. */
void bridge_overlong(struct bridge *b, struct slice start);

/* Everything up to this offset is out; see stdio_events. */
void bridge_written(struct bridge *b, uint64_t offset);

/* --- from the daemon ------------------------------------------------------ */

/* Fill in our part of a Hello; valid until the next call to the bridge. */
void bridge_hello(struct bridge *b, envelope_hello_t *hello);

void bridge_attached(struct bridge *b, const envelope_welcome_t *welcome);
/* json and whole as link_events has them. */
void bridge_from_daemon(struct bridge *b, uint64_t sequence, struct slice json,
			struct buf *whole);
void bridge_acked(struct bridge *b, uint64_t received);
/* Nothing more goes there; what it did not take over goes to the next one.
 * bridge_lost() follows. */
void bridge_goodbye(struct bridge *b, const envelope_goodbye_t *goodbye);
void bridge_lost(struct bridge *b, const struct err *why, int64_t now_ms);

/* Why there is no daemon. */
void bridge_trouble(struct bridge *b, const struct err *why, int64_t now_ms);

/* --- from the loop -------------------------------------------------------- */

/* At the end of every turn: answer what has waited too long, hold up whoever
 * is too fast.  Returns when to call again at the latest (CLOCK_MONOTONIC),
 * or -1. */
int64_t bridge_turn(struct bridge *b, int64_t now_ms);

/* b may be NULL. */
void bridge_free(struct bridge *b);

#endif
