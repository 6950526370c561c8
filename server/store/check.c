#include "server/store/store.h"

#include <stdlib.h>

#include "proto/mem.h"
#include "server/store/query.h"
#include "server/store/queue.h"
#include "server/store/schema.h"
#include "server/store/store_internal.h"

static bool run_check(struct store *s, struct op *op, struct err *e)
{
	struct query q;
	bool sound = true;

	(void)op;
	/* One row that says ok, or the first fault. */
	query_begin(&q, s, "PRAGMA quick_check(1)");
	if (query_next(&q) && !slice_is(query_column(&q, 0), "ok"))
		sound = err_set(e, ERR_CORRUPT,
				"%s is damaged: %.200s; stop the daemon and "
				"put a copy back, or move the file away",
				s->path, query_column_text(&q, 0));
	return query_end(&q, sound ? e : NULL) && sound;
}

static void free_check(struct op *op)
{
	free(op);
}

static const struct op_kind kind_check = {.run = run_check, .free = free_check};

void store_check(struct store *s, store_done_fn *done, void *owner)
{
	struct op *op = mem_zalloc(sizeof(*op));

	queue_put(s, op, &kind_check, done, owner);
}

int store_version(void)
{
	return schema_version();
}
