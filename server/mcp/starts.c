#include "server/mcp/starts.h"

#include <assert.h>

#include "proto/err.h"

void starts_init(struct starts *s, unsigned at_once, unsigned most)
{
	assert(at_once > 0);
	*s = (struct starts){.at_once = at_once, .most = most};
	list_init(&s->waiting);
}

void turn_init(struct turn *t, void (*come)(void *owner), void *owner)
{
	*t = (struct turn){.come = come, .owner = owner};
	list_init(&t->link);
}

bool turn_ask(struct turn *t, struct err *e)
{
	struct starts *s = t->starts;

	assert(t->state != TURN_RUNNING);
	if (t->state != TURN_NONE)
		return true;
	if (!s) {
		t->state = TURN_STARTING;
		return true;
	}
	if (s->taken >= s->most)
		return err_set(e, ERR_OVERLOADED,
			       "%u sources run already, which is the limit; "
			       "one that is idle ends by itself, or is ended "
			       "by executor source remove",
			       s->taken);
	s->taken++;
	if (s->starting < s->at_once) {
		s->starting++;
		t->state = TURN_STARTING;
	} else {
		list_append(&s->waiting, &t->link);
		t->state = TURN_WAITING;
	}
	return true;
}

/* One start less: whoever waits longest is next. */
static void pass_on(struct starts *s)
{
	assert(s->starting > 0);
	s->starting--;
	if (list_empty(&s->waiting))
		return;
	struct turn *next = LIST_ITEM(s->waiting.next, struct turn, link);
	list_remove(&next->link);
	s->starting++;
	next->state = TURN_STARTING;
	next->come(next->owner);
}

void turn_started(struct turn *t)
{
	if (t->state != TURN_STARTING)
		return;
	t->state = TURN_RUNNING;
	if (t->starts)
		pass_on(t->starts);
}

void turn_end(struct turn *t)
{
	enum turn_state was = t->state;

	t->state = TURN_NONE;
	list_remove(&t->link);
	if (was == TURN_NONE || !t->starts)
		return;
	assert(t->starts->taken > 0);
	t->starts->taken--;
	if (was == TURN_STARTING)
		pass_on(t->starts);
}
