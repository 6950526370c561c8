#include "server/face/admin_view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/clock.h"
#include "proto/envelope.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/protobuf.h"
#include "server/mcp/catalogue.h"
#include "server/mcp/router.h"
#include "server/mcp/session.h"
#include "server/mcp/source.h"
#include "server/upstream/logfile.h"

/* What is shown of a source's stderr. */
enum { TAIL_LINES = 3, TAIL_BYTES = 4096 };

/* One allocation; what it is for follows it. */
struct piece {
	struct list link;
	max_align_t bytes[];
};

void view_init(struct view *v)
{
	list_init(&v->memory);
}

void *view_take(struct view *v, size_t len)
{
	struct piece *p = mem_zalloc(sizeof(*p) + len);

	list_append(&v->memory, &p->link);
	return p->bytes;
}

char *view_bytes(struct view *v, struct slice bytes)
{
	char *copy = view_take(v, bytes.len + 1);

	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	return copy;
}

char *view_text(struct view *v, const char *text)
{
	char *valid = protobuf_text(text);
	char *copy = view_bytes(v, slice_of(valid));

	free(valid);
	return copy;
}

/* A name that a source gave may hold a NUL; a proto string may not. */
static char *take_name(struct view *v, struct slice name)
{
	return view_text(v, view_bytes(v, name));
}

static void *take_array(struct view *v, size_t count)
{
	return view_take(v, count * sizeof(void *));
}

static ProtobufCBinaryData take_path(struct view *v, const char *text)
{
	struct slice path = slice_of(text);

	path.ptr = view_bytes(v, path);
	return protobuf_bytes(path);
}

static const Executor__Admin__V1__Source__State states[] = {
	[SOURCE_STOPPED] = EXECUTOR__ADMIN__V1__SOURCE__STATE__STATE_STOPPED,
	[SOURCE_STARTING] = EXECUTOR__ADMIN__V1__SOURCE__STATE__STATE_STARTING,
	[SOURCE_READY] = EXECUTOR__ADMIN__V1__SOURCE__STATE__STATE_READY,
	[SOURCE_RESTING] = EXECUTOR__ADMIN__V1__SOURCE__STATE__STATE_RESTING,
	[SOURCE_STOPPING] = EXECUTOR__ADMIN__V1__SOURCE__STATE__STATE_STOPPING,
	[SOURCE_FAILED] = EXECUTOR__ADMIN__V1__SOURCE__STATE__STATE_FAILED,
};

static size_t count_words(const char *const *words)
{
	size_t count = 0;

	while (words && words[count])
		count++;
	return count;
}

static void add_command(struct view *v, Executor__Admin__V1__Source *to,
			const char *const *command)
{
	to->n_command = count_words(command);
	to->command = view_take(v, to->n_command * sizeof(*to->command));
	for (size_t i = 0; i < to->n_command; i++)
		to->command[i] = take_path(v, command[i]);
}

static void add_env_names(struct view *v, Executor__Admin__V1__Source *to,
			  const char *const *names)
{
	to->n_env_names = count_words(names);
	to->env_names = take_array(v, to->n_env_names);
	for (size_t i = 0; i < to->n_env_names; i++)
		to->env_names[i] = view_text(v, names[i]);
}

static uint32_t count_items(const struct source *s, enum kind kind)
{
	size_t count;

	source_items(s, kind, &count);
	return (uint32_t)count;
}

Executor__Admin__V1__Source *view_source(struct view *v, const struct source *s)
{
	Executor__Admin__V1__Source *to = view_take(v, sizeof(*to));
	struct source_info info = {0};

	executor__admin__v1__source__init(to);
	source_info(s, &info);
	to->name = view_text(v, source_name(s));
	to->state = states[source_state(s)];
	add_command(v, to, info.command);
	to->cwd = take_path(v, info.cwd ? info.cwd : "");
	add_env_names(v, to, info.env_names);
	to->pid = info.pid;
	to->tools = count_items(s, KIND_TOOL);
	to->resources = count_items(s, KIND_RESOURCE);
	to->resource_templates = count_items(s, KIND_TEMPLATE);
	to->prompts = count_items(s, KIND_PROMPT);
	to->restarts = info.restarts;
	to->last_error = view_text(v, info.last_error);
	to->server_name = view_text(v, info.server_name);
	to->server_version = view_text(v, info.server_version);
	to->revision = view_text(v, info.revision);
	to->builtin = info.builtin;
	to->requests_in_flight = info.in_flight;
	to->enabled = !info.disabled;
	to->interactive = view_text(v, info.interactive);
	to->roots = take_path(v, info.roots);
	to->rss_bytes = info.rss_bytes;
	to->trust_hints = info.trusted;
	return to;
}

void view_stderr(struct view *v, Executor__Admin__V1__Source *to,
		 const struct source *s)
{
	struct source_info info = {0};
	char text[TAIL_BYTES];

	source_info(s, &info);
	size_t end = info.log_path
			     ? logfile_tail(info.log_path, text, sizeof(text))
			     : 0;
	to->stderr_tail = view_take(v, TAIL_LINES * sizeof(*to->stderr_tail));
	/* From the last line to the first, and then in order. */
	while (end > 0 && to->n_stderr_tail < TAIL_LINES) {
		size_t start = --end;

		if (text[end] != '\n')
			end++;
		while (start > 0 && text[start - 1] != '\n')
			start--;
		struct slice line = {text + start, end - start};
		end = start;
		if (line.len == 0)
			continue;
		memmove(to->stderr_tail + 1, to->stderr_tail,
			to->n_stderr_tail * sizeof(*to->stderr_tail));
		line.ptr = view_bytes(v, line);
		to->stderr_tail[0] = protobuf_bytes(line);
		to->n_stderr_tail++;
	}
}

