#include "proto/jsonrpc.h"

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/json_scan.h"

/* The members of a message that mean something to us. */
enum member { VERSION, ID, METHOD, PARAMS, RESULT, ERROR, MEMBERS };

static const char *const names[MEMBERS] = {
	[VERSION] = "jsonrpc", [ID] = "id",	    [METHOD] = "method",
	[PARAMS] = "params",   [RESULT] = "result", [ERROR] = "error",
};

struct found {
	struct slice value[MEMBERS]; /* the last of each, raw */
	unsigned twice;		     /* a bit for each that came again */
	bool object;		     /* the text is one */
};

/* Which one key is; MEMBERS for none of them. */
static enum member name_member(struct slice key)
{
	switch (key.len) {
	case 2:
		if (slice_is(key, "id"))
			return ID;
		break;
	case 5:
		if (slice_is(key, "error"))
			return ERROR;
		break;
	case 6:
		if (slice_is(key, "method"))
			return METHOD;
		if (slice_is(key, "params"))
			return PARAMS;
		if (slice_is(key, "result"))
			return RESULT;
		break;
	case 7:
		if (slice_is(key, "jsonrpc"))
			return VERSION;
		break;
	default:
		break;
	}
	/* It may have escapes. */
	return json_key_among(key, names, MEMBERS);
}

static void on_member(void *owner, struct slice key, struct slice value)
{
	struct found *f = owner;
	enum member which = name_member(key);

	if (which == MEMBERS)
		return;
	if (f->value[which].len > 0)
		f->twice |= 1u << which;
	f->value[which] = value;
}

/* The one pass: all of text is checked, and the members found on the way. */
static bool read_message(struct slice text, struct found *f, struct err *e)
{
	struct json_scan s = json_scan_of(text);

	json_scan_space(&s);
	f->object = json_scan_byte(&s, '{');
	/* The message itself is one level of the depth. */
	bool ok = f->object ? json_scan_members(&s, JSON_DEPTH - 1, on_member,
						f, e)
			    : json_scan_value(&s, JSON_DEPTH, e);
	return ok && json_scan_end(&s, e);
}

/* Is the value of this number surely an integer?  Its fraction is zeros and
 * its exponent not negative; 15e-1 and 1.5e1 are not worth arithmetic. */
static bool is_integer(struct slice number)
{
	bool fraction = false;

	for (size_t i = 0; i < number.len; i++) {
		char c = number.ptr[i];

		if (c == 'e' || c == 'E')
			return number.ptr[i + 1] != '-';
		if (fraction && c != '0')
			return false;
		fraction = fraction || c == '.';
	}
	return true;
}

/* MCP, Base Protocol, Requests: Requests MUST include a string or integer ID;
 * the ID MUST NOT be null. */
static bool is_id(struct slice id)
{
	enum json_kind kind = json_kind(id);

	return kind == JSON_STRING || (kind == JSON_NUMBER && is_integer(id));
}

static bool judge_call(const struct found *f, struct jsonrpc *m, struct err *e)
{
	struct slice params = f->value[PARAMS];
	enum json_kind kind = json_kind(params);

	if (json_kind(f->value[METHOD]) != JSON_STRING)
		return err_set(e, ERR_INVALID_REQUEST,
			       "the method is not a string");
	if (f->value[RESULT].len > 0 || f->value[ERROR].len > 0)
		return err_set(e, ERR_INVALID_REQUEST,
			       "a method beside a result or an error");
	/* JSON-RPC 2.0, section 4.2: If present, parameters for the rpc call
	 * MUST be provided as a Structured value.  null is what some writers
	 * make of absent. */
	if (kind == JSON_NULL)
		params = (struct slice){NULL, 0};
	else if (kind != JSON_NONE && kind != JSON_OBJECT && kind != JSON_ARRAY)
		return err_set(e, ERR_INVALID_REQUEST,
			       "the params are neither an object nor an array");
	m->kind = JSONRPC_NOTIFICATION;
	m->method = f->value[METHOD];
	m->params = params;
	if (f->value[ID].len == 0)
		return true;
	m->kind = JSONRPC_REQUEST;
	m->id = f->value[ID];
	if (!is_id(m->id))
		return err_set(e, ERR_INVALID_REQUEST,
			       "the id is neither a string nor an integer");
	return true;
}

