/* Administration: sources are added, changed, removed, and ended. */
#include "server/mcp/router.h"

#include <stdlib.h>
#include <string.h>

#include "proto/err.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/mcp/lists.h"
#include "server/mcp/routing.h"
#include "server/mcp/settings.h"
#include "server/mcp/subscriptions.h"
#include "server/mcp/trials.h"
#include "server/mcp/turns.h"
#include "server/store/store.h"

enum {
	NAME_MAX_BYTES = 24, /* it becomes the prefix of tools' names */
	SOURCES_KEPT = 1024,
	/* How often a source that is being ended is looked at. */
	DEPARTURE_MS = 20,
};

/* What the store was asked to do.  Owned by the router. */
struct order {
	struct router *router;
	struct list link;
	struct routed *added; /* not yet among the sources; or NULL */
	char *name;	      /* of the one that is removed or changed */
	struct stored_change change;
	bool stopping; /* changed, and waits until it is down */
	void (*done)(void *owner, const struct err *why);
	void *owner;
};

/* --- ending --------------------------------------------------------------- */

static bool is_down(const struct source *s)
{
	switch (source_state(s)) {
	case SOURCE_STARTING:
	case SOURCE_READY:
	case SOURCE_STOPPING:
		return false;
	case SOURCE_STOPPED:
	case SOURCE_RESTING:
	case SOURCE_FAILED:
		return true;
	}
	return true;
}

static void free_order(struct order *o)
{
	list_remove(&o->link);
	routed_free(o->added);
	free(o->name);
	settings_release(&o->change);
	free(o);
}

/* Answer those who disabled a source that is down now, or gone, or enabled
 * again by another.  Does anybody go on waiting? */
static bool answer_stopped(struct router *r)
{
	struct list *next;
	bool waiting = false;

	for (struct list *i = r->orders.next; i != &r->orders; i = next) {
		struct order *o = LIST_ITEM(i, struct order, link);
		const struct routed *at;

		next = i->next;
		if (!o->stopping)
			continue;
		at = router_routed(r, o->name);
		if (at && routed_disabled(at) && !is_down(at->source)) {
			waiting = true;
			continue;
		}
		o->done(o->owner, NULL);
		free_order(o);
	}
	return waiting;
}

static void depart(struct router *r)
{
	struct list *next;
	bool waiting = answer_stopped(r);
	bool all_down = list_empty(&r->leaving);

	for (struct list *i = r->leaving.next; i != &r->leaving; i = next) {
		struct routed *at = LIST_ITEM(i, struct routed, link);

		next = i->next;
		if (!is_down(at->source) || !list_empty(&at->calls))
			continue;
		void (*gone)(void *owner, const struct err *why) = at->gone;
		void *owner = at->gone_owner;
		routed_free(at);
		gone(owner, NULL);
	}
	for (size_t i = 0; all_down && i < r->source_count; i++)
		all_down = is_down(r->sources[i]->source);
	if (r->stopped && all_down) {
		void (*stopped)(void *owner) = r->stopped;

		r->stopped = NULL;
		ev_timer_stop(r->loop, &r->departure);
		stopped(r->stopped_owner);
		return; /* r may be gone */
	}
	if (!r->stopped && !waiting && list_empty(&r->leaving))
		ev_timer_stop(r->loop, &r->departure);
}

static void on_departure(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	depart(w->data);
}

/* A source says nothing when it is down, so look until it is. */
static void watch_departure(struct router *r)
{
	if (ev_is_active(&r->departure))
		return;
	ev_timer_init(&r->departure, on_departure, 0.0, DEPARTURE_MS / 1000.0);
	r->departure.data = r;
	ev_timer_start(r->loop, &r->departure);
}

void router_stop(struct router *r, void (*done)(void *owner), void *owner)
{
	r->stopping = true;
	r->stopped = done;
	r->stopped_owner = owner;
	for (size_t i = 0; i < r->source_count; i++)
		source_stop(r->sources[i]->source);
	watch_departure(r);
}

/* --- adding, changing and removing
 * -------------------------------------------------- */

