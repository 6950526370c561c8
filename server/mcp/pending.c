#include "server/mcp/pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mem.h"
#include "server/mcp/source.h"

enum { NUMBER_BYTES = 64 };

struct pending *pending_new(uint64_t number, const struct source_reply *reply,
			    void *owner, bool wants_progress)
{
	struct pending *p = mem_zalloc(sizeof(*p));

	list_init(&p->link);
	p->number = number;
	p->reply = reply;
	p->owner = owner;
	p->wants_progress = wants_progress && reply->progress;
	return p;
}

void pending_answer(struct pending **p, const struct jsonrpc *m)
{
	const struct source_reply *reply = (*p)->reply;
	void *owner = (*p)->owner;

	pending_free(*p);
	*p = NULL;
	reply->answer(owner, m);
}

void pending_fail(struct pending **p, const struct err *why)
{
	const struct source_reply *reply = (*p)->reply;
	void *owner = (*p)->owner;

	pending_free(*p);
	*p = NULL;
	reply->fail(owner, why);
}

void pending_free(struct pending *p)
{
	if (!p)
		return;
	assert(list_empty(&p->link));
	buf_finish(&p->line);
	free(p);
}

void pending_table_init(struct pending_table *t)
{
	*t = (struct pending_table){0};
	list_init(&t->order);
}

void pending_put(struct pending_table *t, struct pending *p)
{
	list_append(&t->order, &p->link);
	void *before = map_put_u64(&t->by_number, p->number, p);
	assert(!before);
	t->count++;
	t->bytes += p->line.len;
}

struct pending *pending_find(const struct pending_table *t, uint64_t number)
{
	return map_get_u64(&t->by_number, number);
}

struct pending *pending_first(const struct pending_table *t)
{
	return list_empty(&t->order)
		       ? NULL
		       : LIST_ITEM(t->order.next, struct pending, link);
}

/* The number of a progress, if it is one of a usual length. */
static bool read_number(struct slice value, double *number)
{
	char text[NUMBER_BYTES];

	if (json_kind(value) != JSON_NUMBER || value.len >= sizeof(text))
		return false;
	memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	*number = strtod(text, NULL);
	return true;
}

/* MCP, Progress: "The progress value MUST increase with each notification,
 * even if the total is unknown." */
void pending_progress(struct pending_table *t, const struct jsonrpc *m,
		      double due)
{
	struct slice token = json_get(m->params, "progressToken");
	unsigned long long number;
	double progress;

	if (!json_u64(token, &number) ||
	    !read_number(json_get(m->params, "progress"), &progress))
		return;
	struct pending *p = pending_find(t, number);
	if (!p || !p->wants_progress ||
	    (p->progressed && progress <= p->progress))
		return;
	p->progressed = true;
	p->progress = progress;
	p->due = due;
	list_remove(&p->link);
	list_append(&t->order, &p->link);
	p->reply->progress(p->owner, m, token);
}

void pending_extend(struct pending_table *t, double due)
{
	for (struct list *i = t->order.next; i != &t->order; i = i->next)
		LIST_ITEM(i, struct pending, link)->due = due;
}

void pending_take(struct pending_table *t, struct pending *p)
{
	void *taken = map_remove_u64(&t->by_number, p->number);

	assert(taken == p);
	list_remove(&p->link);
	t->count--;
	t->bytes -= p->line.len;
}

void pending_table_finish(struct pending_table *t)
{
	struct pending *p;

	while ((p = pending_first(t))) {
		pending_take(t, p);
		pending_free(p);
	}
	map_finish(&t->by_number);
}
