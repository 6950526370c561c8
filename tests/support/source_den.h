/*
 * source_den: a source made of tests/support/fake_source.c, and ears for what
 * it and its requests say.
 */
#ifndef TESTS_SUPPORT_SOURCE_DEN_H
#define TESTS_SUPPORT_SOURCE_DEN_H

#include "tests/support/den.h"

#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "server/mcp/source.h"
#include "server/store/store.h"

enum event { NOTHING, TOOLS, FAILED, NOTIFICATION, ANSWER, FAIL, PROGRESS };

struct ears {
	struct source *source;
	enum event free_in; /* free the source inside this event */
	unsigned starts, tools, failed, notifications, requests, ended;
	unsigned listed[KIND_COUNT];
	bool takes; /* what it asks is answered by the test */
	struct err why;
	struct buf notification;
};

/* What one request hears. */
struct reply {
	struct ears *ears;
	uint64_t number;
	unsigned answers, fails, progresses, leavings;
	bool held; /* not before source_send() */
	struct err why;
	struct buf answer; /* a string */
	struct buf progress;
};

static const struct source_limits usual_limits = {
	.message_bytes = 64 << 20,
	.start_ms = 20000,
	.request_ms = 20000,
	.idle_ms = 0,
	.queued = 1024,
};

static inline void maybe_free(struct ears *e, enum event now)
{
	if (e->free_in != now)
		return;
	source_free(e->source);
	e->source = NULL;
}

static inline void keep_text(struct buf *to, struct slice text)
{
	buf_reset(to, 0);
	buf_append_slice(to, text);
	buf_append(to, "", 1);
}

static inline void on_ready(void *owner, struct source *s)
{
	struct ears *e = owner;

	assert_ptr_equal(e->source, s);
	e->starts++;
}

static inline void on_listed(void *owner, struct source *s, enum kind kind)
{
	struct ears *e = owner;

	assert_ptr_equal(e->source, s);
	e->listed[kind]++;
	if (kind != KIND_TOOL)
		return;
	e->tools++;
	maybe_free(e, TOOLS);
}

static inline void on_failed(void *owner, struct source *s, unsigned kinds,
			     const struct err *why)
{
	struct ears *e = owner;

	assert_ptr_equal(e->source, s);
	assert_int_not_equal(kinds, 0);
	e->failed++;
	e->why = *why;
	maybe_free(e, FAILED);
}

static inline void on_notification(void *owner, struct source *s,
				   const struct jsonrpc *m)
{
	struct ears *e = owner;

	assert_ptr_equal(e->source, s);
	e->notifications++;
	keep_text(&e->notification, m->text);
	maybe_free(e, NOTIFICATION);
}

static inline bool on_request(void *owner, struct source *s,
			      const struct jsonrpc *m)
{
	struct ears *e = owner;

	assert_ptr_equal(e->source, s);
	(void)m;
	e->requests++;
	return e->takes;
}

static inline void on_ended(void *owner, struct source *s)
{
	struct ears *e = owner;

	assert_ptr_equal(e->source, s);
	e->ended++;
}

static const struct source_events source_events = {
	.ready = on_ready,
	.listed = on_listed,
	.failed = on_failed,
	.notification = on_notification,
	.request = on_request,
	.ended = on_ended,
};

static inline void on_answer(void *owner, const struct jsonrpc *m)
{
	struct reply *r = owner;

	assert_non_null(r->ears->source);
	r->answers++;
	keep_text(&r->answer, m->text);
	maybe_free(r->ears, ANSWER);
}

static inline void on_fail(void *owner, const struct err *why)
{
	struct reply *r = owner;

	assert_non_null(r->ears->source);
	r->fails++;
	r->why = *why;
	maybe_free(r->ears, FAIL);
}

static inline void on_progress(void *owner, const struct jsonrpc *m,
			       struct slice token)
{
	struct reply *r = owner;
	unsigned long long number;

	assert_true(json_u64(token, &number));
	assert_int_equal(number, r->number);
	assert_true(token.ptr > m->params.ptr &&
		    token.ptr < m->params.ptr + m->params.len);
	assert_non_null(r->ears->source);
	r->progresses++;
	buf_append_slice(&r->progress, json_get(m->params, "progress"));
	buf_append_text(&r->progress, " ");
	maybe_free(r->ears, PROGRESS);
}

static inline bool on_leaving(void *owner)
{
	struct reply *r = owner;

	r->leavings++;
	return !r->held;
}

static const struct source_reply source_reply = {
	.answer = on_answer,
	.fail = on_fail,
	.leaving = on_leaving,
	.progress = on_progress,
};

/* A source that runs the fake one with that one mode ("" for none). */
static inline void open_source(const struct den *d, struct ears *e,
			       const char *mode,
			       const struct source_limits *limits)
{
	const char *const command[] = {FAKE_SOURCE, mode, NULL};
	const struct stored_env env[] = {
		{"PATH", "/usr/bin:/bin", false},
		{"EFFECTS", den_path(d, "effects"), true},
		{"TRANSCRIPT", den_path(d, "transcript"), true},
		{"GRANDCHILD", den_path(d, "grandchild"), true},
	};
	struct stored_source stored = {.name = "fake",
				       .command = command,
				       .cwd = d->dir,
				       .env = env,
				       .env_count = 4};

	e->source =
		source_new(d->loop, &stored, d->dir, limits, &source_events, e);
}

static inline void close_source(struct ears *e)
{
	source_free(e->source);
	e->source = NULL;
	buf_finish(&e->notification);
}

/* Forward a request as a router would; false when it is refused. */
static inline bool ask_text(struct ears *e, struct reply *r, const char *text)
{
	struct jsonrpc m;
	struct source_request request = {.m = &m};

	assert_true(jsonrpc_slice(slice_of(text), &m, &r->why));
	request.token_old = json_path(m.params, "_meta", "progressToken", NULL);
	r->ears = e;
	r->number =
		source_request(e->source, &request, &source_reply, r, &r->why);
	return r->number != 0;
}

/* A call of that tool with those arguments, under an id of the caller's. */
static inline bool ask(struct ears *e, struct reply *r, const char *tool,
		       const char *arguments)
{
	char text[512];

	snprintf(
		text, sizeof(text),
		"{\"jsonrpc\":\"2.0\",\"id\":\"mine\",\"method\":"
		"\"tools/call\",\"params\":{\"name\":\"%s\",\"arguments\":%s}}",
		tool, arguments);
	return ask_text(e, r, text);
}

static inline void finish_reply(struct reply *r)
{
	buf_finish(&r->answer);
	buf_finish(&r->progress);
}

#endif
