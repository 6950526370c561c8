#include "server/mcp/journaling.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/err.h"
#include "proto/list.h"
#include "proto/log.h"
#include "proto/map.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "server/mcp/vouchers.h"
#include "server/store/journal.h"

enum {
	ROWS = 65536,
	ROWS_AT_ONCE = 4096, /* that go when there are more */
};

static const int64_t row_ms = 30ll * 24 * 60 * 60 * 1000;

/* A row.  Owned by its caller. */
struct row {
	struct list link; /* in j->results, j->rests or none */
	struct caller *caller;
	uint64_t sequence;
	enum journaling_state state;
	uint64_t hash;
	int64_t accepted_ms;
	int64_t place; /* the store's */
	size_t bytes;  /* of its result, while it is DONE */
	size_t name_len;
	char name[];
};

/* An adapter that has rows.  Owned by the journaling. */
struct caller {
	unsigned char adapter[JOURNALING_KEY_BYTES];
	struct map rows; /* sequence -> struct row */
};

struct journaling {
	struct store *store;
	struct journaling_options options;
	struct map callers;
	struct caller *last; /* that was accepted from; also without rows */
	struct list results; /* rows that are DONE, the oldest first */
	struct list rests;   /* ENDED and LEFT, the same */
	struct vouchers vouchers;
	size_t rows;
	size_t bytes; /* of all results */
	int64_t began_ms;
	journaling_done_fn *loaded;
	void *loaded_owner;
};

/* Since 1970, and never before this daemon began: who expires rows by their
 * age relies on it. */
static int64_t now_ms(const struct journaling *j)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	return ms > j->began_ms ? ms : j->began_ms;
}

/* --- the index ------------------------------------------------------------ */

static struct slice key_of(const unsigned char *adapter)
{
	return (struct slice){(const char *)adapter, JOURNALING_KEY_BYTES};
}

/* Most of what is asked is of the last. */
static struct caller *find_caller(const struct journaling *j,
				  const unsigned char *adapter)
{
	if (j->last &&
	    memcmp(j->last->adapter, adapter, sizeof(j->last->adapter)) == 0)
		return j->last;
	return map_get(&j->callers, key_of(adapter));
}

static void drop_caller(struct journaling *j, struct caller *c)
{
	map_remove(&j->callers, key_of(c->adapter));
	map_finish(&c->rows);
	free(c);
}

/* It is the last from now on. */
static struct caller *caller_of(struct journaling *j,
				const unsigned char *adapter)
{
	struct caller *c = find_caller(j, adapter);

	if (!c) {
		c = mem_zalloc(sizeof(*c));
		memcpy(c->adapter, adapter, sizeof(c->adapter));
		map_put(&j->callers, key_of(adapter), c);
	}
	if (j->last && j->last != c && j->last->rows.count == 0)
		drop_caller(j, j->last);
	j->last = c;
	return c;
}

static struct row *find(const struct journaling *j,
			const unsigned char *adapter, uint64_t sequence)
{
	const struct caller *c = find_caller(j, adapter);

	return c ? map_get_u64(&c->rows, sequence) : NULL;
}

/* The only writer of r->state, of where it stands and of what it counts. */
static void set_state(struct journaling *j, struct row *r,
		      enum journaling_state next, size_t bytes)
{
	j->bytes -= r->bytes;
	r->bytes = bytes;
	j->bytes += bytes;
	r->state = next;
	list_remove(&r->link);
	if (next == JOURNALING_DONE)
		list_append(&j->results, &r->link);
	else if (next != JOURNALING_RUNNING)
		list_append(&j->rests, &r->link);
}

static struct row *add(struct journaling *j, const struct stored_call *call)
{
	struct caller *c = caller_of(j, call->adapter);
	struct row *r = mem_zalloc(sizeof(*r) + call->name.len);

	list_init(&r->link);
	r->caller = c;
	r->sequence = call->sequence;
	r->hash = call->hash;
	r->accepted_ms = call->accepted_ms;
	r->place = call->place;
	r->name_len = call->name.len;
	if (r->name_len > 0)
		memcpy(r->name, call->name.ptr, r->name_len);
	map_put_u64(&c->rows, call->sequence, r);
	j->rows++;
	return r;
}

static void drop(struct journaling *j, struct row *r)
{
	struct caller *c = r->caller;

	set_state(j, r, JOURNALING_NONE, 0);
	list_remove(&r->link);
	map_remove_u64(&c->rows, r->sequence);
	j->rows--;
	free(r);
	if (c->rows.count == 0 && c != j->last)
		drop_caller(j, c);
}

/* --- bounds --------------------------------------------------------------- */

static struct row *row_of(struct list *link)
{
	return LIST_ITEM(link, struct row, link);
}

