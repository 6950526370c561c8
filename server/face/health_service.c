#include "server/face/health_service.h"

#include <stdlib.h>

#include "grpc/health/v1/health.pb-c.h"
#include "proto/err.h"
#include "proto/list.h"
#include "proto/mem.h"
#include "proto/protobuf.h"
#include "server/face/call.h"
#include "server/face/service.h"

typedef Grpc__Health__V1__HealthCheckRequest Request;
typedef Grpc__Health__V1__HealthCheckResponse Response;
typedef Grpc__Health__V1__HealthListResponse__StatusesEntry Entry;

enum { REQUEST_BYTES = 4096 };

struct health {
	const struct services *services;
	bool serving;
	struct list watches;
	struct arena arena;
};

/* Owned by its call; in the list of health.  Of a service that is not here
 * nothing will ever change: services are there from the start. */
struct watch {
	struct list link;
	struct call *call;
	bool known;
};

static void fill(const struct health *h, Response *to)
{
	grpc__health__v1__health_check_response__init(to);
	to->status =
		h->serving
			? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
			: GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
}

/* Which service is asked for; NULL with *e. */
static const char *read_name(struct health *h, struct slice request,
			     struct err *e)
{
	arena_reset(&h->arena);
	const Request *asked = protobuf_unpack(
		&h->arena, &grpc__health__v1__health_check_request__descriptor,
		request, e);
	return asked ? asked->service : NULL;
}

static bool is_known(const struct health *h, const char *name)
{
	return name[0] == '\0' || services_has(h->services, slice_of(name));
}

/* --- Check, List ---------------------------------------------------------- */

static struct fate *on_check(void *service, struct call *c,
			     struct slice request)
{
	struct health *h = service;
	Response response;
	struct err e;

	const char *name = read_name(h, request, &e);
	if (!name)
		return call_fail(c, &e);
	/* health-checking.md: "If the service name is not registered, the
	 * server returns a NOT_FOUND GRPC status." */
	if (!is_known(h, name)) {
		err_set(&e, ERR_NOT_FOUND, "no such service: %.128s", name);
		return call_fail(c, &e);
	}
	fill(h, &response);
	return call_reply(c, &response.base);
}

static struct fate *on_list(void *service, struct call *c, struct slice request)
{
	const struct health *h = service;
	Grpc__Health__V1__HealthListResponse response;
	Entry rows[SERVICES_MAX + 1];
	Entry *list[SERVICES_MAX + 1];
	Response status;

	(void)request; /* it has no fields */
	grpc__health__v1__health_list_response__init(&response);
	fill(h, &status);
	response.statuses = list;
	for (size_t i = 0; i <= h->services->count; i++) {
		grpc__health__v1__health_list_response__statuses_entry__init(
			&rows[i]);
		if (i > 0)
			rows[i].key =
				(char *)(uintptr_t)h->services->list[i - 1]
					.name;
		rows[i].value = &status;
		list[i] = &rows[i];
	}
	response.n_statuses = h->services->count + 1;
	return call_reply(c, &response.base);
}

/* --- Watch ---------------------------------------------------------------- */

static void forget(struct watch *w)
{
	list_remove(&w->link);
	free(w);
}

static void fail(struct watch *w, const struct err *why)
{
	struct call *c = w->call;

	forget(w);
	call_fail(c, why);
}

static void tell(const struct health *h, struct watch *w)
{
	Response response;
	struct err e;

	fill(h, &response);
	if (!w->known)
		response.status =
			GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	if (!call_send(w->call, &response.base, &e))
		fail(w, &e);
}

static void on_closed(void *owner)
{
	forget(owner);
}

static const struct call_events watch_events = {
	.closed = on_closed,
};

static struct fate *on_watch(void *service, struct call *c,
			     struct slice request)
{
	struct health *h = service;
	struct err e;

	const char *name = read_name(h, request, &e);
	if (!name)
		return call_fail(c, &e);
	struct watch *w = mem_zalloc(sizeof(*w));
	w->call = c;
	w->known = is_known(h, name);
	list_append(&h->watches, &w->link);
	struct fate *fate = call_stream(c, &watch_events, w);
	tell(h, w);
	return fate;
}

/* --- the service ---------------------------------------------------------- */

static const struct method methods[] = {
	{.name = "Check", .unary = on_check},
	{.name = "List", .unary = on_list},
	{.name = "Watch", .server_stream = on_watch},
};

struct health *health_new(struct services *services)
{
	struct health *h = mem_zalloc(sizeof(*h));

	h->services = services;
	h->serving = true;
	list_init(&h->watches);
	services_add(services, &(struct service){
				       .name = "grpc.health.v1.Health",
				       .methods = methods,
				       .method_count = sizeof(methods) /
						       sizeof(methods[0]),
				       .limit_bytes = REQUEST_BYTES,
				       .object = h,
			       });
	return h;
}

void health_set_serving(struct health *h, bool serving)
{
	struct list *next;

	if (h->serving == serving)
		return;
	h->serving = serving;
	for (struct list *l = h->watches.next; l != &h->watches; l = next) {
		struct watch *w = LIST_ITEM(l, struct watch, link);

		next = l->next; /* it may fail, and be gone */
		if (w->known)
			tell(h, w);
	}
}

void health_end(struct health *h)
{
	struct err e;

	err_set(&e, ERR_DRAINING, "the daemon is about to stop");
	while (!list_empty(&h->watches))
		fail(LIST_ITEM(list_pop(&h->watches), struct watch, link), &e);
}

void health_free(struct health *h)
{
	if (!h)
		return;
	arena_finish(&h->arena);
	free(h);
}
