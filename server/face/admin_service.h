/*
 * admin_service: executor.admin.v1.AdminService, what the command line asks.
 *
 * Looks at the router and the sessions; what only the daemon knows comes
 * through struct admin_events.  Owned by the daemon.
 */
#ifndef SERVER_FACE_ADMIN_SERVICE_H
#define SERVER_FACE_ADMIN_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

struct admin;
struct ev_loop;
struct err;
struct router;
struct services;
struct sessions;
struct store;

/* What the daemon knows of itself; borrowed until it changes. */
struct admin_facts {
	uint64_t epoch;
	const unsigned char *instance; /* 16 bytes */
	const char *data_dir;
	const char *socket;
	const char *tcp_url; /* "" when there is none */
	uint64_t uptime_s;
	uint32_t connections;
	uint32_t streams;
	bool draining;
};

/* How it speaks to the daemon. */
struct admin_events {
	void (*facts)(void *owner, struct admin_facts *facts);
	/* Someone asked for the end; 0 is the default time.  min_version is
	 * the version of whoever shall follow, or empty.  The answer is queued
	 * already. */
	void (*drain)(void *owner, uint32_t timeout_ms,
		      const char *min_version);
	/* Make another token for TCP. */
	bool (*rotate_token)(void *owner, struct err *e);
};

/* Adds itself to the table. */
struct admin *admin_new(struct ev_loop *loop, struct services *services,
			struct router *router, struct sessions *sessions,
			struct store *store, const struct admin_events *events,
			void *owner);

/* The daemon leaves: end what would go on for ever. */
void admin_leave(struct admin *a);

/* Every call has been closed already, and the store answers no more.  a may
 * be NULL. */
void admin_free(struct admin *a);

#endif
