#include "server/face/admin_internal.h"

#include <stdlib.h>

#include "proto/mem.h"
#include "server/face/call.h"
#include "server/mcp/router.h"

struct wait *wait_new(struct admin *a, struct call *c,
		      struct fate *(*answer)(struct wait *w), const char *name,
		      const char *source)
{
	struct wait *w = mem_zalloc(sizeof(*w));

	w->admin = a;
	w->call = c;
	w->answer = answer;
	w->name = mem_text(name);
	w->source = mem_text(source);
	list_append(&a->waits, &w->link);
	return w;
}

void wait_free(struct wait *w)
{
	list_remove(&w->link);
	free(w->name);
	free(w->source);
	free(w);
}

static void on_wait_closed(void *owner)
{
	struct wait *w = owner;

	w->call = NULL;
	/* The store's answer cannot be called off. */
	if (!w->forget)
		return;
	w->forget(w->admin->router, w);
	wait_free(w);
}

static const struct call_events wait_events = {.closed = on_wait_closed};

void wait_done(void *owner, const struct err *why)
{
	struct wait *w = owner;

	if (w->call)
		w->fate = why ? call_fail(w->call, why) : w->answer(w);
	if (w->waiting)
		wait_free(w);
}

static void on_listed(void *owner)
{
	wait_done(owner, NULL);
}

struct fate *wait_begin(struct wait *w)
{
	struct fate *fate = w->fate;

	if (!fate) {
		w->waiting = true;
		return call_later(w->call, &wait_events, w);
	}
	wait_free(w);
	return fate;
}

struct fate *wait_for_lists(struct wait *w)
{
	w->forget = router_forget_listed;
	router_when_listed(w->admin->router, on_listed, w);
	return wait_begin(w);
}
