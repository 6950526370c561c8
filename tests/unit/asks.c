/* What sources ask of clients: it reaches the right one, or nobody. */
#include "server/mcp/router.h"

#include "tests/support/hub_room.h"

#define CALL(tool, arguments)                                                  \
	"{\"name\":\"fake__" tool "\",\"arguments\":" arguments "}"
#define ELICIT                                                                 \
	"\"method\":\"elicitation/create\",\"params\":{\"message\":\"m\"}"
#define SAMPLE                                                                 \
	"\"method\":\"sampling/createMessage\",\"params\":{\"maxTokens\":1}"
#define URL                                                                    \
	"\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\","      \
	"\"elicitationId\":\"e 1\",\"url\":\"https://x\",\"message\":\"m\"}"
#define ROOTS	  "\"method\":\"roots/list\""
#define CANCELLED "\"notifications/cancelled\""
/* In what a call of fake__ask returns. */
#define DISMISSED "\"result\":{\"action\":\"cancel\"}"

static void able(struct client *c)
{
	session_set_client(c->session,
			   slice_of("{\"capabilities\":{\"elicitation\":{"
				    "\"form\":{},\"url\":{}},\"sampling\":{},"
				    "\"roots\":{}}}"));
}

static void start_with(struct hub *h, struct stored_settings settings,
		       const char *mode)
{
	const char *const command[] = {FAKE_SOURCE, "all-tools", mode, NULL};
	struct answer a = {0};

	hub_start(h, 60000);
	able(&h->a);
	able(&h->b);
	hub_order_command(h, "fake", command, settings, &a);
	hub_await_answer(h, &a);
	hub_await_listed(h);
}

static void start(struct hub *h)
{
	start_with(h, (struct stored_settings){false}, NULL);
}

/* Wait for the n-th question (from 0) to the client; its id. */
static char *question(struct hub *h, struct client *c, unsigned n, char *id)
{
	const char *at = NULL;

	while (client_count(c, "\"executor/source\":\"fake\"") <= n)
		hub_turn(h);
	at = client_find(c, "\"executor/source\"");
	while (n-- > 0)
		at = strstr(at + 1, "\"executor/source\"");
	while (at > c->lines.data && at[-1] != '\n')
		at--;
	assert_int_equal(sscanf(at, "{\"jsonrpc\":\"2.0\",\"id\":%20[0-9]", id),
			 1);
	return id;
}

static void reply(struct client *c, const char *id, const char *result)
{
	struct buf text = {0};

	jsonrpc_result(&text, slice_of(id), slice_of(result));
	buf_append(&text, "", 1);
	client_say(c, text.data);
	buf_finish(&text);
}

/* --- to whom -------------------------------------------------------------- */

static void the_one_that_calls_is_asked(void **state)
{
	struct hub *h = *state;
	char id[24];

	start(h);
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ELICIT "}"));
	question(h, &h->a, 0, id);
	assert_non_null(client_find(&h->a, "\"message\":\"m\""));
	reply(&h->a, id, "{\"action\":\"accept\",\"content\":{\"n\":1.0}}");
	client_await(h, &h->a,
		     "{\"answers\":[{\"jsonrpc\":\"2.0\",\"id\":\"q-0-1\","
		     "\"result\":{\"action\":\"accept\",\"content\":{\"n\":1.0}"
		     "}}]}");
	assert_null(client_find(&h->b, "elicitation"));
	/* A decline and an error pass as they are. */
	client_forget(&h->a);
	client_ask(&h->a, "2", "tools/call", CALL("ask", "{" ELICIT "}"));
	reply(&h->a, question(h, &h->a, 0, id), "{\"action\":\"decline\"}");
	client_await(h, &h->a, "\"result\":{\"action\":\"decline\"}}]");
	client_forget(&h->a);
	client_ask(&h->a, "3", "tools/call", CALL("ask", "{" SAMPLE "}"));
	question(h, &h->a, 0, id);
	char error[128];
	snprintf(error, sizeof(error),
		 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-1,"
		 "\"message\":\"no\"}}",
		 id);
	client_say(&h->a, error);
	client_await(h, &h->a,
		     "\"id\":\"q-0-3\",\"error\":{\"code\":-1,\"message\":"
		     "\"no\"}}]");
	hub_end(h);
}

static void of_two_that_call_nobody_is_asked(void **state)
{
	struct hub *h = *state;

	start(h);
	client_ask(&h->b, "1", "tools/call", CALL("hold", "{}"));
	hub_await_file(h, h->effects, "hold");
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ELICIT "}"));
	client_await(h, &h->a, DISMISSED);
	client_ask(&h->a, "2", "tools/call", CALL("echo", "{}"));
	assert_null(client_find(&h->a, "executor/source"));
	assert_null(client_find(&h->b, "executor/source"));
	assert_null(client_find(&h->a, "structuredContent\":{}"));
	hub_end(h);
}

