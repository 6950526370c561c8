/* h2_check: header blocks by hand, to a server that looks for itself and to
 * one where nghttp2 does: but for :authority they must agree. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/unit/h2_raw.h"

static struct ev_loop *loop;

enum verdict {
	GOOD,
	BAD,
	OURS, /* good here, bad for nghttp2: what all this is for */
};

#define START ":method POST\n:scheme http\n:path /a.B/C\n"

static const struct {
	enum verdict verdict;
	const char *lines;
} blocks[] = {
	{GOOD, START ":authority localhost\n"},
	{GOOD, START ":authority %2Ftmp%2Fx.sock\nte trailers\n"},
	{GOOD, START ":authority a\nte Trailers\nx-bin AAEC\n"},
	{GOOD, ":authority a\n" START "content-length 0\n"},
	{GOOD, ":method OPTIONS\n:scheme http\n:path *\n:authority a\n"},
	{GOOD, ":method CONNECT\n:authority a:1\n"},
	{GOOD, START "host a\n"},
	{GOOD, START ":authority a\nx-a \xe9\xff\n"},
	{OURS, START},
	{OURS, START ":authority \n"},
	{OURS, START ":authority /tmp/x.sock\n"},
	{OURS, START ":authority /tmp/x.sock\nte trailers\n"},
	{BAD, ":method POST\n:scheme http\n:authority a\n"},
	{BAD, ":method POST\n:path /a\n:authority a\n"},
	{BAD, ":scheme http\n:path /a\n:authority a\n"},
	{BAD, START ":authority a\n:authority a\n"},
	{BAD, START ":authority a\n:method POST\n"},
	{BAD, START ":authority a\n:path /b\n"},
	{BAD, START ":authority a\n:scheme http\n"},
	{BAD, START ":authority a\n:status 200\n"},
	{BAD, START ":authority a\n:what b\n"},
	{BAD, START "x-a b\n:authority a\n"},
	{BAD, START ":authority a\nX-Upper b\n"},
	{BAD, START ":authority a\nconnection close\n"},
	{BAD, START ":authority a\nkeep-alive 5\n"},
	{BAD, START ":authority a\nproxy-connection close\n"},
	{BAD, START ":authority a\nupgrade h3\n"},
	{BAD, START ":authority a\ntransfer-encoding chunked\n"},
	{BAD, START ":authority a\nte gzip\n"},
	{BAD, START ":authority a\ncontent-length 0\ncontent-length 0\n"},
	{BAD, START ":authority a\ncontent-length x\n"},
	{BAD, START ":authority a\ncontent-length -1\n"},
	{BAD, START ":authority a\ncontent-length 99999999999999999999\n"},
	{BAD, START ":authority a\ncontent-length 5\n"},
	{BAD, ":method POST\n:scheme http\n:path \n:authority a\n"},
	{BAD, ":method POST\n:scheme http\n:path a\n:authority a\n"},
	{BAD, ":method POST\n:scheme http\n:path *\n:authority a\n"},
	{BAD, ":method P ST\n:scheme http\n:path /\n:authority a\n"},
	{BAD, ":method POST\n:scheme \n:path /\n:authority a\n"},
	{BAD, ":method CONNECT\n:authority a:1\n:path /\n"},
	{BAD, ":method CONNECT\n:authority a:1\n:scheme http\n"},
	{BAD, ":method CONNECT\n"},
	{BAD, START ":authority a\nx-\x7f b\n"},
	{BAD, START ":authority a\nx-a b\rc\n"},
	{BAD, START ":authority a\nx-a b \n"},
};

static void expect(struct raw *r, uint32_t id, const char *lines, bool good)
{
	unsigned requests = r->requests;
	uint32_t error = 0;

	raw_headers(r, id, RAW_END_HEADERS | RAW_END_STREAM, lines);
	raw_talk(r);
	unsigned resets = raw_count(r, RAW_RST_STREAM, id, &error);
	if (resets != !good || (good && r->requests != requests + 1))
		fail_msg("not %s: %s", good ? "accepted" : "refused", lines);
	if (!good)
		assert_int_equal(error, H2_PROTOCOL_ERROR);
	assert_int_equal(r->downs, 0);
}

static void requests_are_judged_as_nghttp2_does(void **state)
{
	struct h2_limits limits = h2_limits_local();
	struct raw ours, theirs;
	uint32_t id = 1;

	(void)state;
	raw_open(&ours, loop, &limits);
	limits.any_authority = false;
	raw_open(&theirs, loop, &limits);
	raw_hello(&ours);
	raw_hello(&theirs);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		enum verdict v = blocks[i].verdict;

		expect(&ours, id, blocks[i].lines, v == GOOD || v == OURS);
		expect(&theirs, id, blocks[i].lines, v == GOOD);
		id += 2;
	}
	raw_close(&ours);
	raw_close(&theirs);
}

/* A request that stays open, then what makes it end. */
static bool survives(const char *request, const char *body,
		     const char *trailers, unsigned flags)
{
	struct h2_limits limits = h2_limits_local();
	bool good[2];

	for (int i = 0; i < 2; i++) {
		struct raw r;

		limits.any_authority = i == 0;
		raw_open(&r, loop, &limits);
		raw_hello(&r);
		raw_headers(&r, 1, RAW_END_HEADERS, request);
		raw_frame(&r, RAW_DATA, trailers ? 0 : flags, 1, body,
			  strlen(body));
		if (trailers)
			raw_headers(&r, 1, RAW_END_HEADERS | flags, trailers);
		raw_talk(&r);
		good[i] = r.ends == 1;
		assert_int_equal(raw_count(&r, RAW_RST_STREAM, 1, NULL),
				 !good[i]);
		assert_int_equal(r.closed, !good[i]);
		raw_close(&r);
	}
	assert_int_equal(good[0], good[1]);
	return good[0];
}

static void the_announced_length_is_the_length(void **state)
{
	const char *five = START ":authority a\ncontent-length 5\n";

	(void)state;
	assert_true(survives(five, "12345", NULL, RAW_END_STREAM));
	assert_false(survives(five, "1234", NULL, RAW_END_STREAM));
	assert_false(survives(five, "123456", NULL, RAW_END_STREAM));
	assert_false(survives(five, "123456", NULL, 0));
}

static void trailers_are_the_end_and_hold_no_pseudo_header(void **state)
{
	const char *request = START ":authority a\n";

	(void)state;
	assert_true(survives(request, "x", "x-a b\n", RAW_END_STREAM));
	assert_true(survives(request, "x", "", RAW_END_STREAM));
	assert_false(survives(request, "x", "x-a b\n", 0));
	assert_false(survives(request, "x", ":path /\n", RAW_END_STREAM));
	assert_false(
		survives(request, "x", "connection close\n", RAW_END_STREAM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_judged_as_nghttp2_does),
		cmocka_unit_test(the_announced_length_is_the_length),
		cmocka_unit_test(
			trailers_are_the_end_and_hold_no_pseudo_header),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(100); /* a test that hangs fails */
	loop = ev_loop_new(EVFLAG_AUTO);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
