#include "adapter/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/mem.h"

struct batch {
	struct buf array; /* "[first,second"; its "]" when complete */
	unsigned open;	  /* answers to wait for */
	bool sealed;
};

/* The end is written as soon as it is known. */
static void close_when_complete(struct batch *b)
{
	if (batch_complete(b) && b->array.len > 0)
		buf_append_text(&b->array, "]");
}

struct batch *batch_new(void)
{
	return mem_zalloc(sizeof(struct batch));
}

void batch_expect(struct batch *b)
{
	assert(!b->sealed);
	b->open++;
}

void batch_settle(struct batch *b)
{
	assert(b->open > 0);
	b->open--;
	close_when_complete(b);
}

bool batch_has_room(const struct batch *b, size_t len)
{
	return len <= BATCH_BYTES && b->array.len <= BATCH_BYTES - len;
}

void batch_add(struct batch *b, struct slice answer)
{
	assert(!batch_complete(b));
	buf_append_text(&b->array, b->array.len == 0 ? "[" : ",");
	buf_append_slice(&b->array, answer);
}

void batch_seal(struct batch *b)
{
	assert(!b->sealed);
	b->sealed = true;
	close_when_complete(b);
}

bool batch_complete(const struct batch *b)
{
	return b->sealed && b->open == 0;
}

struct slice batch_text(const struct batch *b)
{
	assert(batch_complete(b));
	return buf_slice(&b->array);
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	buf_finish(&b->array);
	free(b);
}