static void sampling_for_nobody_is_rejected(void **state)
{
	struct hub *h = *state;

	start(h);
	client_ask(&h->b, "1", "tools/call", CALL("hold", "{}"));
	hub_await_file(h, h->effects, "hold");
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" SAMPLE "}"));
	client_await(h, &h->a,
		     "\"error\":{\"code\":-1,\"message\":\"User rejected "
		     "sampling request");
	hub_end(h);
}

static void nobody_is_asked_after_the_answer(void **state)
{
	struct hub *h = *state;

	start(h);
	client_ask(&h->a, "1", "tools/call",
		   CALL("ask", "{" ELICIT ",\"early\":true}"));
	hub_await_file(h, h->transcript,
		       "\"id\":\"q-0-1\",\"result\":{\"action\":\"cancel\"}");
	assert_null(client_find(&h->a, "executor/source"));
	hub_end(h);
}

static void a_call_that_was_given_up_may_still_ask(void **state)
{
	struct hub *h = *state;

	start(h);
	client_ask(&h->a, "1", "tools/call", CALL("hold", "{}"));
	hub_await_file(h, h->effects, "hold");
	client_say(&h->a, "{\"jsonrpc\":\"2.0\",\"method\":" CANCELLED
			  ",\"params\":{\"requestId\":1}}");
	client_ask(&h->b, "1", "tools/call", CALL("ask", "{" ELICIT "}"));
	client_await(h, &h->b, DISMISSED);
	assert_null(client_find(&h->b, "executor/source"));
	hub_end(h);
}

/* It waits for the start, which cannot be about its call. */
static void who_waits_for_the_start_is_not_asked(void **state)
{
	struct hub *h = *state;
	struct source *source;

	start_with(h, (struct stored_settings){false}, "early");
	source = router_source(h->router, "fake");
	source_stop(source);
	while (source_state(source) != SOURCE_STOPPED)
		hub_turn(h);
	client_ask(&h->a, "1", "tools/call", CALL("add", "{}"));
	assert_int_not_equal(source_state(source), SOURCE_READY);
	client_await(h, &h->a, "\"id\":1,\"result\"");
	assert_null(client_find(&h->a, "executor/source"));
	assert_true(file_holds(h->transcript, "\"id\":\"early\"," DISMISSED));
	hub_end(h);
}

static void a_client_that_cannot_is_an_error(void **state)
{
	struct hub *h = *state;

	start(h);
	session_set_client(h->a.session, slice_of("{}"));
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" SAMPLE "}"));
	client_await(h, &h->a, "\"id\":\"q-0-1\",\"error\":{\"code\":-32601");
	session_set_client(h->a.session,
			   slice_of("{\"capabilities\":{\"elicitation\":{}}}"));
	client_ask(&h->a, "2", "tools/call", CALL("ask", "{" URL "}"));
	client_await(h, &h->a, "\"id\":\"q-0-2\",\"error\":{\"code\":-32602");
	assert_null(client_find(&h->a, "executor/source"));
	hub_end(h);
}

static void a_source_may_be_told_never_to_ask(void **state)
{
	struct hub *h = *state;

	start_with(h, (struct stored_settings){.interactive = "never"}, NULL);
	assert_false(file_holds(h->transcript, "\"sampling\":{}"));
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ELICIT "}"));
	client_await(h, &h->a, "\"id\":\"q-0-1\",\"error\":{\"code\":-32601");
	hub_end(h);
}

/* --- how it ends ---------------------------------------------------------- */

static void several_questions_have_numbers_of_their_own(void **state)
{
	struct hub *h = *state;
	char a[24], b[24], c[24];

	start(h);
	client_ask(&h->a, "1", "tools/call",
		   CALL("ask", "{" ELICIT ",\"parallel\":2,\"rounds\":2}"));
	question(h, &h->a, 0, a);
	question(h, &h->a, 1, b);
	assert_string_not_equal(a, b);
	reply(&h->a, b, "{\"n\":2}");
	reply(&h->a, b, "{\"n\":\"twice\"}");
	reply(&h->a, a, "{\"n\":1}");
	assert_string_not_equal(question(h, &h->a, 2, c), a);
	assert_string_not_equal(c, b);
	reply(&h->a, question(h, &h->a, 3, b), "{\"n\":4}");
	reply(&h->a, c, "{\"n\":3}");
	client_await(h, &h->a, "\"answers\"");
	assert_non_null(
		client_find(&h->a, "\"id\":\"q-0-2\",\"result\":{\"n\":2}}"));
	assert_non_null(
		client_find(&h->a, "\"id\":\"q-0-1\",\"result\":{\"n\":1}}"));
	assert_null(client_find(&h->a, "twice"));
	hub_end(h);
}

