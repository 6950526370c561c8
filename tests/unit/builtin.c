/* builtin: the source inside the daemon, line by line. */
#include "server/upstream/builtin.h"

#include "tests/support/den.h"

#include "proto/err.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"

struct owner {
	struct upstream *upstream;
	unsigned answers, downs;
	struct buf got; /* the last line, a string */
	bool free_in_message, stop_in_message;
	/* What the hub was asked. */
	struct buf query;
	unsigned limit;
};

static void on_message(void *owner, struct slice line, struct buf *whole)
{
	struct owner *o = owner;

	assert_true(!whole || slice_equal(buf_slice(whole), line));
	assert_non_null(o->upstream);
	assert_true(json_check(line, NULL));
	assert_null(memchr(line.ptr, '\n', line.len));
	o->answers++;
	buf_reset(&o->got, 0);
	buf_append_slice(&o->got, line);
	buf_append(&o->got, "", 1);
	if (o->stop_in_message)
		upstream_stop(o->upstream);
	if (o->free_in_message) {
		upstream_free(o->upstream);
		o->upstream = NULL;
	}
}

static void on_down(void *owner, const struct err *why)
{
	struct owner *o = owner;

	assert_string_equal(why->text, "stopped");
	o->downs++;
}

static const struct upstream_events events = {
	.message = on_message,
	.down = on_down,
};

static void tell_sources(void *hub, struct buf *json)
{
	(void)hub;
	buf_append_text(json, "[{\"name\":\"files\",\"tools\":1}]");
}

static void search(void *hub, struct slice query, unsigned limit,
		   struct buf *json)
{
	struct owner *o = hub;

	buf_reset(&o->query, 0);
	buf_append_slice(&o->query, query);
	buf_append(&o->query, "", 1);
	o->limit = limit;
	buf_append_text(json, "[]");
}

static bool describe(void *hub, struct slice name, struct buf *json)
{
	(void)hub;
	if (!slice_is(name, "files__read"))
		return false;
	buf_append_text(json, "{\"name\":\"files__read\"}");
	return true;
}

static void tell_status(void *hub, struct buf *json)
{
	(void)hub;
	buf_append_text(json, "{\"pid\":7}");
}

static const struct builtin_hub hub = {tell_sources, search, describe,
				       tell_status};

static void start(const struct den *d, struct owner *o)
{
	o->upstream = builtin_new(d->loop, &hub, o, &events, o);
}

static void finish(struct owner *o)
{
	upstream_free(o->upstream);
	o->upstream = NULL;
	buf_finish(&o->got);
	buf_finish(&o->query);
}

static const char *answer_to(struct den *d, struct owner *o, const char *line)
{
	unsigned before = o->answers;

	assert_true(upstream_send(o->upstream, slice_of(line), NULL));
	assert_int_equal(o->answers, before); /* never inside the call */
	DEN_UNTIL(d, o->answers > before);
	return o->got.data;
}

static const char *call(struct den *d, struct owner *o, const char *params)
{
	char line[512];

	snprintf(line, sizeof(line),
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		 "\"params\":%s}",
		 params);
	return answer_to(d, o, line);
}

static void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		print_error("%s\nlacks %s\n", text, part);
	assert_non_null(strstr(text, part));
}

static void it_shakes_hands_in_each_revision(void **state)
{
	static const char *const asked[][2] = {
		{"2024-11-05", "2024-11-05"},
		{"2025-06-18", "2025-06-18"},
		{"2025-11-25", "2025-11-25"},
		{"2099-01-01", "2025-11-25"},
	};
	struct den *d = *state;
	struct owner o = {0};

	start(d, &o);
	for (int i = 0; i < 4; i++) {
		char line[256], told[64];

		snprintf(line, sizeof(line),
			 "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":"
			 "\"initialize\",\"params\":{\"protocolVersion\":"
			 "\"%s\"}}",
			 asked[i][0]);
		snprintf(told, sizeof(told), "\"protocolVersion\":\"%s\"",
			 asked[i][1]);
		assert_holds(answer_to(d, &o, line), told);
		assert_holds(o.got.data, "\"id\":\"i\"");
	}
	finish(&o);
}

