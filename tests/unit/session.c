/* What goes through a session while its stream is there. */
#include "server/mcp/session.h"

#include "tests/support/session_room.h"

/* --- messages both ways --------------------------------------------------- */

static void answers_carry_the_bytes_of_the_id(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1");
	ask(s, 2, "\"1\"");
	ask(s, 3, "9007199254740993");
	assert_int_equal(sessions_in_flight(room.all), 3);
	answer(s, "\"1\"", "{\"n\":1.0}");
	answer(s, "9007199254740993", "{\"n\":-0}");
	answer(s, "1", "{\"n\":1e400}");
	assert_sent(&room.a,
		    "1 {\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":"
		    "{\"n\":1.0}}\n"
		    "2 {\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"result\":"
		    "{\"n\":-0}}\n"
		    "3 {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
		    "{\"n\":1e400}}\n");
	assert_int_equal(sessions_in_flight(room.all), 0);
	session_detach(s, true);
	leave(&room);
}

static void a_duplicate_id_is_refused_and_the_first_goes_on(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "7");
	ask(s, 2, "7");
	assert_int_equal(router.requests, 1);
	assert_refusal(&room.a, "7", -32600);
	assert_int_equal(sessions_in_flight(room.all), 1);
	answer(s, "7", "{}");
	assert_sent(&room.a, "2 {\"jsonrpc\":\"2.0\",\"id\":7,"
			     "\"result\":{}}\n");
	ask(s, 3, "7"); /* not in flight any more */
	assert_int_equal(router.requests, 2);
	session_detach(s, true);
	leave(&room);
}

static void requests_past_the_bound_are_refused(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1");
	ask(s, 2, "2");
	ask(s, 3, "3");
	ask(s, 4, "4");
	assert_refusal(&room.a, "4", -32603);
	assert_int_equal(router.requests, 3);
	session_detach(s, true);
	assert_int_equal(sessions_in_flight(room.all), 0);
	leave(&room);
}

static void what_is_no_message_is_answered_with_its_error(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	say(s, 1, "{\"jsonrpc\":");
	assert_refusal(&room.a, "null", -32700);
	say(s, 2, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]");
	assert_refusal(&room.a, "null", -32600);
	say(s, 3, "{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"ping\"}");
	assert_refusal(&room.a, "5", -32600);
	say(s, 4, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}");
	say(s, 5, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}");
	assert_int_equal(room.a.sends, 3);
	assert_int_equal(room.a.accepted, 5);
	assert_int_equal(router.requests, 0);
	session_detach(s, true);
	leave(&room);
}

static void a_sequence_counts_once(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1");
	ask(s, 3, "3"); /* overtakes 2 */
	ask(s, 3, "33");
	ask(s, 1, "11");
	assert_int_equal(router.requests, 2);
	assert_int_equal(room.a.accepted, 4);
	ask(s, 2, "2");
	ask(s, 2, "22");
	assert_int_equal(router.requests, 3);
	assert_int_equal(room.a.sends, 0);
	session_detach(s, true);
	leave(&room);
}

static void a_cancelled_request_is_never_answered(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *s = open_session(&room, &room.a);
	ask(s, 1, "1");
	ask(s, 2, "\"1\"");
	say(s, 3,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":1,\"reason\":\"enough\"}}");
	assert_int_equal(router.cancelled, 1);
	assert_string_equal(router.cancelled_id, "1");
	assert_string_equal(router.cancelled_reason, "\"enough\"");
	answer(s, "1", "{}");
	assert_int_equal(room.a.sends, 0);
	assert_int_equal(sessions_in_flight(room.all), 1);
	answer(s, "\"1\"", "{}");
	assert_int_equal(room.a.sends, 1);
	session_detach(s, true);
	leave(&room);
}

static void only_what_is_in_flight_can_be_cancelled(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *a = open_session(&room, &room.a);
	struct session *b = open_session(&room, &room.b);
	ask(a, 1, "1");
	say(b, 1,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":1}}");
	say(a, 2,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":2}}");
	say(a, 3,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}");
	assert_int_equal(router.cancelled, 0);
	assert_int_equal(router.notifications, 0);
	answer(a, "1", "{}");
	assert_int_equal(room.a.sends, 1);
	session_detach(a, true);
	session_detach(b, true);
	leave(&room);
}

/* --- what is known of a client -------------------------------------------- */

