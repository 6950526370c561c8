/* project: what an older revision cannot take, and nothing else, changes. */
#include "server/mcp/project.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"
#include "server/mcp/result.h"

#define A "2024-11-05"
#define B "2025-03-26"
#define C "2025-06-18"
#define D "2025-11-25"

/* The response with this text behind its id, for that revision. */
static void expect_one(const char *revision, bool wrapped, const char *rest,
		       const char *want, bool may_take)
{
	struct buf text = {0}, got = {0}, whole = {0};
	struct jsonrpc m;
	struct err e;

	buf_printf(&text, "{\"id\": 17,%s}", rest);
	buf_printf(&whole, "{\"id\": \"x\",%s}", want);
	assert_true(jsonrpc_slice(buf_slice(&text), &m, &e));
	m.whole = may_take ? &text : NULL;
	const struct result result = result_read(m.result);
	project_response(&got, &m, &result, slice_of("\"x\""), revision,
			 wrapped);
	/* It is taken when nothing but the id changes. */
	assert_int_equal(!text.data, may_take && strcmp(rest, want) == 0);
	assert_true(json_check(buf_slice(&got), &e));
	buf_append(&got, "", 1);
	buf_append(&whole, "", 1);
	assert_string_equal(got.data, whole.data);
	buf_finish(&text);
	buf_finish(&got);
	buf_finish(&whole);
}

static void expect(const char *revision, bool wrapped, const char *rest,
		   const char *want)
{
	expect_one(revision, wrapped, rest, want, false);
	expect_one(revision, wrapped, rest, want, true);
}

static void expect_tool(const char *tool, bool wrapped, const char *want)
{
	struct buf got = {0};
	struct err e;

	assert_int_equal(project_tool(&got, slice_of(tool)), wrapped);
	assert_true(json_check(buf_slice(&got), &e));
	buf_append(&got, "", 1);
	assert_string_equal(got.data, want);
	buf_finish(&got);
}

#define RESULT(text) "\"jsonrpc\":\"2.0\", \"result\": {" text "}"

static void audio_becomes_a_text_for_the_first_revision(void **state)
{
#define AUDIO                                                                  \
	"{ \"data\":\"QUJD\",\"type\":\"\\u0061udio\",\"mimeType\":"           \
	"\"audio/\\u0077av\",\"annotations\":{\"priority\":1.0} }"
	static const char *const later[] = {B, C, D};

	(void)state;
	expect(A, false, RESULT("\"n\":1e400,\"content\":[ " AUDIO " ,7]"),
	       RESULT("\"n\":1e400,\"content\":[ {\"type\":\"text\",\"text\":"
		      "\"[audio, audio/\\u0077av, 4 characters of base64: left "
		      "out, this client's revision of MCP has no audio]\","
		      "\"annotations\":{\"priority\":1.0}} ,7]"));
	for (size_t i = 0; i < 3; i++)
		expect(later[i], false, RESULT("\"content\":[" AUDIO "]"),
		       RESULT("\"content\":[" AUDIO "]"));
}

static void a_link_becomes_a_text_before_it_was_known(void **state)
{
#define LINK                                                                   \
	"{\"type\":\"resource_link\",\"uri\":\"a:\\/\\/b\",\"name\":\"n\\n\"," \
	"\"mimeType\":\"text/plain\",\"_meta\":{\"k\":-0}}"
#define SAID                                                                   \
	"{\"type\":\"text\",\"text\":\"n\\n: a:\\/\\/b (text/plain)\","        \
	"\"_meta\":{\"k\":-0}}"

	(void)state;
	expect(A, false, RESULT("\"content\":[" LINK "," LINK "]"),
	       RESULT("\"content\":[" SAID "," SAID "]"));
	expect(B, false, RESULT("\"content\":[" LINK "],\"content2\":1"),
	       RESULT("\"content\":[" SAID "],\"content2\":1"));
	expect(C, false, RESULT("\"content\":[" LINK "]"),
	       RESULT("\"content\":[" LINK "]"));
	expect(B, false, RESULT("\"content\":[{\"type\":\"resource_link\"}]"),
	       RESULT("\"content\":[{\"type\":\"text\",\"text\":"
		      "\"resource: \"}]"));
	/* The messages of a prompt have one block each. */
	expect(A, false,
	       RESULT("\"messages\":[{\"role\":\"user\",\"content\":" LINK
		      "}]"),
	       RESULT("\"messages\":[{\"role\":\"user\",\"content\":" SAID
		      "}]"));
}

