/* link: both ends of one stream over a socket pair; and, for broken peers, one
 * end that writes envelopes by hand. */
#include "proto/link.h"

#include <ev.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/h2.h"
#include "proto/message.h"

enum { KIB = 1024, MIB = 1024 * 1024, LIMIT = 32 * MIB, SEEN = 4096 };

enum event { NOTHING, ENVELOPE, MESSAGE, ACKED, DRAINED, BROKEN };

struct end {
	struct h2 *h;
	struct h2_stream *s;
	struct link *link; /* NULL: by hand */
	struct buf raw;	   /* what came, by hand */
	uint64_t order[SEEN];
	unsigned messages, envelopes, drains;
	uint64_t acked;
	size_t bytes, most_queued_bytes;
	bool corrupt, ended_well;
	unsigned ends;
	enum reason broken;
	bool deliver; /* at once */
	bool pause_in_message;
	enum event free_in;
};

static struct ev_loop *loop;
static struct end client, server;
static bool by_hand;
static size_t limit_bytes;

static char pattern(uint64_t sequence, size_t i)
{
	return (char)((i + sequence * 7919) * 2654435761u >> 19);
}

static void maybe_free(struct end *e, enum event now)
{
	if (e->free_in != now)
		return;
	link_free(e->link);
	e->link = NULL;
}

/* --- events of the link --- */

static void on_envelope(void *owner, const envelope_t *envelope)
{
	struct end *e = owner;

	assert_int_equal(envelope->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE);
	e->envelopes++;
	maybe_free(e, ENVELOPE);
}

static void on_message(void *owner, uint64_t sequence, bool effect,
		       struct slice json)
{
	struct end *e = owner;

	e->order[e->messages++ % SEEN] = sequence;
	e->bytes += json.len;
	e->corrupt |= effect != (sequence % 2 == 0);
	for (size_t i = 0; i < json.len; i++)
		e->corrupt |= json.ptr[i] != pattern(sequence, i);
	if (e->pause_in_message)
		link_pause(e->link);
	if (e->deliver)
		link_received(e->link, sequence);
	maybe_free(e, MESSAGE);
}

static void on_acked(void *owner, uint64_t received)
{
	struct end *e = owner;

	assert_true(received > e->acked);
	e->acked = received;
	maybe_free(e, ACKED);
}

static void on_link_drained(void *owner)
{
	struct end *e = owner;

	e->drains++;
	maybe_free(e, DRAINED);
}

static void on_broken(void *owner, const struct err *why)
{
	struct end *e = owner;

	assert_int_equal(e->broken, ERR_NONE);
	e->broken = why->reason;
	maybe_free(e, BROKEN);
}

static const struct link_events link_events = {
	.envelope = on_envelope,
	.message = on_message,
	.acked = on_acked,
	.drained = on_link_drained,
	.broken = on_broken,
};

/* --- events of h2 --- */

static void on_headers(void *owner, const struct h2_headers *h)
{
	(void)owner;
	(void)h;
}

static void on_data(void *owner, struct slice bytes)
{
	struct end *e = owner;

	if (e->link) {
		link_on_data(e->link, bytes);
		return;
	}
	buf_append_slice(&e->raw, bytes);
	h2_consume(e->s, bytes.len);
}

static void on_end(void *owner)
{
	struct end *e = owner;
	struct err err;

	e->ends++;
	if (e->link)
		e->ended_well = link_on_end(e->link, &err);
}

static void on_drained(void *owner)
{
	struct end *e = owner;

	if (!e->link)
		return;
	if (h2_queued(e->s) > e->most_queued_bytes)
		e->most_queued_bytes = h2_queued(e->s);
	link_on_drained(e->link);
	if (e->link && h2_queued(e->s) > e->most_queued_bytes)
		e->most_queued_bytes = h2_queued(e->s);
}

static void on_closed(void *owner, uint32_t error)
{
	struct end *e = owner;

	(void)error;
	link_free(e->link);
	e->link = NULL;
	e->s = NULL;
}

