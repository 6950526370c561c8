#include "server/mcp/sessions.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/err.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/message.h"
#include "server/mcp/router.h"

enum { STALL_MS = 10000 };

static struct slice id_of(const struct session *s)
{
	return (struct slice){(const char *)s->id, sizeof(s->id)};
}

static bool is_single(const struct session *s)
{
	return s->state == SESSION_SINGLE || s->state == SESSION_OVER;
}

/* --- sessions that wait to be resumed ------------------------------------- */

/* All wait equally long, so the first of the list is the next to expire. */
static void arm_expiry(struct sessions *all)
{
	ev_timer_stop(all->loop, &all->expiry);
	if (list_empty(&all->detached))
		return;
	struct session *next =
		LIST_ITEM(all->detached.next, struct session, link);
	int64_t left_ms = next->expires_ms - clock_now_ms();
	ev_timer_set(&all->expiry, left_ms > 0 ? (double)left_ms / 1000.0 : 0.0,
		     0.0);
	ev_timer_start(all->loop, &all->expiry);
}

void sessions_expect(struct sessions *all, struct session *s)
{
	s->expires_ms = clock_now_ms() + all->limits.detached_ms;
	list_append(&all->detached, &s->link);
	if (all->detached.next == &s->link)
		arm_expiry(all);
}

void sessions_expect_not(struct sessions *all, struct session *s)
{
	list_remove(&s->link);
	if (list_empty(&all->detached))
		ev_timer_stop(all->loop, &all->expiry);
}

static void expire(struct sessions *all)
{
	int64_t now_ms = clock_now_ms();

	while (!list_empty(&all->detached)) {
		struct session *s =
			LIST_ITEM(all->detached.next, struct session, link);

		if (s->expires_ms > now_ms)
			break;
		log_info("session", "%llu: nobody resumed it",
			 (unsigned long long)s->number);
		session_free(s);
	}
	arm_expiry(all);
}

static void on_expiry(struct ev_loop *loop, struct ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	expire(w->data);
}

/* --- single requests that were answered ----------------------------------- */

void sessions_reap_later(struct sessions *all, struct session *s)
{
	list_append(&all->over, &s->link);
	ev_feed_event(all->loop, &all->reaper, EV_CUSTOM);
}

static void reap(struct sessions *all)
{
	while (!list_empty(&all->over)) {
		struct session *s =
			LIST_ITEM(list_pop(&all->over), struct session, link);

		s->single->answer(s->single_owner,
				  message_text(s->single_answer));
		session_free(s);
	}
}

static void on_over(struct ev_loop *loop, struct ev_watcher *w, int events)
{
	(void)loop;
	(void)events;
	reap(w->data);
}

/* --- the table ------------------------------------------------------------ */

struct sessions *sessions_new(struct ev_loop *loop,
			      const struct session_limits *limits)
{
	struct sessions *all = mem_zalloc(sizeof(*all));

	all->loop = loop;
	all->limits = *limits;
	if (all->limits.stall_ms == 0)
		all->limits.stall_ms = STALL_MS;
	list_init(&all->detached);
	list_init(&all->over);
	list_init(&all->writes);
	ev_timer_init(&all->expiry, on_expiry, 0.0, 0.0);
	all->expiry.data = all;
	ev_init(&all->reaper, on_over);
	all->reaper.data = all;
	return all;
}

void sessions_set_router(struct sessions *all, struct router *r)
{
	all->router = r;
}

void sessions_set_journaling(struct sessions *all, struct journaling *j)
{
	all->journaling = j;
}

bool sessions_admit(const struct sessions *all, bool single, struct err *e)
{
	if (all->draining)
		return err_set(e, ERR_DRAINING, "the daemon is about to stop");
	if ((single ? all->singles : sessions_count(all)) >=
	    all->limits.sessions)
		return err_set(e, ERR_OVERLOADED,
			       "%u %s are open already; the limit is %u",
			       all->limits.sessions,
			       single ? "single requests" : "sessions",
			       all->limits.sessions);
	return true;
}

void sessions_add(struct sessions *all, struct session *s)
{
	s->number = ++all->last_number;
	map_put_u64(&all->by_number, s->number, s);
	if (is_single(s))
		all->singles++;
	else
		map_put(&all->by_id, id_of(s), s);
}

void sessions_remove(struct sessions *all, struct session *s)
{
	map_remove_u64(&all->by_number, s->number);
	if (is_single(s))
		all->singles--;
	else
		map_remove(&all->by_id, id_of(s));
	sessions_expect_not(all, s);
	sessions_count_level(all, s->level, MCP_LEVEL_COUNT);
}

struct session *sessions_find(struct sessions *all, uint64_t number)
{
	return map_get_u64(&all->by_number, number);
}

void sessions_count_level(struct sessions *all, enum mcp_level from,
			  enum mcp_level to)
{
	enum mcp_level before = sessions_log_level(all);

	if (from != MCP_LEVEL_COUNT)
		all->levels[from]--;
	if (to != MCP_LEVEL_COUNT)
		all->levels[to]++;
	enum mcp_level after = sessions_log_level(all);
	if (after != before && all->router)
		router_set_level(all->router, after);
}

enum mcp_level sessions_log_level(const struct sessions *all)
{
	for (int level = 0; level < MCP_LEVEL_COUNT; level++)
		if (all->levels[level] > 0)
			return (enum mcp_level)level;
	return MCP_LEVEL_INFO;
}

void sessions_drain(struct sessions *all)
{
	all->draining = true;
}

void sessions_end(struct sessions *all)
{
	size_t at = 0;
	struct map_entry *entry;

	all->ended = true;
	while ((entry = map_next(&all->by_id, &at)) != NULL)
		session_end(entry->value,
			    EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING,
			    "the daemon is about to stop");
}

unsigned sessions_in_flight(const struct sessions *all)
{
	return all->in_flight;
}

void sessions_broadcast(struct sessions *all, struct slice json, bool droppable,
			bool (*wanted)(const struct session *s, int arg),
			int arg)
{
	size_t at = 0;
	struct map_entry *entry;

	while ((entry = map_next(&all->by_id, &at)) != NULL) {
		struct session *s = entry->value;

		if (s->initialized && (!wanted || wanted(s, arg)))
			session_deliver(s, json, droppable);
	}
}

void session_describe(const struct session *s, struct session_info *info)
{
	*info = (struct session_info){
		.id = s->id,
		.client_name = s->client_name,
		.client_version = s->client_version,
		.revision = s->revision,
		.attached = s->stream != NULL,
		.opened_ms = s->opened_ms,
		.in_flight = (unsigned)s->by_id.count,
		.requests = s->requests,
	};
}

bool sessions_next(const struct sessions *all, size_t *at,
		   struct session_info *info)
{
	struct map_entry *entry = map_next(&all->by_id, at);

	if (!entry)
		return false;
	session_describe(entry->value, info);
	return true;
}

size_t sessions_count(const struct sessions *all)
{
	return all->by_id.count;
}

void sessions_free(struct sessions *all)
{
	if (!all)
		return;
	all->router = NULL; /* it may be gone already */
	for (;;) {
		size_t at = 0;
		struct map_entry *entry = map_next(&all->by_number, &at);

		if (!entry)
			break;
		session_free(entry->value);
	}
	journaled_drop_all(all);
	assert(all->in_flight == 0 && all->queued_bytes == 0);
	ev_clear_pending(all->loop, &all->reaper);
	ev_timer_stop(all->loop, &all->expiry);
	map_finish(&all->by_number);
	map_finish(&all->by_id);
	free(all);
}