static struct order *new_order(struct router *r,
			       void (*done)(void *owner, const struct err *why),
			       void *owner)
{
	struct order *o = mem_zalloc(sizeof(*o));

	o->router = r;
	o->done = done;
	o->owner = owner;
	list_append(&r->orders, &o->link);
	return o;
}

/* ^[a-z0-9][a-z0-9_-]{0,23}$ and not the built-in one's. */
static bool check_name(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_BYTES ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len ||
	    name[0] == '_' || name[0] == '-')
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "\"%.40s\" cannot be the name of a source: it "
			       "takes 1 to %d of a-z, 0-9, _ and -, and starts "
			       "with a letter or digit",
			       name, NAME_MAX_BYTES);
	if (strcmp(name, BUILTIN_NAME) == 0)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "the name \"%s\" is the built-in source's",
			       name);
	return true;
}

/* Beside the built-in one; those on the way to the store count. */
static size_t count_kept(const struct router *r)
{
	size_t count = r->source_count - 1;

	for (struct list *i = r->orders.next; i != &r->orders; i = i->next)
		count += LIST_ITEM(i, struct order, link)->added != NULL;
	return count;
}

static bool check_source(const struct router *r,
			 const struct stored_source *source, struct err *e)
{
	if (!check_name(source->name, e))
		return false;
	if (router_routed(r, source->name))
		return err_set(e, ERR_ALREADY_EXISTS,
			       "there is a source \"%s\" already; remove it "
			       "first, or take another name",
			       source->name);
	if (count_kept(r) >= SOURCES_KEPT)
		return err_set(e, ERR_OVERLOADED,
			       "there are %d sources already, which is the "
			       "limit; remove one first: executor source "
			       "remove",
			       SOURCES_KEPT);
	if (!source->command || !source->command[0] ||
	    source->command[0][0] == '\0')
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "the source \"%s\" has no command",
			       source->name);
	if (!source->cwd || source->cwd[0] != '/')
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "the working directory \"%s\" of the source "
			       "\"%s\" is not absolute",
			       source->cwd ? source->cwd : "", source->name);
	for (size_t i = 0; i < source->env_count; i++)
		if (source->env[i].name[0] == '\0' ||
		    strchr(source->env[i].name, '='))
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "\"%s\" cannot be the name of an "
				       "environment variable",
				       source->env[i].name);
	return settings_check(
		&(struct stored_change){
			.enabled = -1,
			.interactive = source->settings.interactive,
			.roots = source->settings.roots,
		},
		e);
}

static void on_added(void *owner, const struct err *why)
{
	struct order *o = owner;
	struct router *r = o->router;

	if (!why) {
		routed_append(r, o->added);
		if (!r->stopping)
			source_refresh(o->added->source);
		log_info("router", "source %s added",
			 source_name(o->added->source));
		o->added = NULL;
	}
	o->done(o->owner, why);
	free_order(o);
}

void router_source_add(struct router *r, const struct stored_source *source,
		       void (*done)(void *owner, const struct err *why),
		       void *owner)
{
	struct err e;

	if (!check_source(r, source, &e)) {
		done(owner, &e);
		return;
	}
	struct order *o = new_order(r, done, owner);
	o->added = routed_new(r, source);
	store_source_add(r->store, source, on_added, o);
}

/* Is there one of that name that can be changed or removed? */
static bool check_there(const struct router *r, const char *name, struct err *e)
{
	const struct routed *at = router_routed(r, name);

	if (!at)
		return err_set(e, ERR_NOT_FOUND, "there is no source \"%.40s\"",
			       name);
	if (at == r->sources[0])
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "the source \"%s\" is part of the program",
			       name);
	return true;
}

static void end_trials(struct routed *at, const char *what)
{
	struct err e;

	err_set(&e, ERR_CANCELLED, "the source \"%s\" was %s meanwhile",
		source_name(at->source), what);
	trials_note(at, KINDS_ALL, &e);
}

