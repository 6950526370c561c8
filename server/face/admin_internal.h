/*
 * admin_internal: what the files of the admin service share, and nobody else.
 *
 *   admin_service.c   the table; status, sources, tools
 *   admin_inspect.c   what a person looks for: calls, checks, searches
 *   admin_audit.c     what was asked of sources
 *   admin_wait.c      answers that take time
 *   admin_watch.c     answers that go on
 */
#ifndef SERVER_FACE_ADMIN_INTERNAL_H
#define SERVER_FACE_ADMIN_INTERNAL_H

#include <stdbool.h>

#include "executor/admin/v1/admin.pb-c.h"
#include "proto/list.h"
#include "proto/protobuf.h"
#include "proto/slice.h"

struct admin;
struct admin_events;
struct ev_loop;
struct view;
struct call;
struct err;
struct fate;
struct router;
struct sessions;
struct store;

/* Owned by the daemon. */
struct admin {
	struct ev_loop *loop;
	struct router *router;
	struct sessions *sessions;
	struct store *store;
	const struct admin_events *events;
	void *owner;
	struct arena arena;
	struct list waits;   /* of struct wait */
	struct list watches; /* of struct watch */
};

/* A call whose answer takes time.  Owned by admin, in its list, until what it
 * waits for has come; the call may be gone before that. */
struct wait {
	struct admin *admin;
	struct list link;
	struct call *call; /* NULL: the client has gone */
	/* Settles the call. */
	struct fate *(*answer)(struct wait *w);
	char *name;
	char *source;
	unsigned limit;
	void *reading; /* what is read for it, of whoever reads */
	/* How to call off what it waits for; NULL: nobody can. */
	void (*forget)(struct router *r, void *owner);
	struct fate *fate; /* settled before it had to wait */
	bool waiting;
};

/* --- admin_wait.c --------------------------------------------------------- */

/* Copies name and source. */
struct wait *wait_new(struct admin *a, struct call *c,
		      struct fate *(*answer)(struct wait *w), const char *name,
		      const char *source);

/* What it waited for has come, perhaps at once; owner is the wait. */
void wait_done(void *owner, const struct err *why);

/* The work has begun, and may be done already. */
struct fate *wait_begin(struct wait *w);

/* Begin to wait for the tools of every source. */
struct fate *wait_for_lists(struct wait *w);

void wait_free(struct wait *w);

/* --- admin_service.c ------------------------------------------------------ */

/* A request; it lives until the next is unpacked. */
const void *admin_unpack(struct admin *a,
			 const ProtobufCMessageDescriptor *type,
			 struct slice request, struct err *e);

struct fate *admin_no_source(struct call *c, const char *name);

/* What GetStatus says, as long as the view lives. */
Executor__Admin__V1__GetStatusResponse *admin_status(struct admin *a,
						     struct view *v);

/* --- admin_watch.c -------------------------------------------------------- */

struct fate *admin_watch_status(void *service, struct call *c,
				struct slice request);
struct fate *admin_watch_log(void *service, struct call *c,
			     struct slice request);

/* --- admin_inspect.c ------------------------------------------------------ */

struct fate *admin_search_tools(void *service, struct call *c,
				struct slice request);
struct fate *admin_test_source(void *service, struct call *c,
			       struct slice request);
struct fate *admin_list_calls(void *service, struct call *c,
			      struct slice request);
struct fate *admin_check_sources(void *service, struct call *c,
				 struct slice request);
struct fate *admin_check_store(void *service, struct call *c,
			       struct slice request);

/* --- admin_audit.c -------------------------------------------------------- */

struct fate *admin_list_audit(void *service, struct call *c,
			      struct slice request);

#endif
