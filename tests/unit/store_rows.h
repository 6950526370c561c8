/*
 * store_rows: rows of the journal in a room, by their sequences.
 */
#ifndef TESTS_UNIT_STORE_ROWS_H
#define TESTS_UNIT_STORE_ROWS_H

#include "tests/support/room.h"

#include "proto/message.h"
#include "server/store/journal.h"

static const unsigned char instance[16] = {1, 2, 3};
static const unsigned char adapter[16] = {9, 9};

/* Of sequences, as the store gave them. */
enum { SEQUENCES = 5000 };
static int64_t places[SEQUENCES];

static inline int make(void **state)
{
	memset(places, 0, sizeof(places));
	return room_make(state);
}

#define journal_test(name)                                                     \
	cmocka_unit_test_setup_teardown(name, make, room_clear)

static inline void begin(struct room *r)
{
	struct err e;

	room_open(r);
	assert_true(store_begin_epoch(r->store, instance, &e) > 0);
}

static inline void accept_at(struct room *r, uint64_t sequence, int64_t ms,
			     struct answer *a)
{
	struct stored_call call = {
		.sequence = sequence,
		.hash = UINT64_MAX - sequence,
		.accepted_ms = ms,
		.name = slice_of("\"pay\""),
		.place = places[sequence],
	};

	memcpy(call.adapter, adapter, sizeof(adapter));
	places[sequence] = store_call_accept(r->store, &call, on_done, a);
}

static inline void finish(struct room *r, uint64_t sequence, const char *result,
			  struct answer *a)
{
	struct message *m =
		result ? message_new(slice_of(result), false) : NULL;

	store_call_finish(r->store, places[sequence], m, on_done, a);
	message_unref(m);
}

/* All rows as text. */
struct rows {
	char text[512];
};

static inline void on_row(void *owner, const struct stored_call *call)
{
	struct rows *rows = owner;
	size_t len = strlen(rows->text);

	assert_memory_equal(call->adapter, adapter, sizeof(adapter));
	assert_int_equal(call->place, places[call->sequence]);
	assert_true(call->hash == UINT64_MAX - call->sequence);
	assert_true(slice_is(call->name, "\"pay\""));
	snprintf(rows->text + len, sizeof(rows->text) - len, "%llu:%d:%zu ",
		 (unsigned long long)call->sequence, (int)call->state,
		 call->result_bytes);
}

static inline void assert_rows(struct room *r, const char *want)
{
	struct rows rows = {0};

	store_calls(r->store, on_row, NULL, &rows);
	room_run(r);
	assert_string_equal(rows.text, want);
}

#endif