static void what_has_other_shapes_passes(void **state)
{
	static const char *const odd[] = {
		RESULT(""),
		RESULT("\"content\":{\"type\":\"audio\"}"),
		RESULT("\"content\":[null,[],\"audio\",{}]"),
		RESULT("\"content\":[{\"type\":[\"audio\"]}]"),
		RESULT("\"messages\":[{\"content\":[]},7]"),
		RESULT("\"structuredContent\":{\"content\":[" LINK "]}"),
		"\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"\","
		"\"data\":{\"content\":[" LINK "]}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		expect(A, false, odd[i], odd[i]);
}

#define URL_ERROR(code, message)                                               \
	"\"jsonrpc\":\"2.0\",\"error\":{\"code\": " code                       \
	",\"message\":\"" message                                              \
	"\",\"data\":{\"elicitations\":[{\"url\":\"https:\\/\\/a\"},"          \
	"{\"mode\":\"url\"},{\"url\":\"https://b\"}]}}"

static void an_error_with_urls_is_one_that_people_can_read(void **state)
{
	(void)state;
	expect(C, false, URL_ERROR("-32042", "go there:"),
	       URL_ERROR("-32603", "go there: https:\\/\\/a https://b"));
	expect(A, false, URL_ERROR("-32042", ""),
	       URL_ERROR("-32603", " https:\\/\\/a https://b"));
	expect(D, false, URL_ERROR("-32042", "go there:"),
	       URL_ERROR("-32042", "go there:"));
	expect(C, false, URL_ERROR("-32002", "no"), URL_ERROR("-32002", "no"));
	expect(C, false,
	       "\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32042,"
	       "\"message\":\"m\"}",
	       "\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,"
	       "\"message\":\"m\"}");
}

static void structured_content_is_an_object_for_everybody(void **state)
{
	static const char *const values[] = {"[1.0]", "7", "null", "\"\"",
					     "true"};
	char text[128], want[128];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(text, sizeof(text),
			 RESULT("\"structuredContent\": %s ,\"z\":0"),
			 values[i]);
		snprintf(want, sizeof(want),
			 RESULT("\"structuredContent\": {\"result\":%s} ,"
				"\"z\":0"),
			 values[i]);
		expect(D, false, text, want);
		expect(A, true, text, want);
	}
	expect(D, false, RESULT("\"structuredContent\":{\"a\":[]}"),
	       RESULT("\"structuredContent\":{\"a\":[]}"));
	/* The schema was wrapped, so its objects are too. */
	expect(D, true, RESULT("\"structuredContent\":{\"a\":[]}"),
	       RESULT("\"structuredContent\":{\"result\":{\"a\":[]}}"));
	expect(D, true, RESULT("\"content\":[\"structuredContent\"]"),
	       RESULT("\"content\":[\"structuredContent\"]"));
}

#define OPEN  "{\"type\":\"object\",\"properties\":{\"result\":"
#define CLOSE "},\"required\":[\"result\"]}"

