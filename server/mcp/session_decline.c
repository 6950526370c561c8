/* What a session leaves to the daemon that comes after this one. */
#include "server/mcp/session.h"

#include <stdlib.h>

#include "proto/mem.h"
#include "server/mcp/sessions.h"

bool session_decline(struct session *s, struct slice id)
{
	struct session_request *r = map_get(&s->by_id, id);
	unsigned most = s->all->limits.in_flight;

	if (!r)
		return true; /* cancelled: nobody waits for it */
	if (!s->keeps_untaken || s->declined_count >= most)
		return false;
	if (!s->declined)
		s->declined = mem_alloc(most * sizeof(*s->declined));
	s->declined[s->declined_count++] = r->sequence;
	journaled_cancelled(s, r);
	session_forget(s, r);
	return true;
}

bool session_has_declined(const struct session *s, uint64_t sequence)
{
	for (size_t i = 0; i < s->declined_count; i++)
		if (s->declined[i] == sequence)
			return true;
	return false;
}

/* What came early lies behind what is still on its way, in parts. */
bool session_untaken(const struct session *s, envelope_untaken_t *untaken)
{
	const struct seqset *set = &s->received;
	size_t early = set->count;
	size_t most = ENVELOPE_PENDING_MAX - s->declined_count;
	uint64_t n = set->all;
	struct buf list = {0};

	while (early > 0 && list.len / sizeof(n) <= most) {
		if (seqset_has(set, ++n))
			early--;
		else
			buf_append(&list, &n, sizeof(n));
	}
	if (list.len / sizeof(n) > most) {
		buf_finish(&list);
		return false;
	}
	buf_append(&list, s->declined, s->declined_count * sizeof(n));
	executor__mcp__v1__untaken__init(untaken);
	untaken->above = n;
	untaken->n_sequences = list.len / sizeof(n);
	untaken->sequences = mem_copy(list.data, list.len);
	buf_finish(&list);
	return true;
}
