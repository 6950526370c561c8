/* subscriptions: counted, kept through restarts, gone with their session. */
#include "server/mcp/subscriptions.h"

#include "tests/support/hub_room.h"

#define URI(uri) "{\"uri\":\"" uri "\"}"

static void touch(struct client *c, const char *source, const char *uri)
{
	char params[256];

	snprintf(params, sizeof(params),
		 "{\"name\":\"%s__touch\",\"arguments\":{\"uri\":\"%s\"}}",
		 source, uri);
	client_ask(c, "\"touch\"", "tools/call", params);
}

/* Wait until it is known who has which. */
static void await_resources(struct hub *h)
{
	client_ask(&h->b, "0", "resources/list", "{}");
	client_await(h, &h->b, "\"id\":0,");
	client_forget(&h->b);
}

/* How often the sources were sent this. */
static unsigned sent(const struct hub *h, const char *text)
{
	struct buf b = file_read(h->transcript);
	unsigned n = 0;

	buf_append(&b, "", 1);
	for (const char *at = b.data; (at = strstr(at, text)); at++)
		n++;
	buf_finish(&b);
	return n;
}

static void many_subscribers_are_one_to_the_source(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	await_resources(h);
	client_ask(&h->a, "1", "resources/subscribe", URI("fake://one"));
	client_ask(&h->b, "1", "resources/subscribe", URI("fake://one"));
	client_await(h, &h->a, "\"id\":1,\"result\":{}");
	client_await(h, &h->b, "\"id\":1,\"result\":{}");
	client_ask(&h->a, "2", "resources/subscribe", URI("fake://one"));
	client_await(h, &h->a, "\"id\":2,\"result\":{}");
	assert_int_equal(sent(h, "resources/subscribe"), 1);
	touch(&h->a, "fake", "fake://one");
	client_await(h, &h->a, "\"id\":\"touch\"");
	assert_int_equal(client_count(&h->a, "resources/updated"), 1);
	assert_int_equal(client_count(&h->b, "resources/updated"), 1);
	/* What nobody asked for goes to nobody. */
	client_forget(&h->a);
	touch(&h->a, "fake", "fake://two");
	client_await(h, &h->a, "\"id\":\"touch\"");
	assert_null(client_find(&h->a, "resources/updated"));
	/* One leaves, the other one stays. */
	client_ask(&h->a, "3", "resources/unsubscribe", URI("fake://one"));
	client_ask(&h->a, "4", "resources/unsubscribe", URI("fake://two"));
	client_await(h, &h->a, "\"id\":4,\"result\":{}");
	client_forget(&h->a);
	touch(&h->a, "fake", "fake://one");
	client_await(h, &h->a, "\"id\":\"touch\"");
	assert_null(client_find(&h->a, "resources/updated"));
	assert_int_equal(client_count(&h->b, "resources/updated"), 2);
	assert_int_equal(sent(h, "resources/unsubscribe"), 0);
	/* The other one is gone altogether. */
	client_close(&h->b);
	hub_await_file(h, h->transcript, "resources/unsubscribe");
	assert_int_equal(sent(h, "resources/unsubscribe"), 1);
	hub_end(h);
}

static void what_the_source_refuses_is_told_to_all_that_wait(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	await_resources(h);
	client_ask(&h->a, "1", "resources/subscribe", URI("fake://missing"));
	client_ask(&h->b, "\"x\"", "resources/subscribe",
		   URI("fake://missing"));
	client_await(h, &h->a, "\"id\":1,\"error\":{\"code\":-32002");
	client_await(h, &h->b, "\"id\":\"x\",\"error\":{\"code\":-32002");
	/* They are not subscribed: there is nothing to end. */
	client_ask(&h->a, "2", "resources/unsubscribe", URI("fake://missing"));
	client_await(h, &h->a, "\"id\":2,\"result\":{}");
	assert_int_equal(sent(h, "resources/unsubscribe"), 0);
	hub_end(h);
}

