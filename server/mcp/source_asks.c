/* source: what it may ask of clients, and what it is told. */
#include "server/mcp/source_internal.h"

#include <assert.h>
#include <string.h>

void source_answer(struct source *s, struct slice text)
{
	assert(s->leg);
	leg_answer(s->leg, text);
	source_set_alarm(s);
}

void source_notify(struct source *s, struct slice text)
{
	if (s->leg)
		leg_notify(s->leg, text);
}

/* The built-in one asks nothing. */
bool source_may_ask(const struct source *s)
{
	return !s->functions && strcmp(s->recipe.interactive, "never") != 0;
}

bool source_is_exclusive(const struct source *s)
{
	return strcmp(s->recipe.interactive, "always") == 0;
}

enum source_roots source_roots(const struct source *s, struct slice *list)
{
	if (strcmp(s->recipe.roots, "none") == 0)
		return SOURCE_ROOTS_NONE;
	if (strcmp(s->recipe.roots, "client") == 0)
		return SOURCE_ROOTS_CLIENT;
	*list = slice_of(s->recipe.roots);
	return SOURCE_ROOTS_LIST;
}