static void hello_tells_who_the_client_is(void **state)
{
	static char params[] =
		"{\"protocolVersion\":\"2025-06-18\",\"clientInfo\":"
		"{\"name\":\"caf\\u00e9\",\"version\":\"1.2\"}}";
	struct session_limits limits = small_limits();
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;
	struct session_info info;
	struct room room;
	size_t at = 0;

	(void)state;
	enter(&room, &limits);
	hello.initialize_params =
		(ProtobufCBinaryData){sizeof(params) - 1, (uint8_t *)params};
	hello.log_level = (char *)(uintptr_t) "debug";
	struct session *s = open_with(&room, &room.a, &hello);
	session_attached(s);
	assert_true(sessions_next(room.all, &at, &info));
	assert_string_equal(info.client_name, "caf\xc3\xa9");
	assert_string_equal(info.client_version, "1.2");
	assert_string_equal(info.revision, "2025-06-18");
	assert_true(info.attached);
	assert_memory_equal(info.id, room.id, sizeof(room.id));
	assert_false(sessions_next(room.all, &at, &info));
	assert_int_equal(session_log_level(s), MCP_LEVEL_DEBUG);
	session_detach(s, true);
	leave(&room);
}

static void the_most_verbose_level_is_told(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *a = open_session(&room, &room.a);
	struct session *b = open_session(&room, &room.b);
	assert_int_equal(session_log_level(a), MCP_LEVEL_INFO);
	assert_int_equal(router.level, -1); /* info is where we start */
	session_set_log_level(b, MCP_LEVEL_ERROR);
	assert_int_equal(router.level, -1);
	session_set_log_level(a, MCP_LEVEL_DEBUG);
	assert_int_equal(router.level, MCP_LEVEL_DEBUG);
	session_detach(a, true);
	assert_int_equal(router.level, MCP_LEVEL_ERROR);
	session_detach(b, true);
	assert_int_equal(router.level, MCP_LEVEL_INFO);
	leave(&room);
}

static bool is_verbose(const struct session *s, int level)
{
	return session_log_level(s) <= level;
}

static void a_broadcast_reaches_initialized_clients(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *a = open_session(&room, &room.a);
	struct session *b = open_session(&room, &room.b);
	session_set_client(a, slice_of("{}"));
	sessions_broadcast(room.all, slice_of("1"), false, NULL, 0);
	assert_sent(&room.a, "1 1\n");
	assert_int_equal(room.b.sends, 0);
	session_set_client(b, slice_of("{}"));
	session_set_log_level(b, MCP_LEVEL_ERROR);
	sessions_broadcast(room.all, slice_of("2"), true, is_verbose,
			   MCP_LEVEL_WARNING);
	assert_sent(&room.a, "2 2\n");
	assert_int_equal(room.b.sends, 0);
	/* One that is away hears it when it comes back. */
	session_detach(b, false);
	sessions_broadcast(room.all, slice_of("3"), false, NULL, 0);
	resume(&room, &room.b, 0, NULL, 0);
	session_attached(b);
	assert_sent(&room.b, "1 3\n");
	session_detach(a, true);
	session_detach(b, true);
	leave(&room);
}

/* --- single requests ------------------------------------------------------ */

struct caller {
	unsigned answers;
	struct buf json;
};

static void on_single(void *owner, struct slice json)
{
	struct caller *c = owner;

	c->answers++;
	buf_append_slice(&c->json, json);
	buf_append(&c->json, "", 1);
}

static const struct session_single single = {.answer = on_single};

static void a_single_request_is_answered_from_the_loop(void **state)
{
	struct session_limits limits = small_limits();
	struct caller caller = {0};
	struct room room;
	struct err e;

	(void)state;
	enter(&room, &limits);
	router.answer_at_once = true;
	struct session *s = session_single(
		room.all,
		slice_of("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"m\"}"),
		NULL, MCP_LEVEL_INFO, &single, &caller, &e);
	assert_non_null(s);
	assert_int_equal(caller.answers, 0);
	assert_int_equal(sessions_count(room.all), 0);
	ev_run(room.loop, EVRUN_NOWAIT);
	assert_int_equal(caller.answers, 1);
	assert_string_equal(caller.json.data,
			    "{\"jsonrpc\":\"2.0\",\"id\":\"x\","
			    "\"result\":{}}");
	assert_int_equal(sessions_in_flight(room.all), 0);
	buf_finish(&caller.json);
	leave(&room);
}

static void an_abandoned_request_is_cancelled(void **state)
{
	struct session_limits limits = small_limits();
	struct caller caller = {0};
	struct room room;
	struct err e;

	(void)state;
	enter(&room, &limits);
	for (int late = 0; late < 2; late++) {
		router.answer_at_once = late;
		struct session *s = session_single(
			room.all,
			slice_of("{\"jsonrpc\":\"2.0\",\"id\":1,"
				 "\"method\":\"m\"}"),
			NULL, MCP_LEVEL_INFO, &single, &caller, &e);
		assert_non_null(s);
		session_deliver(s, slice_of("1"), true); /* to nobody */
		session_abandon(s);
		ev_run(room.loop, EVRUN_NOWAIT);
	}
	assert_int_equal(caller.answers, 0);
	assert_int_equal(router.left, 2);
	assert_int_equal(sessions_in_flight(room.all), 0);
	leave(&room);
}