/* Its result is not kept any longer; that it was done is. */
static void strip(struct journaling *j, struct row *r)
{
	set_state(j, r, JOURNALING_ENDED, 0);
	store_call_finish(j->store, r->place, NULL, NULL, NULL);
}

/* Forget all rows that nobody works on and that were accepted up to then.  A
 * missing row proves nothing any more to sessions that are older. */
static void expire(struct journaling *j, int64_t accepted_ms)
{
	struct list *next;

	log_info("journal", "rows of before %lld are forgotten",
		 (long long)accepted_ms);
	vouchers_expire(&j->vouchers, accepted_ms);
	for (struct list *i = j->rests.next; i != &j->rests; i = next) {
		next = i->next;
		if (row_of(i)->accepted_ms <= accepted_ms)
			drop(j, row_of(i));
	}
	store_calls_expire(j->store, accepted_ms, NULL, NULL);
}

/* When there are too many rows: up to which time they go. */
static int64_t horizon(struct journaling *j)
{
	while (list_empty(&j->rests))
		strip(j, row_of(j->results.next));
	struct list *at = j->rests.next;
	for (int i = 0; i < ROWS_AT_ONCE && at->next != &j->rests; i++)
		at = at->next;
	return row_of(at)->accepted_ms;
}

static void keep_bounds(struct journaling *j)
{
	int64_t now = now_ms(j);

	while (!list_empty(&j->results)) {
		struct row *oldest = row_of(j->results.next);

		if (j->bytes <= j->options.all_bytes &&
		    now - oldest->accepted_ms < j->options.keep_ms)
			break;
		strip(j, oldest);
	}
	if (!list_empty(&j->rests) &&
	    now - row_of(j->rests.next)->accepted_ms > row_ms)
		expire(j, now - row_ms);
	if (j->rows > ROWS &&
	    !(list_empty(&j->rests) && list_empty(&j->results)))
		expire(j, horizon(j));
}

/* --- loading -------------------------------------------------------------- */

static void on_daemon(void *owner, const struct stored_daemon *daemon)
{
	struct journaling *j = owner;

	vouchers_add(&j->vouchers, daemon);
}

static void on_call(void *owner, const struct stored_call *call)
{
	struct journaling *j = owner;
	struct row *r = find(j, call->adapter, call->sequence);

	if (r) /* left behind when it could not be forgotten */
		journaling_forget(j, call->adapter, &call->sequence, 1);
	r = add(j, call);
	switch (call->state) {
	case STORED_DONE:
		set_state(j, r, JOURNALING_DONE, call->result_bytes);
		return;
	case STORED_ENDED:
		set_state(j, r, JOURNALING_ENDED, 0);
		return;
	case STORED_ACCEPTED:
	case STORED_INDETERMINATE:
		break;
	}
	set_state(j, r, JOURNALING_LEFT, 0);
}

static void on_loaded(void *owner, const struct err *why)
{
	struct journaling *j = owner;

	if (!why)
		keep_bounds(j);
	j->loaded(j->loaded_owner, why);
}

static void on_daemons_loaded(void *owner, const struct err *why)
{
	struct journaling *j = owner;

	if (why)
		j->loaded(j->loaded_owner, why);
	else
		store_calls(j->store, on_call, on_loaded, j);
}

static void on_written_down(void *owner, const struct err *why)
{
	struct journaling *j = owner;

	if (why)
		j->loaded(j->loaded_owner, why);
	else
		store_daemons(j->store, on_daemon, on_daemons_loaded, j);
}

void journaling_load(struct journaling *j, journaling_done_fn *done,
		     void *owner)
{
	struct stored_daemon ours;

	j->loaded = done;
	j->loaded_owner = owner;
	memcpy(ours.instance, j->options.instance, sizeof(ours.instance));
	ours.began_ms = j->began_ms;
	store_daemon_put(j->store, &ours, on_written_down, j);
}

/* --- sessions ------------------------------------------------------------- */

void journaling_mint(const struct journaling *j, unsigned char id[16])
{
	memcpy(id, j->options.instance, VOUCHER_BYTES);
	mem_random(id + VOUCHER_BYTES, 16 - VOUCHER_BYTES);
}

bool journaling_vouches(const struct journaling *j, struct slice session)
{
	return vouchers_have(&j->vouchers, session);
}

enum journaling_state journaling_find(const struct journaling *j,
				      const unsigned char *adapter,
				      uint64_t sequence,
				      struct journaling_call *call)
{
	const struct row *r = find(j, adapter, sequence);

	if (r && call)
		*call = (struct journaling_call){
			.state = r->state,
			.name = {r->name, r->name_len},
			.accepted_ms = r->accepted_ms,
		};
	return r ? r->state : JOURNALING_NONE;
}

bool journaling_differs(const struct journaling *j,
			const unsigned char *adapter, uint64_t sequence,
			uint64_t hash)
{
	const struct row *r = find(j, adapter, sequence);

	return r && r->hash != hash;
}

