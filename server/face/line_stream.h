/*
 * line_stream: mcp.transport.v1.Mcp, a session as messages of one line each.
 *
 * The same sessions as McpService/Session has, for clients that know no
 * envelopes: nothing is numbered or acknowledged, so what has been handed to
 * the stream counts as delivered, and the session ends with its stream.  A
 * client that has half-closed still gets the answers it waits for.
 *
 *   OPEN --half-closed, and nothing in flight--> ENDING --> call_end()
 *   OPEN --the session ends it---------------->  ENDING --> call_fail()
 *   any  --cancelled, lost-------------------------------> (gone)
 */
#ifndef SERVER_FACE_LINE_STREAM_H
#define SERVER_FACE_LINE_STREAM_H

#include <stddef.h>

struct ev_loop;
struct line_streams;
struct services;
struct sessions;

/* Adds the service to the table.  message_bytes is the largest message. */
struct line_streams *line_streams_new(struct ev_loop *loop,
				      struct services *services,
				      struct sessions *sessions,
				      size_t message_bytes);

/* Every call has been closed already.  all may be NULL. */
void line_streams_free(struct line_streams *all);

#endif