static void only_the_one_that_was_asked_answers(void **state)
{
	struct hub *h = *state;
	char id[24];

	start(h);
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ELICIT "}"));
	question(h, &h->a, 0, id);
	reply(&h->b, id, "{\"action\":\"accept\"}");
	reply(&h->a, "77", "{\"action\":\"accept\"}");
	reply(&h->a, id, "{\"action\":\"decline\"}");
	client_await(h, &h->a,
		     "{\"answers\":[{\"jsonrpc\":\"2.0\",\"id\":"
		     "\"q-0-1\",\"result\":{\"action\":\"decline\"");
	hub_end(h);
}

static void the_source_takes_it_back(void **state)
{
	struct hub *h = *state;
	char id[24], want[96];

	start(h);
	client_ask(&h->a, "1", "tools/call",
		   CALL("ask", "{" ELICIT ",\"cancel\":true}"));
	client_await(h, &h->a, "\"id\":1,\"result\"");
	question(h, &h->a, 0, id);
	snprintf(want, sizeof(want),
		 CANCELLED ",\"params\":{\"requestId\":%s,\"reason\":"
			   "\"never mind\"}",
		 id);
	client_await(h, &h->a, want);
	reply(&h->a, id, "{\"action\":\"accept\"}");
	client_ask(&h->a, "2", "tools/call", CALL("echo", "{}"));
	client_await(h, &h->a, "\"id\":2,\"result\"");
	assert_false(file_holds(h->transcript, "accept"));
	hub_end(h);
}

static void a_client_that_leaves_has_dismissed_it(void **state)
{
	struct hub *h = *state;
	char id[24];

	start(h);
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ELICIT "}"));
	question(h, &h->a, 0, id);
	client_close(&h->a);
	hub_await_file(h, h->transcript,
		       "\"id\":\"q-0-1\",\"result\":{\"action\":\"cancel\"}");
	hub_end(h);
}

static void a_call_that_is_given_up_asks_no_more(void **state)
{
	struct hub *h = *state;
	char id[24];

	start(h);
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ELICIT "}"));
	question(h, &h->a, 0, id);
	client_say(&h->a, "{\"jsonrpc\":\"2.0\",\"method\":" CANCELLED
			  ",\"params\":{\"requestId\":1}}");
	assert_non_null(client_find(&h->a, CANCELLED ",\"params\":{"
						     "\"requestId\":"));
	hub_await_file(h, h->transcript,
		       "\"id\":\"q-0-1\",\"result\":{\"action\":\"cancel\"}");
	hub_end(h);
}

static void nobody_waits_for_ever(void **state)
{
	struct hub *h = *state;

	h->ask_ms = 10;
	start(h);
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ELICIT "}"));
	client_await(h, &h->a, DISMISSED);
	assert_non_null(client_find(&h->a, CANCELLED));
	hub_end(h);
}

static void a_source_that_ends_asks_no_more(void **state)
{
	struct hub *h = *state;
	char id[24];

	start(h);
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ELICIT "}"));
	question(h, &h->a, 0, id);
	client_ask(&h->a, "2", "tools/call", CALL("crash", "{}"));
	client_await(h, &h->a, CANCELLED);
	client_await(h, &h->a, "\"id\":1,\"error\"");
	reply(&h->a, id, "{\"action\":\"accept\"}");
	hub_end(h);
}

static void a_daemon_that_leaves_dismisses_it(void **state)
{
	struct hub *h = *state;
	char id[24];

	start(h);
	client_ask(&h->a, "1", "tools/call",
		   CALL("ask", "{" ELICIT ",\"rounds\":2}"));
	question(h, &h->a, 0, id);
	router_drain(h->router);
	client_await(h, &h->a, DISMISSED "},{");
	assert_int_equal(client_count(&h->a, "executor/source"), 1);
	assert_int_equal(client_count(&h->a, CANCELLED), 1);
	hub_end(h);
}

/* --- what goes with it ---------------------------------------------------- */

