#include "server/mcp/owner.h"

#include "server/mcp/alias.h"
#include "server/mcp/handouts.h"
#include "server/mcp/routing.h"
#include "server/mcp/uritemplate.h"

/* Also what is in no list: an alias says itself whose it is. */
static bool find_listed(struct router *r, struct slice uri, struct owner *o)
{
	const struct catalogue_item *item =
		catalogue_find(r->catalogues[KIND_RESOURCE], uri);
	struct slice source;
	char name[64];

	if (item) {
		o->at = router_routed(r, item->source);
		buf_append_slice(&o->uri, item->key);
		o->aliased = !slice_equal(item->key, uri);
		return true;
	}
	if (alias_read(uri, &source, &o->uri) && source.len < sizeof(name)) {
		memcpy(name, source.ptr, source.len);
		name[source.len] = '\0';
		o->at = router_routed(r, name);
		if (o->at && routed_disabled(o->at))
			o->at = NULL;
		o->aliased = o->at != NULL;
	}
	if (!o->at)
		buf_reset(&o->uri, 0);
	return o->at != NULL;
}

static struct routed *by_template(struct router *r, struct slice uri)
{
	const struct catalogue *templates = r->catalogues[KIND_TEMPLATE];
	const struct catalogue_item *item;
	const char *sole = NULL;
	size_t at = 0;

	while ((item = catalogue_next(templates, &at))) {
		if (sole && strcmp(sole, item->source) == 0)
			continue;
		if (!uritemplate_matches(item->key, uri))
			continue;
		if (sole)
			return NULL;
		sole = item->source;
	}
	return sole ? router_routed(r, sole) : NULL;
}

static struct routed *by_handout(struct router *r, struct slice uri)
{
	const char *source = handouts_find(r->handouts, uri);
	struct routed *at = source ? router_routed(r, source) : NULL;

	return at && !routed_disabled(at) ? at : NULL;
}

static struct routed *only_one(struct router *r)
{
	struct routed *sole = NULL;

	for (size_t i = 0; i < r->source_count; i++) {
		struct routed *at = r->sources[i];

		if (!at->has_resources || routed_disabled(at))
			continue;
		if (sole)
			return NULL;
		sole = at;
	}
	return sole;
}

void owner_find(struct router *r, struct slice uri, struct owner *o)
{
	*o = (struct owner){0};
	o->listed = find_listed(r, uri, o);
	if (o->listed)
		return;
	o->at = by_template(r, uri);
	if (!o->at)
		o->at = by_handout(r, uri);
	if (!o->at)
		o->at = only_one(r);
	if (o->at)
		buf_append_slice(&o->uri, uri);
}

void owner_finish(struct owner *o)
{
	buf_finish(&o->uri);
}
