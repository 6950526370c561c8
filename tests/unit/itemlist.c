/* itemlist: pages from a server that may be wrong or hostile. */
#include "server/mcp/itemlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "proto/log.h"
#include "server/mcp/source.h"

enum { NAME_BYTES = 256 }; /* of a tool: kind_rows */

/* Feed one answer with that result. */
static bool learn(struct itemlist *l, const char *result, bool *more,
		  struct err *e)
{
	struct buf text = {0};
	struct jsonrpc m;

	log_open(2, LOG_OFF);
	jsonrpc_result(&text, slice_of("1"), slice_of(result));
	assert_true(jsonrpc_slice(buf_slice(&text), &m, e));
	bool ok = itemlist_learn(l, "x", &m, more, e);
	/* Nothing may point at the answer that is gone. */
	memset(text.data, '!', text.len);
	buf_finish(&text);
	return ok;
}

static void pages_come_together_in_order(void **state)
{
	struct itemlist l = {0};
	struct buf line = {0};
	struct err e;
	bool more;

	(void)state;
	itemlist_ask(&l, &line, 1);
	assert_true(slice_is(buf_slice(&line),
			     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
			     "\"tools/list\",\"params\":{}}"));
	assert_true(learn(&l,
			  "{\"tools\":[{\"name\":\"\\u0061\",\"inputSchema\":"
			  "{\"type\":\"object\"}}],\"nextCursor\":\"\"}",
			  &more, &e));
	assert_true(more);
	buf_reset(&line, 0);
	itemlist_ask(&l, &line, 2);
	assert_true(slice_is(buf_slice(&line),
			     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
			     "\"tools/list\",\"params\":{\"cursor\":\"\"}}"));
	assert_true(learn(&l,
			  "{\"tools\":[{\"name\":\"b\",\"inputSchema\":"
			  "{\"type\":\"object\"}}],\"nextCursor\":null}",
			  &more, &e));
	assert_false(more);
	assert_int_equal(l.count, 2);
	assert_true(slice_is(l.items[0].key, "a"));
	assert_true(slice_is(l.items[0].json,
			     "{\"name\":\"\\u0061\",\"inputSchema\":"
			     "{\"type\":\"object\"}}"));
	assert_true(slice_is(l.items[1].key, "b"));
	buf_finish(&line);
	itemlist_finish(&l);
}

static void what_is_no_page_is_refused(void **state)
{
	static const char *const results[] = {
		"{}",
		"[]",
		"{\"tools\":{}}",
		"{\"tools\":[],\"nextCursor\":7}",
		"{\"tools\":[],\"nextCursor\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		struct itemlist l = {0};
		struct err e;
		bool more;

		assert_false(learn(&l, results[i], &more, &e));
		assert_int_equal(e.reason, ERR_SOURCE_PROTOCOL);
		itemlist_finish(&l);
	}
}

static void an_error_is_told_in_its_own_words(void **state)
{
	struct itemlist l = {0};
	struct jsonrpc m;
	struct err e;
	bool more;

	(void)state;
	assert_true(jsonrpc_slice(
		slice_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":"
			 "-32000,\"message\":\"out of \\u0063offee\"}}"),
		&m, &e));
	assert_false(itemlist_learn(&l, "x", &m, &more, &e));
	assert_int_equal(e.reason, ERR_SOURCE_PROTOCOL);
	assert_string_equal(
		e.text,
		"source x answers tools/list with an error: out of coffee");
	itemlist_finish(&l);
}

static void pages_and_cursors_end(void **state)
{
	struct itemlist l = {0};
	struct err e = {0};
	char result[64];
	bool more;
	int pages = 0;

	(void)state;
	do
		snprintf(result, sizeof(result),
			 "{\"tools\":[],\"nextCursor\":\"%d\"}", pages++);
	while (learn(&l, result, &more, &e));
	assert_int_equal(pages, ITEMLIST_PAGES);
	assert_int_equal(e.reason, ERR_TOO_LARGE);
	itemlist_finish(&l);
	/* Not the one before: any that was there. */
	assert_true(
		learn(&l, "{\"tools\":[],\"nextCursor\":\"a\"}", &more, &e));
	assert_true(
		learn(&l, "{\"tools\":[],\"nextCursor\":\"b\"}", &more, &e));
	assert_false(
		learn(&l, "{\"tools\":[],\"nextCursor\":\"a\"}", &more, &e));
	assert_int_equal(e.reason, ERR_SOURCE_PROTOCOL);
	itemlist_finish(&l);
}

static void a_name_has_a_bound(void **state)
{
	struct itemlist l = {0};
	struct err e;
	char result[1024];
	char name[NAME_BYTES + 2];
	bool more;

	(void)state;
	for (size_t len = NAME_BYTES; len <= NAME_BYTES + 1; len++) {
		memset(name, 'n', len);
		name[len] = '\0';
		snprintf(result, sizeof(result),
			 "{\"tools\":[{\"name\":\"%s\",\"inputSchema\":"
			 "{\"type\":\"object\"}}]}",
			 name);
		assert_true(learn(&l, result, &more, &e));
	}
	assert_int_equal(l.count, 1);
	assert_int_equal(l.items[0].key.len, NAME_BYTES);
	itemlist_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_together_in_order),
		cmocka_unit_test(what_is_no_page_is_refused),
		cmocka_unit_test(an_error_is_told_in_its_own_words),
		cmocka_unit_test(pages_and_cursors_end),
		cmocka_unit_test(a_name_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