static void progress_of_the_client_reaches_the_source(void **state)
{
	struct hub *h = *state;
	char id[24], text[256];

	start(h);
	client_ask(&h->a, "1", "tools/call",
		   CALL("ask", "{\"method\":\"sampling/createMessage\","
			       "\"params\":{\"_meta\":{\"progressToken\":"
			       "\"their own\"}}}"));
	question(h, &h->a, 0, id);
	snprintf(text, sizeof(text), "\"progressToken\":%s}", id);
	assert_non_null(client_find(&h->a, text));
	snprintf(text, sizeof(text),
		 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
		 "\"params\":{\"progressToken\":%s,\"progress\":1.0}}",
		 id);
	client_say(&h->b, text);
	client_say(&h->a, text);
	hub_await_file(h, h->transcript,
		       "\"params\":{\"progressToken\":\"their own\","
		       "\"progress\":1.0}");
	reply(&h->a, id, "{}");
	client_await(h, &h->a, "\"answers\"");
	hub_end(h);
}

static void the_end_of_a_url_reaches_who_was_sent_there(void **state)
{
	struct hub *h = *state;
	char id[24];

	start(h);
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" URL "}"));
	reply(&h->a, question(h, &h->a, 0, id), "{\"action\":\"accept\"}");
	client_await(h, &h->a, "\"answers\"");
	/* Long after, while another client works there. */
	client_ask(&h->b, "1", "tools/call",
		   CALL("complete", "{\"id\":\"e 1\"}"));
	client_await(h, &h->a,
		     "\"notifications/elicitation/complete\",\"params\":{"
		     "\"elicitationId\":\"e 1\"}");
	client_ask(&h->b, "2", "tools/call",
		   CALL("complete", "{\"id\":\"e 1\"}"));
	client_await(h, &h->b, "\"id\":2,\"result\"");
	assert_int_equal(client_count(&h->a, "elicitation/complete"), 1);
	assert_null(client_find(&h->b, "elicitation/complete"));
	hub_end(h);
}

/* --- roots ---------------------------------------------------------------- */

static void roots_are_nobodys_unless_configured(void **state)
{
	struct hub *h = *state;

	start(h);
	assert_false(file_holds(h->transcript, "\"roots\""));
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ROOTS "}"));
	client_await(h, &h->a, "\"id\":\"q-0-1\",\"error\":{\"code\":-32601");
	assert_null(client_find(&h->a, "executor/source"));
	hub_end(h);
}

static void roots_may_be_a_list(void **state)
{
	struct hub *h = *state;

	start_with(h,
		   (struct stored_settings){
			   .roots = "[{\"uri\":\"file:///x\",\"name\":\"x\"}]"},
		   "asks");
	assert_true(
		file_holds(h->transcript, "\"roots\":{\"listChanged\":false}"));
	/* It asks when nobody calls. */
	hub_await_file(h, h->transcript,
		       "\"id\":1,\"result\":{\"roots\":[{\"uri\":"
		       "\"file:///x\",\"name\":\"x\"}]}");
	hub_end(h);
}

static void roots_may_be_the_clients(void **state)
{
	struct hub *h = *state;
	char id[24];

	start_with(h, (struct stored_settings){.roots = "client"}, "asks");
	/* At its start it works for nobody. */
	hub_await_file(h, h->transcript, "\"id\":1,\"error\"");
	client_ask(&h->a, "1", "tools/call", CALL("ask", "{" ROOTS "}"));
	reply(&h->a, question(h, &h->a, 0, id),
	      "{\"roots\":[{\"uri\":\"file:///a\"}]}");
	client_await(h, &h->a,
		     "{\"answers\":[{\"jsonrpc\":\"2.0\",\"id\":\"q-0-1\","
		     "\"result\":{\"roots\":[{\"uri\":\"file:///a\"}]}}]}");
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(the_one_that_calls_is_asked),
		hub_test(of_two_that_call_nobody_is_asked),
		hub_test(sampling_for_nobody_is_rejected),
		hub_test(nobody_is_asked_after_the_answer),
		hub_test(a_call_that_was_given_up_may_still_ask),
		hub_test(who_waits_for_the_start_is_not_asked),
		hub_test(a_client_that_cannot_is_an_error),
		hub_test(a_source_may_be_told_never_to_ask),
		hub_test(several_questions_have_numbers_of_their_own),
		hub_test(only_the_one_that_was_asked_answers),
		hub_test(the_source_takes_it_back),
		hub_test(a_client_that_leaves_has_dismissed_it),
		hub_test(a_call_that_is_given_up_asks_no_more),
		hub_test(nobody_waits_for_ever),
		hub_test(a_source_that_ends_asks_no_more),
		hub_test(a_daemon_that_leaves_dismisses_it),
		hub_test(progress_of_the_client_reaches_the_source),
		hub_test(the_end_of_a_url_reaches_who_was_sent_there),
		hub_test(roots_are_nobodys_unless_configured),
		hub_test(roots_may_be_a_list),
		hub_test(roots_may_be_the_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