Executor__Admin__V1__Source **
view_sources(struct view *v, const struct router *r, size_t *count)
{
	const struct source *s;
	size_t total = 0;
	size_t at = 0;

	while (router_next_source(r, &at))
		total++;
	Executor__Admin__V1__Source **list = take_array(v, total);
	*count = 0;
	at = 0;
	while ((s = router_next_source(r, &at)))
		list[(*count)++] = view_source(v, s);
	assert(*count == total);
	return list;
}

uint64_t view_ms_since(int64_t then_ms)
{
	int64_t now_ms = clock_now_ms();

	return now_ms > then_ms ? (uint64_t)(now_ms - then_ms) : 0;
}

/* --- calls ---------------------------------------------------------------- */

/* The calls as they are collected. */
struct roll {
	struct sessions *sessions;
	struct view *view;
	Executor__Admin__V1__Call **list; /* NULL while they are counted */
	size_t count;
};

static void add_call(void *owner, const struct router_call *call)
{
	static const unsigned char nobody[ENVELOPE_ID_BYTES];
	struct roll *roll = owner;
	struct view *v = roll->view;
	struct session *s = sessions_find(roll->sessions, call->session);

	if (!roll->list) {
		roll->count++;
		return;
	}
	Executor__Admin__V1__Call *to = view_take(v, sizeof(*to));
	executor__admin__v1__call__init(to);
	if (s) {
		struct session_info info;

		session_describe(s, &info);
		if (memcmp(info.id, nobody, sizeof(nobody)) != 0)
			to->session = protobuf_bytes((struct slice){
				(const char *)info.id, ENVELOPE_ID_BYTES});
		to->client_name =
			view_text(v, info.client_name ? info.client_name : "");
	}
	struct buf method = {0};
	json_unquote(&method, call->method);
	to->method = view_text(v, view_bytes(v, buf_slice(&method)));
	buf_finish(&method);
	to->source = view_text(v, call->source);
	to->name = view_text(v, view_bytes(v, call->name));
	to->age_ms = view_ms_since(call->started_ms);
	roll->list[roll->count++] = to;
}

Executor__Admin__V1__Call **view_calls(struct view *v, const struct router *r,
				       struct sessions *all, size_t *count)
{
	struct roll roll = {.sessions = all, .view = v};

	router_calls(r, add_call, &roll);
	roll.list = view_take(v, (roll.count + 1) * sizeof(*roll.list));
	roll.count = 0;
	router_calls(r, add_call, &roll);
	*count = roll.count;
	return roll.list;
}

static Executor__Admin__V1__SessionStatus *
view_session(struct view *v, const struct session_info *info)
{
	Executor__Admin__V1__SessionStatus *to = view_take(v, sizeof(*to));

	executor__admin__v1__session_status__init(to);
	to->session = protobuf_bytes(
		(struct slice){(const char *)info->id, ENVELOPE_ID_BYTES});
	to->client_name = view_text(v, info->client_name);
	to->client_version = view_text(v, info->client_version);
	to->revision = view_text(v, info->revision);
	to->attached = info->attached;
	to->age_s = view_ms_since(info->opened_ms) / 1000;
	to->requests_in_flight = info->in_flight;
	to->requests = info->requests;
	return to;
}

Executor__Admin__V1__SessionStatus **
view_sessions(struct view *v, const struct sessions *all, size_t *count)
{
	size_t most = sessions_count(all);
	Executor__Admin__V1__SessionStatus **list = take_array(v, most);
	struct session_info info;
	size_t at = 0;

	*count = 0;
	while (*count < most && sessions_next(all, &at, &info))
		list[(*count)++] = view_session(v, &info);
	return list;
}

Executor__Admin__V1__Tool *view_tool(struct view *v,
				     const struct catalogue_item *t)
{
	Executor__Admin__V1__Tool *to = view_take(v, sizeof(*to));

	executor__admin__v1__tool__init(to);
	to->name = take_name(v, t->exposed);
	to->source = view_text(v, t->source);
	to->source_name = take_name(v, t->key);
	to->json = protobuf_bytes(t->json);
	return to;
}

Executor__Admin__V1__Tool **view_tools(struct view *v,
				       const struct catalogue *c,
				       const char *source, size_t *count)
{
	Executor__Admin__V1__Tool **list = take_array(v, catalogue_count(c));
	const struct catalogue_item *t;
	size_t at = 0;

	*count = 0;
	while ((t = catalogue_next(c, &at))) {
		if (source[0] != '\0' && strcmp(t->source, source) != 0)
			continue;
		assert(*count < catalogue_count(c));
		list[(*count)++] = view_tool(v, t);
	}
	return list;
}

void view_finish(struct view *v)
{
	while (!list_empty(&v->memory)) {
		free(LIST_ITEM(list_pop(&v->memory), struct piece, link));
	}
}
