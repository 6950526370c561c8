/*
 * err: why something failed, filled in once, where it happened.
 *
 * A function that can fail returns bool (or a pointer) and takes a
 * struct err * last.  The reason decides everything that is said on a wire:
 * the gRPC status, the JSON-RPC code and the word in data.reason are columns
 * of one table in err.c.  The text is for a person: what failed, where, and
 * what to do.  It never holds a secret.
 */
#ifndef PROTO_ERR_H
#define PROTO_ERR_H

#include <stdbool.h>

/* The status codes of gRPC (doc/statuscodes.md), by their numbers. */
enum grpc_code {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

enum reason {
	ERR_NONE,
	/* What a peer sent is wrong. */
	ERR_PARSE,	      /* not JSON, or not UTF-8 */
	ERR_INVALID_REQUEST,  /* JSON, but no JSON-RPC message; duplicate id */
	ERR_METHOD_NOT_FOUND, /* a JSON-RPC method that nobody serves */
	ERR_INVALID_PARAMS,
	ERR_UNKNOWN_TOOL,
	ERR_UNKNOWN_PROMPT,
	ERR_UNKNOWN_RESOURCE, /* a URI that is nobody's */
	ERR_TOO_LARGE,	      /* over a limit of size, count or depth */
	ERR_PROTOCOL,	      /* broke HTTP/2, gRPC or the Session protocol */
	ERR_UNIMPLEMENTED,    /* no such gRPC method, or not as it was called */
	ERR_INVALID_ARGUMENT, /* a bad value in a gRPC request or an option */
	ERR_NOT_FOUND,
	ERR_ALREADY_EXISTS,
	ERR_UNAUTHENTICATED, /* no token, or another one */
	ERR_PERMISSION,
	ERR_MISMATCH, /* another epoch or instance */
	ERR_VERSION,  /* one of the two programs is too old for the other, or
		       * for the database */
	/* What was asked for cannot be done now. */
	ERR_CANCELLED,
	ERR_DEADLINE,
	ERR_OVERLOADED, /* a queue or a count is at its bound */
	ERR_DRAINING,
	ERR_OUTCOME_UNKNOWN, /* it may have run; it was not run again */
	ERR_SOURCE_DOWN,     /* the source cannot be started, or ended */
	ERR_SOURCE_DISABLED, /* someone turned it off */
	ERR_SOURCE_PROTOCOL, /* the source answers, but not in MCP */
	ERR_DAEMON_STARTING,
	ERR_DAEMON_UNREACHABLE,
	ERR_DAEMON_STOPPED, /* by a signal: it can be told to go on */
	ERR_NOT_RUNNING,    /* no daemon, and none may be started */
	/* The machine says no. */
	ERR_NO_SPACE,
	ERR_READ_ONLY,
	ERR_NO_DESCRIPTORS, /* EMFILE, ENFILE */
	ERR_NO_PROCESSES,   /* fork() failed */
	ERR_NO_LOCKS,	    /* the file system cannot lock */
	ERR_NETWORK_FS,	    /* or may lock for two machines at once */
	ERR_WRONG_OWNER,    /* the data directory is someone else's */
	ERR_CRASH_LOOP,
	ERR_CORRUPT, /* the database is damaged */
	ERR_STORE,   /* it, or the key, is of no use otherwise */
	ERR_IO,
	ERR_LOST, /* the connection ended */
	ERR_INTERNAL,
	ERR_COUNT
};

enum { ERR_TEXT_BYTES = 480 };

struct err {
	enum reason reason;
	char text[ERR_TEXT_BYTES];
};

/* Fill *e; e may be NULL.  Returns false, so that refusing is one statement.
 * A text too long is cut at a character. */
bool err_set(struct err *e, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, with ": " and strerror(errno) behind it, and what to do where that
 * is known.  A full or read-only disk, and no descriptor left, replace the
 * reason by their own. */
bool err_sys(struct err *e, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The columns of the table. */
enum grpc_code err_grpc(enum reason reason);
int err_jsonrpc(enum reason reason);	  /* e.g. -32603 */
const char *err_name(enum reason reason); /* e.g. "outcome_unknown" */

/* The reason whose name this is, or ERR_INTERNAL. */
enum reason err_by_name(const char *name);

#endif
