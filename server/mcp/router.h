/*
 * router: who answers what.
 *
 * Takes the requests and notifications of sessions, answers what is the hub's
 * own (initialize, ping, lists), and forwards the rest to the source that the
 * catalogue names, with ids, names and progress tokens of that leg.  Owns the
 * sources and the catalogue; keeps them in the store.  Holds sessions by
 * number only.  Owned by the daemon.
 */
#ifndef SERVER_MCP_ROUTER_H
#define SERVER_MCP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/jsonrpc.h"
#include "proto/mcp.h"
#include "server/mcp/catalogue.h"
#include "server/mcp/source.h"

struct buf;
struct err;
struct ev_loop;
struct router;
struct session;
struct sessions;
struct store;
struct stored_change;
struct stored_source;

struct router_options {
	const char *data_dir;
	struct source_limits limits;
	unsigned first_list_ms; /* how long a first list waits: 5000 */
	unsigned ask_ms; /* how long a client may take to answer; 0: 600000 */
	unsigned audit_rows; /* to keep of what was asked; 0: none */
	/* For status, as the built-in source reports it. */
	uint64_t epoch;
};

struct router *router_new(struct ev_loop *loop, struct store *store,
			  struct sessions *sessions,
			  const struct router_options *options);

/* Load sources, names and tools; done when the catalogue can be served.  Before
 * the first request. */
void router_load(struct router *r,
		 void (*done)(void *owner, const struct err *why), void *owner);

/* A request of a session, already known not to be a duplicate.  source is
 * NULL, or that of session_single().  It is answered through
 * session_answer(), perhaps before this returns. */
void router_request(struct router *r, struct session *s,
		    const struct jsonrpc *m, const char *source);

/* What session_write_down() said yes to is written down, or cannot be. */
void router_written(struct router *r, uint64_t ticket, const struct err *why);

/* What a new session had subscribed to with an earlier daemon, as (decoded)
 * URIs: subscribe to it again. */
void router_restore(struct router *r, struct session *s,
		    const struct slice *uris, size_t count);

/* A notification of a session. */
void router_notification(struct router *r, struct session *s,
			 const struct jsonrpc *m);

/* A response of a session: to what a source asked, or to nothing. */
void router_response(struct router *r, struct session *s,
		     const struct jsonrpc *m);

/* The session has gone: cancel everything it had in flight, and answer what it
 * was asked. */
void router_left(struct router *r, uint64_t session_number);

/* Raw reason may be empty.  The request of that session and raw id is not
 * wanted any more. */
void router_cancel(struct router *r, uint64_t session_number, struct slice id,
		   struct slice reason);

/* The most verbose level that any session wants has changed. */
void router_set_level(struct router *r, enum mcp_level level);

/* May a request that calls the tool of that raw name be run again, though it
 * may have run: does the tool say that this does no harm, and is its source
 * trusted to say so?  *source, which may be NULL, is whose tool it is, or NULL;
 * borrowed. */
bool router_may_repeat(const struct router *r, struct slice name,
		       const char **source);

/* Take up nothing that a source has to do, and give back what none has begun;
 * see session_decline().  Ask clients nothing any more: what they were asked is
 * answered for them. */
void router_drain(struct router *r);

/* Requests for which an answer is still to be delivered. */
unsigned router_in_flight(const struct router *r);

/* --- administration ------------------------------------------------------- */

/* Keep a source and read its tools in the background.  done comes when it is
 * in the store, or at once when it is refused: ERR_INVALID_ARGUMENT,
 * ERR_ALREADY_EXISTS, ERR_OVERLOADED. */
void router_source_add(struct router *r, const struct stored_source *source,
		       void (*done)(void *owner, const struct err *why),
		       void *owner);
/* Forget a source, fail what it was asked, and end it; done when it is down,
 * or at once when it is refused: ERR_NOT_FOUND, ERR_INVALID_ARGUMENT. */
void router_source_remove(struct router *r, const char *name,
			  void (*done)(void *owner, const struct err *why),
			  void *owner);

/* Change settings of a source.  done comes when they are in the store and
 * obeyed (a source that was disabled is down; one that has nothing to do starts
 * anew, others obey at their next start), or at once when it is refused:
 * ERR_NOT_FOUND, ERR_INVALID_ARGUMENT. */
void router_source_set(struct router *r, const char *name,
		       const struct stored_change *change,
		       void (*done)(void *owner, const struct err *why),
		       void *owner);

/* Start it, also while it rests, and read what it has of every kind; done when
 * that is known, or why it will not be. */
void router_source_test(struct router *r, const char *name,
			void (*done)(void *owner, const struct err *why),
			void *owner);
/* The owner of a router_source_test() is gone. */
void router_forget_test(struct router *r, void *owner);

/* Requests that sources work on, in the order in which they came. */
struct router_call {
	uint64_t session;    /* its number */
	struct slice method; /* raw */
	const char *source;
	struct slice name;  /* the source's own; empty for none */
	int64_t started_ms; /* CLOCK_MONOTONIC */
};
void router_calls(const struct router *r,
		  void (*row)(void *owner, const struct router_call *call),
		  void *owner);

/* NULL when there is none. */
struct source *router_source(const struct router *r, const char *name);
/* In their order: *at starts at 0; NULL at the end. */
struct source *router_next_source(const struct router *r, size_t *at);

/* Of its tools. */
const struct catalogue *router_catalogue(const struct router *r);

/* Call done once every source's tools are known or failed, or after the
 * bound of first_list_ms.  May call it at once. */
void router_when_listed(struct router *r, void (*done)(void *owner),
			void *owner);
/* The owner of a router_when_listed() is gone. */
void router_forget_listed(struct router *r, void *owner);

/* Requests answered, and with an error, since the start. */
uint64_t router_requests(const struct router *r);
uint64_t router_errors(const struct router *r);

/* Stop every source in good order; done when all are down.  Whatever is asked
 * from now on is refused (ERR_DRAINING). */
void router_stop(struct router *r, void (*done)(void *owner), void *owner);

/* Release everything; nobody hears of it.  The store is closed next, before the
 * loop turns: it may still owe an answer.  r may be NULL. */
void router_free(struct router *r);

#endif
