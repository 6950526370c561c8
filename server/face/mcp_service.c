#include "server/face/mcp_service.h"

#include <stdlib.h>

#include "proto/err.h"
#include "proto/log.h"
#include "proto/mcp.h"
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

/* One Call or CallStream: the gRPC call below, the session of one request
 * above.  Whoever ends first frees it. */
struct single {
	struct call *call;
	struct session *session;
};

/* What both requests say. */
struct asked {
	struct slice json;
	const char *source;
	enum mcp_level level;
};

static void on_answer(void *owner, struct slice json)
{
	Executor__Mcp__V1__CallResponse response;
	struct single *one = owner;

	executor__mcp__v1__call_response__init(&response);
	response.json = protobuf_bytes(json);
	call_reply(one->call, &response.base);
	free(one);
}

/* The client has gone. */
static void on_closed(void *owner)
{
	struct single *one = owner;

	session_abandon(one->session);
	free(one);
}

static const struct session_single single_events = {.answer = on_answer};
static const struct call_events call_events = {.closed = on_closed};

/* --- with what is said meanwhile --- */

static void on_notify(void *owner, struct slice json)
{
	Executor__Mcp__V1__CallStreamResponse response;
	struct single *one = owner;
	struct err e;

	if (call_full(one->call))
		return;
	executor__mcp__v1__call_stream_response__init(&response);
	response.event_case =
		EXECUTOR__MCP__V1__CALL_STREAM_RESPONSE__EVENT_NOTIFICATION;
	response.notification = protobuf_bytes(json);
	if (!call_send(one->call, &response.base, &e))
		log_debug("call", "a notification is lost: %s", e.text);
}

static void on_stream_answer(void *owner, struct slice json)
{
	Executor__Mcp__V1__CallStreamResponse response;
	struct single *one = owner;
	struct err e;

	executor__mcp__v1__call_stream_response__init(&response);
	response.event_case =
		EXECUTOR__MCP__V1__CALL_STREAM_RESPONSE__EVENT_RESPONSE;
	response.response = protobuf_bytes(json);
	if (call_send(one->call, &response.base, &e))
		call_end(one->call);
	else
		call_fail(one->call, &e);
	free(one);
}

static const struct session_single stream_events = {
	.answer = on_stream_answer,
	.notify = on_notify,
};

/* --- both --- */

/* NULL with *e set when it is refused. */
static struct single *begin(struct mcp_service *m, struct call *c,
			    const struct asked *asked,
			    const struct session_single *events, struct err *e)
{
	struct single *one = mem_zalloc(sizeof(*one));

	one->call = c;
	one->session =
		session_single(m->sessions, asked->json,
			       asked->source[0] != '\0' ? asked->source : NULL,
			       asked->level, events, one, e);
	if (one->session)
		return one;
	free(one);
	return NULL;
}

static struct fate *on_call(void *service, struct call *c, struct slice request)
{
	const Executor__Mcp__V1__CallRequest *got;
	struct mcp_service *m = service;
	struct err e;

	arena_reset(&m->arena);
	got = protobuf_unpack(&m->arena,
			      &executor__mcp__v1__call_request__descriptor,
			      request, &e);
	if (!got)
		return call_fail(c, &e);
	const struct asked asked = {.json = protobuf_slice(got->json),
				    .source = got->source};
	struct single *one = begin(m, c, &asked, &single_events, &e);
	return one ? call_later(c, &call_events, one) : call_fail(c, &e);
}

static struct fate *on_call_stream(void *service, struct call *c,
				   struct slice request)
{
	const Executor__Mcp__V1__CallStreamRequest *got;
	struct mcp_service *m = service;
	struct err e;

	arena_reset(&m->arena);
	got = protobuf_unpack(
		&m->arena, &executor__mcp__v1__call_stream_request__descriptor,
		request, &e);
	if (!got)
		return call_fail(c, &e);
	struct asked asked = {.json = protobuf_slice(got->json),
			      .source = got->source,
			      .level = MCP_LEVEL_INFO};
	if (got->log_level[0] != '\0' &&
	    !mcp_level_parse(slice_of(got->log_level), &asked.level)) {
		err_set(&e, ERR_INVALID_ARGUMENT,
			"log_level: %.32s is none of MCP's levels",
			got->log_level);
		return call_fail(c, &e);
	}
	struct single *one = begin(m, c, &asked, &stream_events, &e);
	return one ? call_stream(c, &call_events, one) : call_fail(c, &e);
}

static struct fate *on_session(void *service, struct call *c)
{
	struct mcp_service *m = service;

	return mcp_stream_open(m->streams, c);
}

static const struct method methods[] = {
	{.name = "Session", .raw = on_session},
	{.name = "Call", .unary = on_call},
	{.name = "CallStream", .server_stream = on_call_stream},
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
