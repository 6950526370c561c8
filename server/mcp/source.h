/*
 * source: one upstream MCP server, shared by every session.
 *
 * Owns its upstream and speaks MCP to it as a client: the handshake, its own
 * request ids, its lists.  Started by the first request (single flight:
 * what comes meanwhile waits), restarted by the next one after it ended, with
 * backoff when it fails; stopped when idle.  Owned by the router.
 *
 *   STOPPED --request--> STARTING --initialized--> READY
 *   READY --idle--> STOPPING --> STOPPED
 *   STARTING, READY --end, error--> RESTING --timer--> STOPPED
 *   STARTING, READY --crash loop--> FAILED --timer--> STOPPED
 *
 * Its memory is looked at while requests run, and once after the last: over
 * the limit it is stopped when idle, or at once when far over it.
 */
#ifndef SERVER_MCP_SOURCE_H
#define SERVER_MCP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/jsonrpc.h"
#include "server/mcp/kind.h"
#include "server/upstream/builtin.h"

struct buf;
struct children;
struct err;
struct ev_loop;
struct source;
struct starts;
struct stored_change;
struct stored_source;
struct survey;

enum source_state {
	SOURCE_STOPPED,
	SOURCE_STARTING,
	SOURCE_READY,
	SOURCE_RESTING,
	SOURCE_STOPPING,
	SOURCE_FAILED,
};

/* A tool, resource, template or prompt as the source described it. */
struct source_item {
	struct slice key;  /* name, uri or uriTemplate, decoded */
	struct slice json; /* verbatim */
};

/* How a source speaks to its owner, from the loop. */
struct source_events {
	/* It has answered initialize, at every start: source_info() has it. */
	void (*ready)(void *owner, struct source *s);
	/* A kind was read, or read again; source_items() has them. */
	void (*listed)(void *owner, struct source *s, enum kind kind);
	/* These kinds could not be read; why is for people. */
	void (*failed)(void *owner, struct source *s, unsigned kinds,
		       const struct err *why);
	/* A notification that is nobody's: notifications/message and what
	 * else is not progress or list_changed. */
	void (*notification)(void *owner, struct source *s,
			     const struct jsonrpc *m);
	/* It asks for something that a client may answer.  True:
	 * source_answer() follows, once, perhaps before this returns, unless
	 * .ended comes first.  False: it is refused. */
	bool (*request)(void *owner, struct source *s, const struct jsonrpc *m);
	/* It has ended: what it had asked is of no interest any more.  The
	 * owner must not free it here. */
	void (*ended)(void *owner, struct source *s);
};

/* What one request hears.  Exactly one of answer and fail, once, from the
 * loop, never from inside source_request(); neither after source_cancel(). */
struct source_reply {
	/* A result or an error of the source; m->id is ours, not the
	 * caller's. */
	void (*answer)(void *owner, const struct jsonrpc *m);
	/* There is no answer: it could not be started, it ended, it did not
	 * speak MCP.  ERR_OUTCOME_UNKNOWN is used when the request had
	 * reached it. */
	void (*fail)(void *owner, const struct err *why);
	/* It is about to be sent.  True: go on.  False: source_send() or
	 * source_cancel() follows, or .fail comes first.  Once, perhaps from
	 * inside source_request(); must not call the source.  May be NULL. */
	bool (*leaving)(void *owner);
	/* notifications/progress for this request; token is the slice in
	 * m->params that carries our token.  May be NULL. */
	void (*progress)(void *owner, const struct jsonrpc *m,
			 struct slice token);
};

/* A request to forward: the caller's own message, with what is replaced in it.
 * Slices point into m->text; empty ones replace nothing. */
struct source_request {
	const struct jsonrpc *m;
	struct slice name_old;	/* the value of params.name, with quotes */
	struct slice name_new;	/* the source's own name, decoded */
	struct slice token_old; /* the value of params._meta.progressToken */
};

struct source_limits {
	size_t message_bytes;
	unsigned start_ms;     /* for the handshake: 30000 */
	unsigned request_ms;   /* without answer or progress: 600000 */
	unsigned idle_ms;      /* then it is stopped: 600000; 0 never */
	unsigned queued;       /* requests that wait for the start: 1024 */
	uint64_t memory_bytes; /* resident, of its session; 0: no limit */
	unsigned memory_ms;    /* between two looks: 10000; 0: never */
};

/* What sources share; outlives them. */
struct source_shared {
	struct starts *starts;
	struct children *children;
	struct survey *survey;
};

