#include "server/mcp/source_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "proto/mem.h"
#include "server/mcp/forward.h"
#include "server/store/store.h"
#include "server/upstream/child.h"

enum {
	WAITING_BYTES = 64 << 20,
	LINE_KEEP_BYTES = 64 << 10,
};

/* A rest shorter than that is waited for. */
static const double short_rest_s = 1.5;

/* Some other source's start is over: ours can begin. */
static void on_turn(void *owner)
{
	source_set_alarm(owner);
}

static struct source *new_source(struct ev_loop *loop,
				 const struct source_limits *limits,
				 const struct source_events *events,
				 void *owner)
{
	struct source *s = mem_zalloc(sizeof(*s));

	s->loop = loop;
	s->limits = *limits;
	s->events = events;
	s->owner = owner;
	s->state = SOURCE_STOPPED;
	s->list_at = INFINITY;
	s->look_at = INFINITY;
	turn_init(&s->turn, on_turn, s);
	for (int k = 0; k < KIND_COUNT; k++)
		s->items[k].kind = (enum kind)k;
	pending_table_init(&s->waiting);
	pending_table_init(&s->held);
	alarm_init(&s->alarm, loop, source_on_alarm, s);
	return s;
}

struct source *source_new(struct ev_loop *loop,
			  const struct stored_source *stored,
			  const char *log_dir,
			  const struct source_limits *limits,
			  const struct source_events *events, void *owner)
{
	struct source *s = new_source(loop, limits, events, owner);

	recipe_init(&s->recipe, stored, log_dir);
	return s;
}

struct source *source_new_builtin(struct ev_loop *loop,
				  const struct builtin_hub *functions,
				  void *hub, const struct source_limits *limits,
				  const struct source_events *events,
				  void *owner)
{
	struct source *s = new_source(loop, limits, events, owner);

	recipe_init_builtin(&s->recipe, BUILTIN_NAME);
	s->functions = functions;
	s->hub = hub;
	s->limits.idle_ms = 0; /* it costs nothing */
	return s;
}

void source_share(struct source *s, const struct source_shared *shared)
{
	assert(s->starts == 0);
	s->turn.starts = shared->starts;
	s->children = shared->children;
	s->survey = shared->survey;
}

void source_refresh(struct source *s)
{
	s->owed = KINDS_ALL;
	s->owed_stopped = 0;
	if (s->state == SOURCE_READY) {
		s->stale |= KINDS_ALL & ~leg_listing(s->leg);
		s->list_at = 0;
	}
	source_set_alarm(s);
}

void source_keep(struct source *s, bool kept)
{
	s->kept = kept;
	source_set_alarm(s);
}

void source_retry(struct source *s)
{
	s->backoff.until = 0;
	source_refresh(s);
}

bool source_check(const struct source *s, struct buf *program, struct err *e)
{
	struct process_options process = recipe_process(&s->recipe);

	return s->functions || child_find(
				       &(struct child_options){
					       .name = process.name,
					       .command = process.command,
					       .env = process.env,
					       .cwd = process.cwd,
				       },
				       program, e);
}

/* May another request wait to be sent? */
static bool may_be_held(const struct source *s, size_t len, struct err *e)
{
	if (s->held.count < s->limits.queued &&
	    s->held.bytes + len <= WAITING_BYTES)
		return true;
	return err_set(e, ERR_OVERLOADED,
		       "source %s: %zu requests wait to be written down",
		       s->recipe.name, s->held.count);
}

/* The line is s->line: most are sent at once, without a copy. */
static bool hold_or_send(struct source *s, struct pending **p, struct err *e)
{
	const struct source_reply *reply = (*p)->reply;

	if (!reply->leaving || reply->leaving((*p)->owner))
		return leg_request(s->leg, p, buf_slice(&s->line), e);
	buf_append_slice(&(*p)->line, buf_slice(&s->line));
	pending_put(&s->held, *p);
	*p = NULL;
	return true;
}

/* May another request wait for the start? */
static bool may_wait(const struct source *s, size_t len, struct err *e)
{
	double left = backoff_left(&s->backoff, alarm_now());

	if (s->state == SOURCE_FAILED ||
	    (s->state == SOURCE_RESTING && left >= short_rest_s))
		return source_refuse(s, left, e);
	if (s->waiting.count >= s->limits.queued ||
	    s->waiting.bytes + len > WAITING_BYTES)
		return err_set(e, ERR_OVERLOADED,
			       "source %s is not ready, and %zu requests wait "
			       "for it",
			       s->recipe.name, s->waiting.count);
	return true;
}