/* Its tools are in no list any more; their names stay its own. */
static void turn_off(struct routed *at)
{
	struct router *r = at->router;

	log_info("router", "source %s disabled", source_name(at->source));
	routed_clear(at);
	subscriptions_gone(r->subscriptions, at);
	router_changed(r, KINDS_ALL);
	at->settled = KINDS_ALL;
	end_trials(at, "disabled");
	source_stop(at->source);
	lists_check(r);
}

/* As if it had just been added. */
static void turn_on(struct routed *at)
{
	log_info("router", "source %s enabled", source_name(at->source));
	at->settled = 0;
	at->patience_ms = 0;
	at->fresh = 0;
	if (!at->router->stopping)
		source_refresh(at->source);
}

/* What it may ask is told at its start: one with nothing to do starts anew
 * with its next request. */
static void tell_anew(struct routed *at, const struct stored_change *change)
{
	if ((change->interactive || change->roots) && list_empty(&at->calls) &&
	    source_state(at->source) == SOURCE_READY)
		source_stop(at->source);
}

static void on_set(void *owner, const struct err *why)
{
	struct order *o = owner;
	struct router *r = o->router;
	struct routed *at = router_routed(r, o->name);

	if (!why && at) {
		bool was_off = routed_disabled(at);

		source_set(at->source, &o->change);
		turns_next(at);
		if (!was_off && routed_disabled(at))
			turn_off(at);
		else if (was_off && !routed_disabled(at))
			turn_on(at);
		else
			tell_anew(at, &o->change);
		if (routed_disabled(at)) {
			o->stopping = true;
			watch_departure(r);
			return;
		}
	}
	o->done(o->owner, why);
	free_order(o);
}

void router_source_set(struct router *r, const char *name,
		       const struct stored_change *change,
		       void (*done)(void *owner, const struct err *why),
		       void *owner)
{
	struct err e;

	if (!check_there(r, name, &e) || !settings_check(change, &e)) {
		done(owner, &e);
		return;
	}
	struct order *o = new_order(r, done, owner);
	o->name = mem_text(name);
	o->change = settings_copy(change);
	store_source_set(r->store, name, &o->change, on_set, o);
}

/* The source leaves the list at once, and the router when it is down. */
static void let_go(struct routed *at, struct order *o)
{
	struct router *r = at->router;
	struct err why;
	size_t i = 0;

	while (r->sources[i] != at)
		i++;
	r->source_count--;
	memmove(&r->sources[i], &r->sources[i + 1],
		(r->source_count - i) * sizeof(*r->sources));
	subscriptions_gone(r->subscriptions, at);
	routed_forget(at);
	end_trials(at, "removed");
	at->gone = o->done;
	at->gone_owner = o->owner;
	list_append(&r->leaving, &at->link);
	err_set(&why, ERR_SOURCE_DOWN, "source %s was removed",
		source_name(at->source));
	turns_refuse(at, &why);
	source_stop(at->source);
	watch_departure(r);
	lists_check(r);
}

static void on_removed(void *owner, const struct err *why)
{
	struct order *o = owner;
	struct router *r = o->router;
	struct routed *at = router_routed(r, o->name);

	if (why || !at) {
		o->done(o->owner, why);
	} else {
		log_info("router", "source %s removed", o->name);
		let_go(at, o);
	}
	free_order(o);
}

void router_source_remove(struct router *r, const char *name,
			  void (*done)(void *owner, const struct err *why),
			  void *owner)
{
	struct err e;

	if (!check_there(r, name, &e)) {
		done(owner, &e);
		return;
	}
	struct order *o = new_order(r, done, owner);
	o->name = mem_text(name);
	store_source_remove(r->store, name, on_removed, o);
}

void router_free_sources(struct router *r)
{
	while (!list_empty(&r->orders))
		free_order(LIST_ITEM(list_pop(&r->orders), struct order, link));
	while (!list_empty(&r->leaving))
		routed_free(
			LIST_ITEM(list_pop(&r->leaving), struct routed, link));
	for (size_t i = 0; i < r->source_count; i++)
		routed_free(r->sources[i]);
	free(r->sources);
	ev_timer_stop(r->loop, &r->departure);
}
