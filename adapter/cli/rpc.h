/*
 * rpc: gRPC calls to the daemon, for a program that waits for each.
 *
 * Attaches through the same election as any adapter, then calls one method at
 * a time, running the loop until its answer.  Owned by the command.
 */
#ifndef ADAPTER_CLI_RPC_H
#define ADAPTER_CLI_RPC_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/protobuf.h"

struct err;
struct rpc;

struct rpc_options {
	const char *data_dir; /* canonical */
	bool may_start;	      /* start a daemon when there is none */
	unsigned timeout_ms;  /* of attaching, and of each call */
};

/* Attach.  NULL with ERR_NOT_RUNNING when there is no daemon and none may be
 * started, ERR_DEADLINE or the election's own diagnosis when it took too
 * long. */
struct rpc *rpc_open(const struct rpc_options *options, struct err *e);

/* Call the unary method at path ("/package.Service/Method").  The reply lives
 * until the next call.  NULL with the status's text, and the reason that fits
 * its code. */
void *rpc_call(struct rpc *r, const char *path, const ProtobufCMessage *request,
	       const ProtobufCMessageDescriptor *reply_type, struct err *e);

/* Call the server-streaming method at path, for as long as it goes on: message
 * gets each reply (borrowed until it returns), and ends the call by returning
 * false.  So does the end of the reader of stdout, when that is a pipe.  True
 * then, and when the daemon ended it with OK. */
bool rpc_stream(struct rpc *r, const char *path,
		const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *reply_type,
		bool (*message)(void *owner, const void *reply), void *owner,
		struct err *e);

/* The daemon that answers, for people: its pid. */
int64_t rpc_pid(const struct rpc *r);

/* Wait until the connection has ended and the process is gone, at most the
 * timeout.  False when it is still there. */
bool rpc_wait_gone(struct rpc *r);

/* r may be NULL. */
void rpc_close(struct rpc *r);

#endif
