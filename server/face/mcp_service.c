#include "server/face/mcp_service.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/err.h"
#include "proto/mem.h"
#include "proto/protobuf.h"
#include "server/face/call.h"
#include "server/face/mcp_stream.h"
#include "server/face/service.h"
#include "server/mcp/session.h"

/* Of a CallRequest, beside its JSON. */
enum { CALL_FRAME_BYTES = 4096 };

struct mcp_service {
	struct sessions *sessions;
	struct mcp_streams *streams;
	struct arena arena;
};

/* One Call: the gRPC call below, the session of one request above.  Whoever
 * ends first frees it. */
struct single {
	struct call *call;
	struct session *session; /* NULL: inside session_single() */
	struct fate *fate;	 /* answered inside session_single() */
};

static struct fate *reply(struct call *c, struct slice json)
{
	Executor__Mcp__V1__CallResponse response;

	executor__mcp__v1__call_response__init(&response);
	response.json = protobuf_bytes(json);
	return call_reply(c, &response.base);
}

static void on_answer(void *owner, struct slice json)
{
	struct single *one = owner;
	struct fate *fate = reply(one->call, json);

	if (one->session)
		free(one);
	else
		one->fate = fate;
}

static const struct session_single single_events = {.answer = on_answer};

/* The client has gone. */
static void on_closed(void *owner)
{
	struct single *one = owner;

	session_abandon(one->session);
	free(one);
}

static const struct call_events call_events = {.closed = on_closed};

static struct fate *run(struct mcp_service *m, struct call *c,
			const Executor__Mcp__V1__CallRequest *asked)
{
	struct single *one = mem_zalloc(sizeof(*one));
	const char *source = asked->source[0] != '\0' ? asked->source : NULL;
	struct err e;

	one->call = c;
	struct session *session =
		session_single(m->sessions, protobuf_slice(asked->json), source,
			       &single_events, one, &e);
	if (session && !one->fate) {
		one->session = session;
		return call_later(c, &call_events, one);
	}
	struct fate *fate = session ? one->fate : call_fail(c, &e);
	free(one);
	return fate;
}

static struct fate *on_call(void *service, struct call *c, struct slice request)
{
	struct mcp_service *m = service;
	struct err e;

	arena_reset(&m->arena);
	const Executor__Mcp__V1__CallRequest *asked = protobuf_unpack(
		&m->arena, &executor__mcp__v1__call_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	return run(m, c, asked);
}

static struct fate *on_session(void *service, struct call *c)
{
	struct mcp_service *m = service;

	return mcp_stream_open(m->streams, c);
}

static const struct method methods[] = {
	{.name = "Session", .raw = on_session},
	{.name = "Call", .unary = on_call},
};

struct mcp_service *mcp_service_new(struct ev_loop *loop,
				    struct services *services,
				    struct sessions *sessions,
				    const struct mcp_options *options)
{
	struct mcp_service *m = mem_zalloc(sizeof(*m));

	m->sessions = sessions;
	m->streams = mcp_streams_new(loop, sessions, options);
	services_add(services, &(struct service){
				       .name = "executor.mcp.v1.McpService",
				       .methods = methods,
				       .method_count = sizeof(methods) /
						       sizeof(methods[0]),
				       .limit_bytes = options->message_bytes +
						      CALL_FRAME_BYTES,
				       .object = m,
			       });
	return m;
}

void mcp_service_free(struct mcp_service *m)
{
	if (!m)
		return;
	mcp_streams_free(m->streams);
	arena_finish(&m->arena);
	free(m);
}
