#include "server/mcp/question.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"

/* Where the user is shown who asks. */
static const char meta_key[] = "executor/source";

static const struct {
	enum question_kind kind;
	const char *method;
} methods[] = {
	{QUESTION_ELICITATION, "elicitation/create"},
	{QUESTION_SAMPLING, "sampling/createMessage"},
	{QUESTION_ROOTS, "roots/list"},
};

static bool is_object(struct slice value)
{
	return json_kind(value) == JSON_OBJECT;
}

/* MCP 2025-11-25, Elicitation: "For backwards compatibility, an empty
 * capabilities object is equivalent to declaring support for form mode
 * only." */
unsigned question_abilities(struct slice params)
{
	struct slice declared = json_get(params, "capabilities");
	struct slice elicitation = json_get(declared, "elicitation");
	struct slice sampling = json_get(declared, "sampling");
	unsigned can = 0;

	if (is_object(elicitation)) {
		bool form = is_object(json_get(elicitation, "form"));
		bool url = is_object(json_get(elicitation, "url"));

		can |= form || !url ? QUESTION_CAN_FORM : 0;
		can |= url ? QUESTION_CAN_URL : 0;
	}
	if (is_object(sampling)) {
		can |= QUESTION_CAN_SAMPLE;
		if (is_object(json_get(sampling, "tools")))
			can |= QUESTION_CAN_SAMPLE_TOOLS;
	}
	if (is_object(json_get(declared, "roots")))
		can |= QUESTION_CAN_ROOTS;
	return can;
}

enum question_kind question_kind(const struct jsonrpc *m)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (jsonrpc_method_is(m, methods[i].method))
			return methods[i].kind;
	return QUESTION_NONE;
}

/* --- reading -------------------------------------------------------------- */

/* Two parsers may take different ones of two equal keys: what we change must
 * be there once. */
static bool once(struct slice object, const char *name, struct err *e)
{
	if (!json_has_twice(object, name))
		return true;
	return err_set(e, ERR_INVALID_REQUEST, "the member \"%s\" occurs twice",
		       name);
}

static bool read_meta(struct slice params, struct question *q, struct err *e)
{
	struct slice meta = json_get(params, "_meta");

	if (!once(params, "_meta", e))
		return false;
	if (meta.len == 0)
		return true;
	if (!is_object(meta))
		return err_set(e, ERR_INVALID_PARAMS,
			       "params._meta is not an object");
	if (!once(meta, "progressToken", e) || !once(meta, meta_key, e))
		return false;
	q->token = json_get(meta, "progressToken");
	return true;
}

static unsigned needs(const struct question *q)
{
	struct slice params = q->m->params;

	switch (q->kind) {
	case QUESTION_ELICITATION:
		return json_string_is(json_get(params, "mode"), "url")
			       ? QUESTION_CAN_URL
			       : QUESTION_CAN_FORM;
	case QUESTION_SAMPLING:
		/* "Servers MUST NOT send tool-enabled sampling requests to
		 * Clients that have not declared support for tool use". */
		if (json_get(params, "tools").len > 0 ||
		    json_get(params, "toolChoice").len > 0)
			return QUESTION_CAN_SAMPLE | QUESTION_CAN_SAMPLE_TOOLS;
		return QUESTION_CAN_SAMPLE;
	case QUESTION_ROOTS:
		return QUESTION_CAN_ROOTS;
	case QUESTION_NONE:
		break;
	}
	return 0;
}

bool question_read(const struct jsonrpc *m, struct question *q, struct err *e)
{
	*q = (struct question){.m = m, .kind = question_kind(m)};
	if (!is_object(m->params) &&
	    (q->kind != QUESTION_ROOTS || m->params.len > 0))
		return err_set(e, ERR_INVALID_PARAMS,
			       "the params are not an object");
	if (!read_meta(m->params, q, e) || !once(m->params, "mode", e) ||
	    !once(m->params, "elicitationId", e))
		return false;
	q->needs = needs(q);
	if (q->needs & QUESTION_CAN_URL)
		q->elicitation = json_get(m->params, "elicitationId");
	return true;
}

/* MCP 2025-11-25, Elicitation: "-32602 (Invalid params): Server sends an
 * elicitation/create request with a mode not declared in client
 * capabilities". */
