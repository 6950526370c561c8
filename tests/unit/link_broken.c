/* link: what a peer may do with envelopes, and what breaks the link. */
#include "proto/seqset.h"
#include "tests/unit/link_ends.h"

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

static void what_came_before_the_start_does_not_count(void **state)
{
	(void)state;
	write_message(7, 0);
	h2_send(client.s);
	run_until(server.messages == 1);
	link_start(server.link, &(struct seqset){.all = 5});
	assert_int_equal(link_received_all(server.link), 5);
	write_message(7, 0);
	write_message(6, 0);
	h2_send(client.s);
	run_until(server.messages == 3);
	assert_int_equal(link_received_all(server.link), 7);
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

static void what_a_pause_held_does_not_come_up_after_a_break(void **state)
{
	(void)state;
	link_pause(server.link);
	write_message(1, 0);
	buf_append(h2_output(client.s), "\0\xff\xff\xff\xff", 5);
	assert_breaks(ERR_TOO_LARGE);
	link_resume(server.link);
	settle();
	assert_int_equal(server.messages, 0);
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
	envelope_t *envelope = envelope_decode(&arena, NULL, body, &err);
	assert_non_null(envelope);
	assert_int_equal(envelope->body_case,
			 EXECUTOR__MCP__V1__ENVELOPE__BODY_MESSAGE);
	assert_int_equal(envelope->message->received, 1);
	arena_finish(&arena);
}

#define HAND(f) cmocka_unit_test_setup_teardown(f, set_up_by_hand, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		HAND(what_came_before_the_start_does_not_count),
		HAND(what_is_no_envelope_is_refused),
		HAND(a_huge_envelope_is_refused_on_its_prefix),
		HAND(what_a_pause_held_does_not_come_up_after_a_break),
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
