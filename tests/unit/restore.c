/* Subscriptions that a session had with an earlier daemon. */
#include "server/mcp/restore.h"

#include "server/mcp/subscriptions.h"
#include "tests/support/hub_room.h"

#define UPDATED(uri)                                                           \
	"\"method\":\"notifications/resources/updated\","                      \
	"\"params\":{\"uri\":\"" uri "\"}"

/* The client is another one, who had subscribed to this. */
static void come_back(struct hub *h, struct client *c, const char *uri)
{
	client_close(c);
	*c = (struct client){.watched = uri};
	client_open(h, c);
}

static void touch(struct client *c, const char *uri)
{
	char params[256];

	snprintf(params, sizeof(params),
		 "{\"name\":\"fake__touch\",\"arguments\":{\"uri\":\"%s\"}}",
		 uri);
	client_ask(c, "\"touch\"", "tools/call", params);
}

static void start(struct hub *h, unsigned first_list_ms)
{
	hub_start(h, first_list_ms);
	hub_add(h, "fake", "rich");
	client_ask(&h->b, "0", "resources/list", "{}");
	client_await(h, &h->b, "\"id\":0,");
	client_forget(&h->b);
}

static void it_is_in_force_again_and_told_once(void **state)
{
	struct hub *h = *state;

	start(h, 60000);
	come_back(h, &h->a, "fake://one");
	client_await(h, &h->a, UPDATED("fake://one"));
	assert_true(file_holds(h->transcript, "resources/subscribe"));
	touch(&h->b, "fake://one");
	client_await(h, &h->b, "\"id\":\"touch\"");
	assert_int_equal(client_count(&h->a, "resources/updated"), 2);
	client_ask(&h->a, "1", "resources/unsubscribe",
		   "{\"uri\":\"fake://one\"}");
	hub_await_file(h, h->transcript, "resources/unsubscribe");
	hub_end(h);
}

static void one_that_others_have_is_told_at_once(void **state)
{
	struct hub *h = *state;

	start(h, 60000);
	client_ask(&h->b, "1", "resources/subscribe",
		   "{\"uri\":\"fake://one\"}");
	client_await(h, &h->b, "\"id\":1,\"result\"");
	come_back(h, &h->a, "fake://one");
	assert_int_equal(client_count(&h->a, UPDATED("fake://one")), 1);
	touch(&h->b, "fake://one");
	client_await(h, &h->b, "\"id\":\"touch\"");
	assert_int_equal(client_count(&h->a, "resources/updated"), 2);
	assert_int_equal(client_count(&h->b, "resources/updated"), 1);
	hub_end(h);
}

static void it_waits_until_it_is_known_whose_it_is(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	come_back(h, &h->a, "fake://one");
	client_await(h, &h->a, UPDATED("fake://one"));
	touch(&h->b, "fake://one");
	client_await(h, &h->b, "\"id\":\"touch\"");
	assert_int_equal(client_count(&h->a, "resources/updated"), 2);
	hub_end(h);
}

static void it_may_be_ended_while_it_waits(void **state)
{
	struct hub *h = *state;

	hub_start(h, 200);
	hub_add(h, "fake", "rich");
	hub_add(h, "silent", "mute");
	come_back(h, &h->a, "fake://other");
	client_ask(&h->a, "1", "resources/unsubscribe",
		   "{\"uri\":\"fake://other\"}");
	client_await(h, &h->a, "\"id\":1,\"result\"");
	assert_null(client_find(&h->a, "resources/updated"));
	assert_false(file_holds(h->transcript, "resources/subscribe"));
	hub_end(h);
}

static void a_session_may_leave_while_it_waits(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "silent", "mute");
	come_back(h, &h->a, "fake://one");
	client_close(&h->a);
	client_open(h, &h->a);
	come_back(h, &h->b, "fake://one"); /* it waits until the end */
	hub_end(h);
}

static void what_is_gone_is_told_and_harms_nothing(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000); /* there is no source at all */
	come_back(h, &h->a, "fake://one");
	client_await(h, &h->a, UPDATED("fake://one"));
	client_ask(&h->a, "1", "resources/read", "{\"uri\":\"fake://one\"}");
	client_await(h, &h->a, "\"id\":1,\"error\"");
	hub_end(h);
}

static void what_the_source_refuses_is_told_and_harms_nothing(void **state)
{
	struct hub *h = *state;

	start(h, 60000);
	come_back(h, &h->a, "fake://missing");
	client_await(h, &h->a, UPDATED("fake://missing"));
	touch(&h->a, "fake://one");
	client_await(h, &h->a, "\"id\":\"touch\"");
	hub_end(h);
}

static void a_source_that_does_not_start_delays_nothing(void **state)
{
	struct hub *h = *state;

	start(h, 60000);
	hub_add(h, "silent", "mute");
	come_back(h, &h->a, "mcp-hub://silent/x%3Ay");
	client_ask(&h->a, "1", "resources/read", "{\"uri\":\"fake://one\"}");
	client_await(h, &h->a, "\"id\":1,\"result\"");
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(it_is_in_force_again_and_told_once),
		hub_test(one_that_others_have_is_told_at_once),
		hub_test(it_waits_until_it_is_known_whose_it_is),
		hub_test(it_may_be_ended_while_it_waits),
		hub_test(a_session_may_leave_while_it_waits),
		hub_test(what_is_gone_is_told_and_harms_nothing),
		hub_test(what_the_source_refuses_is_told_and_harms_nothing),
		hub_test(a_source_that_does_not_start_delays_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