static bool judge_answer(const struct found *f, struct jsonrpc *m,
			 struct err *e)
{
	struct slice id = f->value[ID];
	bool failed = f->value[ERROR].len > 0;

	/* JSON-RPC 2.0, section 5: Either the result member or error member
	 * MUST be included, but both members MUST NOT be included. */
	if (failed && f->value[RESULT].len > 0)
		return err_set(e, ERR_INVALID_REQUEST,
			       "both a result and an error");
	if (!failed && f->value[RESULT].len == 0)
		return err_set(e, ERR_INVALID_REQUEST,
			       "neither a method nor a result nor an error");
	if (failed && json_kind(f->value[ERROR]) != JSON_OBJECT)
		return err_set(e, ERR_INVALID_REQUEST,
			       "the error is not an object");
	/* The same: If there was an error in detecting the id in the Request
	 * object, it MUST be Null. */
	bool nameless = id.len == 0 || json_kind(id) == JSON_NULL;
	if (!is_id(id) && !(failed && nameless))
		return err_set(e, ERR_INVALID_REQUEST,
			       "the id is neither a string nor an integer");
	m->kind = failed ? JSONRPC_ERROR : JSONRPC_RESULT;
	m->id = id;
	m->result = f->value[RESULT];
	m->error = f->value[ERROR];
	return true;
}

static bool judge(const struct found *f, struct jsonrpc *m, struct err *e)
{
	if (!f->object)
		return err_set(e, ERR_INVALID_REQUEST,
			       "a message is a JSON object");
	for (enum member i = 0; f->twice != 0 && i < MEMBERS; i++)
		if (f->twice & 1u << i)
			return err_set(e, ERR_INVALID_REQUEST,
				       "the member \"%s\" occurs twice",
				       names[i]);
	/* JSON-RPC 2.0, section 4: MUST be exactly "2.0". */
	if (!json_string_is(f->value[VERSION], "2.0"))
		return err_set(e, ERR_INVALID_REQUEST,
			       "the member \"jsonrpc\" is not \"2.0\"");
	return f->value[METHOD].len > 0 ? judge_call(f, m, e)
					: judge_answer(f, m, e);
}

bool jsonrpc_slice(struct slice text, struct jsonrpc *m, struct err *e)
{
	struct found found = {0};
	struct err why;

	*m = (struct jsonrpc){.text = text};
	if (read_message(text, &found, &why) && judge(&found, m, &why))
		return true;
	/* Text that is not even JSON tells nothing reliable, not even an id. */
	struct slice id = found.value[ID];
	bool sure = why.reason != ERR_PARSE && is_id(id) &&
		    !(found.twice & 1u << ID);
	*m = (struct jsonrpc){.text = text};
	if (sure)
		m->id = id;
	if (e)
		*e = why;
	return false;
}

bool jsonrpc_is_batch(struct slice text)
{
	struct json_scan s = json_scan_of(text);

	json_scan_space(&s);
	return json_scan_byte(&s, '[');
}

static void append_head(struct buf *to, struct slice id)
{
	buf_append_text(to, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_append_slice(to, id.len > 0 ? id : (struct slice){"null", 4});
}

void jsonrpc_error(struct buf *to, struct slice id, const struct err *e,
		   const char *extra)
{
	append_head(to, id);
	buf_printf(to, ",\"error\":{\"code\":%d,\"message\":",
		   err_jsonrpc(e->reason));
	json_quote(to, slice_of(e->text));
	buf_printf(to, ",\"data\":{\"reason\":\"%s\"%s%s}}}",
		   err_name(e->reason), extra ? "," : "", extra ? extra : "");
}

void jsonrpc_result(struct buf *to, struct slice id, struct slice result)
{
	append_head(to, id);
	buf_append_text(to, ",\"result\":");
	buf_append_slice(to, result);
	buf_append(to, "}", 1);
}

void jsonrpc_request(struct buf *to, struct slice id, const char *method,
		     struct slice params)
{
	buf_append_text(to, "{\"jsonrpc\":\"2.0\",");
	if (id.len > 0) {
		buf_append_text(to, "\"id\":");
		buf_append_slice(to, id);
		buf_append(to, ",", 1);
	}
	buf_append_text(to, "\"method\":");
	json_quote(to, slice_of(method));
	if (params.len > 0) {
		buf_append_text(to, ",\"params\":");
		buf_append_slice(to, params);
	}
	buf_append(to, "}", 1);
}
