/*
 * slicer: a JSON-RPC message is sliced, walked, spliced and printed on one
 * line.
 *
 * Slices lie inside the text; a splice that puts back what was there changes
 * nothing; one that changes the id changes only the id.
 */
#include <assert.h>

#include "fuzz.h"
#include "proto/buf.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/utf8.h"

static void lies_inside(struct slice part, struct slice whole)
{
	if (part.len == 0)
		return;
	assert(part.ptr >= whole.ptr);
	assert(part.ptr + part.len <= whole.ptr + whole.len);
}

static void put_back(struct slice text, struct slice part)
{
	const struct json_edit same = {part, part};
	struct buf out = {0};

	json_splice(&out, text, &same, 1);
	assert(slice_equal(buf_slice(&out), text));
	buf_finish(&out);
}

/* Every value is valid by itself, and a string survives being resolved. */
static void check_value(struct slice value)
{
	struct buf out = {0};
	struct buf quoted = {0};

	assert(json_check(value, NULL));
	if (json_kind(value) == JSON_STRING) {
		json_unquote(&out, value);
		assert(utf8_valid(buf_slice(&out)));
		json_quote(&quoted, buf_slice(&out));
		assert(json_check(buf_slice(&quoted), NULL));
		struct buf again = {0};
		json_unquote(&again, buf_slice(&quoted));
		assert(slice_equal(buf_slice(&out), buf_slice(&again)));
		buf_finish(&again);
	}
	buf_finish(&out);
	buf_finish(&quoted);
}

/* Text need not be valid: then less is found, never more than is there. */
static void walk(struct slice text, struct slice value, bool valid,
		 unsigned depth)
{
	struct json_member m;
	struct slice element;

	if (depth == 0)
		return;
	for (size_t at = 0; json_next_member(value, &at, &m);) {
		lies_inside(m.key, text);
		lies_inside(m.value, text);
		if (valid) {
			check_value(m.value);
			put_back(text, m.value);
		}
		walk(text, m.value, valid, depth - 1);
	}
	for (size_t at = 0; json_next_element(value, &at, &element);) {
		lies_inside(element, text);
		if (valid)
			check_value(element);
		walk(text, element, valid, depth - 1);
	}
	(void)json_get(value, "params");
	(void)json_has_twice(value, "id");
	(void)json_path(value, "params", "_meta", "progressToken", NULL);
}

static void check_line(struct slice text)
{
	struct buf line = {0};

	json_one_line(&line, text);
	assert(line.len == text.len);
	assert(!memchr(line.data, '\n', line.len));
	assert(json_check(buf_slice(&line), NULL));
	buf_finish(&line);
}

static void change_id(const struct jsonrpc *m)
{
	const struct json_edit edit = {m->id, slice_of("\"another\"")};
	struct jsonrpc other;
	struct buf out = {0};

	if (m->id.len == 0)
		return;
	json_splice(&out, m->text, &edit, 1);
	assert(jsonrpc_slice(buf_slice(&out), &other, NULL));
	assert(other.kind == m->kind);
	assert(slice_is(other.id, "\"another\""));
	assert(slice_equal(other.method, m->method));
	assert(slice_equal(other.params, m->params));
	assert(slice_equal(other.result, m->result));
	assert(slice_equal(other.error, m->error));
	buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct jsonrpc m;
	struct err e = {0};
	bool valid = json_check(text, &e);

	assert(valid || e.reason == ERR_PARSE || e.reason == ERR_TOO_LARGE);
	(void)jsonrpc_is_batch(text);
	walk(text, text, valid, 3);
	if (valid)
		check_line(text);
	if (!jsonrpc_slice(text, &m, &e)) {
		assert(e.reason == ERR_PARSE || e.reason == ERR_TOO_LARGE ||
		       e.reason == ERR_INVALID_REQUEST);
		if (e.reason != ERR_PARSE)
			lies_inside(m.id, text);
		return 0;
	}
	assert(valid);
	lies_inside(m.id, text);
	lies_inside(m.method, text);
	lies_inside(m.params, text);
	lies_inside(m.result, text);
	lies_inside(m.error, text);
	change_id(&m);
	return 0;
}
