#include "adapter/delivery.h"

#include <assert.h>
#include <string.h>

struct receipt {
	uint64_t sequence;
	uint64_t offset;
};

static bool run_has(const struct delivery_run *r, uint64_t n)
{
	return n <= r->all || map_get_u64(&r->early, n);
}

static void run_add(struct delivery_run *r, uint64_t n)
{
	if (n != r->all + 1) {
		map_put_u64(&r->early, n, r); /* any value but NULL */
		return;
	}
	r->all = n;
	while (map_remove_u64(&r->early, r->all + 1))
		r->all++;
}

bool delivery_see(struct delivery *d, uint64_t sequence)
{
	if (run_has(&d->seen, sequence))
		return false;
	run_add(&d->seen, sequence);
	return true;
}

void delivery_wait(struct delivery *d, uint64_t sequence, uint64_t offset)
{
	struct receipt r = {.sequence = sequence, .offset = offset};

	assert(run_has(&d->seen, sequence));
	buf_append(&d->waiting, &r, sizeof(r));
}

void delivery_done(struct delivery *d, uint64_t sequence)
{
	assert(run_has(&d->seen, sequence));
	if (!run_has(&d->written, sequence))
		run_add(&d->written, sequence);
}

bool delivery_is_done(const struct delivery *d, uint64_t sequence)
{
	return run_has(&d->written, sequence);
}

uint64_t delivery_next(struct delivery *d, uint64_t offset)
{
	struct receipt r;

	if (d->waiting.len == 0)
		return 0;
	memcpy(&r, d->waiting.data, sizeof(r));
	if (r.offset > offset)
		return 0;
	buf_consume(&d->waiting, sizeof(r));
	delivery_done(d, r.sequence);
	return r.sequence;
}

uint64_t delivery_all(const struct delivery *d)
{
	return d->written.all;
}

void delivery_reset(struct delivery *d)
{
	map_finish(&d->seen.early);
	map_finish(&d->written.early);
	buf_finish(&d->waiting);
	*d = (struct delivery){0};
}