static void what_is_no_single_request_is_refused(void **state)
{
	struct session_limits limits = small_limits();
	struct caller caller = {0};
	struct room room;
	struct err e;

	(void)state;
	limits.message_bytes = 50;
	limits.sessions = 1;
	enter(&room, &limits);
	assert_null(session_single(room.all, slice_of("{"), NULL,
				   MCP_LEVEL_INFO, &single, &caller, &e));
	assert_int_equal(e.reason, ERR_PARSE);
	assert_null(session_single(
		room.all, slice_of("{\"jsonrpc\":\"2.0\",\"method\":\"m\"}"),
		NULL, MCP_LEVEL_INFO, &single, &caller, &e));
	assert_int_equal(e.reason, ERR_INVALID_REQUEST);
	assert_null(session_single(room.all,
				   slice_of("{\"jsonrpc\":\"2.0\",\"id\":1,"
					    "\"method\":\"m\",\"params\":{  "
					    "       }}"),
				   NULL, MCP_LEVEL_INFO, &single, &caller, &e));
	assert_int_equal(e.reason, ERR_TOO_LARGE);
	struct slice good =
		slice_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
	assert_non_null(session_single(room.all, good, NULL, MCP_LEVEL_INFO,
				       &single, &caller, &e));
	assert_null(session_single(room.all, good, NULL, MCP_LEVEL_INFO,
				   &single, &caller, &e));
	assert_int_equal(e.reason, ERR_OVERLOADED);
	assert_int_equal(router.requests, 1);
	leave(&room);
}

static void questions_have_numbers_and_answers(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *a = open_session(&room, &room.a);
	struct session *b = open_session(&room, &room.b);
	uint64_t first = session_question(a);
	assert_int_equal(session_question(a), first + 1);
	/* What one was asked is not what another was asked, nor what this one
	 * was in another life. */
	assert_int_not_equal(session_question(b), first);
	assert_int_equal(session_abilities(a), 0);
	session_set_client(a,
			   slice_of("{\"capabilities\":{\"elicitation\":{}}}"));
	assert_int_equal(session_abilities(a), QUESTION_CAN_FORM);
	assert_true(session_ask(a, slice_of("{}")));
	assert_sent(&room.a, "1 {}\n");
	say(a, 1, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}");
	assert_int_equal(router.responses, 1);
	assert_string_equal(router.response_id, "7");
	say(a, 2,
	    "{\"jsonrpc\":\"2.0\",\"id\":8,\"error\":{\"code\":1,"
	    "\"message\":\"\"}}");
	assert_int_equal(router.responses, 2);
	assert_string_equal(router.response_id, "8");
	/* It has nothing in flight, but may be asked something. */
	session_detach(a, true);
	assert_int_equal(router.left, 1);
	session_detach(b, true);
	leave(&room);
}

static void a_client_that_does_not_read_cannot_be_asked(void **state)
{
	struct session_limits limits = small_limits();
	struct room room;

	(void)state;
	enter(&room, &limits);
	struct session *a = open_session(&room, &room.a);
	session_detach(a, false);
	assert_true(session_ask(a, slice_of("{}"))); /* it may come back */
	fill(a, limits.session_bytes);
	assert_false(session_ask(a, slice_of("{}")));
	leave(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_carry_the_bytes_of_the_id),
		cmocka_unit_test(
			a_duplicate_id_is_refused_and_the_first_goes_on),
		cmocka_unit_test(requests_past_the_bound_are_refused),
		cmocka_unit_test(what_is_no_message_is_answered_with_its_error),
		cmocka_unit_test(a_sequence_counts_once),
		cmocka_unit_test(a_cancelled_request_is_never_answered),
		cmocka_unit_test(only_what_is_in_flight_can_be_cancelled),
		cmocka_unit_test(hello_tells_who_the_client_is),
		cmocka_unit_test(the_most_verbose_level_is_told),
		cmocka_unit_test(a_broadcast_reaches_initialized_clients),
		cmocka_unit_test(a_single_request_is_answered_from_the_loop),
		cmocka_unit_test(an_abandoned_request_is_cancelled),
		cmocka_unit_test(what_is_no_single_request_is_refused),
		cmocka_unit_test(questions_have_numbers_and_answers),
		cmocka_unit_test(a_client_that_does_not_read_cannot_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
