/*
 * router_legs: what lies beneath the router in tests/fuzz/router.c: sources
 * that say what the script wants, a store that remembers nothing, and a clock
 * that stands still until it is moved.
 *
 * Everything in here takes the place of a function of the server or of libc, so
 * a program includes this once and links none of those.
 */
#ifndef TESTS_FUZZ_ROUTER_LEGS_H
#define TESTS_FUZZ_ROUTER_LEGS_H

#include <assert.h>
#include <ev.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mem.h"
#include "server/store/store.h"
#include "server/upstream/process.h"

enum {
	LEGS = 8,
	HELD = 64,
	NUMBERS = 1 << 16,
	QUESTIONS = 16,
	STORE_ORDERS = 64,
	TAG_BYTES = 32
};

/* --- time and chance ------------------------------------------------------
 */

static int64_t clock_us = 1000000000;

/* Of libc, for libev and for us alike. */
int clock_gettime(clockid_t id, struct timespec *to)
{
	if (id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, to);
	to->tv_sec = clock_us / 1000000;
	to->tv_nsec = clock_us % 1000000 * 1000;
	return 0;
}

/* The same input does the same every time. */
int getentropy(void *to, size_t len)
{
	static uint64_t last;

	memset(to, 0, len);
	last++;
	memcpy(to, &last, len < sizeof(last) ? len : sizeof(last));
	return 0;
}

/* --- the legs -------------------------------------------------------------
 */

/* What a source was asked and has not answered. */
struct held {
	uint64_t number;
	char method[32];
	char tag[TAG_BYTES];   /* of the client; empty for the hub's own */
	char token[TAG_BYTES]; /* raw; empty for none */
	int64_t cancelled_us;  /* 0: it is wanted */
};

/* What a source asked and nobody has answered. */
struct put {
	unsigned number;       /* 0: free */
	char asked[TAG_BYTES]; /* the session that was shown it, or empty */
};

/* One that runs.  Owned by the leg above. */
struct fake {
	struct upstream base;
	const struct upstream_events *events;
	void *owner;
	char name[32];
	bool stopping;
	bool opened;  /* it has answered initialize */
	bool muddled; /* it said things that we do not follow */
	unsigned char used[NUMBERS / 8]; /* numbers of requests */
	struct held held[HELD];
	size_t held_count;
	struct put put[QUESTIONS];
};

static struct fake *legs[LEGS];
static unsigned last_question;
static unsigned refused_starts; /* so many more cannot be started */

static struct fake *fake_of(struct upstream *u)
{
	return (struct fake *)(void *)u;
}

static void copy_slice(char *to, size_t size, struct slice from)
{
	size_t len = from.len < size ? from.len : size - 1;

	if (len > 0)
		memcpy(to, from.ptr, len);
	to[len] = '\0';
}

static struct put *find_put(struct fake *f, unsigned number)
{
	for (int i = 0; number > 0 && i < QUESTIONS; i++)
		if (f->put[i].number == number)
			return &f->put[i];
	return NULL;
}

/* "q17" or 0. */
static unsigned question_number(struct slice quoted)
{
	if (quoted.len < 4 || quoted.len > 12 ||
	    memcmp(quoted.ptr, "\"q", 2) != 0)
		return 0;
	return (unsigned)atoi(quoted.ptr + 2);
}

static void drop_held(struct fake *f, size_t i)
{
	f->held_count--;
	memmove(&f->held[i], &f->held[i + 1],
		(f->held_count - i) * sizeof(*f->held));
}

static void hold(struct fake *f, const struct jsonrpc *m)
{
	unsigned long long number;

	assert(json_u64(m->id, &number));
	assert(number < NUMBERS);
	assert(!(f->used[number / 8] & 1u << number % 8)); /* once only */
	f->used[number / 8] |= (unsigned char)(1u << number % 8);
	assert(f->opened || jsonrpc_method_is(m, "initialize"));
	if (f->held_count == HELD) { /* it has lost its memory */
		f->muddled = true;
		return;
	}
	struct held *h = &f->held[f->held_count++];
	*h = (struct held){.number = number};
	struct slice method = {m->method.ptr + 1, m->method.len - 2};
	copy_slice(h->method, sizeof(h->method), method);
	struct slice tag = json_get(m->params, "tag");
	if (json_kind(tag) == JSON_STRING)
		copy_slice(h->tag, sizeof(h->tag),
			   (struct slice){tag.ptr + 1, tag.len - 2});
	copy_slice(h->token, sizeof(h->token),
		   json_path(m->params, "_meta", "progressToken", NULL));
}

