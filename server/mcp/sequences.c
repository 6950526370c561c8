#include "server/mcp/sequences.h"

/* What a number in the set points to. */
static char present;

bool sequences_has(const struct sequences *q, uint64_t number)
{
	return number <= q->all || map_get_u64(&q->beyond, number);
}

bool sequences_full(const struct sequences *q)
{
	return q->beyond.count >= SEQUENCES_BEYOND_MAX;
}

bool sequences_add(struct sequences *q, uint64_t number)
{
	if (sequences_has(q, number))
		return false;
	if (number != q->all + 1) {
		map_put_u64(&q->beyond, number, &present);
		return true;
	}
	q->all = number;
	while (map_remove_u64(&q->beyond, q->all + 1))
		q->all++;
	return true;
}

void sequences_finish(struct sequences *q)
{
	map_finish(&q->beyond);
	q->all = 0;
}
