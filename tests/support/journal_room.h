/*
 * journal_room: a session room whose requests go through a real journal, in a
 * directory of its own that one daemon after the other opens.
 */
#ifndef TESTS_SUPPORT_JOURNAL_ROOM_H
#define TESTS_SUPPORT_JOURNAL_ROOM_H

#include "tests/support/session_room.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/mcp/journaling.h"
#include "server/store/journal.h"

#define CALL(id, tool)                                                         \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\","        \
	"\"params\":{\"name\":\"" tool "\"}}"
#define RESULT(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{}}"

struct desk {
	struct room room;
	char dir[64];
	struct session_limits limits;
	struct journaling_options options;
	struct store *store;
	struct journaling *journaling;
};

static inline void desk_on_loaded(void *owner, const struct err *why)
{
	if (why)
		fail_msg("%s", why->text);
	*(bool *)owner = true;
}

/* A few turns; a detached session's timer would keep the loop for long. */
static inline void desk_run(struct desk *d)
{
	for (int i = 0; i < 6; i++)
		ev_run(d->room.loop, EVRUN_NOWAIT);
}

/* A daemon begins; without a journal when that is off. */
static inline void desk_open(struct desk *d, bool journal)
{
	unsigned char adapter[ENVELOPE_ID_BYTES];
	unsigned char id[ENVELOPE_ID_BYTES];
	uint64_t last = d->room.last;
	struct err e = {0};
	bool loaded = false;

	memcpy(adapter, d->room.adapter, sizeof(adapter));
	memcpy(id, d->room.id, sizeof(id));
	enter(&d->room, &d->limits);
	/* The client's adapter is the same. */
	memcpy(d->room.adapter, adapter, sizeof(adapter));
	memcpy(d->room.id, id, sizeof(id));
	d->room.last = last;
	d->store = store_open(d->room.loop, d->dir, &e);
	if (!d->store)
		fail_msg("%s", e.text);
	mem_random(d->options.instance, sizeof(d->options.instance));
	if (store_begin_epoch(d->store, d->options.instance, &e) == 0)
		fail_msg("%s", e.text);
	d->journaling = NULL;
	if (!journal)
		return;
	d->journaling = journaling_new(d->store, &d->options);
	journaling_load(d->journaling, desk_on_loaded, &loaded);
	desk_run(d);
	assert_true(loaded);
	sessions_set_journaling(d->room.all, d->journaling);
}

/* It ends, however; what was not written down by now is lost to the next. */
static inline void desk_close(struct desk *d)
{
	/* Its streams end with it. */
	sessions_end(d->room.all);
	sessions_free(d->room.all);
	store_close(d->store);
	journaling_free(d->journaling);
	ev_loop_destroy(d->room.loop);
	buf_finish(&d->room.a.sent);
	buf_finish(&d->room.b.sent);
	buf_finish(&d->room.a.untaken);
	buf_finish(&d->room.b.untaken);
}

static inline void desk_reopen(struct desk *d)
{
	desk_close(d);
	desk_open(d, true);
}

static inline int desk_make(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));

	strcpy(d->dir, "/tmp/executor-desk-XXXXXX");
	if (!mkdtemp(d->dir))
		return -1;
	d->limits = small_limits();
	d->options = (struct journaling_options){
		.result_bytes = 4096,
		.all_bytes = 1 << 20,
		.keep_ms = 86400000,
	};
	mem_random(d->room.adapter, sizeof(d->room.adapter));
	desk_open(d, true);
	*state = d;
	return 0;
}

static inline int desk_clear(void **state)
{
	static const char *const files[] = {"executor.db", "executor.db-wal"};
	struct desk *d = *state;
	char path[96];

	desk_close(d);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", d->dir, files[i]);
		unlink(path);
	}
	int failed = rmdir(d->dir);
	free(d);
	return failed;
}

#define desk_test(name)                                                        \
	cmocka_unit_test_setup_teardown(name, desk_make, desk_clear)

/* A call of that tool, and the turns that pass it on. */
static inline void desk_call(struct desk *d, struct session *s,
			     uint64_t sequence, const char *json)
{
	say(s, sequence, json);
	desk_run(d);
	if (sequence > d->room.last)
		d->room.last = sequence;
}

static inline enum journaling_state desk_state(const struct desk *d,
					       uint64_t sequence)
{
	return journaling_find(d->journaling, d->room.adapter, sequence, NULL);
}

/* No file of this process grows beyond bytes; 0 lifts it again. */
static inline void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#endif
