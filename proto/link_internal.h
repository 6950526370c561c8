/*
 * link_internal: what the two files of link share; nobody else includes it.
 *
 *   link.c      what comes from the other side; pausing; the end
 *   link_send.c what goes there: messages in turns, acknowledgements
 */
#ifndef PROTO_LINK_INTERNAL_H
#define PROTO_LINK_INTERNAL_H

#include <ev.h>

#include "proto/buf.h"
#include "proto/grpc.h"
#include "proto/h2.h"
#include "proto/link.h"
#include "proto/list.h"
#include "proto/map.h"
#include "proto/parts.h"
#include "proto/seqset.h"

/* Owned by whoever owns the stream. */
struct link {
	struct ev_loop *loop;
	struct h2_stream *stream;
	size_t limit_bytes;
	const struct link_events *events;
	void *owner;

	struct list parcels; /* the first two take turns */
	struct map queued;   /* parcels by their sequence */
	size_t waiting_bytes;

	struct grpc_reader reader;
	struct parts parts;
	struct seqset arrived;
	uint64_t acked; /* by the other side */

	struct seqset delivered;
	uint64_t told;	     /* of them, to the other side */
	size_t handed_bytes; /* since then */
	ev_timer ack;

	struct buf held; /* framed envelopes that came while paused */
	size_t unconsumed_bytes;
	struct ev_watcher resume; /* fed, never started */

	bool paused, broken, freed;
	unsigned busy; /* events on the stack */
};

/* The edge of every event: l may be gone afterwards. */
void link_leave(struct link *l);

void link_sending_init(struct link *l);
void link_sending_finish(struct link *l);

#endif
