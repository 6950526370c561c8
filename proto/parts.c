#include "proto/parts.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/mem.h"

/* Owned by its parts. */
struct partial {
	struct list link;
	uint64_t sequence;
	bool effect;
	uint64_t total;
	struct buf bytes;
};

static struct partial *find(const struct parts *p, uint64_t sequence)
{
	for (struct list *at = p->list.next; at != &p->list; at = at->next) {
		struct partial *m = LIST_ITEM(at, struct partial, link);

		if (m->sequence == sequence)
			return m;
	}
	return NULL;
}

static struct partial *begin(struct parts *p, const Executor__Mcp__V1__Chunk *c)
{
	struct partial *m = mem_zalloc(sizeof(*m));

	m->sequence = c->sequence;
	m->effect = c->effect;
	m->total = c->total;
	list_append(&p->list, &m->link);
	p->count++;
	return m;
}

static void end(struct parts *p, struct partial *m)
{
	list_remove(&m->link);
	p->count--;
	p->bytes -= m->bytes.len;
	buf_finish(&m->bytes);
	free(m);
}

void parts_init(struct parts *p, size_t message_limit_bytes)
{
	assert(message_limit_bytes <= SIZE_MAX / 8);
	*p = (struct parts){.limit_bytes = 2 * message_limit_bytes};
	list_init(&p->list);
}

bool parts_has(const struct parts *p, uint64_t sequence)
{
	return find(p, sequence) != NULL;
}

bool parts_add(struct parts *p, const Executor__Mcp__V1__Chunk *c,
	       struct buf *whole, struct err *e)
{
	struct partial *m = find(p, c->sequence);

	if (!m && p->count == PARTS_MESSAGES)
		return err_set(e, ERR_PROTOCOL,
			       "more than %d messages in parts",
			       PARTS_MESSAGES);
	if (c->data.len > p->limit_bytes - p->bytes)
		return err_set(e, ERR_TOO_LARGE,
			       "more than %zu bytes of messages in parts",
			       p->limit_bytes);
	if (!m)
		m = begin(p, c);
	if (c->total != m->total || c->effect != m->effect ||
	    c->offset != m->bytes.len || c->data.len > c->total - c->offset)
		return err_set(e, ERR_PROTOCOL,
			       "a chunk that does not continue its message");
	buf_append_slice(&m->bytes, protobuf_slice(c->data));
	p->bytes += c->data.len;
	if (m->bytes.len < m->total)
		return true;
	p->bytes -= m->bytes.len;
	buf_move(whole, &m->bytes);
	end(p, m);
	return true;
}

void parts_finish(struct parts *p)
{
	while (!list_empty(&p->list))
		end(p, LIST_ITEM(list_pop(&p->list), struct partial, link));
}