/* --- calls ---------------------------------------------------------------- */

void journaling_accept(struct journaling *j, const unsigned char *adapter,
		       uint64_t sequence, uint64_t hash, struct slice name,
		       journaling_done_fn *done, void *owner)
{
	struct row *r = find(j, adapter, sequence);
	struct stored_call call = {
		.sequence = sequence,
		.hash = hash,
		.accepted_ms = now_ms(j),
		.place = r ? r->place : 0,
	};

	memcpy(call.adapter, adapter, sizeof(call.adapter));
	if (name.len <= JOURNALING_NAME_BYTES)
		call.name = name;
	if (r)
		r->accepted_ms = call.accepted_ms;
	else
		r = add(j, &call);
	set_state(j, r, JOURNALING_RUNNING, 0);
	r->place = store_call_accept(j->store, &call, done, owner);
	keep_bounds(j);
}

void journaling_drop(struct journaling *j, const unsigned char *adapter,
		     uint64_t sequence)
{
	struct row *r = find(j, adapter, sequence);

	if (r)
		drop(j, r);
}

void journaling_answer(struct journaling *j, const unsigned char *adapter,
		       uint64_t sequence, struct message *answer,
		       journaling_done_fn *done, void *owner)
{
	struct row *r = find(j, adapter, sequence);
	bool kept = answer->len <= j->options.result_bytes &&
		    answer->len <= j->options.all_bytes;

	if (r)
		set_state(j, r, kept ? JOURNALING_DONE : JOURNALING_ENDED,
			  kept ? answer->len : 0);
	store_call_finish(j->store, r ? r->place : 0, kept ? answer : NULL,
			  done, owner);
	keep_bounds(j);
}

void journaling_leave(struct journaling *j, const unsigned char *adapter,
		      uint64_t sequence)
{
	struct row *r = find(j, adapter, sequence);

	if (r)
		set_state(j, r, JOURNALING_LEFT, 0);
}

void journaling_read(struct journaling *j, const unsigned char *adapter,
		     uint64_t sequence,
		     void (*row)(void *owner, struct slice result),
		     journaling_done_fn *done, void *owner)
{
	const struct row *r = find(j, adapter, sequence);

	store_call_result(j->store, r ? r->place : 0, row, done, owner);
}

/* --- settled -------------------------------------------------------------- */

void journaling_forget(struct journaling *j, const unsigned char *adapter,
		       const uint64_t *sequences, size_t count)
{
	int64_t places[64];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct row *r = find(j, adapter, sequences[i]);

		if (!r)
			continue;
		places[n++] = r->place;
		drop(j, r);
		if (n < sizeof(places) / sizeof(places[0]))
			continue;
		store_calls_forget(j->store, places, n, NULL, NULL);
		n = 0;
	}
	if (n > 0)
		store_calls_forget(j->store, places, n, NULL, NULL);
}

void journaling_keep(struct journaling *j, const unsigned char *adapter,
		     uint64_t last, const uint64_t *sequences, size_t count)
{
	const struct caller *c = find_caller(j, adapter);
	struct map kept = {0};
	struct map_entry *entry;
	size_t at = 0;
	size_t n = 0;

	if (!c)
		return;
	uint64_t *gone = mem_alloc((c->rows.count + 1) * sizeof(*gone));
	for (size_t i = 0; i < count; i++)
		map_put_u64(&kept, sequences[i], j);
	while ((entry = map_next(&c->rows, &at)) != NULL) {
		const struct row *r = entry->value;

		if (r->sequence <= last && !map_get_u64(&kept, r->sequence))
			gone[n++] = r->sequence;
	}
	journaling_forget(j, adapter, gone, n);
	map_finish(&kept);
	free(gone);
}

void journaling_forget_all(struct journaling *j, const unsigned char *adapter)
{
	journaling_keep(j, adapter, UINT64_MAX, NULL, 0);
}

/* --- life ----------------------------------------------------------------- */

struct journaling *journaling_new(struct store *store,
				  const struct journaling_options *options)
{
	struct journaling *j = mem_zalloc(sizeof(*j));

	j->store = store;
	j->options = *options;
	list_init(&j->results);
	list_init(&j->rests);
	vouchers_init(&j->vouchers);
	j->began_ms = now_ms(j);
	return j;
}

void journaling_free(struct journaling *j)
{
	struct map_entry *entry;
	size_t at = 0;

	if (!j)
		return;
	while ((entry = map_next(&j->callers, &at)) != NULL) {
		struct caller *c = entry->value;
		size_t in = 0;

		while ((entry = map_next(&c->rows, &in)) != NULL)
			free(entry->value);
		map_finish(&c->rows);
		free(c);
	}
	map_finish(&j->callers);
	vouchers_finish(&j->vouchers);
	free(j);
}
