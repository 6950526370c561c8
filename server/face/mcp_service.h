/*
 * mcp_service: executor.mcp.v1.McpService: Session and Call.
 *
 * Session is a conversation (mcp_stream.h); Call is one request without one.
 * Owned by the daemon.
 */
#ifndef SERVER_FACE_MCP_SERVICE_H
#define SERVER_FACE_MCP_SERVICE_H

#include "server/face/hello.h"

struct ev_loop;
struct mcp_service;
struct services;
struct sessions;

/* Adds itself to the table. */
struct mcp_service *mcp_service_new(struct ev_loop *loop,
				    struct services *services,
				    struct sessions *sessions,
				    const struct mcp_options *options);

/* Every call has been closed already.  m may be NULL. */
void mcp_service_free(struct mcp_service *m);

#endif