bool question_check(const struct question *q, unsigned abilities, struct err *e)
{
	unsigned missing = q->needs & ~abilities;

	if (missing == 0)
		return true;
	if (missing & QUESTION_CAN_SAMPLE)
		return err_set(e, ERR_METHOD_NOT_FOUND,
			       "the client that called does not support "
			       "sampling");
	if (missing & QUESTION_CAN_SAMPLE_TOOLS)
		return err_set(e, ERR_INVALID_PARAMS,
			       "the client that called does not support tools "
			       "in sampling");
	if (missing & QUESTION_CAN_ROOTS)
		return err_set(e, ERR_METHOD_NOT_FOUND,
			       "the client that called does not support roots");
	if (abilities & (QUESTION_CAN_FORM | QUESTION_CAN_URL))
		return err_set(e, ERR_INVALID_PARAMS,
			       "the client that called does not support this "
			       "mode of elicitation");
	return err_set(e, ERR_METHOD_NOT_FOUND,
		       "the client that called does not support elicitation");
}

/* --- writing -------------------------------------------------------------- */

struct edits {
	struct json_edit list[3];
	size_t count;
};

/* json_splice() wants the order of the text. */
static void edit(struct edits *e, struct slice old, struct slice with)
{
	size_t at = e->count++;

	for (; at > 0 && e->list[at - 1].old.ptr > old.ptr; at--)
		e->list[at] = e->list[at - 1];
	e->list[at] = (struct json_edit){old, with};
}

/* Behind the opening brace of a valid object. */
static struct slice inside(struct slice object)
{
	return (struct slice){object.ptr + 1, 0};
}

static bool is_empty(struct slice object)
{
	struct json_member first;
	size_t at = 0;

	return !json_next_member(object, &at, &first);
}

/* Name the source in _meta.  What it says of itself there is replaced. */
static void edit_source(struct edits *e, const struct question *q,
			struct buf *text, const char *source)
{
	struct slice params = q->m->params;
	struct slice meta = json_get(params, "_meta");
	struct slice said = json_get(meta, meta_key);
	struct slice into = meta.len > 0 ? meta : params;

	if (said.len > 0) {
		json_quote(text, slice_of(source));
		edit(e, said, buf_slice(text));
		return;
	}
	buf_append_text(text, meta.len > 0 ? "" : "\"_meta\":{");
	json_quote(text, slice_of(meta_key));
	buf_append_text(text, ":");
	json_quote(text, slice_of(source));
	buf_append_text(text, meta.len > 0 ? "" : "}");
	buf_append_text(text, is_empty(into) ? "" : ",");
	edit(e, inside(into), buf_slice(text));
}

void question_write(struct buf *to, const struct question *q, uint64_t number,
		    const char *source)
{
	char decimal[24];
	struct edits edits = {.count = 0};
	struct buf named = {0};

	snprintf(decimal, sizeof(decimal), "%" PRIu64, number);
	if (q->m->params.len == 0) {
		buf_append_text(&named, "{\"_meta\":{");
		json_quote(&named, slice_of(meta_key));
		buf_append_text(&named, ":");
		json_quote(&named, slice_of(source));
		buf_append_text(&named, "}}");
		jsonrpc_request(to, slice_of(decimal), "roots/list",
				buf_slice(&named));
	} else {
		edit(&edits, q->m->id, slice_of(decimal));
		if (q->token.len > 0)
			edit(&edits, q->token, slice_of(decimal));
		edit_source(&edits, q, &named, source);
		json_splice(to, q->m->text, edits.list, edits.count);
	}
	buf_finish(&named);
}

/* MCP 2025-11-25, Sampling: "Clients SHOULD return errors for common failure
 * cases: User rejected sampling request: -1". */
static void reject_sampling(struct buf *to, struct slice id,
			    const struct err *why)
{
	struct buf message = {0};

	buf_printf(&message, "User rejected sampling request: %s", why->text);
	buf_append_text(to, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_append_slice(to, id);
	buf_append_text(to, ",\"error\":{\"code\":-1,\"message\":");
	json_quote(to, buf_slice(&message));
	buf_append_text(to, "}}");
	buf_finish(&message);
}

void question_dismiss(struct buf *to, enum question_kind kind, struct slice id,
		      const struct err *why)
{
	switch (kind) {
	case QUESTION_ELICITATION:
		jsonrpc_result(to, id, slice_of("{\"action\":\"cancel\"}"));
		return;
	case QUESTION_SAMPLING:
		reject_sampling(to, id, why);
		return;
	case QUESTION_ROOTS:
	case QUESTION_NONE:
		jsonrpc_error(to, id, why, NULL);
		return;
	}
}
