#include "server/store/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/log.h"
#include "proto/mem.h"
#include "server/store/query.h"
#include "server/store/store_internal.h"
#include "server/store/transaction.h"

static const char sql_savepoint[] = "SAVEPOINT op";
static const char sql_release[] = "RELEASE op";
static const char sql_undo[] = "ROLLBACK TO op";

static struct op *first_of(const struct list *ops)
{
	return LIST_ITEM(ops->next, struct op, link);
}

static void move(struct list *to, struct op *op)
{
	list_remove(&op->link);
	list_append(to, &op->link);
}

/* What fails for one because of the machine fails for all of its turn. */
static bool fails_all(enum reason reason)
{
	return reason == ERR_NO_SPACE || reason == ERR_READ_ONLY ||
	       reason == ERR_STORE || reason == ERR_CORRUPT ||
	       reason == ERR_NO_DESCRIPTORS || reason == ERR_IO;
}

/* Few operations fail, and what is said of those takes more room than they. */
static bool run(struct store *s, struct op *op)
{
	struct err why = {.reason = ERR_NONE};

	if (op->why)
		return false;
	if (op->kind->run(s, op, &why))
		return true;
	op->why = mem_copy(&why, sizeof(why));
	return false;
}

/* False, with *e set, when the whole transaction cannot go on. */
static bool run_in_savepoint(struct store *s, struct op *op, struct err *e)
{
	if (op->why)
		return true;
	if (op->kind->whole)
		return op->kind->run(s, op, e);
	if (!query_run(s, sql_savepoint, e))
		return false;
	if (run(s, op))
		return query_run(s, sql_release, e);
	/* Without a transaction the next savepoint would begin one of its
	 * own, without the operations before. */
	if (sqlite3_get_autocommit(s->db) || fails_all(op->why->reason)) {
		*e = *op->why;
		return false;
	}
	return query_run(s, sql_undo, e) && query_run(s, sql_release, e);
}

/* One that is alone needs none: what undoes it undoes the transaction. */
static bool run_alone(struct store *s, struct op *op, struct err *e)
{
	if (op->why || run(s, op))
		return transaction_commit(s, e);
	transaction_abort(s);
	*e = *op->why;
	return false;
}

/* Run ops in one transaction.  op->why says who was refused. */
static bool commit(struct store *s, const struct list *ops, struct err *e)
{
	bool durable = false;

	assert(!list_empty(ops));
	for (struct list *l = ops->next; l != ops; l = l->next)
		durable |= LIST_ITEM(l, struct op, link)->kind->durable;
	if (!transaction_begin(s, durable, e))
		return false;
	if (ops->next == ops->prev)
		return run_alone(s, first_of(ops), e);
	for (struct list *l = ops->next; l != ops; l = l->next) {
		if (run_in_savepoint(s, LIST_ITEM(l, struct op, link), e))
			continue;
		transaction_abort(s);
		return false;
	}
	return transaction_commit(s, e);
}

/* Move the writes at the head of ops, up to the next read. */
static void take_writes(struct list *writes, struct list *ops)
{
	list_init(writes);
	while (!list_empty(ops) && first_of(ops)->kind->writes)
		move(writes, first_of(ops));
}

static void finish(struct op *op)
{
	list_remove(&op->link);
	free(op->why);
	op->kind->free(op);
}

static void tell(struct op *op, const struct err *why)
{
	if (op->done)
		op->done(op->owner, why);
	finish(op);
}

static void write_together(struct store *s, struct list *ops)
{
	struct list writes;
	struct err why = {0};

	take_writes(&writes, ops);
	bool committed = commit(s, &writes, &why);
	while (!list_empty(&writes)) {
		struct op *op = first_of(&writes);

		tell(op, committed ? op->why : &why);
	}
}

static void read_one(struct store *s, struct op *op)
{
	run(s, op);
	tell(op, op->why);
}

/* Everything that was queued when it is called; what the callbacks queue is
 * the next turn's. */
static void run_turn(struct store *s)
{
	struct list ops;

	list_init(&ops);
	while (!list_empty(&s->queue))
		move(&ops, first_of(&s->queue));
	s->running = true;
	while (!list_empty(&ops)) {
		if (first_of(&ops)->kind->writes)
			write_together(s, &ops);
		else
			read_one(s, first_of(&ops));
	}
	s->running = false;
}

static void sleep_again(struct store *s)
{
	ev_clear_pending(s->loop, &s->turn);
	ev_idle_stop(s->loop, &s->awake);
}

/* Before the loop sleeps, others have prepare watchers that look at what became
 * of things.  When this runs among them, what the callbacks did may be too late
 * for one of these, and the loop turns once more. */
static void on_turn(struct ev_loop *loop, struct ev_watcher *w, int events)
{
	struct store *s = w->data;

	(void)events;
	run_turn(s);
	if (s->prepared == ev_iteration(loop))
		ev_idle_start(loop, &s->awake);
}

/* From now on until the loop has slept. */
static void on_prepare(struct ev_loop *loop, ev_prepare *w, int events)
{
	struct store *s = w->data;

	(void)events;
	s->prepared = ev_iteration(loop);
}

/* Only here to keep the loop from sleeping. */
static void on_awake(struct ev_loop *loop, ev_idle *w, int events)
{
	(void)events;
	ev_idle_stop(loop, w);
}

/* After the events that ask for something, which are gathered, and before those
 * who write out what the callbacks say (pump.c: the lowest priority). */
void queue_init(struct store *s)
{
	list_init(&s->queue);
	ev_init(&s->turn, on_turn);
	ev_set_priority(&s->turn, EV_MINPRI + 1);
	ev_prepare_init(&s->prepare, on_prepare);
	ev_set_priority(&s->prepare, EV_MAXPRI);
	ev_idle_init(&s->awake, on_awake);
	s->turn.data = s->prepare.data = s;
	ev_prepare_start(s->loop, &s->prepare);
	ev_unref(s->loop); /* who has nothing to do is not kept here by it */
}

void queue_put(struct store *s, struct op *op, const struct op_kind *kind,
	       store_done_fn *done, void *owner)
{
	op->kind = kind;
	op->done = done;
	op->owner = owner;
	list_append(&s->queue, &op->link);
	ev_feed_event(s->loop, &s->turn, EV_CUSTOM);
}

void queue_finish(struct store *s)
{
	struct list writes;
	struct err why = {0};

	assert(!s->running);
	sleep_again(s);
	ev_ref(s->loop);
	ev_prepare_stop(s->loop, &s->prepare);
	while (!list_empty(&s->queue)) {
		if (!first_of(&s->queue)->kind->writes) {
			finish(first_of(&s->queue));
			continue;
		}
		take_writes(&writes, &s->queue);
		if (!commit(s, &writes, &why))
			log_broken("store", "lost at the end: %s", why.text);
		while (!list_empty(&writes))
			finish(first_of(&writes));
	}
}
