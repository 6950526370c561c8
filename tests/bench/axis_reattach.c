/* From kill -9 of the daemon to the next answer of each of its adapters. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "axis.h"
#include "lab.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "report.h"

enum {
	KILLS = 3,
	GUARD_MS = 60000, /* against hanging, not a measurement */
};

static const char list_text[] =
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";

/* Hear what there is until it is the answer. */
static bool has_answered(struct party *p)
{
	do {
		struct slice line = party_hear(p);
		unsigned long long id = 0;
		struct jsonrpc m;

		if (!jsonrpc_slice(line, &m, NULL))
			lab_fail("no message: %.*s", (int)line.len, line.ptr);
		if (m.kind == JSONRPC_NOTIFICATION)
			continue;
		if (m.kind != JSONRPC_RESULT || !json_u64(m.id, &id) || id != 1)
			lab_fail("the answer is %.*s", (int)line.len, line.ptr);
		lab_check_tools(&m, "executor__status");
		return true;
	} while (party_has_line(p));
	return false;
}

/* All are asked at once, after the kill. */
static void kill_once(struct party *p, unsigned n, struct samples *s)
{
	struct pollfd *fds = mem_zalloc(n * sizeof(*fds));
	pid_t daemon = lab_daemon();
	int64_t began;

	for (unsigned i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = p[i].from, .events = POLLIN};
	began = now_ns();
	if (kill(daemon, SIGKILL) != 0)
		lab_fail("kill %d: %s", (int)daemon, strerror(errno));
	for (unsigned i = 0; i < n; i++)
		party_say(&p[i], slice_of(list_text));
	for (unsigned waiting = n; waiting > 0;) {
		if (poll(fds, n, GUARD_MS) <= 0)
			lab_fail("%u of %u adapters say nothing", waiting, n);
		for (unsigned i = 0; i < n; i++) {
			if (fds[i].revents == 0 || !has_answered(&p[i]))
				continue;
			samples_add(s, (double)(now_ns() - began) / 1e6);
			fds[i].fd = -1;
			waiting--;
		}
	}
	free(fds);
}

/* Each crowd lives through as many kills as an adapter takes for bad luck:
 * after more in 5 s it waits, see docs/election.md. */
static void with_crowd(unsigned n, struct samples *s)
{
	struct party *p = mem_zalloc(n * sizeof(*p));

	lab_fresh();
	for (unsigned i = 0; i < n; i++) {
		lab_adapter(&p[i]);
		lab_initialize(&p[i]);
		party_say(&p[i], slice_of(list_text));
		(void)lab_answer(&p[i], 1);
	}
	for (unsigned i = 0; i < KILLS; i++)
		kill_once(p, n, s);
	for (unsigned i = 0; i < n; i++)
		party_end(&p[i]);
	free(p);
}

static void reattach(unsigned n, unsigned crowds, const char *p50,
		     const char *p99)
{
	struct samples s = {0};

	for (unsigned i = 0; i < crowds; i++)
		with_crowd(n, &s);
	report_samples(
		(struct row){.axis = "reattach", .what = p50, .unit = "ms"}, &s,
		NULL);
	report_add(&(struct row){.axis = "reattach",
				 .what = p99,
				 .unit = "ms",
				 .value = samples_at(&s, 0.99)});
	samples_finish(&s);
}

void axis_reattach(const struct effort *e)
{
	reattach(1, e->colds, "kill -9 to answered, 1 adapter, p50",
		 "the same, p99");
	if (e->storm < 200)
		return;
	reattach(50, e->storms, "50 adapters, p50", "50 adapters, p99");
	reattach(200, e->storms, "200 adapters, p50", "200 adapters, p99");
}