static const struct h2_stream_events stream_events = {
	.headers = on_headers,
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

static void on_request(void *owner, struct h2_stream *s,
		       const struct h2_headers *h)
{
	const struct h2_header ok = {slice_of(":status"), slice_of("200")};
	struct end *e = owner;

	(void)h;
	e->s = s;
	h2_stream_listen(s, &stream_events, e);
	h2_respond(s, &ok, 1);
	e->link = link_new(loop, s, limit_bytes, &link_events, e);
}

static void on_down(void *owner, const struct err *why)
{
	(void)owner;
	(void)why;
}

static const struct h2_events events = {
	.request = on_request,
	.down = on_down,
};

/* --- set-up --- */

#define run_until(condition)                                                   \
	while (!(condition))                                                   \
	ev_run(loop, EVRUN_ONCE)

static void settle(void)
{
	for (int i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static void set_up(void)
{
	const struct h2_header list[] = {
		{slice_of(":method"), slice_of("POST")},
		{slice_of(":scheme"), slice_of("http")},
		{slice_of(":path"), slice_of("/x/y")},
	};
	struct h2_limits limits = h2_limits_local();
	struct err err;
	int fds[2];

	client = (struct end){0};
	server = (struct end){.deliver = true};
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server.h = h2_new_server(loop, fds[0], &limits, &events, &server);
	client.h = h2_new_client(loop, fds[1], &limits, &events, &client);
	client.s = h2_request(client.h, list, 3, &stream_events, &client, &err);
	assert_non_null(client.s);
	if (!by_hand)
		client.link = link_new(loop, client.s, limit_bytes,
				       &link_events, &client);
	run_until(server.link);
}

static int set_up_links(void **state)
{
	(void)state;
	by_hand = false;
	limit_bytes = LIMIT;
	set_up();
	return 0;
}

static int set_up_by_hand(void **state)
{
	(void)state;
	by_hand = true;
	limit_bytes = 1 * MIB;
	set_up();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	h2_free(client.h);
	h2_free(server.h);
	buf_finish(&client.raw);
	buf_finish(&server.raw);
	return 0;
}

static void post_after(struct end *e, uint64_t sequence, size_t len,
		       uint64_t after)
{
	char *json = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		json[i] = pattern(sequence, i);
	struct message *m =
		message_new((struct slice){json, len}, sequence % 2 == 0);
	m->sequence = sequence;
	link_send(e->link, m, after);
	message_unref(m);
	free(json);
	if (h2_queued(e->s) > e->most_queued_bytes)
		e->most_queued_bytes = h2_queued(e->s);
}

static void post(struct end *e, uint64_t sequence, size_t len)
{
	post_after(e, sequence, len, 0);
}

static void assert_order(const struct end *e, const uint64_t *order,
			 unsigned count)
{
	assert_int_equal(e->messages, count);
	assert_false(e->corrupt);
	assert_int_equal(e->broken, ERR_NONE);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(e->order[i], order[i]);
}

/* --- the tests --- */

static void messages_arrive_byte_for_byte_both_ways(void **state)
{
	(void)state;
	client.deliver = true;
	for (uint64_t n = 1; n <= 100; n++) {
		post(&client, n, n * 37 % 5000);
		post(&server, n, n * 51 % 5000);
	}
	run_until(client.messages == 100 && server.messages == 100);
	assert_false(client.corrupt || server.corrupt);
	assert_int_equal(link_received_all(client.link), 100);
	assert_int_equal(link_received_all(server.link), 100);
	run_until(client.acked == 100 && server.acked == 100);
}

static void a_small_message_overtakes_a_large_one(void **state)
{
	(void)state;
	post(&client, 1, 6 * MIB);
	post(&client, 2, 10);
	post(&client, 3, 256 * KIB);
	run_until(server.messages == 3);
	assert_order(&server, (const uint64_t[]){2, 3, 1}, 3);
	assert_int_equal(server.bytes, 6 * MIB + 10 + 256 * KIB);
	assert_in_range(client.most_queued_bytes, 1, 1 * MIB);
	run_until(client.acked == 3);
	assert_true(client.drains > 0);
	assert_int_equal(link_queued(client.link), 0);
}

static void a_message_never_overtakes_what_it_follows(void **state)
{
	(void)state;
	post(&client, 1, 3 * MIB);
	post(&client, 2, 9 * MIB);
	post_after(&client, 3, 10, 1);
	post_after(&client, 4, 10, 3);
	post_after(&client, 5, 300 * KIB, 2);
	post(&client, 6, 10);
	run_until(server.messages == 6);
	assert_order(&server, (const uint64_t[]){6, 1, 3, 4, 2, 5}, 6);
}

static void what_follows_a_message_long_gone_goes_at_once(void **state)
{
	(void)state;
	post(&client, 1, 10);
	run_until(server.messages == 1);
	post(&client, 2, 3 * MIB);
	post_after(&client, 3, 10, 1);
	/* 5 waits for 4, which is queued only behind it: too late. */
	post_after(&client, 5, 1 * MIB, 4);
	post(&client, 4, 1 * MIB);
	run_until(server.messages == 5);
	assert_int_equal(server.order[1], 3);
	assert_false(server.corrupt);
}

static void large_messages_take_turns(void **state)
{
	(void)state;
	post(&client, 1, 6 * MIB);
	post(&client, 2, 1 * MIB);
	post(&client, 3, 1 * MIB);
	run_until(server.messages == 3);
	assert_order(&server, (const uint64_t[]){2, 3, 1}, 3);
}

static void all_that_waits_is_counted(void **state)
{
	(void)state;
	settle();
	post(&client, 1, 5 * MIB);
	post(&client, 2, 5 * MIB);
	assert_in_range(link_queued(client.link), 10 * MIB, 10 * MIB + 1000);
	run_until(server.messages == 2);
	assert_int_equal(link_queued(client.link), 0);
}

static void only_what_has_no_gap_is_acknowledged(void **state)
{
	(void)state;
	server.deliver = false;
	for (uint64_t n = 1; n <= 4; n++)
		post(&client, n, 10);
	run_until(server.messages == 4);
	link_received(server.link, 4);
	link_received(server.link, 2);
	assert_int_equal(link_received_all(server.link), 0);
	link_received(server.link, 1);
	link_received(server.link, 1);
	assert_int_equal(link_received_all(server.link), 2);
	run_until(client.acked); /* by the timer */
	assert_int_equal(client.acked, 2);
	link_received(server.link, 3);
	run_until(client.acked == 4);
}

static void many_messages_or_bytes_are_acknowledged_at_once(void **state)
{
	(void)state;
	server.deliver = false;
	for (uint64_t n = 1; n <= 64; n++)
		post(&client, n, 10);
	run_until(server.messages == 64);
	for (uint64_t n = 1; n <= 64; n++)
		link_received(server.link, n);
	assert_true(h2_queued(server.s) > 0); /* without the timer */
	run_until(client.acked == 64);
	post(&client, 65, 256 * KIB);
	run_until(server.messages == 65);
	link_received(server.link, 65);
	assert_true(h2_queued(server.s) > 0);
	run_until(client.acked == 65);
}

static void a_resumed_session_counts_on(void **state)
{
	(void)state;
	link_start(server.link, 1000);
	post(&client, 1001, 10);
	post(&client, 1002, 10);
	run_until(server.messages == 2);
	assert_int_equal(link_received_all(server.link), 1002);
	/* One that the stream before this one had brought. */
	link_received(server.link, 999);
	run_until(client.acked == 1002);
	post(&client, 1000, 10);
	run_until(server.broken);
	assert_int_equal(server.broken, ERR_PROTOCOL);
}

static void a_paused_link_stops_the_other_side(void **state)
{
	(void)state;
	link_pause(server.link);
	for (uint64_t n = 1; n <= 200; n++)
		post(&client, n, 10 * KIB);
	settle();
	assert_int_equal(server.messages, 0);
	assert_true(link_queued(client.link) > 1900 * KIB);
	link_resume(server.link);
	assert_int_equal(server.messages, 0); /* never inside the call */
	run_until(server.messages == 200);
	assert_false(server.corrupt);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(server.order[i], i + 1);
}

static void a_pause_holds_the_rest_of_what_came(void **state)
{
	(void)state;
	server.pause_in_message = true;
	for (uint64_t n = 1; n <= 10; n++)
		post(&client, n, 100);
	run_until(server.messages == 1);
	settle();
	assert_int_equal(server.messages, 1);
	for (unsigned n = 2; n <= 10; n++) {
		link_resume(server.link);
		run_until(server.messages == n);
		settle();
		assert_int_equal(server.messages, n);
	}
	assert_false(server.corrupt);
}

static void acknowledgements_are_heard_while_paused(void **state)
{
	(void)state;
	client.deliver = true;
	link_pause(client.link);
	post(&client, 1, 10);
	post(&server, 1, 10); /* carries the acknowledgement */
	run_until(client.acked == 1);
	assert_int_equal(client.messages, 0);
	link_resume(client.link);
	run_until(client.messages == 1);
}

static void a_goodbye_is_handed_up(void **state)
{
	envelope_t envelope = EXECUTOR__MCP__V1__ENVELOPE__INIT;
	envelope_goodbye_t goodbye;

	(void)state;
	envelope.body_case = EXECUTOR__MCP__V1__ENVELOPE__BODY_GOODBYE;
	executor__mcp__v1__goodbye__init(&goodbye);
	envelope.goodbye = &goodbye;
	link_send_envelope(client.link, &envelope);
	h2_end(client.s);
	run_until(server.envelopes == 1 && server.ends == 1);
	assert_true(server.ended_well);
}

static void a_link_may_be_freed_inside_any_event(void **state)
{
	(void)state;
	for (int at = ENVELOPE; at <= BROKEN; at++) {
		set_up_links(NULL);
		server.free_in = (enum event)at;
		client.deliver = true;
		if (at == ENVELOPE) {
			envelope_encode_goodbye(
				h2_output(client.s),
				EXECUTOR__MCP__V1__GOODBYE__REASON__REASON_CLIENT_LEFT,
				"");
			h2_send(client.s);
		} else if (at == BROKEN) {
			buf_append(h2_output(client.s), "\0\0\0\0\1x", 6);
			h2_send(client.s);
		} else if (at == MESSAGE) {
			post(&client, 1, 10);
			post(&client, 2, 10);
		} else {
			post(&server, 1, 10 * MIB);
			post(&server, 2, 10);
		}
		run_until(!server.link);
		settle();
		tear_down(NULL);
	}
}

/* --- by hand --- */

static void write_message(uint64_t sequence, uint64_t received)
{
	char byte = pattern(sequence, 0);

	envelope_encode_message(h2_output(client.s), sequence,
				sequence % 2 == 0, received,
				(struct slice){&byte, 1});
}

static void write_chunk(uint64_t sequence, uint64_t total, uint64_t offset,
			size_t len)
{
	char *data = calloc(1, len + 1);

	for (size_t i = 0; i < len; i++)
		data[i] = pattern(sequence, offset + i);
	envelope_encode_chunk(h2_output(client.s), sequence, sequence % 2 == 0,
			      total, offset, (struct slice){data, len});
	free(data);
}

static void assert_breaks(enum reason reason)
{
	h2_send(client.s);
	run_until(server.broken);
	assert_int_equal(server.broken, reason);
	unsigned messages = server.messages;
	write_message(4711, 0);
	h2_send(client.s);
	settle();
	assert_int_equal(server.messages, messages);
}

static void chunks_of_sixteen_messages_may_mingle(void **state)
{
	(void)state;
	for (uint64_t offset = 0; offset < 1000; offset += 100)
		for (uint64_t n = 1; n <= 16; n++)
			write_chunk(n, 1000, offset, 100);
	h2_send(client.s);
	run_until(server.messages == 16);
	assert_false(server.corrupt);
	write_message(17, 0);
	h2_send(client.s);
	run_until(server.messages == 17);
}

static void a_seventeenth_message_in_parts_is_refused(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 17; n++)
		write_chunk(n, 1000, 0, 1);
	assert_breaks(ERR_PROTOCOL);
}

static void a_chunk_that_leaves_a_gap_is_refused(void **state)
{
	(void)state;
	write_chunk(1, 1000, 0, 10);
	write_chunk(1, 1000, 11, 10);
	assert_breaks(ERR_PROTOCOL);
}

static void a_message_begins_with_its_first_chunk(void **state)
{
	(void)state;
	write_chunk(1, 1000, 10, 10);
	assert_breaks(ERR_PROTOCOL);
}

static void a_total_does_not_change(void **state)
{
	(void)state;
	write_chunk(1, 1000, 0, 10);
	write_chunk(1, 1001, 10, 10);
	assert_breaks(ERR_PROTOCOL);
}

static void a_total_over_the_limit_is_refused_on_its_first_byte(void **state)
{
	(void)state;
	write_chunk(1, MIB, 0, 1);
	write_chunk(2, MIB + 1, 0, 1);
	assert_breaks(ERR_TOO_LARGE);
}

static void all_parts_together_are_bounded(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 3; n++)
		for (uint64_t offset = 0; offset < 700 * KIB;
		     offset += 100 * KIB)
			write_chunk(n, MIB, offset, 100 * KIB);
	assert_breaks(ERR_TOO_LARGE);
}

static void a_number_comes_once(void **state)
{
	(void)state;
	write_message(2, 0);
	write_message(1, 0);
	write_message(2, 0);
	assert_breaks(ERR_PROTOCOL);
	assert_int_equal(server.messages, 2);
}

static void a_number_in_parts_comes_once(void **state)
{
	(void)state;
	write_chunk(1, 10, 0, 5);
	write_message(1, 0);
	assert_breaks(ERR_PROTOCOL);
	assert_int_equal(server.messages, 0);
}

static void a_number_far_too_early_is_refused(void **state)
{
	(void)state;
	write_message(UINT64_MAX, 0);
	assert_breaks(ERR_PROTOCOL);
}

static void what_is_no_envelope_is_refused(void **state)
{
	(void)state;
	buf_append(h2_output(client.s), "\0\0\0\0\0", 5); /* without a body */
	assert_breaks(ERR_PROTOCOL);
}

static void a_huge_envelope_is_refused_on_its_prefix(void **state)
{
	(void)state;
	buf_append(h2_output(client.s), "\0\1\0\0\0", 5);
	assert_breaks(ERR_TOO_LARGE);
}

static void an_end_inside_an_envelope_is_told(void **state)
{
	(void)state;
	buf_append(h2_output(client.s), "\0\0\0\0\7abc", 8);
	h2_send(client.s);
	h2_end(client.s);
	run_until(server.ends);
	assert_false(server.ended_well);
}

static void one_byte_at_a_time_is_the_same(void **state)
{
	struct buf all = {0};

	(void)state;
	write_message(1, 0);
	write_chunk(2, 500, 0, 200);
	write_message(3, 7);
	write_chunk(2, 500, 200, 300);
	buf_move(&all, h2_output(client.s));
	for (size_t i = 0; i < all.len; i++) {
		buf_append(h2_output(client.s), all.data + i, 1);
		h2_send(client.s);
		ev_run(loop, EVRUN_NOWAIT);
		ev_run(loop, EVRUN_NOWAIT);
	}
	run_until(server.messages == 3);
	assert_order(&server, (const uint64_t[]){1, 3, 2}, 3);
	assert_int_equal(server.acked, 7);
	buf_finish(&all);
}

static void an_acknowledgement_rides_on_the_next_message(void **state)
{
	struct arena arena = {0};
	struct err err;

	(void)state;
	server.deliver = false;
	write_message(1, 0);
	h2_send(client.s);
	run_until(server.messages == 1);
	link_received(server.link, 1);
	post(&server, 1, 3);
	run_until(client.raw.len > GRPC_PREFIX_BYTES &&
		  client.raw.len ==
			  GRPC_PREFIX_BYTES + (size_t)client.raw.data[4]);
	struct slice body = {client.raw.data + GRPC_PREFIX_BYTES,
			     client.raw.len - GRPC_PREFIX_BYTES};
	envelope_t *envelope = envelope_decode(&arena, body, &err);
	assert_non_null(envelope);
	assert_int_equal(envelope->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE);
	assert_int_equal(envelope->message->received, 1);
	arena_finish(&arena);
}

#define LINKS(f) cmocka_unit_test_setup_teardown(f, set_up_links, tear_down)
#define HAND(f)	 cmocka_unit_test_setup_teardown(f, set_up_by_hand, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINKS(messages_arrive_byte_for_byte_both_ways),
		LINKS(a_small_message_overtakes_a_large_one),
		LINKS(a_message_never_overtakes_what_it_follows),
		LINKS(what_follows_a_message_long_gone_goes_at_once),
		LINKS(large_messages_take_turns),
		LINKS(all_that_waits_is_counted),
		LINKS(only_what_has_no_gap_is_acknowledged),
		LINKS(many_messages_or_bytes_are_acknowledged_at_once),
		LINKS(a_resumed_session_counts_on),
		LINKS(a_paused_link_stops_the_other_side),
		LINKS(a_pause_holds_the_rest_of_what_came),
		LINKS(acknowledgements_are_heard_while_paused),
		LINKS(a_goodbye_is_handed_up),
		cmocka_unit_test(a_link_may_be_freed_inside_any_event),
		HAND(chunks_of_sixteen_messages_may_mingle),
		HAND(a_seventeenth_message_in_parts_is_refused),
		HAND(a_chunk_that_leaves_a_gap_is_refused),
		HAND(a_message_begins_with_its_first_chunk),
		HAND(a_total_does_not_change),
		HAND(a_total_over_the_limit_is_refused_on_its_first_byte),
		HAND(all_parts_together_are_bounded),
		HAND(a_number_comes_once),
		HAND(a_number_in_parts_comes_once),
		HAND(a_number_far_too_early_is_refused),
		HAND(what_is_no_envelope_is_refused),
		HAND(a_huge_envelope_is_refused_on_its_prefix),
		HAND(an_end_inside_an_envelope_is_told),
		HAND(one_byte_at_a_time_is_the_same),
		HAND(an_acknowledgement_rides_on_the_next_message),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
