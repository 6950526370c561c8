/*
 * admin_view: sources, sessions and tools as messages of the admin service.
 *
 * What is made lives in a view until view_finish(): long enough to be packed.
 * Texts that came from a source or a client are made valid UTF-8.
 */
#ifndef SERVER_FACE_ADMIN_VIEW_H
#define SERVER_FACE_ADMIN_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "executor/admin/v1/admin.pb-c.h"
#include "proto/list.h"
#include "proto/slice.h"

struct catalogue;
struct catalogue_item;
struct router;
struct sessions;
struct source;

struct view {
	struct list memory;
};

void view_init(struct view *v);

/* Zeroed memory of the view. */
void *view_take(struct view *v, size_t len);
/* Copies of the view: of text, valid UTF-8; of bytes, with a NUL behind. */
char *view_text(struct view *v, const char *text);
char *view_bytes(struct view *v, struct slice bytes);

/* Add the last lines of its stderr. */
void view_stderr(struct view *v, Executor__Admin__V1__Source *to,
		 const struct source *s);

Executor__Admin__V1__Source *view_source(struct view *v,
					 const struct source *s);
Executor__Admin__V1__Tool *view_tool(struct view *v,
				     const struct catalogue_item *t);

/* All of them; *count gets their number. */
Executor__Admin__V1__Source **
view_sources(struct view *v, const struct router *r, size_t *count);
Executor__Admin__V1__SessionStatus **
view_sessions(struct view *v, const struct sessions *all, size_t *count);
/* Those of a source, or all when it is empty. */
Executor__Admin__V1__Tool **view_tools(struct view *v,
				       const struct catalogue *c,
				       const char *source, size_t *count);

/* What sources are working on, the oldest first. */
Executor__Admin__V1__Call **view_calls(struct view *v, const struct router *r,
				       struct sessions *all, size_t *count);

/* Milliseconds since a time of CLOCK_MONOTONIC. */
uint64_t view_ms_since(int64_t then_ms);

/* Release all that was made. */
void view_finish(struct view *v);

#endif
