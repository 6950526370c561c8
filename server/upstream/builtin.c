#include "server/upstream/builtin.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/mcp.h"
#include "proto/mem.h"
#include "proto/version.h"
#include "server/upstream/tools.h"

enum { QUEUED_BYTES = 64 << 20 };

/* Owned by a source. */
struct builtin {
	struct upstream base;
	struct ev_loop *loop;
	const struct builtin_hub *functions;
	void *hub;
	const struct upstream_events *events;
	void *owner;

	struct buf queued;	/* requests, a newline behind each */
	struct ev_watcher turn; /* fed, never started */
	bool paused;
	bool stopping;
	bool down;
	unsigned depth; /* of our own callbacks that are running */
	bool freed;	/* inside one of them */
};

static struct builtin *of(struct upstream *u)
{
	return (struct builtin *)(void *)u;
}

static void release(struct builtin *b)
{
	buf_finish(&b->queued);
	free(b);
}

static void answer_initialize(const struct jsonrpc *m, struct buf *result)
{
	buf_printf(result,
		   "{\"protocolVersion\":\"%s\",\"capabilities\":"
		   "{\"tools\":{}},\"serverInfo\":{\"name\":\"" BUILTIN_NAME
		   "\",\"title\":\"Executor\",\"version\":\"%s\"}}",
		   mcp_revision(m->params), version_text);
}

static bool answer_call(const struct builtin *b, const struct jsonrpc *m,
			struct buf *result, struct err *e)
{
	struct slice name = json_get(m->params, "name");
	struct slice arguments = json_get(m->params, "arguments");

	if (json_kind(name) != JSON_STRING)
		return err_set(e, ERR_INVALID_PARAMS,
			       "tools/call needs the name of a tool");
	return tools_call(b->functions, b->hub, name, arguments, result, e);
}

static bool answer_request(const struct builtin *b, const struct jsonrpc *m,
			   struct buf *result, struct err *e)
{
	if (jsonrpc_method_is(m, "tools/call"))
		return answer_call(b, m, result, e);
	if (jsonrpc_method_is(m, "initialize"))
		answer_initialize(m, result);
	else if (jsonrpc_method_is(m, "tools/list"))
		tools_list(result);
	else if (jsonrpc_method_is(m, "ping"))
		buf_append_text(result, "{}");
	else
		return err_set(e, ERR_METHOD_NOT_FOUND, "method not found");
	return true;
}

/* Nothing is appended for what wants no answer. */
static void answer_line(const struct builtin *b, struct slice line,
			struct buf *reply)
{
	struct buf result = {0};
	struct jsonrpc m = {0};
	struct err e;

	if (!jsonrpc_slice(line, &m, &e)) {
		jsonrpc_error(reply, m.id, &e, NULL);
	} else if (m.kind == JSONRPC_REQUEST) {
		if (answer_request(b, &m, &result, &e))
			jsonrpc_result(reply, m.id, buf_slice(&result));
		else
			jsonrpc_error(reply, m.id, &e, NULL);
	}
	buf_finish(&result);
}

/* Answer what is queued; what is asked meanwhile is answered too. */
static void take_turn(struct builtin *b)
{
	while (b->queued.len > 0 && !b->paused && !b->freed) {
		const char *end = memchr(b->queued.data, '\n', b->queued.len);
		size_t len = (size_t)(end - b->queued.data);
		struct buf reply = {0};

		answer_line(b, (struct slice){b->queued.data, len}, &reply);
		buf_consume(&b->queued, len + 1);
		if (reply.len > 0)
			b->events->message(b->owner, buf_slice(&reply), &reply);
		buf_finish(&reply);
	}
	if (b->stopping && !b->down && !b->freed) {
		struct err why;

		b->down = true;
		err_set(&why, ERR_SOURCE_DOWN, "stopped");
		b->events->down(b->owner, &why);
	}
}

static void on_turn(struct ev_loop *loop, struct ev_watcher *w, int revents)
{
	struct builtin *b = w->data;

	(void)loop;
	(void)revents;
	b->depth++;
	take_turn(b);
	b->depth--;
	if (b->depth == 0 && b->freed)
		release(b);
}

/* Have a turn before the loop sleeps: nobody is answered inside a call. */
static void wake(struct builtin *b)
{
	if (!ev_is_pending(&b->turn))
		ev_feed_event(b->loop, &b->turn, EV_CUSTOM);
}

static bool builtin_send(struct upstream *u, struct slice line, struct err *e)
{
	struct builtin *b = of(u);

	assert(line.len == 0 || !memchr(line.ptr, '\n', line.len));
	if (b->stopping)
		return err_set(e, ERR_SOURCE_DOWN, "source %s is ending",
			       BUILTIN_NAME);
	if (b->queued.len >= QUEUED_BYTES)
		return err_set(e, ERR_OVERLOADED,
			       "source %s: %d MiB wait for it", BUILTIN_NAME,
			       QUEUED_BYTES >> 20);
	buf_append_slice(&b->queued, line);
	buf_append_text(&b->queued, "\n");
	wake(b);
	return true;
}

static size_t builtin_queued(const struct upstream *u)
{
	return ((const struct builtin *)(const void *)u)->queued.len;
}

static void builtin_pause(struct upstream *u, bool paused)
{
	struct builtin *b = of(u);

	b->paused = paused;
	if (!paused)
		wake(b);
}

static void builtin_stop(struct upstream *u)
{
	struct builtin *b = of(u);

	b->stopping = true;
	wake(b);
}

static int64_t builtin_pid(const struct upstream *u)
{
	(void)u;
	return 0;
}

static void builtin_free(struct upstream *u)
{
	struct builtin *b = of(u);

	assert(!b->freed);
	ev_clear_pending(b->loop, &b->turn);
	b->freed = true;
	if (b->depth == 0)
		release(b);
}

static const struct upstream_kind builtin_kind = {
	.send = builtin_send,
	.queued = builtin_queued,
	.pause = builtin_pause,
	.stop = builtin_stop,
	.pid = builtin_pid,
	.free = builtin_free,
};

struct upstream *builtin_new(struct ev_loop *loop,
			     const struct builtin_hub *functions, void *hub,
			     const struct upstream_events *events, void *owner)
{
	struct builtin *b = mem_zalloc(sizeof(*b));

	b->base.kind = &builtin_kind;
	b->loop = loop;
	b->functions = functions;
	b->hub = hub;
	b->events = events;
	b->owner = owner;
	ev_init(&b->turn, on_turn);
	b->turn.data = b;
	return &b->base;
}
