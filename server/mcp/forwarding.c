/* Requests that a source answers: whose they are, and under which name. */
#include <assert.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "server/mcp/calls.h"
#include "server/mcp/methods.h"
#include "server/mcp/nametable.h"
#include "server/mcp/owner.h"
#include "server/mcp/turns.h"

/* Once it is this session's turn there. */
static bool start(const struct asked *a, struct routed *at,
		  const struct call_target *target, struct slice own,
		  unsigned way_back, struct err *e)
{
	if (!turns_admit(at, a->to.session))
		return turns_wait(at, a->to.session, a->m, a->source, e);
	return call_start(at, a->m, target, own, way_back, a->to.session, e);
}

/* --- what has a name ------------------------------------------------------ */

static bool refuse_name(enum kind kind, const char *source, struct slice name,
			struct err *e)
{
	const struct kind_row *row = &kind_rows[kind];
	struct slice text = asked_shown(name);
	enum reason reason =
		kind == KIND_TOOL ? ERR_UNKNOWN_TOOL : ERR_UNKNOWN_PROMPT;

	if (source)
		return err_set(e, reason,
			       "the source \"%s\" has no %s \"%.*s\"", source,
			       row->noun, (int)text.len, text.ptr);
	return err_set(e, reason,
		       "there is no %s \"%.*s\"; %s names those there are",
		       row->noun, (int)text.len, text.ptr, row->method);
}

/* Why the source of that name does not have it: always false. */
static bool refuse_own(const struct router *r, const char *source,
		       enum kind kind, struct slice name, struct err *e)
{
	const struct routed *at = router_routed(r, source);
	enum source_state state;
	struct source_info info;
	size_t count;

	if (!at)
		return err_set(e, ERR_NOT_FOUND,
			       "there is no source \"%s\"; `executor source "
			       "list` names those there are",
			       source);
	source_info(at->source, &info);
	source_items(at->source, kind, &count);
	state = source_state(at->source);
	if (state == SOURCE_STARTING && !(at->fresh & 1u << kind))
		return err_set(e, ERR_SOURCE_DOWN,
			       "the %ss of \"%s\" are not known: it is still "
			       "starting",
			       kind_rows[kind].noun, source);
	if (count == 0 && *info.last_error)
		return err_set(e, ERR_SOURCE_DOWN,
			       "the %ss of \"%s\" are not known: %s",
			       kind_rows[kind].noun, source, info.last_error);
	return refuse_name(kind, source, name, e);
}

/* Is it of a source that was turned off? */
static bool refuse_disabled(const struct router *r, const char *source,
			    struct slice name, struct err *e)
{
	const char *whose = source ? source : nametable_whose(r->names, name);
	const struct routed *at = whose ? router_routed(r, whose) : NULL;

	if (!at || !routed_disabled(at))
		return false;
	err_set(e, ERR_SOURCE_DISABLED,
		"the source \"%s\" is disabled; to have its tools again: "
		"executor source enable %s",
		whose, whose);
	return true;
}

/* The item of that (decoded) name; NULL with *e set when there is none. */
static const struct catalogue_item *find_named(const struct router *r,
					       const struct asked *a,
					       enum kind kind,
					       struct slice name, struct err *e)
{
	const struct catalogue *c = r->catalogues[kind];
	const struct catalogue_item *item =
		a->source ? catalogue_find_own(c, a->source, name)
			  : catalogue_find(c, name);

	if (item || refuse_disabled(r, a->source, name, e))
		return item;
	if (a->source)
		refuse_own(r, a->source, kind, name, e);
	else
		refuse_name(kind, NULL, name, e);
	return NULL;
}

static bool forward_named(struct router *r, const struct asked *a,
			  enum kind kind, const struct call_target *target,
			  struct slice name, struct err *e)
{
	const struct catalogue_item *item = find_named(r, a, kind, name, e);

	if (!item)
		return false;
	struct routed *at = router_routed(r, item->source);
	assert(at); /* the catalogue forgets a source before it goes */
	return start(a, at, target, item->key,
		     CALL_HANDS_OUT | (item->wrapped ? CALL_WRAPPED : 0u), e);
}

/* It may be of a source that was never asked what it has. */
static bool may_appear(enum reason reason)
{
	return reason == ERR_UNKNOWN_TOOL || reason == ERR_UNKNOWN_PROMPT ||
	       reason == ERR_SOURCE_DOWN;
}

static void answer_named(struct router *r, const struct asked *a,
			 enum kind kind)
{
	struct call_target target;
	struct buf name = {0};
	struct err e;

