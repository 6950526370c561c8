/* What the client subscribed to, as the next daemon is told. */
#include "bridge_fake.h"

#include <stdio.h>

#include "adapter/ledger.h"
#include "adapter/watched.h"

#define ASK(id, method, uri)                                                   \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"resources/" method    \
	"\",\"params\":{\"uri\":\"" uri "\"}}"
#define SUBSCRIBE(id, uri) ASK(id, "subscribe", uri)
#define END(id, uri)	   ASK(id, "unsubscribe", uri)
#define RESULT(id)	   "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{}}"
#define ERROR(id)                                                              \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":-32002,"       \
	"\"message\":\"no\"}}"

static void lose(struct fake *f)
{
	struct err why;

	err_set(&why, ERR_LOST, "lost");
	bridge_lost(f->bridge, &why, f->now_ms);
	buf_reset(&f->log, 0);
}

/* A Hello has this one subscription, or none for NULL. */
static void assert_watched(struct fake *f, const char *uri)
{
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;

	bridge_hello(f->bridge, &hello);
	assert_int_equal(hello.n_subscriptions, uri != NULL);
	if (uri)
		assert_true(
			slice_is(protobuf_slice(hello.subscriptions[0]), uri));
}

static void what_was_granted_is_told_to_the_next_daemon(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, SUBSCRIBE("1", "a:\\u0062"));
	assert_watched(f, NULL);
	daemon_says(f, 1, RESULT("1"));
	assert_watched(f, "a:b");
	host_says(f, SUBSCRIBE("2", "a:b")); /* once more changes nothing */
	daemon_says(f, 2, ERROR("2"));
	assert_watched(f, "a:b");
	host_says(f, END("3", "a:b"));
	assert_watched(f, NULL);
}

static void what_was_refused_is_not(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, SUBSCRIBE("1", "a:b"));
	daemon_says(f, 1, ERROR("1"));
	assert_watched(f, NULL);
}

static void what_was_cancelled_is_not(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, SUBSCRIBE("1", "a:b"));
	host_says(f,
		  "{\"jsonrpc\":\"2.0\",\"method\":"
		  "\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	daemon_says(f, 1, RESULT("1"));
	assert_watched(f, NULL);
}

static void the_last_word_of_the_client_counts(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, SUBSCRIBE("1", "a:b"));
	host_says(f, END("2", "a:b"));
	daemon_says(f, 1, RESULT("1"));
	daemon_says(f, 2, RESULT("2"));
	assert_watched(f, NULL);
	host_says(f, SUBSCRIBE("3", "a:b"));
	host_says(f, END("4", "a:b"));
	host_says(f, SUBSCRIBE("5", "a:b"));
	daemon_says(f, 3, RESULT("3"));
	assert_watched(f, NULL);
	daemon_says(f, 4, RESULT("4"));
	daemon_says(f, 5, RESULT("5"));
	assert_watched(f, "a:b");
}

static void what_was_on_its_way_is_asked_for_again(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, SUBSCRIBE("1", "a:b"));
	lose(f);
	assert_watched(f, NULL);
	attach_to(f, 'b', false, 0, NULL);
	saw(f, "daemon 2 " SUBSCRIBE("1", "a:b") "\n");
	daemon_says(f, 1, RESULT("1"));
	lose(f);
	assert_watched(f, "a:b");
	attach_to(f, 'c', false, 0, NULL);
	saw(f, "");
}

static void an_end_that_was_on_its_way_is_an_end(void **state)
{
	struct fake *f = *state;

	attach_new_session(f);
	host_says(f, SUBSCRIBE("1", "a:b"));
	daemon_says(f, 1, RESULT("1"));
	host_says(f, END("2", "a:b"));
	lose(f);
	assert_watched(f, NULL);
}

static void one_that_no_daemon_answered_is_not_in_force(void **state)
{
	struct fake *f = *state;

	host_says(f, SUBSCRIBE("1", "a:b"));
	turn(f, LEDGER_WAIT_MS);
	saw_part(f, "\"id\":1,\"error\"");
	assert_watched(f, NULL);
}

static void too_many_are_refused(void **state)
{
	struct fake *f = *state;
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;
	char line[256];

	attach_new_session(f);
	for (unsigned i = 1; i <= WATCHED_MOST; i++) {
		snprintf(line, sizeof(line), SUBSCRIBE("%u", "a:%u"), i, i);
		host_says(f, line);
		snprintf(line, sizeof(line), RESULT("%u"), i);
		daemon_says(f, i, line);
	}
	buf_reset(&f->log, 0);
	host_says(f, SUBSCRIBE("\"x\"", "a:x"));
	saw_part(f, "\"id\":\"x\",\"error\"");
	bridge_hello(f->bridge, &hello);
	assert_int_equal(hello.n_subscriptions, WATCHED_MOST);
	host_says(f, END("\"y\"", "a:1"));
	host_says(f, SUBSCRIBE("\"z\"", "a:x"));
	saw_part(f, "\"a:x\"");
}

static void too_long_ones_are_refused(void **state)
{
	struct fake *f = *state;
	struct buf line = {0};

	attach_new_session(f);
	for (unsigned i = 0; i < WATCHED_BYTES / 50000; i++) {
		buf_printf(&line, SUBSCRIBE("%u", "%u:%050000d"), i, i, 0);
		bridge_from_host(f->bridge, buf_slice(&line), f->now_ms);
		buf_reset(&line, 0);
	}
	buf_reset(&f->log, 0);
	buf_printf(&line, SUBSCRIBE("\"x\"", "x:%050000d"), 0);
	bridge_from_host(f->bridge, buf_slice(&line), f->now_ms);
	saw_part(f, "\"reason\":\"overloaded\"");
	buf_finish(&line);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_granted_is_told_to_the_next_daemon),
		TEST(what_was_refused_is_not),
		TEST(what_was_cancelled_is_not),
		TEST(the_last_word_of_the_client_counts),
		TEST(what_was_on_its_way_is_asked_for_again),
		TEST(an_end_that_was_on_its_way_is_an_end),
		TEST(one_that_no_daemon_answered_is_not_in_force),
		TEST(too_many_are_refused),
		TEST(too_long_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
