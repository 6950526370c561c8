#include "server/mcp/elicited.h"

#include <stdlib.h>

#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mem.h"
#include "server/mcp/routing.h"
#include "server/mcp/session.h"

enum {
	KEPT = 1024,	/* of all sources; the oldest is forgotten */
	ID_BYTES = 512, /* of an id that is remembered */
};

/* MCP 2025-11-25: URLElicitationRequiredError. */
static const char url_required[] = "-32042";

/* Owned by router->elicited. */
struct elicited {
	struct list link;
	struct routed *at;
	uint64_t session;
	size_t len;
	char id[]; /* raw */
};

static struct elicited *elicited_of(struct list *link)
{
	return LIST_ITEM(link, struct elicited, link);
}

static void forget(struct router *r, struct elicited *e)
{
	list_remove(&e->link);
	r->elicited_count--;
	free(e);
}

void elicited_note(struct routed *at, uint64_t session, struct slice id)
{
	struct router *r = at->router;

	if (json_kind(id) != JSON_STRING || id.len > ID_BYTES)
		return;
	if (r->elicited_count >= KEPT)
		forget(r, elicited_of(list_pop(&r->elicited)));
	struct elicited *e = mem_alloc(sizeof(*e) + id.len);
	e->at = at;
	e->session = session;
	e->len = id.len;
	memcpy(e->id, id.ptr, id.len);
	list_append(&r->elicited, &e->link);
	r->elicited_count++;
}

void elicited_note_error(struct routed *at, uint64_t session,
			 struct slice error)
{
	struct slice list = json_path(error, "data", "elicitations", NULL);
	struct slice one;
	size_t next = 0;

	if (!slice_is(json_get(error, "code"), url_required))
		return;
	while (json_next_element(list, &next, &one))
		elicited_note(at, session, json_get(one, "elicitationId"));
}

void elicited_complete(struct routed *at, const struct jsonrpc *m)
{
	struct router *r = at->router;
	struct slice id = json_get(m->params, "elicitationId");

	for (struct list *i = r->elicited.next; i != &r->elicited;
	     i = i->next) {
		struct elicited *e = elicited_of(i);

		if (e->at != at ||
		    !slice_equal(id, (struct slice){e->id, e->len}))
			continue;
		struct session *s = sessions_find(r->sessions, e->session);
		if (s)
			session_deliver(s, m->text, false);
		forget(r, e);
		return;
	}
}

void elicited_forget(struct router *r, const struct routed *at,
		     uint64_t session)
{
	struct list *next;

	for (struct list *i = r->elicited.next; i != &r->elicited; i = next) {
		struct elicited *e = elicited_of(i);

		next = i->next;
		if ((!at || e->at == at) &&
		    (session == 0 || e->session == session))
			forget(r, e);
	}
}
