#include "server/mcp/outbox.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/mem.h"

enum { SMALLEST = 16 };

static void grow(struct outbox *o)
{
	size_t cap = o->cap ? o->cap * 2 : SMALLEST;
	struct outbox_item *items = mem_alloc(cap * sizeof(*items));

	for (size_t i = 0; i < o->count; i++)
		items[i] = *outbox_at(o, i);
	free(o->items);
	o->items = items;
	o->cap = cap;
	o->first = 0;
}

size_t outbox_cost(size_t len)
{
	return len + sizeof(struct message) + sizeof(struct outbox_item);
}

void outbox_add(struct outbox *o, struct message **m, uint64_t request)
{
	if (o->count == o->cap)
		grow(o);
	(*m)->sequence = ++o->last;
	o->bytes += outbox_cost((*m)->len);
	o->items[(o->first + o->count++) % o->cap] =
		(struct outbox_item){*m, request};
	*m = NULL;
}

const struct outbox_item *outbox_at(const struct outbox *o, size_t i)
{
	assert(i < o->count);
	return &o->items[(o->first + i) % o->cap];
}

void outbox_ack(struct outbox *o, uint64_t received)
{
	while (o->count > 0) {
		struct message *m = outbox_at(o, 0)->message;

		if (m->sequence > received)
			return;
		o->bytes -= outbox_cost(m->len);
		o->first = (o->first + 1) % o->cap;
		o->count--;
		message_unref(m);
	}
}

void outbox_finish(struct outbox *o)
{
	outbox_ack(o, o->last);
	assert(o->bytes == 0);
	free(o->items);
	*o = (struct outbox){0};
}