static void an_output_schema_is_an_objects(void **state)
{
	(void)state;
	expect_tool("{\"name\":\"a\"}", false, "{\"name\":\"a\"}");
	expect_tool("{\"outputSchema\":{\"type\":\"object\",\"x\":1e400}}",
		    false,
		    "{\"outputSchema\":{\"type\":\"object\",\"x\":1e400}}");
	expect_tool("{\"outputSchema\" : {\"type\":\"array\"} ,\"b\":1.0}",
		    true,
		    "{\"outputSchema\" : " OPEN "{\"type\":\"array\"}" CLOSE
		    " ,\"b\":1.0}");
	expect_tool("{\"outputSchema\":{\"anyOf\":[]}}", true,
		    "{\"outputSchema\":" OPEN "{\"anyOf\":[]}" CLOSE "}");
	expect_tool("{\"outputSchema\":{\"type\":[\"object\"]}}", true,
		    "{\"outputSchema\":" OPEN "{\"type\":[\"object\"]}" CLOSE
		    "}");
	expect_tool("{\"outputSchema\":true}", true,
		    "{\"outputSchema\":" OPEN "{}" CLOSE "}");
	expect_tool("{\"outputSchema\":false}", true,
		    "{\"outputSchema\":" OPEN "{\"not\":{}}" CLOSE "}");
}

static void what_is_no_schema_is_left_out(void **state)
{
	(void)state;
	expect_tool("{\"outputSchema\":null}", false, "{}");
	expect_tool("{ \"outputSchema\" : null , \"b\":1}", false,
		    "{ \"b\":1}");
	expect_tool("{\"a\":1 , \"outputSchema\":[]}", false, "{\"a\":1}");
	expect_tool("{\"a\":1,\"outputSchema\":\"x\", \"b\":2}", false,
		    "{\"a\":1, \"b\":2}");
}

static void references_go_on_meaning_the_same(void **state)
{
	(void)state;
	expect_tool("{\"outputSchema\":{\"anyOf\":[{\"$ref\":\"#\"},"
		    "{\"$ref\":\"#/$defs/x\"},{\"$ref\":\"#anchor\"},"
		    "{\"$ref\":\"http://x/#/y\"},{\"$ref\":7},"
		    "{\"const\":{\"$ref\":\"#/a\"}},"
		    "{\"properties\":{\"const\":{\"$dynamicRef\":\"#/b\"},"
		    "\"$ref\":{\"$ref\":\"#/c\"}}},"
		    "{\"$id\":\"u:v\",\"not\":{\"$ref\":\"#/d\"}},"
		    "{\"$id\":\"#v\",\"not\":{\"$ref\":\"#/e\"}}],"
		    "\"$defs\":{\"x\":{}}}}",
		    true,
		    "{\"outputSchema\":" OPEN
		    "{\"anyOf\":[{\"$ref\":\"#/properties/result\"},"
		    "{\"$ref\":\"#/properties/result/$defs/x\"},"
		    "{\"$ref\":\"#anchor\"},"
		    "{\"$ref\":\"http://x/#/y\"},{\"$ref\":7},"
		    "{\"const\":{\"$ref\":\"#/a\"}},"
		    "{\"properties\":{\"const\":{\"$dynamicRef\":"
		    "\"#/properties/result/b\"},"
		    "\"$ref\":{\"$ref\":\"#/properties/result/c\"}}},"
		    "{\"$id\":\"u:v\",\"not\":{\"$ref\":\"#/d\"}},"
		    "{\"$id\":\"#v\",\"not\":{\"$ref\":"
		    "\"#/properties/result/e\"}}],"
		    "\"$defs\":{\"x\":{}}}" CLOSE "}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(audio_becomes_a_text_for_the_first_revision),
		cmocka_unit_test(a_link_becomes_a_text_before_it_was_known),
		cmocka_unit_test(what_has_other_shapes_passes),
		cmocka_unit_test(
			an_error_with_urls_is_one_that_people_can_read),
		cmocka_unit_test(structured_content_is_an_object_for_everybody),
		cmocka_unit_test(an_output_schema_is_an_objects),
		cmocka_unit_test(what_is_no_schema_is_left_out),
		cmocka_unit_test(references_go_on_meaning_the_same),
	};

	return cmocka_run_group_tests_name("project", tests, NULL, NULL);
}
