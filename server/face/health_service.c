#include "server/face/health_service.h"

#include <stdlib.h>

#include "grpc/health/v1/health.pb-c.h"
#include "proto/err.h"
#include "proto/mem.h"
#include "proto/protobuf.h"
#include "server/face/call.h"
#include "server/face/service.h"

enum { REQUEST_BYTES = 4096 };

struct health {
	const struct services *services;
	bool serving;
	struct arena arena;
};

static struct fate *on_check(void *service, struct call *c,
			     struct slice request)
{
	struct health *h = service;
	Grpc__Health__V1__HealthCheckResponse response;
	const Grpc__Health__V1__HealthCheckRequest *asked;
	struct err e;

	grpc__health__v1__health_check_response__init(&response);
	arena_reset(&h->arena);
	asked = protobuf_unpack(
		&h->arena, &grpc__health__v1__health_check_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	/* health-checking.md: "If the service name is not registered, the
	 * server returns a NOT_FOUND GRPC status." */
	if (asked->service[0] != '\0' &&
	    !services_has(h->services, slice_of(asked->service))) {
		err_set(&e, ERR_NOT_FOUND, "no such service: %.128s",
			asked->service);
		return call_fail(c, &e);
	}
	response.status =
		h->serving
			? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
			: GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
	return call_reply(c, &response.base);
}

static const struct method methods[] = {
	{.name = "Check", .unary = on_check},
};

struct health *health_new(struct services *services)
{
	struct health *h = mem_zalloc(sizeof(*h));

	h->services = services;
	h->serving = true;
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
	h->serving = serving;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	arena_finish(&h->arena);
	free(h);
}