	if (!call_read(a->m, "name", &target, &e)) {
		reply_error(r, a->to, &e, a->source);
		return;
	}
	json_unquote(&name, target.value);
	if (!forward_named(r, a, kind, &target, buf_slice(&name), &e) &&
	    !(may_appear(e.reason) && asked_waits(r, a, 1u << kind)))
		reply_error(r, a->to, &e, a->source);
	buf_finish(&name);
}

void method_call_tool(struct router *r, const struct asked *a)
{
	answer_named(r, a, KIND_TOOL);
}

void method_get_prompt(struct router *r, const struct asked *a)
{
	answer_named(r, a, KIND_PROMPT);
}

/* --- what has a URI ------------------------------------------------------- */

static void refuse_uri(struct router *r, const struct asked *a,
		       struct slice quoted)
{
	struct buf extra = {0};
	struct err e;

	buf_append_text(&extra, "\"uri\":");
	buf_append_slice(&extra, quoted);
	buf_append(&extra, "", 1);
	err_set(&e, ERR_UNKNOWN_RESOURCE, "Resource not found");
	reply_error_with(r, a->to, &e, extra.data);
	buf_finish(&extra);
}

bool method_find_uri(struct router *r, const struct asked *a,
		     struct slice quoted, struct owner *o)
{
	struct buf uri = {0};

	json_unquote(&uri, quoted);
	owner_find(r, buf_slice(&uri), o);
	if (a->source) {
		owner_finish(o);
		*o = (struct owner){.at = router_routed(r, a->source),
				    .listed = true};
		buf_append_slice(&o->uri, buf_slice(&uri));
	}
	buf_finish(&uri);
	/* Any rule but the first may say something else when all is known. */
	if (!o->listed && asked_waits(r, a, KINDS_RESOURCE)) {
		owner_finish(o);
		return false;
	}
	if (!o->at) {
		owner_finish(o);
		refuse_uri(r, a, quoted);
		return false;
	}
	return true;
}

void method_read_resource(struct router *r, const struct asked *a)
{
	struct call_target target;
	struct owner o;
	struct err e;

	if (!call_read(a->m, "uri", &target, &e)) {
		reply_error(r, a->to, &e, a->source);
		return;
	}
	if (!method_find_uri(r, a, target.value, &o))
		return;
	if (!start(a, o.at, &target, buf_slice(&o.uri),
		   o.aliased ? CALL_ALIASED : 0, &e))
		reply_error(r, a->to, &e, source_name(o.at->source));
	owner_finish(&o);
}

/* --- completion ----------------------------------------------------------- */

/* Forward to who completes that, or say that nobody has anything to offer. */
static void forward_completion(struct router *r, const struct asked *a,
			       const struct call_target *target,
			       struct routed *at, struct slice own)
{
	struct err e;

	if (!at->completes)
		reply_result(r, a->to,
			     slice_of("{\"completion\":{\"values\":[],"
				      "\"total\":0,\"hasMore\":false}}"));
	else if (!start(a, at, target, own, 0, &e))
		reply_error(r, a->to, &e, source_name(at->source));
}

static void complete_prompt(struct router *r, const struct asked *a,
			    const struct call_target *target, struct slice name)
{
	const struct catalogue_item *prompt;
	struct err e;

	prompt = find_named(r, a, KIND_PROMPT, name, &e);
	if (prompt)
		forward_completion(r, a, target,
				   router_routed(r, prompt->source),
				   prompt->key);
	else if (!may_appear(e.reason) || !asked_waits(r, a, KINDS_PROMPT))
		reply_error(r, a->to, &e, a->source);
}

/* A template is its own name; a resource without variables may be meant. */
static void complete_resource(struct router *r, const struct asked *a,
			      const struct call_target *target,
			      struct slice name)
{
	const struct catalogue_item *item =
		catalogue_find(r->catalogues[KIND_TEMPLATE], name);
	struct owner o;

	if (item && !a->source) {
		forward_completion(r, a, target, router_routed(r, item->source),
				   name);
	} else if (method_find_uri(r, a, target->value, &o)) {
		forward_completion(r, a, target, o.at, buf_slice(&o.uri));
		owner_finish(&o);
	}
}

void method_complete(struct router *r, const struct asked *a)
{
	struct call_target target;
	struct buf name = {0};
	struct err e;

	if (!call_read(a->m, "ref", &target, &e)) {
		reply_error(r, a->to, &e, a->source);
		return;
	}
	json_unquote(&name, target.value);
	if (json_string_is(target.type, "ref/prompt"))
		complete_prompt(r, a, &target, buf_slice(&name));
	else
		complete_resource(r, a, &target, buf_slice(&name));
	buf_finish(&name);
}
