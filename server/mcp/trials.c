#include "server/mcp/trials.h"

#include <stdlib.h>

#include "proto/err.h"
#include "proto/mem.h"
#include "server/mcp/routing.h"

/* Owned by the router, in router->trials. */
struct trial {
	struct list link;
	struct routed *at; /* settled before it goes */
	unsigned kinds;	   /* of which something was said */
	struct err why;	   /* ERR_NONE: all were told */
	void (*done)(void *owner, const struct err *why);
	void *owner;
};

static void free_trial(struct trial *t)
{
	list_remove(&t->link);
	free(t);
}

static bool may_start(const struct routed *at, struct err *e)
{
	const char *name = source_name(at->source);

	if (routed_disabled(at))
		return err_set(e, ERR_SOURCE_DISABLED,
			       "the source \"%s\" is disabled; executor source "
			       "enable %s",
			       name, name);
	if (at->router->stopping)
		return err_set(e, ERR_DRAINING, "the daemon is about to stop");
	return true;
}

void router_source_test(struct router *r, const char *name,
			void (*done)(void *owner, const struct err *why),
			void *owner)
{
	struct routed *at = router_routed(r, name);
	struct err e;

	if (!at || !may_start(at, &e)) {
		if (!at)
			err_set(&e, ERR_NOT_FOUND,
				"there is no source \"%.40s\"", name);
		done(owner, &e);
		return;
	}
	struct trial *t = mem_zalloc(sizeof(*t));
	t->at = at;
	t->done = done;
	t->owner = owner;
	list_append(&r->trials, &t->link);
	source_retry(at->source);
}

void router_forget_test(struct router *r, void *owner)
{
	struct list *next;

	for (struct list *i = r->trials.next; i != &r->trials; i = next) {
		struct trial *t = LIST_ITEM(i, struct trial, link);

		next = i->next;
		if (t->owner == owner)
			free_trial(t);
	}
}

static void settle(struct trial *t)
{
	void (*done)(void *owner, const struct err *e) = t->done;
	void *owner = t->owner;
	struct err why = t->why;

	free_trial(t);
	done(owner, why.reason == ERR_NONE ? NULL : &why);
}

void trials_note(struct routed *at, unsigned kinds, const struct err *why)
{
	struct router *r = at->router;
	struct list *next;

	for (struct list *i = r->trials.next; i != &r->trials; i = next) {
		struct trial *t = LIST_ITEM(i, struct trial, link);

		next = i->next;
		if (t->at != at)
			continue;
		t->kinds |= kinds;
		if (why && t->why.reason == ERR_NONE)
			t->why = *why;
		if (t->kinds == KINDS_ALL)
			settle(t);
	}
}

void trials_drop_all(struct router *r)
{
	while (!list_empty(&r->trials))
		free_trial(LIST_ITEM(list_pop(&r->trials), struct trial, link));
}