static void its_tools_are_described(void **state)
{
	static const char *const names[] = {"list_sources", "search_tools",
					    "describe_tool", "status",
					    "add_source"};
	struct den *d = *state;
	struct owner o = {0};
	struct slice tool;
	size_t at = 0;
	size_t count = 0;

	start(d, &o);
	answer_to(d, &o,
		  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	struct slice tools =
		json_path(slice_of(o.got.data), "result", "tools", NULL);
	while (json_next_element(tools, &at, &tool)) {
		assert_true(
			json_string_is(json_get(tool, "name"), names[count++]));
		assert_int_equal(json_kind(json_get(tool, "title")),
				 JSON_STRING);
		assert_int_equal(json_kind(json_get(tool, "description")),
				 JSON_STRING);
		assert_true(json_string_is(
			json_path(tool, "inputSchema", "type", NULL),
			"object"));
		assert_int_equal(json_kind(json_path(tool, "annotations",
						     "readOnlyHint", NULL)),
				 JSON_BOOL);
	}
	assert_int_equal(count, 5);
	finish(&o);
}

static void what_it_tells_is_text_and_structure(void **state)
{
	struct den *d = *state;
	struct owner o = {0};

	start(d, &o);
	assert_string_equal(
		call(d, &o, "{\"name\":\"list_sources\"}"),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":["
		"{\"type\":\"text\",\"text\":\"{\\\"sources\\\":[{"
		"\\\"name\\\":\\\"files\\\",\\\"tools\\\":1}]}\"}],"
		"\"structuredContent\":{\"sources\":[{\"name\":\"files\","
		"\"tools\":1}]},\"isError\":false}}");
	assert_holds(call(d, &o, "{\"name\":\"status\",\"arguments\":{}}"),
		     "\"structuredContent\":{\"pid\":7}");
	assert_holds(call(d, &o,
			  "{\"name\":\"describe_tool\",\"arguments\":"
			  "{\"name\":\"files\\u005f_read\"}}"),
		     "\"structuredContent\":{\"tool\":{\"name\":"
		     "\"files__read\"}}");
	finish(&o);
}

static void a_search_is_handed_on(void **state)
{
	struct den *d = *state;
	struct owner o = {0};

	start(d, &o);
	assert_holds(call(d, &o,
			  "{\"name\":\"search_tools\",\"arguments\":"
			  "{\"query\":\"a \\u0062\"}}"),
		     "\"structuredContent\":{\"tools\":[]}");
	assert_string_equal(o.query.data, "a b");
	assert_int_equal(o.limit, 10);
	call(d, &o,
	     "{\"name\":\"search_tools\",\"arguments\":{\"query\":\"\","
	     "\"limit\":50}}");
	assert_int_equal(o.limit, 50);
	finish(&o);
}

/* A model can mend what it is told of. */
static void wrong_arguments_are_a_result_that_says_so(void **state)
{
	static const struct {
		const char *params, *told;
	} cases[] = {
		{"{\"name\":\"status\",\"arguments\":[]}",
		 "arguments must be an object"},
		{"{\"name\":\"search_tools\"}", "needs query"},
		{"{\"name\":\"search_tools\",\"arguments\":{\"query\":1}}",
		 "needs query"},
		{"{\"name\":\"search_tools\",\"arguments\":{\"query\":\"\","
		 "\"limit\":0}}",
		 "from 1 to 50"},
		{"{\"name\":\"search_tools\",\"arguments\":{\"query\":\"\","
		 "\"limit\":51}}",
		 "from 1 to 50"},
		{"{\"name\":\"search_tools\",\"arguments\":{\"query\":\"\","
		 "\"limit\":1.5}}",
		 "from 1 to 50"},
		{"{\"name\":\"describe_tool\",\"arguments\":{}}", "needs name"},
		{"{\"name\":\"describe_tool\",\"arguments\":{\"name\":"
		 "\"no\\u0000pe\"}}",
		 "there is no tool named no"},
		{"{\"name\":\"add_source\",\"arguments\":{\"name\":\"A\","
		 "\"command\":[\"x\"]}}",
		 "needs name"},
		{"{\"name\":\"add_source\",\"arguments\":{\"name\":\"a\","
		 "\"command\":[]}}",
		 "needs command"},
		{"{\"name\":\"add_source\",\"arguments\":{\"name\":\"a\","
		 "\"command\":\"x\"}}",
		 "needs command"},
		{"{\"name\":\"add_source\",\"arguments\":{\"name\":\"a\","
		 "\"command\":[\"x\",\"\\u001b[2K\"]}}",
		 "without control characters"},
	};
	struct den *d = *state;
	struct owner o = {0};

	start(d, &o);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		call(d, &o, cases[i].params);
		assert_holds(o.got.data, cases[i].told);
		assert_holds(o.got.data, "\"isError\":true");
		assert_null(strstr(o.got.data, "structuredContent"));
	}
	finish(&o);
}

