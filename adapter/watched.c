#include "adapter/watched.h"

#include <stdlib.h>

#include "proto/err.h"
#include "proto/mem.h"

/* Owned by the map, under its URI. */
struct watch_entry {
	struct slice id; /* raw, of the request that is not answered; or none */
	size_t uri_bytes;
};

static void settle(struct watch_entry *entry)
{
	free((void *)(uintptr_t)entry->id.ptr);
	entry->id = (struct slice){NULL, 0};
}

bool watched_ask(struct watched *w, struct slice uri, struct slice id,
		 struct err *e)
{
	struct watch_entry *entry = map_get(&w->by_uri, uri);

	if (entry && entry->id.len == 0)
		return true; /* once more changes nothing */
	if (!entry && (w->by_uri.count >= WATCHED_MOST ||
		       w->bytes + uri.len > WATCHED_BYTES))
		return err_set(e, ERR_OVERLOADED,
			       "this client subscribes to %zu resources "
			       "already, with %zu bytes of URIs",
			       w->by_uri.count, w->bytes);
	if (!entry) {
		entry = mem_zalloc(sizeof(*entry));
		entry->uri_bytes = uri.len;
		w->bytes += uri.len;
		map_put(&w->by_uri, uri, entry);
	}
	settle(entry);
	entry->id = (struct slice){mem_copy(id.ptr, id.len), id.len};
	return true;
}

void watched_settle(struct watched *w, struct slice id, bool granted)
{
	struct map_entry *at;
	size_t i = 0;

	while ((at = map_next(&w->by_uri, &i)) != NULL) {
		struct watch_entry *entry = at->value;

		if (entry->id.len == 0 || !slice_equal(entry->id, id))
			continue;
		if (granted)
			settle(entry);
		else
			watched_end(w, map_key(at));
		return;
	}
}

void watched_end(struct watched *w, struct slice uri)
{
	struct watch_entry *entry = map_remove(&w->by_uri, uri);

	if (!entry)
		return;
	w->bytes -= entry->uri_bytes;
	settle(entry);
	free(entry);
}

void watched_hello(struct watched *w, envelope_hello_t *hello)
{
	struct map_entry *at;
	size_t count = 0;
	size_t i = 0;

	free(w->list);
	w->list = mem_alloc(w->by_uri.count * sizeof(*w->list));
	while ((at = map_next(&w->by_uri, &i)) != NULL)
		if (((struct watch_entry *)at->value)->id.len == 0)
			w->list[count++] = protobuf_bytes(map_key(at));
	hello->subscriptions = w->list;
	hello->n_subscriptions = count;
}

void watched_finish(struct watched *w)
{
	struct map_entry *at;
	size_t i = 0;

	while ((at = map_next(&w->by_uri, &i)) != NULL) {
		settle(at->value);
		free(at->value);
	}
	map_finish(&w->by_uri);
	free(w->list);
	*w = (struct watched){0};
}
