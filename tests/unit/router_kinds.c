/* Resources, templates, prompts and completion through the hub. */
#include "server/mcp/router.h"

#include "server/mcp/routing.h"
#include "tests/support/hub_room.h"

/* Wait for the answer to request id, which is one line. */
static const char *answer_to(struct hub *h, struct client *c, const char *id,
			     const char *method, const char *params)
{
	char head[64];

	client_forget(c);
	client_ask(c, id, method, params);
	snprintf(head, sizeof(head), "{\"jsonrpc\":\"2.0\",\"id\":%s,", id);
	client_await(h, c, head);
	return client_find(c, head);
}

#define ASK(h, c, method, params) answer_to((h), (c), "9", (method), (params))

static void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		print_error("no %s in %s\n", part, text);
	assert_non_null(strstr(text, part));
}

static void assert_answer(const char *answer, const char *result)
{
	char want[512];

	snprintf(want, sizeof(want),
		 "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":%s}\n", result);
	assert_string_equal(answer, want);
}

static void a_hub_without_any_has_empty_lists(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	assert_answer(ASK(h, &h->a, "resources/list", ""),
		      "{\"resources\":[]}");
	assert_answer(ASK(h, &h->a, "resources/templates/list", "{}"),
		      "{\"resourceTemplates\":[]}");
	assert_answer(ASK(h, &h->a, "prompts/list", ""), "{\"prompts\":[]}");
	assert_holds(ASK(h, &h->a, "resources/read", "{\"uri\":\"x://y\"}"),
		     "\"error\":{\"code\":-32002,\"message\":"
		     "\"Resource not found\",\"data\":{\"reason\":"
		     "\"unknown_resource\",\"uri\":\"x://y\"}}");
	assert_holds(ASK(h, &h->a, "prompts/get", "{\"name\":\"x\"}"),
		     "-32602");
	hub_end(h);
}

static void every_kind_is_listed_as_it_is_but_for_names(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	assert_answer(ASK(h, &h->a, "resources/list", "{}"),
		      "{\"resources\":[{\"uri\":\"fake://one\",\"name\":"
		      "\"one\",\"x\":1.0},{\"uri\":\"fake://two\",\"name\":"
		      "\"two\"}]}");
	assert_answer(ASK(h, &h->a, "resources/templates/list", "{}"),
		      "{\"resourceTemplates\":[{\"uriTemplate\":"
		      "\"fake://item/{id}\",\"name\":\"item\"}]}");
	assert_answer(ASK(h, &h->a, "prompts/list", "{}"),
		      "{\"prompts\":[{\"name\":\"fake__greet\",\"arguments\":"
		      "[{\"name\":\"who\"}]},{\"name\":\"fake__echo\"}]}");
	/* A tool and a prompt that share a name share the exposed one. */
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__echo\",\"arguments\":{\"n\":1}}");
	client_await(h, &h->a, "\"structuredContent\":{\"n\":1}");
	assert_holds(ASK(h, &h->a, "prompts/get", "{\"name\":\"fake__echo\"}"),
		     "\"description\":\"echo\"");
	hub_end(h);
}

static void a_server_without_templates_has_resources(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "poor");
	assert_answer(ASK(h, &h->a, "resources/templates/list", "{}"),
		      "{\"resourceTemplates\":[]}");
	assert_holds(ASK(h, &h->a, "resources/list", "{}"), "fake://one");
	hub_end(h);
}

