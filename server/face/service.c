#include "server/face/service.h"

#include <assert.h>
#include <string.h>

static const struct service *find_service(const struct services *all,
					  struct slice name)
{
	for (size_t i = 0; i < all->count; i++)
		if (slice_is(name, all->list[i].name))
			return &all->list[i];
	return NULL;
}

/* Is it of exactly one kind? */
static bool has_kind(const struct method *m)
{
	return !!m->unary + !!m->server_stream + !!m->client_stream +
		       !!m->bidi + !!m->raw ==
	       1;
}

void services_add(struct services *all, const struct service *s)
{
	assert(all->count < SERVICES_MAX);
	assert(!find_service(all, slice_of(s->name)));
	for (size_t i = 0; i < s->method_count; i++)
		assert(has_kind(&s->methods[i]));
	all->list[all->count++] = *s;
}

bool services_has(const struct services *all, struct slice name)
{
	return find_service(all, name) != NULL;
}

const struct method *services_find(const struct services *all,
				   struct slice path,
				   const struct service **service)
{
	if (path.len < 2 || path.ptr[0] != '/')
		return NULL;
	struct slice name = {path.ptr + 1, path.len - 1};
	const char *slash = memchr(name.ptr, '/', name.len);
	if (!slash)
		return NULL;
	struct slice method = {slash + 1,
			       (size_t)(path.ptr + path.len - (slash + 1))};
	name.len = (size_t)(slash - name.ptr);
	const struct service *s = find_service(all, name);
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->method_count; i++) {
		if (!slice_is(method, s->methods[i].name))
			continue;
		*service = s;
		return &s->methods[i];
	}
	return NULL;
}
