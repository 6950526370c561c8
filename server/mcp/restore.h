/*
 * restore: what a session had subscribed to with an earlier daemon.
 *
 * Where a URI belongs to a source beyond doubt, it is subscribed to at once;
 * else when it is known what every source has, as any request waits for that.
 * One that is nobody's then is lost, and the session is told that it may have
 * changed: whoever reads it hears why.  Part of the subscriptions.
 */
#ifndef SERVER_MCP_RESTORE_H
#define SERVER_MCP_RESTORE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct owner;
struct subscriptions;

/* The session, a new one, had these (decoded) URIs. */
void restore_begin(struct subscriptions *all, uint64_t session,
		   const struct slice *uris, size_t count);

/* It wants this one no more. */
void restore_forget(struct subscriptions *all, uint64_t session,
		    const struct owner *o);

/* The session has gone. */
void restore_left(struct subscriptions *all, uint64_t session);

/* Forget everybody. */
void restore_drop_all(struct subscriptions *all);

#endif
