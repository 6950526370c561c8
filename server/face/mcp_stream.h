/*
 * mcp_stream: one Session stream of McpService, between its call and its
 * session.
 *
 * Wants a Hello first and soon, answers it with a Welcome or a Goodbye, then
 * carries messages both ways.  The session above outlives it; the call below
 * ends with it.  Owned by the table of streams, that by the McpService.
 *
 *   WAITING --hello--> OPEN --ended by either side--> ENDING --> (gone)
 *   OPEN --draining--> FLUSHING --nothing kept here--> ENDING
 *   WAITING --silence, mismatch--> ENDING       any --call closed--> (gone)
 */
#ifndef SERVER_FACE_MCP_STREAM_H
#define SERVER_FACE_MCP_STREAM_H

struct call;
struct ev_loop;
struct fate;
struct mcp_options;
struct mcp_streams;
struct sessions;

/* options is copied. */
struct mcp_streams *mcp_streams_new(struct ev_loop *loop,
				    struct sessions *sessions,
				    const struct mcp_options *options);

/* A call of Session has come. */
struct fate *mcp_stream_open(struct mcp_streams *all, struct call *c);

/* Every call has been closed already.  all may be NULL. */
void mcp_streams_free(struct mcp_streams *all);

#endif