static void adding_a_source_prints_the_line_to_run(void **state)
{
	struct den *d = *state;
	struct owner o = {0};

	start(d, &o);
	call(d, &o,
	     "{\"name\":\"add_source\",\"arguments\":{\"name\":\"my-files\","
	     "\"command\":[\"npx\",\"-y\",\"@x/y@1.0\",\"a b\",\"it's\","
	     "\"$HOME\",\"\"]}}");
	assert_holds(o.got.data,
		     "executor source add my-files -- npx -y @x/y@1.0 'a b' "
		     "'it'\\\\''s' '$HOME' ''\\n");
	assert_holds(o.got.data, "\"isError\":true");
	finish(&o);
}

static void what_it_does_not_serve_is_an_error(void **state)
{
	struct den *d = *state;
	struct owner o = {0};

	start(d, &o);
	assert_holds(call(d, &o, "{\"name\":\"nope\"}"), "\"code\":-32602");
	assert_holds(call(d, &o, "{}"), "\"code\":-32602");
	assert_holds(answer_to(d, &o,
			       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
			       "\"prompts/list\"}"),
		     "\"code\":-32601");
	assert_holds(answer_to(d, &o, "rubbish"), "\"code\":-32700");
	/* A notification is not answered; the ping behind it is. */
	assert_true(upstream_send(o.upstream,
				  slice_of("{\"jsonrpc\":\"2.0\",\"method\":"
					   "\"notifications/initialized\"}"),
				  NULL));
	assert_string_equal(
		answer_to(d, &o,
			  "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}"),
		"{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}");
	finish(&o);
}

#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"

static void it_pauses_and_stops_as_it_is_told(void **state)
{
	struct den *d = *state;
	struct owner o = {0};

	start(d, &o);
	upstream_pause(o.upstream, true);
	assert_true(upstream_send(o.upstream, slice_of(PING), NULL));
	den_turn(d);
	assert_int_equal(o.answers, 0);
	assert_true(upstream_queued(o.upstream) > 0);
	upstream_pause(o.upstream, false);
	DEN_UNTIL(d, o.answers == 1);
	assert_int_equal(upstream_queued(o.upstream), 0);
	assert_true(upstream_send(o.upstream, slice_of(PING), NULL));
	upstream_stop(o.upstream);
	assert_false(upstream_send(o.upstream, slice_of(PING), NULL));
	assert_int_equal(o.downs, 0);
	DEN_UNTIL(d, o.downs);
	assert_int_equal(o.answers, 2);
	finish(&o);
}

static void its_owner_may_free_or_stop_it_in_an_event(void **state)
{
	struct den *d = *state;
	struct owner freed = {.free_in_message = true};
	struct owner stopped = {.stop_in_message = true};

	start(d, &freed);
	assert_true(upstream_send(freed.upstream, slice_of(PING), NULL));
	assert_true(upstream_send(freed.upstream, slice_of(PING), NULL));
	DEN_UNTIL(d, !freed.upstream);
	assert_int_equal(freed.answers, 1);
	start(d, &stopped);
	assert_true(upstream_send(stopped.upstream, slice_of(PING), NULL));
	DEN_UNTIL(d, stopped.downs);
	/* One that is freed while it has something to do. */
	struct owner waiting = {0};
	start(d, &waiting);
	assert_true(upstream_send(waiting.upstream, slice_of(PING), NULL));
	finish(&waiting);
	den_turn(d);
	assert_int_equal(waiting.answers, 0);
	finish(&freed);
	finish(&stopped);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, den_setup, den_teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_shakes_hands_in_each_revision),
		TEST(its_tools_are_described),
		TEST(what_it_tells_is_text_and_structure),
		TEST(a_search_is_handed_on),
		TEST(wrong_arguments_are_a_result_that_says_so),
		TEST(adding_a_source_prints_the_line_to_run),
		TEST(what_it_does_not_serve_is_an_error),
		TEST(it_pauses_and_stops_as_it_is_told),
		TEST(its_owner_may_free_or_stop_it_in_an_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
