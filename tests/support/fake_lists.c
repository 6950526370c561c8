/* The lists of tools of the fake MCP server, good and bad. */
#include "tests/support/fake_source.h"

#include <stdlib.h>

#include "proto/json.h"

/* One tool a page; the cursors are "", "1", "2" and so on. */
static void list_page(const struct jsonrpc *m)
{
	struct slice cursor = json_get(m->params, "cursor");
	struct buf result = {0};
	int i = 0;

	if (cursor.len == 2)
		i = 1;
	else if (cursor.len > 2)
		i = atoi(cursor.ptr + 1) + 1;
	buf_append_text(&result, "{\"tools\":[");
	fake_append_tool(&result, i);
	buf_append_text(&result, "]");
	if (i == 0)
		buf_append_text(&result, ",\"nextCursor\":\"\"");
	else if (i + 1 < fake_tools_listed())
		buf_printf(&result, ",\"nextCursor\":\"%d\"", i);
	buf_append(&result, "}\0", 2);
	fake_answer(m->id, result.data);
	buf_finish(&result);
}

static void list_many(const struct jsonrpc *m)
{
	static int page;
	struct buf result = {0};

	buf_append_text(&result, "{\"tools\":[");
	for (int i = 0; i < 6000; i++)
		buf_printf(&result, "%s{\"name\":\"t%d-%d\"," SCHEMA "}",
			   i ? "," : "", page, i);
	buf_printf(&result, "],\"nextCursor\":\"%d\"}", page++);
	buf_append(&result, "", 1);
	fake_answer(m->id, result.data);
	buf_finish(&result);
}

static void list_all(const struct jsonrpc *m)
{
	int listed = fake_is("all-tools") || fake_is("rich") || fake_is("poor")
			     ? fake_tools()
			     : fake_tools_listed();
	struct buf result = {0};

	buf_append_text(&result, "{\"tools\":[");
	for (int i = 0; i < listed; i++) {
		buf_append_text(&result, i ? "," : "");
		fake_append_tool(&result, i);
	}
	if (fake_changed)
		buf_append_text(&result, ",{\"name\":\"extra\"," SCHEMA "}");
	buf_append(&result, "]}\0", 3);
	fake_answer(m->id, result.data);
	buf_finish(&result);
}

void fake_list_tools(const struct jsonrpc *m)
{
	if (fake_is("paging"))
		list_page(m);
	else if (fake_is("same-cursor"))
		fake_answer(m->id, "{\"tools\":[],\"nextCursor\":\"again\"}");
	else if (fake_is("many-tools"))
		list_many(m);
	else if (fake_is("odd-names"))
		fake_answer(m->id,
			    "{\"tools\":["
			    "{\"name\":\"a b/c\"," SCHEMA "},"
			    "{\"name\":\"a\\u0020b\\u002fc\"," SCHEMA "},"
			    "{\"name\":\"a.b.c\"," SCHEMA "},"
			    "{\"name\":7," SCHEMA "},"
			    "{\"title\":\"nameless\"," SCHEMA "},"
			    "{\"name\":\"schemaless\"},"
			    "{\"name\":\"x\",\"name\":\"y\"," SCHEMA "},"
			    "{\"name\":\"good\",\"future\":[1.0,1e400]," SCHEMA
			    "}]}");
	else if (fake_is("odd-schemas"))
		fake_answer(
			m->id,
			"{\"tools\":["
			"{\"name\":\"answer\",\"outputSchema\":"
			"{\"type\":\"array\",\"items\":{\"anyOf\":["
			"{\"type\":\"number\"},{\"$ref\":\"#\"}]}}," SCHEMA "},"
			"{\"name\":\"echo\",\"outputSchema\":{}," SCHEMA "},"
			"{\"name\":\"add\",\"outputSchema\":null," SCHEMA "},"
			"{\"name\":\"slow\",\"outputSchema\":true," SCHEMA "},"
			"{\"name\":\"log\",\"outputSchema\":"
			"{\"type\":\"object\"}," SCHEMA "}]}");
	else
		list_all(m);
}
