#include "server/mcp/restore.h"

#include <stdlib.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/lists.h"
#include "server/mcp/owner.h"
#include "server/mcp/watches.h"

/* URIs of a session whose owners are not known yet.  Owned by the
 * subscriptions, in all->restoring. */
struct restore {
	struct subscriptions *all;
	struct list link;
	uint64_t session;
	struct slice *uris; /* copies; an empty one is not wanted any more */
	size_t count;
};

static void free_restore(struct restore *w)
{
	router_forget_listed(w->all->router, w);
	list_remove(&w->link);
	for (size_t i = 0; i < w->count; i++)
		free((void *)(uintptr_t)w->uris[i].ptr);
	free(w->uris);
	free(w);
}

/* False when its owner may still turn up. */
static bool restore_one(struct subscriptions *all, uint64_t session,
			struct slice uri, bool waited)
{
	struct router *r = all->router;
	struct owner o;

	owner_find(r, uri, &o);
	bool sure = o.listed || waited || lists_settled(r, KINDS_RESOURCE);
	if (sure && o.at) {
		subscriptions_restore(all, session, &o);
	} else if (sure) {
		log_info("router", "a subscription is lost: its source is "
				   "not known any more");
		subscriptions_tell(r, session, uri);
	}
	owner_finish(&o);
	return sure;
}

static void on_listed(void *owner)
{
	struct restore *w = owner;

	for (size_t i = 0; i < w->count; i++)
		if (w->uris[i].len > 0)
			restore_one(w->all, w->session, w->uris[i], true);
	free_restore(w);
}

void restore_begin(struct subscriptions *all, uint64_t session,
		   const struct slice *uris, size_t count)
{
	struct restore *w = mem_zalloc(sizeof(*w));

	w->all = all;
	w->session = session;
	w->uris = mem_alloc(count * sizeof(*w->uris));
	list_append(&all->restoring, &w->link);
	for (size_t i = 0; i < count; i++)
		if (uris[i].len > 0 &&
		    !restore_one(all, session, uris[i], false))
			w->uris[w->count++] = (struct slice){
				mem_copy(uris[i].ptr, uris[i].len),
				uris[i].len};
	if (w->count > 0)
		lists_when(all->router, KINDS_RESOURCE, on_listed, w);
	else
		free_restore(w);
}

void restore_forget(struct subscriptions *all, uint64_t session,
		    const struct owner *o)
{
	struct owner found;

	for (struct list *i = all->restoring.next; i != &all->restoring;
	     i = i->next) {
		struct restore *w = LIST_ITEM(i, struct restore, link);

		for (size_t n = 0; w->session == session && n < w->count; n++) {
			owner_find(all->router, w->uris[n], &found);
			if (found.at == o->at &&
			    slice_equal(buf_slice(&found.uri),
					buf_slice(&o->uri)))
				w->uris[n].len = 0;
			owner_finish(&found);
		}
	}
}

void restore_left(struct subscriptions *all, uint64_t session)
{
	struct list *next;

	for (struct list *i = all->restoring.next; i != &all->restoring;
	     i = next) {
		struct restore *w = LIST_ITEM(i, struct restore, link);

		next = i->next;
		if (w->session == session)
			free_restore(w);
	}
}

void restore_drop_all(struct subscriptions *all)
{
	while (!list_empty(&all->restoring))
		free_restore(LIST_ITEM(list_pop(&all->restoring),
				       struct restore, link));
}
