/*
 * bridge_fake: a host and a daemon for the bridge, as text.
 *
 * What the bridge does is noted in the order in which it happens:
 *   "host <line>\n"  "daemon <sequence> <json>\n"  "ack <sequence>\n"
 *   "seek\n"  "renew\n"  "hold\n"  "go on\n"  "pause\n"  "resume\n"
 */
#ifndef TESTS_UNIT_BRIDGE_FAKE_H
#define TESTS_UNIT_BRIDGE_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "adapter/bridge.h"
#include "proto/buf.h"
#include "proto/err.h"
#include "proto/message.h"

struct fake {
	struct bridge *bridge;
	struct buf log;
	uint64_t offset; /* of all that was written to the host */
	unsigned taken;	 /* of that, how many messages where they lay */
	size_t host_queued;
	size_t daemon_queued;
	int64_t now_ms;
	envelope_known_t **known; /* one for the next Welcomes, or NULL */
};

static uint64_t fake_write(void *owner, struct slice text)
{
	struct fake *f = owner;

	assert_null(memchr(text.ptr, '\n', text.len));
	buf_append_text(&f->log, "host ");
	buf_append_slice(&f->log, text);
	buf_append_text(&f->log, "\n");
	f->offset += text.len + 1;
	return f->offset;
}

static uint64_t fake_take(void *owner, struct buf *text)
{
	struct fake *f = owner;
	uint64_t offset = fake_write(f, buf_slice(text));

	f->taken++;
	buf_finish(text);
	return offset;
}

static size_t fake_host_queued(void *owner)
{
	return ((struct fake *)owner)->host_queued;
}

static void fake_hold(void *owner, bool held)
{
	struct fake *f = owner;

	buf_append_text(&f->log, held ? "hold\n" : "go on\n");
}

static void fake_seek(void *owner)
{
	buf_append_text(&((struct fake *)owner)->log, "seek\n");
}

static void fake_send(void *owner, struct message *m, uint64_t after)
{
	struct fake *f = owner;

	buf_printf(&f->log, "daemon %llu ", (unsigned long long)m->sequence);
	if (after != 0)
		buf_printf(&f->log, "after %llu ", (unsigned long long)after);
	buf_append_slice(&f->log, message_text(m));
	buf_append_text(&f->log, "\n");
}

static void fake_received(void *owner, uint64_t sequence)
{
	struct fake *f = owner;

	buf_printf(&f->log, "ack %llu\n", (unsigned long long)sequence);
}

static size_t fake_daemon_queued(void *owner)
{
	return ((struct fake *)owner)->daemon_queued;
}

static void fake_pause(void *owner, bool paused)
{
	struct fake *f = owner;

	buf_append_text(&f->log, paused ? "pause\n" : "resume\n");
}

static void fake_renew(void *owner)
{
	buf_append_text(&((struct fake *)owner)->log, "renew\n");
}

static const struct bridge_sides fake_sides = {
	.write = fake_write,
	.take = fake_take,
	.host_queued = fake_host_queued,
	.hold_host = fake_hold,
	.seek = fake_seek,
	.send = fake_send,
	.received = fake_received,
	.daemon_queued = fake_daemon_queued,
	.pause_daemon = fake_pause,
	.renew = fake_renew,
};

static int fake_setup(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->now_ms = 1000;
	f->bridge = bridge_new("/of/the/host", &fake_sides, f);
	*state = f;
	return 0;
}

static int fake_teardown(void **state)
{
	struct fake *f = *state;

	bridge_free(f->bridge);
	buf_finish(&f->log);
	free(f);
	return 0;
}

/* Everything that happened since the last look is exactly this. */
static void saw(struct fake *f, const char *want)
{
	buf_append(&f->log, "", 1);
	assert_string_equal(f->log.data, want);
	buf_reset(&f->log, 0);
}

/* It is this text somewhere in it. */
static void saw_part(struct fake *f, const char *want)
{
	buf_append(&f->log, "", 1);
	if (!strstr(f->log.data, want))
		fail_msg("no \"%s\" in: %s", want, f->log.data);
	buf_reset(&f->log, 0);
}

static void host_says(struct fake *f, const char *line)
{
	bridge_from_host(f->bridge, slice_of(line), f->now_ms);
}

static void daemon_says(struct fake *f, uint64_t sequence, const char *json)
{
	bridge_from_daemon(f->bridge, sequence, slice_of(json), NULL);
}

/* Say hello, and be welcomed: in the session that byte stands for, with these
 * verdicts on the pending numbers, in order. */
static void attach_to(struct fake *f, char byte, bool resumed,
		      uint64_t received, const int *verdicts)
{
	envelope_hello_t hello = EXECUTOR__MCP__V1__HELLO__INIT;
	envelope_welcome_t welcome = EXECUTOR__MCP__V1__WELCOME__INIT;
	envelope_verdict_t list[8];
	envelope_verdict_t *pointers[8];
	uint8_t session[ENVELOPE_ID_BYTES];

	bridge_hello(f->bridge, &hello);
	assert_true(hello.n_pending <= 8);
	for (size_t i = 0; verdicts && i < hello.n_pending; i++) {
		executor__mcp__v1__verdict__init(&list[i]);
		list[i].sequence = hello.pending[i];
		list[i].state = (Executor__Mcp__V1__Verdict__State)verdicts[i];
		pointers[i] = &list[i];
	}
	memset(session, byte, sizeof(session));
	welcome.session.data = session;
	welcome.session.len = sizeof(session);
	welcome.resumed = resumed;
	welcome.received = received;
	welcome.n_verdicts = verdicts ? hello.n_pending : 0;
	welcome.verdicts = pointers;
	welcome.n_known = f->known ? 1 : 0;
	welcome.known = f->known;
	bridge_attached(f->bridge, &welcome);
}

static void attach_new_session(struct fake *f)
{
	attach_to(f, 'a', false, 0, NULL);
}

/* That much later, at the end of a turn. */
static int64_t turn(struct fake *f, int64_t later_ms)
{
	f->now_ms += later_ms;
	return bridge_turn(f->bridge, f->now_ms);
}

#endif
