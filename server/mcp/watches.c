#include "server/mcp/watches.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/err.h"
#include "proto/mem.h"

static struct slice watch_key(const struct watch *w)
{
	return (struct slice){w->key, w->key_len};
}

/* As the source calls it. */
struct slice watch_uri(const struct watch *w)
{
	size_t head = strlen(w->key) + 1;

	return (struct slice){w->key + head, w->key_len - head};
}

struct buf watch_key_of(const struct routed *at, struct slice uri)
{
	struct buf key = {0};

	buf_append_text(&key, source_name(at->source));
	buf_append(&key, "", 1);
	buf_append_slice(&key, uri);
	return key;
}

/* The source stays up while any of its resources is watched. */
struct watch *watch_new(struct subscriptions *all, struct routed *at,
			struct slice key)
{
	struct watch *w = mem_zalloc(sizeof(*w));

	w->all = all;
	w->at = at;
	w->key = mem_ntext(key.ptr, key.len);
	w->key_len = key.len;
	list_init(&w->subscribers);
	list_append(&all->watches, &w->link);
	map_put(&all->by_key, key, w);
	at->watches++;
	source_keep(at->source, !all->router->stopping);
	return w;
}

void watch_free(struct watch *w)
{
	assert(list_empty(&w->subscribers));
	if (--w->at->watches == 0)
		source_keep(w->at->source, false);
	map_remove(&w->all->by_key, watch_key(w));
	list_remove(&w->link);
	free(w->key);
	free(w);
}

void subscriber_settle(struct subscriber *s)
{
	if (s->id.len == 0)
		return;
	free((void *)(uintptr_t)s->id.ptr);
	s->id = (struct slice){NULL, 0};
	s->watch->all->router->in_flight--;
}

void subscriber_free(struct subscriber *s)
{
	struct subscriptions *all = s->watch->all;
	struct listener *l = map_get_u64(&all->by_session, s->session);

	subscriber_settle(s);
	list_remove(&s->in_watch);
	list_remove(&s->in_session);
	s->watch->count--;
	if (--l->count == 0) {
		map_remove_u64(&all->by_session, s->session);
		free(l);
	}
	free(s);
}

struct subscriber *watch_waiting(const struct watch *w)
{
	for (struct list *i = w->subscribers.next; i != &w->subscribers;
	     i = i->next) {
		struct subscriber *s =
			LIST_ITEM(i, struct subscriber, in_watch);

		if (s->id.len > 0)
			return s;
	}
	return NULL;
}

struct subscriber *watch_find(const struct watch *w, uint64_t session)
{
	for (struct list *i = w->subscribers.next; i != &w->subscribers;
	     i = i->next) {
		struct subscriber *s =
			LIST_ITEM(i, struct subscriber, in_watch);

		if (s->session == session)
			return s;
	}
	return NULL;
}

struct subscriber *watch_add(struct watch *w, uint64_t session, bool aliased,
			     struct err *e)
{
	struct subscriptions *all = w->all;
	struct listener *l = map_get_u64(&all->by_session, session);

	if (l && l->count >= SUBSCRIPTIONS_EACH) {
		err_set(e, ERR_OVERLOADED,
			"this client subscribes to %d resources already",
			SUBSCRIPTIONS_EACH);
		return NULL;
	}
	if (!l) {
		l = mem_zalloc(sizeof(*l));
		list_init(&l->subscribers);
		map_put_u64(&all->by_session, session, l);
	}
	struct subscriber *s = mem_zalloc(sizeof(*s));
	s->watch = w;
	s->session = session;
	s->aliased = aliased;
	list_append(&w->subscribers, &s->in_watch);
	list_append(&l->subscribers, &s->in_session);
	w->count++;
	l->count++;
	return s;
}

void watch_drop(struct watch *w)
{
	while (!list_empty(&w->subscribers))
		subscriber_free(LIST_ITEM(list_pop(&w->subscribers),
					  struct subscriber, in_watch));
	watch_free(w);
}