/* Only what was asked and not answered is taken back, and once. */
static void take_back(struct fake *f, const struct jsonrpc *m)
{
	unsigned long long number;

	assert(json_u64(json_get(m->params, "requestId"), &number));
	for (size_t i = 0; i < f->held_count; i++) {
		if (f->held[i].number != number)
			continue;
		assert(f->held[i].cancelled_us == 0);
		f->held[i].cancelled_us = clock_us;
		return;
	}
	assert(f->muddled);
}

/* Each question gets one answer, of the client that saw it. */
static void hear_answer(struct fake *f, const struct jsonrpc *m)
{
	unsigned number = question_number(m->id);
	struct slice by = json_get(m->result, "by");
	struct put *p = find_put(f, number);

	if (number == 0)
		return;
	assert(p || f->muddled);
	if (!p)
		return;
	if (json_kind(by) == JSON_STRING)
		assert(json_string_is(by, p->asked));
	p->number = 0;
}

static bool fake_send(struct upstream *u, struct slice line, struct err *e)
{
	struct fake *f = fake_of(u);
	struct jsonrpc m;

	if (f->stopping)
		return err_set(e, ERR_SOURCE_DOWN, "source %s is ending",
			       f->name);
	assert(jsonrpc_slice(line, &m, NULL));
	assert(!memchr(line.ptr, '\n', line.len));
	if (m.kind == JSONRPC_REQUEST)
		hold(f, &m);
	else if (m.kind != JSONRPC_NOTIFICATION)
		hear_answer(f, &m);
	else if (jsonrpc_method_is(&m, "notifications/cancelled"))
		take_back(f, &m);
	return true;
}

static size_t fake_queued(const struct upstream *u)
{
	(void)u;
	return 0;
}

static void fake_pause(struct upstream *u, bool paused)
{
	(void)u;
	(void)paused;
}

static void fake_stop(struct upstream *u)
{
	fake_of(u)->stopping = true;
}

static int64_t fake_pid(const struct upstream *u)
{
	(void)u;
	return 4242;
}

static void fake_free(struct upstream *u)
{
	for (int i = 0; i < LEGS; i++)
		if (legs[i] == fake_of(u))
			legs[i] = NULL;
	free(u);
}

static const struct upstream_kind fake_kind = {
	.send = fake_send,
	.queued = fake_queued,
	.pause = fake_pause,
	.stop = fake_stop,
	.pid = fake_pid,
	.free = fake_free,
};

struct upstream *process_new(struct ev_loop *loop,
			     const struct process_options *options,
			     const struct upstream_events *events, void *owner,
			     struct err *e)
{
	struct fake *f = mem_zalloc(sizeof(*f));
	int i = 0;

	(void)loop;
	while (i < LEGS && legs[i]) {
		/* One of each at a time, but for one that is being removed. */
		assert(strcmp(legs[i]->name, options->name) != 0 ||
		       legs[i]->stopping);
		i++;
	}
	if (refused_starts > 0 || i == LEGS) {
		refused_starts -= refused_starts > 0;
		free(f);
		err_set(e, ERR_SOURCE_DOWN, "no such command");
		return NULL;
	}
	f->base.kind = &fake_kind;
	f->events = events;
	f->owner = owner;
	snprintf(f->name, sizeof(f->name), "%s", options->name);
	legs[i] = f;
	return &f->base;
}

/* Say a line; f may be gone when it returns. */
static void fake_say(struct fake *f, struct buf *line)
{
	f->events->message(f->owner, buf_slice(line), line);
}

static void fake_die(struct fake *f)
{
	struct err why;

	err_set(&why, ERR_SOURCE_DOWN, "exit 1");
	f->events->down(f->owner, &why);
}

/* Those that are being ended are gone. */
static void legs_settle(void)
{
	for (int i = 0; i < LEGS; i++)
		if (legs[i] && legs[i]->stopping)
			fake_die(legs[i]);
}

/* --- the store ------------------------------------------------------------
 */

enum order_kind { ORDER_OTHER, ORDER_ADD, ORDER_SET, ORDER_REMOVE };

/* The names of the sources that there may be; the first two are. */
static const char *const sources[] = {"one", "two", "three"};