uint64_t source_request(struct source *s, const struct source_request *r,
			const struct source_reply *reply, void *owner,
			struct err *e)
{
	uint64_t number = ++s->last_number;
	struct pending *p =
		pending_new(number, reply, owner, r->token_old.len > 0);
	bool ok;

	forward_request(&s->line, r, number);
	if (s->state == SOURCE_READY) {
		ok = may_be_held(s, s->line.len, e) && hold_or_send(s, &p, e);
		source_look_soon(s);
	} else if ((ok = may_wait(s, s->line.len, e))) {
		buf_append_slice(&p->line, buf_slice(&s->line));
		pending_put(&s->waiting, p);
		p = NULL;
	}
	buf_reset(&s->line, LINE_KEEP_BYTES);
	pending_free(p);
	source_set_alarm(s);
	return ok ? number : 0;
}

void source_cancel(struct source *s, uint64_t number, struct slice reason)
{
	struct pending_table *table =
		pending_find(&s->held, number) ? &s->held : &s->waiting;
	struct pending *p = pending_find(table, number);

	if (p) {
		pending_take(table, p);
		pending_free(p);
	} else if (s->leg) {
		leg_cancel(s->leg, number, reason);
		source_set_alarm(s);
	}
}

bool source_holds(const struct source *s, uint64_t number)
{
	return pending_find(&s->waiting, number) ||
	       pending_find(&s->held, number);
}

void source_set_level(struct source *s, const char *level)
{
	free(s->level);
	s->level = mem_text(level);
	if (s->state == SOURCE_READY)
		leg_set_level(s->leg, level);
}

/* What came before ends with it; what comes later starts it again. */
void source_stop(struct source *s)
{
	s->stopped_below = s->last_number + 1;
	s->owed_stopped = s->owed;
	s->kept = false;
	if (s->state == SOURCE_STARTING || s->state == SOURCE_READY)
		source_begin_stop(s, NULL);
	source_set_alarm(s);
}

void source_set(struct source *s, const struct stored_change *change)
{
	recipe_change(&s->recipe, change);
}

const char *source_name(const struct source *s)
{
	return s->recipe.name;
}

enum source_state source_state(const struct source *s)
{
	return s->state;
}

const struct source_item *source_items(const struct source *s, enum kind kind,
				       size_t *count)
{
	*count = s->items[kind].count;
	return s->items[kind].items;
}

void source_info(const struct source *s, struct source_info *info)
{
	const struct handshake *h = &s->handshake;

	*info = (struct source_info){
		.command = (const char *const *)s->recipe.command,
		.cwd = s->recipe.cwd ? s->recipe.cwd : "",
		.env_names = (const char *const *)s->recipe.env_names,
		.pid = s->leg ? leg_pid(s->leg) : 0,
		.rss_bytes = s->leg ? s->rss_bytes : 0,
		.log_path = s->recipe.log_path,
		.restarts = s->starts > 0 ? s->starts - 1 : 0,
		.in_flight = (unsigned)(s->waiting.count + s->held.count) +
			     (s->leg ? leg_in_flight(s->leg) : 0),
		.last_error = s->last_error.text,
		.server_name = h->server_name ? h->server_name : "",
		.server_version = h->server_version ? h->server_version : "",
		.revision = h->revision ? h->revision : "",
		.capabilities = {h->capabilities, h->capabilities_len},
		.instructions = {h->instructions, h->instructions_len},
		.builtin = s->functions != NULL,
		.disabled = s->recipe.disabled,
		.interactive = s->recipe.interactive,
		.roots = s->recipe.roots,
		.trusted = s->recipe.trusted,
	};
}

void source_free(struct source *s)
{
	if (!s)
		return;
	assert(!s->freed);
	alarm_stop(&s->alarm);
	leg_free(s->leg);
	s->leg = NULL;
	turn_end(&s->turn);
	pending_table_finish(&s->waiting);
	pending_table_finish(&s->held);
	s->freed = true;
	if (s->depth == 0)
		source_release(s);
}