static void a_request_to_subscribe_can_be_cancelled(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	await_resources(h);
	client_ask(&h->a, "1", "resources/subscribe", URI("fake://one"));
	client_say(&h->a,
		   "{\"jsonrpc\":\"2.0\",\"method\":"
		   "\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	assert_int_equal(router_in_flight(h->router), 0);
	hub_await_file(h, h->transcript, "resources/unsubscribe");
	touch(&h->a, "fake", "fake://one");
	client_await(h, &h->a, "\"id\":\"touch\"");
	assert_null(client_find(&h->a, "resources/updated"));
	assert_null(client_find(&h->a, "\"id\":1,"));
	hub_end(h);
}

static void an_end_answers_the_request_that_it_overtakes(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	await_resources(h);
	client_ask(&h->a, "1", "resources/subscribe", URI("fake://one"));
	client_ask(&h->a, "2", "resources/unsubscribe", URI("fake://one"));
	client_await(h, &h->a, "\"id\":1,\"result\":{}");
	client_await(h, &h->a, "\"id\":2,\"result\":{}");
	touch(&h->a, "fake", "fake://one");
	client_await(h, &h->a, "\"id\":\"touch\"");
	assert_null(client_find(&h->a, "resources/updated"));
	hub_end(h);
}

static void an_alias_hears_its_own_source_by_its_own_name(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "one", "rich");
	hub_add(h, "two", "rich");
	await_resources(h);
	client_ask(&h->a, "1", "resources/subscribe", URI("fake://one"));
	client_ask(&h->b, "1", "resources/subscribe",
		   URI("mcp-hub://two/fake%3A%2F%2Fone"));
	client_await(h, &h->a, "\"id\":1,\"result\":{}");
	client_await(h, &h->b, "\"id\":1,\"result\":{}");
	assert_int_equal(sent(h, "{\"uri\":\"fake://one\"}"), 2);
	touch(&h->a, "two", "fake://one");
	client_await(h, &h->b,
		     "\"method\":\"notifications/resources/updated\","
		     "\"params\":{\"uri\":\"mcp-hub://two/fake%3A%2F%2Fone\"}");
	client_await(h, &h->a, "\"id\":\"touch\"");
	assert_null(client_find(&h->a, "resources/updated"));
	hub_end(h);
}

static void a_source_that_starts_anew_is_subscribed_to_again(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	await_resources(h);
	client_ask(&h->a, "1", "resources/subscribe", URI("fake://one"));
	client_await(h, &h->a, "\"id\":1,\"result\":{}");
	client_ask(&h->a, "2", "tools/call",
		   "{\"name\":\"fake__crash\",\"arguments\":{}}");
	client_await(h, &h->a, "\"id\":2,\"error\"");
	/* Nobody asks anything of it: it is started for those who listen. */
	while (sent(h, "resources/subscribe") < 2)
		ev_run(h->room->loop, EVRUN_ONCE);
	client_forget(&h->a);
	touch(&h->b, "fake", "fake://one");
	client_await(h, &h->a, "resources/updated");
	hub_end(h);
}

static void a_source_that_is_removed_takes_its_subscriptions(void **state)
{
	struct hub *h = *state;
	struct answer a = {0};

	hub_start(h, 60000);
	hub_add(h, "fake", "rich");
	await_resources(h);
	client_ask(&h->a, "1", "resources/subscribe", URI("fake://one"));
	client_await(h, &h->a, "\"id\":1,\"result\":{}");
	client_ask(&h->a, "2", "resources/subscribe", URI("fake://two"));
	router_source_remove(h->router, "fake", on_done, &a);
	hub_await_answer(h, &a);
	assert_int_equal(a.reason, ERR_NONE);
	client_await(h, &h->a, "\"id\":2,");
	client_ask(&h->a, "3", "resources/unsubscribe", URI("fake://one"));
	client_await(h, &h->a, "\"id\":3,");
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(many_subscribers_are_one_to_the_source),
		hub_test(what_the_source_refuses_is_told_to_all_that_wait),
		hub_test(a_request_to_subscribe_can_be_cancelled),
		hub_test(an_end_answers_the_request_that_it_overtakes),
		hub_test(an_alias_hears_its_own_source_by_its_own_name),
		hub_test(a_source_that_starts_anew_is_subscribed_to_again),
		hub_test(a_source_that_is_removed_takes_its_subscriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