static void of_two_with_one_uri_both_can_be_read(void **state)
{
	static const char alias[] = "mcp-hub://b/fake%3A%2F%2Fone";
	struct hub *h = *state;
	struct buf first = {0};

	hub_start(h, 60000);
	hub_add(h, "a", "rich");
	hub_add(h, "b", "rich");
	assert_holds(ASK(h, &h->a, "resources/list", "{}"), alias);
	buf_append_text(&first, ASK(h, &h->a, "resources/read",
				    "{ \"uri\" : \"fake://one\" }"));
	buf_append(&first, "", 1);
	assert_holds(first.data, "{\"contents\":[{\"uri\":\"fake://one\",");
	const char *second = ASK(h, &h->a, "resources/read",
				 "{\"uri\":\"mcp-hub://b/fake%3A%2F%2Fone\"}");
	assert_holds(second, "{\"contents\":[{\"uri\":"
			     "\"mcp-hub://b/fake%3A%2F%2Fone\",");
	assert_holds(second, "\"n\":1.0");
	assert_string_not_equal(strstr(second, "pid"),
				strstr(first.data, "pid"));
	/* The source hears the URI that it knows. */
	assert_false(file_holds(h->transcript, "mcp-hub"));
	/* Both match the template: it is nobody's, unless one is named. */
	assert_holds(
		ASK(h, &h->a, "resources/read", "{\"uri\":\"fake://item/7\"}"),
		"-32002");
	assert_holds(ASK(h, &h->a, "resources/read",
			 "{\"uri\":\"mcp-hub://b/fake%3A%2F%2Fitem%2F7\"}"),
		     "\"uri\":\"mcp-hub://b/fake%3A%2F%2Fitem%2F7\"");
	buf_finish(&first);
	hub_end(h);
}

static void a_uri_in_no_list_has_an_owner_by_the_rules(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "a", "rich");
	/* The only one that has resources. */
	assert_holds(ASK(h, &h->a, "resources/read", "{\"uri\":\"x://1\"}"),
		     "\"contents\":[{\"uri\":\"x://1\"");
	hub_add(h, "b", "poor");
	hub_await_listed(h);
	assert_holds(ASK(h, &h->a, "resources/read", "{\"uri\":\"x://1\"}"),
		     "-32002");
	/* By a template that only one has. */
	assert_holds(
		ASK(h, &h->a, "resources/read", "{\"uri\":\"fake://item/7\"}"),
		"\"contents\":[{\"uri\":\"fake://item/7\"");
	/* By whoever handed it out. */
	ASK(h, &h->a, "tools/call",
	    "{\"name\":\"b__link\",\"arguments\":{\"uri\":\"x://1\"}}");
	assert_holds(ASK(h, &h->a, "resources/read", "{\"uri\":\"x://1\"}"),
		     "\"contents\":[{\"uri\":\"x://1\"");
	ASK(h, &h->a, "prompts/get", "{\"name\":\"a__greet\"}");
	assert_holds(ASK(h, &h->a, "resources/read",
			 "{\"uri\":\"fake-embedded://1\"}"),
		     "\"contents\":[{\"uri\":\"fake-embedded://1\"");
	hub_end(h);
}

static void an_unknown_resource_of_a_source_is_told_as_it_says(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	assert_holds(ASK(h, &h->a, "resources/read",
			 "{\"uri\":\"fake://item/missing\"}"),
		     "\"error\":{\"code\":-32002,\"message\":"
		     "\"no such thing\"");
	hub_end(h);
}

static void completion_goes_to_the_owner_under_its_own_name(void **state)
{
	static const char empty[] =
		"{\"completion\":{\"values\":[],\"total\":0,"
		"\"hasMore\":false}}";
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	hub_add(h, "poor", "poor");
	assert_answer(ASK(h, &h->a, "completion/complete",
			  "{\"ref\":{\"type\":\"ref/prompt\",\"name\":"
			  "\"fake__greet\"},\"argument\":{\"name\":\"who\","
			  "\"value\":\"\"}}"),
		      "{\"completion\":{\"values\":[\"greet\"]}}");
	assert_answer(ASK(h, &h->a, "completion/complete",
			  "{\"ref\":{\"type\":\"ref/resource\",\"uri\":"
			  "\"fake://item/{id}\"},\"argument\":{}}"),
		      "{\"completion\":{\"values\":[\"fake://item/{id}\"]}}");
	assert_answer(ASK(h, &h->a, "completion/complete",
			  "{\"ref\":{\"type\":\"ref/prompt\",\"name\":"
			  "\"poor__greet\"}}"),
		      empty);
	assert_holds(ASK(h, &h->a, "completion/complete",
			 "{\"ref\":{\"type\":\"ref/x\"}}"),
		     "-32602");
	assert_holds(ASK(h, &h->a, "completion/complete",
			 "{\"ref\":{\"type\":\"ref/prompt\",\"type\":1}}"),
		     "-32600");
	hub_end(h);
}