/* Keep a source; nothing is started.  log_dir is where its stderr goes. */
struct source *source_new(struct ev_loop *loop,
			  const struct stored_source *stored,
			  const char *log_dir,
			  const struct source_limits *limits,
			  const struct source_events *events, void *owner);

/* Its environment cannot be opened: each start fails, with why. */
void source_refuse_starts(struct source *s, const struct err *why);

/* The built-in one. */
struct source *source_new_builtin(struct ev_loop *loop,
				  const struct builtin_hub *functions,
				  void *hub, const struct source_limits *limits,
				  const struct source_events *events,
				  void *owner);

/* Before its first start: the limits of all sources, and where their processes
 * are written down.  Without it there is neither. */
void source_share(struct source *s, const struct source_shared *shared);

/* Read all kinds, starting it if need be.  .listed or .failed follows for
 * each; asking again meanwhile asks once. */
void source_refresh(struct source *s);

/* The same at once, also while it rests. */
void source_retry(struct source *s);

/* Somebody listens to what it says unasked: while kept it is not stopped when
 * idle, and is started again after it ended. */
void source_keep(struct source *s, bool kept);

/* Would it start?  Appends the path of its program, with a NUL; nothing for
 * the built-in one.  ERR_SOURCE_DOWN says what is missing. */
bool source_check(const struct source *s, struct buf *program, struct err *e);

/* Forward a request.  Returns its number (not 0), by which it can be
 * cancelled; 0 with *e set when it is refused (ERR_OVERLOADED, ERR_SOURCE_DOWN
 * while resting or failed).  Borrows. */
uint64_t source_request(struct source *s, const struct source_request *r,
			const struct source_reply *reply, void *owner,
			struct err *e);

/* .leaving said no; now it may be sent, as soon as that is possible.  .fail may
 * come before this returns. */
void source_send(struct source *s, uint64_t number);

/* The caller wants no answer any more.  When it was sent already, the source
 * gets notifications/cancelled with its own id and the raw reason ({NULL, 0}
 * for none); a late answer is swallowed. */
void source_cancel(struct source *s, uint64_t number, struct slice reason);

/* Does the request still wait for the start, unknown to the source? */
bool source_holds(const struct source *s, uint64_t number);

/* Tell the source the most verbose level that any session wants
 * ("debug".."emergency"); kept for its next start. */
void source_set_level(struct source *s, const char *level);

/* End it in good order; .fail for what was in flight.  It starts again with
 * the next request, or when it is kept again. */
void source_stop(struct source *s);

/* Its settings were changed: of use from its next start on.  Disabling does
 * not stop it, and is the router's to obey. */
void source_set(struct source *s, const struct stored_change *change);

/* --- what it asks --------------------------------------------------------- */

/* The answer to one of its own requests, or empty when it took that back. */
void source_answer(struct source *s, struct slice text);

/* Send it a notification. */
void source_notify(struct source *s, struct slice text);

/* May clients be asked for it: is it told so when it starts? */
bool source_may_ask(const struct source *s);
/* Must calls of different clients wait for each other, so that it is clear
 * whom it asks? */
bool source_is_exclusive(const struct source *s);

/* What it gets for roots/list. */
enum source_roots {
	SOURCE_ROOTS_NONE,   /* a refusal */
	SOURCE_ROOTS_CLIENT, /* those of the client that it works for */
	SOURCE_ROOTS_LIST,   /* always the same: *list, a raw array */
};
enum source_roots source_roots(const struct source *s, struct slice *list);

const char *source_name(const struct source *s);
enum source_state source_state(const struct source *s);
const char *source_state_name(enum source_state state); /* "ready" */
/* What it has of a kind as last read; *count of them. */
const struct source_item *source_items(const struct source *s, enum kind kind,
				       size_t *count);

/* For people and for the store. */
struct source_info {
	const char *const *command;
	const char *cwd;
	const char *const *env_names; /* asked for; NULL-terminated */
	int64_t pid;
	uint64_t rss_bytes;   /* when last looked at; 0: not known */
	const char *log_path; /* of its stderr; NULL: it has none */
	unsigned restarts;
	unsigned in_flight;
	const char *last_error;	 /* "" when there is none */
	const char *server_name; /* "" until known */
	const char *server_version;
	const char *revision;
	struct slice capabilities; /* raw object, empty until known */
	struct slice instructions; /* text, cut; empty until known */
	bool builtin;
	bool disabled; /* its settings, as in store.h */
	const char *interactive;
	const char *roots;
	bool trusted;
};
void source_info(const struct source *s, struct source_info *info);

/* End it at once and release; requests in flight hear nothing.  s may be
 * NULL. */
void source_free(struct source *s);

#endif