enum { SOURCES = sizeof(sources) / sizeof(*sources) };

static bool stored[SOURCES];
static struct {
	enum order_kind kind;
	int source;
	store_done_fn *done;
	void *owner;
} orders[STORE_ORDERS];
static unsigned order_count;
static bool disk_full;
static bool remembers; /* what the first source has */

static void order(enum order_kind kind, const char *name, store_done_fn *done,
		  void *owner)
{
	int i = 0;

	assert(order_count < STORE_ORDERS);
	while (name && strcmp(sources[i], name) != 0)
		i++;
	orders[order_count].kind = kind;
	orders[order_count].source = i;
	orders[order_count].done = done;
	orders[order_count++].owner = owner;
}

/* False with *e set when it is refused. */
static bool obey(enum order_kind kind, int source, struct err *e)
{
	if (disk_full)
		return err_set(e, ERR_NO_SPACE, "the disk is full");
	if (kind == ORDER_ADD && stored[source])
		return err_set(e, ERR_ALREADY_EXISTS, "it is there already");
	if (kind != ORDER_OTHER && kind != ORDER_ADD && !stored[source])
		return err_set(e, ERR_NOT_FOUND, "it is not there");
	if (kind == ORDER_ADD || kind == ORDER_REMOVE)
		stored[source] = kind == ORDER_ADD;
	return true;
}

/* Do and answer what was asked before. */
static void store_turn(void)
{
	unsigned count = order_count;

	for (unsigned i = 0; i < count; i++) {
		struct err why;
		bool ok = obey(orders[i].kind, orders[i].source, &why);

		if (orders[i].done)
			orders[i].done(orders[i].owner, ok ? NULL : &why);
	}
	order_count -= count;
	memmove(orders, &orders[count], order_count * sizeof(*orders));
}

static void store_begin(bool old)
{
	remembers = old;
	order_count = 0;
	disk_full = false;
	for (int i = 0; i < SOURCES; i++)
		stored[i] = i < 2;
}

void store_source_add(struct store *s, const struct stored_source *source,
		      store_done_fn *done, void *owner)
{
	(void)s;
	order(ORDER_ADD, source->name, done, owner);
}

void store_source_set(struct store *s, const char *name,
		      const struct stored_change *change, store_done_fn *done,
		      void *owner)
{
	(void)s;
	(void)change;
	order(ORDER_SET, name, done, owner);
}

void store_source_remove(struct store *s, const char *name, store_done_fn *done,
			 void *owner)
{
	(void)s;
	order(ORDER_REMOVE, name, done, owner);
}

void store_catalogue_put(struct store *s, const struct stored_catalogue *c,
			 store_done_fn *done, void *owner)
{
	(void)s;
	order(ORDER_SET, c->source, done, owner);
}

static const char *const no_command[] = {"fake", NULL};

/* Those that were there before. */
void store_sources(struct store *s, store_source_row_fn *row,
		   store_done_fn *done, void *owner)
{
	(void)s;
	for (int i = 0; i < 2; i++)
		row(owner,
		    &(struct stored_source){
			    .name = sources[i],
			    .command = no_command,
			    .cwd = "/",
			    .settings = {.roots = i == 0 ? "client" : NULL},
		    },
		    NULL);
	order(ORDER_OTHER, NULL, done, owner);
}

void store_catalogues(struct store *s, store_catalogue_row_fn *row,
		      store_done_fn *done, void *owner)
{
	const struct stored_item items[] = {
		{0, slice_of("t1"), slice_of("one__t1"),
		 slice_of("{\"name\":\"t1\"}")},
		{1, slice_of("r:/1"), slice_of(""),
		 slice_of("{\"name\":\"r\",\"uri\":\"r:/1\"}")},
	};
	const struct stored_catalogue c = {
		.source = sources[0],
		.server_name = "s",
		.server_version = "1",
		.revision = "2025-11-25",
		.capabilities = slice_of("{\"completions\":{}}"),
		.kinds = 3,
		.items = items,
		.count = 2,
	};

	(void)s;
	if (remembers)
		row(owner, &c);
	order(ORDER_OTHER, NULL, done, owner);
}

void store_names(struct store *s, store_name_row_fn *row, store_done_fn *done,
		 void *owner)
{
	(void)s;
	if (remembers)
		row(owner, sources[0], slice_of("t1"), slice_of("one__t1"));
	order(ORDER_OTHER, NULL, done, owner);
}

#endif
