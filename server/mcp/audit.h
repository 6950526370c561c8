/*
 * audit: what is kept of a request that a source worked on.
 *
 * Names, sizes, the time and how it ended.  Part of the router.
 */
#ifndef SERVER_MCP_AUDIT_H
#define SERVER_MCP_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct err;
struct jsonrpc;
struct result;
struct routed;

struct audited {
	uint64_t session;    /* number */
	struct slice method; /* raw */
	struct slice name;   /* the source's own; empty: none */
	size_t request_bytes;
	int64_t started_us; /* CLOCK_MONOTONIC */
};

/* It ended with this answer of the source's, or without one.  result is the
 * answer's, empty when that is an error. */
void audit_answer(struct routed *at, const struct audited *call,
		  const struct jsonrpc *answer, const struct result *result);
void audit_failure(struct routed *at, const struct audited *call,
		   const char *why);

#endif
