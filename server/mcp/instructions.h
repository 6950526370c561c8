/*
 * instructions: what sources want every client to know, in one text.
 *
 * A section for each source that said something when it was last started, in
 * their order, within a bound.  Part of the router.
 */
#ifndef SERVER_MCP_INSTRUCTIONS_H
#define SERVER_MCP_INSTRUCTIONS_H

struct buf;
struct router;

/* Of one source handshake.c keeps 4 KiB. */
enum { INSTRUCTIONS_BYTES = 16 << 10 };

/* Append the text; nothing when no source said anything. */
void instructions_merge(const struct router *r, struct buf *text);

#endif
