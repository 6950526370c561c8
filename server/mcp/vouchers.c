#include "server/mcp/vouchers.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "server/store/journal.h"

/* Owned by the vouchers. */
struct voucher {
	struct list link;
	struct stored_daemon daemon;
};

static struct voucher *voucher_of(const struct list *link)
{
	return LIST_ITEM((struct list *)(uintptr_t)link, struct voucher, link);
}

void vouchers_init(struct vouchers *v)
{
	list_init(&v->daemons);
}

void vouchers_add(struct vouchers *v, const struct stored_daemon *daemon)
{
	struct voucher *one = mem_zalloc(sizeof(*one));

	one->daemon = *daemon;
	list_append(&v->daemons, &one->link);
}

void vouchers_expire(struct vouchers *v, int64_t began_ms)
{
	struct list *next;

	for (struct list *i = v->daemons.next; i != &v->daemons; i = next) {
		struct voucher *one = voucher_of(i);

		next = i->next;
		if (one->daemon.began_ms > began_ms)
			continue;
		list_remove(i);
		free(one);
	}
}

bool vouchers_have(const struct vouchers *v, struct slice session)
{
	if (session.len < VOUCHER_BYTES)
		return false;
	for (const struct list *i = v->daemons.next; i != &v->daemons;
	     i = i->next)
		if (memcmp(voucher_of(i)->daemon.instance, session.ptr,
			   VOUCHER_BYTES) == 0)
			return true;
	return false;
}

void vouchers_finish(struct vouchers *v)
{
	while (!list_empty(&v->daemons))
		free(voucher_of(list_pop(&v->daemons)));
}
