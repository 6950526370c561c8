/* The client, and beneath it attach and the election, which may start no
 * daemon here. */
#include "client_fake.h"

#include <signal.h>

/* --- tests ---------------------------------------------------------------- */

static void nothing_happens_before_it_is_started(void **state)
{
	struct rig *r = *state;

	listen_and_publish(r);
	for (int i = 0; i < 3; i++)
		ev_run(r->loop, EVRUN_NOWAIT);
	assert_null(r->h2);
	assert_int_equal(client_queued(r->client), 0);
	assert_true(client_leave(r->client));
}

static void messages_go_both_ways_after_the_welcome(void **state)
{
	struct rig *r = *state;
	struct message *m = message_new(slice_of(TEXT), true);

	attach(r);
	assert_string_equal(r->path, "/executor.mcp.v1.McpService/Session");
	m->sequence = 1;
	client_send(r->client, m, 0);
	assert_true(client_queued(r->client) > 0);
	message_unref(m);
	run_until_got(r, "daemon 1 " TEXT);
	send_message(r, 1);
	run_until_got(r, "client 1 " TEXT);
}

static void a_daemon_of_another_epoch_is_not_believed(void **state)
{
	struct rig *r = *state;

	r->behaviour = ANOTHER_EPOCH;
	listen_and_publish(r);
	client_start(r->client);
	run_until(r, &r->troubles, 2);
	assert_int_equal(r->attached, 0);
	assert_int_equal(r->lost, 0);
	assert_non_null(strstr(r->trouble.text, "epoch 8, not 7"));
}

static void a_message_before_the_welcome_is_not_taken(void **state)
{
	struct rig *r = *state;

	r->behaviour = MESSAGE_FIRST;
	listen_and_publish(r);
	client_start(r->client);
	run_until(r, &r->troubles, 2);
	assert_int_equal(r->attached, 0);
	assert_string_equal(r->got, "");
	assert_non_null(strstr(r->trouble.text, "before the Welcome"));
}

static void a_refusal_is_told_in_the_daemons_words(void **state)
{
	struct rig *r = *state;

	r->behaviour = REFUSE;
	listen_and_publish(r);
	client_start(r->client);
	run_until(r, &r->troubles, 2);
	assert_non_null(strstr(r->trouble.text, "too old"));
}

static void a_lost_stream_is_opened_again(void **state)
{
	struct rig *r = *state;

	attach(r);
	h2_free(r->h2);
	r->h2 = NULL;
	run_until(r, &r->lost, 1);
	assert_int_equal(r->lost_why, ERR_LOST);
	run_until(r, &r->attached, 2);
	assert_int_equal(r->hellos, 2);
	send_message(r, 1);
	run_until_got(r, "client 1 " TEXT);
}

static void a_goodbye_ends_the_session_and_says_why(void **state)
{
	struct rig *r = *state;

	attach(r);
	send_goodbye(r, EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_DRAINING);
	run_until(r, &r->lost, 1);
	assert_int_equal(r->lost_why, ERR_DRAINING);
	assert_int_equal(r->farewells, 1);
	assert_int_equal(r->untaken_above, 5);
	run_until(r, &r->attached, 2);
}

static void a_hang_up_instead_of_a_welcome_is_no_attachment(void **state)
{
	struct rig *r = *state;

	r->behaviour = HANG_UP;
	listen_and_publish(r);
	client_start(r->client);
	run_until(r, &r->hellos, 1);
	r->behaviour = WELCOME;
	run_until(r, &r->troubles, 1);
	assert_int_equal(r->attached, 0);
	assert_int_equal(r->lost, 0);
}

static void renewing_says_hello_again(void **state)
{
	struct rig *r = *state;

	attach(r);
	client_renew(r->client);
	run_until(r, &r->attached, 2);
	assert_int_equal(r->lost, 1);
	assert_int_equal(r->hellos, 2);
}

static void leaving_says_goodbye(void **state)
{
	struct rig *r = *state;

	attach(r);
	assert_true(client_leave(r->client));
	client_free(r->client);
	r->client = NULL;
	run_until(r, &r->goodbyes, 1);
}

static void without_a_daemon_the_trouble_is_named(void **state)
{
	struct rig *r = *state;

	client_start(r->client);
	run_until(r, &r->troubles, 1);
	assert_int_equal(r->trouble.reason, ERR_NOT_RUNNING);
	/* And when one comes, it is found. */
	listen_and_publish(r);
	run_until(r, &r->attached, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_happens_before_it_is_started),
		TEST(messages_go_both_ways_after_the_welcome),
		TEST(a_daemon_of_another_epoch_is_not_believed),
		TEST(a_message_before_the_welcome_is_not_taken),
		TEST(a_refusal_is_told_in_the_daemons_words),
		TEST(a_lost_stream_is_opened_again),
		TEST(a_goodbye_ends_the_session_and_says_why),
		TEST(a_hang_up_instead_of_a_welcome_is_no_attachment),
		TEST(renewing_says_hello_again),
		TEST(leaving_says_goodbye),
		TEST(without_a_daemon_the_trouble_is_named),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