/* Count the items of one page; *cursor gets the raw next one, or nothing. */
static size_t count_page(const char *answer, struct buf *cursor)
{
	struct slice text = {answer, strcspn(answer, "\n")};
	struct slice items = json_path(text, "result", "resources", NULL);
	struct slice item;
	size_t count = 0;
	size_t at = 0;

	while (json_next_element(items, &at, &item))
		count++;
	buf_reset(cursor, 0);
	buf_append_slice(cursor, json_path(text, "result", "nextCursor", NULL));
	return count;
}

static void a_long_list_is_handed_out_in_pages(void **state)
{
	struct hub *h = *state;
	struct buf cursor = {0};
	char params[128];
	size_t count;

	hub_start(h, 60000);
	hub_add(h, "fake", "crowd");
	count = count_page(ASK(h, &h->a, "resources/list", "{}"), &cursor);
	assert_int_equal(count, 1000);
	do {
		snprintf(params, sizeof(params), "{\"cursor\":%.*s}",
			 (int)cursor.len, cursor.data);
		count += count_page(ASK(h, &h->a, "resources/list", params),
				    &cursor);
	} while (cursor.len > 0);
	assert_int_equal(count, 2500);
	/* Of another list, or of this one before it changed. */
	assert_holds(ASK(h, &h->a, "tools/list", params), "-32602");
	client_forget(&h->a);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__change\",\"arguments\":{\"kind\":"
		   "\"resources\"}}");
	const struct catalogue *c = h->router->catalogues[KIND_RESOURCE];
	uint64_t generation = catalogue_generation(c);
	while (catalogue_generation(c) == generation)
		hub_turn(h); /* until it was read again */
	assert_holds(ASK(h, &h->a, "resources/list", params), "-32602");
	assert_holds(ASK(h, &h->a, "resources/list", "{\"cursor\":\"\"}"),
		     "-32602");
	assert_holds(ASK(h, &h->a, "resources/list", "{\"cursor\":7}"),
		     "-32602");
	buf_finish(&cursor);
	hub_end(h);
}

static void a_change_of_one_kind_is_told_as_such_even_without_any(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	client_await(h, &h->b, "notifications/tools/list_changed");
	client_await(h, &h->b, "notifications/resources/list_changed");
	client_await(h, &h->b, "notifications/prompts/list_changed");
	for (int i = 0; i < 2; i++) {
		client_forget(&h->b);
		ASK(h, &h->a, "tools/call",
		    "{\"name\":\"fake__change\",\"arguments\":{\"kind\":"
		    "\"prompts\"}}");
		client_await(h, &h->b, "notifications/prompts/list_changed");
		assert_int_equal(client_count(&h->b, "list_changed"), 1);
	}
	hub_end(h);
}

static void all_kinds_are_served_at_once_in_the_next_life(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	ASK(h, &h->a, "resources/templates/list", "{}");
	ASK(h, &h->a, "prompts/list", "{}");
	assert_holds(ASK(h, &h->a, "initialize", "{}"),
		     "\"instructions\":\"## fake\\nBe gentle.\"");
	hub_end(h);
	hub_start(h, 60000);
	/* Without a turn of the loop. */
	client_ask(&h->a, "1", "resources/list", "{}");
	assert_non_null(client_find(&h->a, "fake://one"));
	client_ask(&h->a, "2", "resources/templates/list", "{}");
	assert_non_null(client_find(&h->a, "fake://item/{id}"));
	client_ask(&h->a, "3", "prompts/list", "{}");
	assert_non_null(client_find(&h->a, "fake__greet"));
	client_ask(&h->a, "4", "initialize", "{}");
	assert_non_null(client_find(&h->a, "Be gentle."));
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(a_hub_without_any_has_empty_lists),
		hub_test(every_kind_is_listed_as_it_is_but_for_names),
		hub_test(a_server_without_templates_has_resources),
		hub_test(of_two_with_one_uri_both_can_be_read),
		hub_test(a_uri_in_no_list_has_an_owner_by_the_rules),
		hub_test(an_unknown_resource_of_a_source_is_told_as_it_says),
		hub_test(completion_goes_to_the_owner_under_its_own_name),
		hub_test(a_long_list_is_handed_out_in_pages),
		hub_test(a_change_of_one_kind_is_told_as_such_even_without_any),
		hub_test(all_kinds_are_served_at_once_in_the_next_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
