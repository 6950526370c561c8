/*
 * executor-mcp-adapter: stdio on one side, the daemon on the other.
 *
 * Started by an MCP client, which does not restart a server that died.  So it
 * exits when the client has gone (end of input, a signal, nobody reads), and
 * never because of a daemon.  It writes no file, and at most 4 KiB of stderr.
 */
#include <ev.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/attach.h"
#include "adapter/bridge.h"
#include "adapter/client.h"
#include "adapter/stdio.h"
#include "proto/clock.h"
#include "proto/err.h"
#include "proto/log.h"
#include "proto/version.h"

enum {
	STDERR_BYTES = 4096, /* some clients never read it */
	LEAVE_MS = 50,	     /* some clients send SIGKILL soon */
	LEAVE_STEP_MS = 5,
};

static const int leave_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { LEAVE_SIGNALS = sizeof(leave_signals) / sizeof(*leave_signals) };

/* Lives in main(). */
struct adapter {
	struct ev_loop *loop;
	struct stdio *stdio;
	struct bridge *bridge;
	struct client *client;
	ev_prepare turn;
	ev_timer deadline; /* runs only while something waits */
	ev_signal leave[LEAVE_SIGNALS];
};

/* --- from the host -------------------------------------------------------- */

static void on_line(void *owner, struct slice line)
{
	struct adapter *a = owner;

	bridge_from_host(a->bridge, line, clock_now_ms());
}

static void on_overlong(void *owner, struct slice start)
{
	struct adapter *a = owner;

	bridge_overlong(a->bridge, start);
}

static void on_written(void *owner, uint64_t offset)
{
	struct adapter *a = owner;

	bridge_written(a->bridge, offset);
}

static void on_gone(void *owner, const struct err *why)
{
	struct adapter *a = owner;

	if (why->reason != ERR_NONE)
		log_info("adapter", "the client has gone: %s", why->text);
	ev_break(a->loop, EVBREAK_ALL);
}

static const struct stdio_events stdio_events = {
	.line = on_line,
	.overlong = on_overlong,
	.written = on_written,
	.gone = on_gone,
};

/* --- from the daemon ------------------------------------------------------ */

static void on_hello(void *owner, envelope_hello_t *hello)
{
	struct adapter *a = owner;

	bridge_hello(a->bridge, hello);
}

static void on_attached(void *owner, const envelope_welcome_t *welcome)
{
	struct adapter *a = owner;

	bridge_attached(a->bridge, welcome);
}

static void on_message(void *owner, uint64_t sequence, struct slice json,
		       struct buf *whole)
{
	struct adapter *a = owner;

	bridge_from_daemon(a->bridge, sequence, json, whole);
}

static void on_acked(void *owner, uint64_t received)
{
	struct adapter *a = owner;

	bridge_acked(a->bridge, received);
}

static void on_goodbye(void *owner, const envelope_goodbye_t *goodbye)
{
	struct adapter *a = owner;

	bridge_goodbye(a->bridge, goodbye);
}

static void on_lost(void *owner, const struct err *why)
{
	struct adapter *a = owner;

	bridge_lost(a->bridge, why, clock_now_ms());
}

static void on_trouble(void *owner, const struct err *why)
{
	struct adapter *a = owner;

	bridge_trouble(a->bridge, why, clock_now_ms());
}

static const struct client_events client_events = {
	.hello = on_hello,
	.attached = on_attached,
	.message = on_message,
	.acked = on_acked,
	.goodbye = on_goodbye,
	.lost = on_lost,
	.trouble = on_trouble,
};

/* --- from the bridge ------------------------------------------------------ */

static uint64_t write_to_host(void *owner, struct slice text)
{
	struct adapter *a = owner;

	return stdio_write(a->stdio, text);
}

static uint64_t take_to_host(void *owner, struct buf *text)
{
	struct adapter *a = owner;

	return stdio_take(a->stdio, text);
}

static size_t queued_for_host(void *owner)
{
	const struct adapter *a = owner;

	return stdio_queued(a->stdio);
}

static void hold_host(void *owner, bool held)
{
	struct adapter *a = owner;

	stdio_hold(a->stdio, held);
}

static void seek_daemon(void *owner)
{
	struct adapter *a = owner;

	client_start(a->client);
}

static void send_to_daemon(void *owner, struct message *m, uint64_t after)
{
	struct adapter *a = owner;

	client_send(a->client, m, after);
}

static void acknowledge(void *owner, uint64_t sequence)
{
	struct adapter *a = owner;

	client_received(a->client, sequence);
}

static size_t queued_for_daemon(void *owner)
{
	const struct adapter *a = owner;

	return client_queued(a->client);
}

static void pause_daemon(void *owner, bool paused)
{
	struct adapter *a = owner;

	client_pause(a->client, paused);
}

static void renew_hello(void *owner)
{
	struct adapter *a = owner;

	client_renew(a->client);
}

static const struct bridge_sides bridge_sides = {
	.write = write_to_host,
	.take = take_to_host,
	.host_queued = queued_for_host,
	.hold_host = hold_host,
	.seek = seek_daemon,
	.send = send_to_daemon,
	.received = acknowledge,
	.daemon_queued = queued_for_daemon,
	.pause_daemon = pause_daemon,
	.renew = renew_hello,
};

/* --- from the loop -------------------------------------------------------- */

static void end_turn(struct adapter *a)
{
	int64_t now = clock_now_ms();
	int64_t deadline = bridge_turn(a->bridge, now);

	ev_timer_stop(a->loop, &a->deadline);
	if (deadline < 0)
		return;
	double after = deadline > now ? (double)(deadline - now) / 1000 : 0;
	ev_timer_set(&a->deadline, after, 0);
	ev_timer_start(a->loop, &a->deadline);
}

static void on_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	(void)loop;
	(void)revents;
	end_turn(w->data);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	/* The turn that this wakes the loop for does what is due. */
	(void)loop;
	(void)w;
	(void)revents;
}

static void on_leave(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void watch_loop(struct adapter *a)
{
	ev_prepare_init(&a->turn, on_turn);
	a->turn.data = a;
	ev_prepare_start(a->loop, &a->turn);
	ev_timer_init(&a->deadline, on_deadline, 0, 0);
	for (size_t i = 0; i < LEAVE_SIGNALS; i++) {
		ev_signal_init(&a->leave[i], on_leave, leave_signals[i]);
		ev_signal_start(a->loop, &a->leave[i]);
	}
}

/* Say goodbye as far as that goes at once; never hang. */
static void leave(struct adapter *a)
{
	for (int ms = 0; ms < LEAVE_MS; ms += LEAVE_STEP_MS) {
		bool host_done = stdio_flush(a->stdio);
		bool daemon_done = client_leave(a->client);

		if (host_done && daemon_done)
			return;
		poll(NULL, 0, LEAVE_STEP_MS);
	}
}

/* --- the program ---------------------------------------------------------- */

struct options {
	const char *data_dir;
	enum log_level log_level;
	bool may_start;
};

static const char usage[] =
	"Usage: executor-mcp-adapter [OPTION]...\n"
	"Connect an MCP client on stdin and stdout to the Executor daemon,\n"
	"starting the daemon when there is none.\n"
	"\n"
	"      --data-dir=DIR     the data directory (default: "
	"EXECUTOR_DATA_DIR,\n"
	"                         else ~/.executor)\n"
	"      --no-start         never start a daemon\n"
	"      --log-level=LEVEL  debug, info, odd (default), broken or off;\n"
	"                         at most 4 KiB go to stderr\n"
	"  -h, --help             print this help\n"
	"  -V, --version          print the version\n";

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"data-dir", required_argument, NULL, 'd'},
		{"no-start", no_argument, NULL, 'n'},
		{"log-level", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (c) {
		case 'd':
			o->data_dir = optarg;
			break;
		case 'n':
			o->may_start = false;
			break;
		case 'l':
			if (log_level_parse(optarg, &o->log_level))
				break;
			fprintf(stderr, "%s: no such log level: %s\n", argv[0],
				optarg);
			return 2;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			printf("executor-mcp-adapter %s (protocol %u to %u)\n",
			       version_text, version_protocol_min,
			       version_protocol_max);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "%s: unexpected argument: %s\n", argv[0], argv[optind]);
	return 2;
}

/* What a client may have done to us before exec. */
static void tidy_process(void)
{
	sigset_t signals;

	/* A standard descriptor that is closed would become the next file's;
	 * a stdin that was closed is one at its end. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDWR);
			/* Some clients leak descriptors; the daemon must not
			 * get them. */
#ifdef CLOSE_RANGE_CLOEXEC
	close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
#endif
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	for (size_t i = 0; i < LEAVE_SIGNALS; i++)
		sigaddset(&signals, leave_signals[i]);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

int main(int argc, char **argv)
{
	struct options options = {.log_level = LOG_ODD, .may_start = true};
	struct adapter a = {0};

	tidy_process();
	int status = parse(argc, argv, &options);
	if (status >= 0)
		return status;
	log_open(STDERR_FILENO, options.log_level);
	log_bound(STDERR_BYTES);

	char *cwd = getcwd(NULL, 0);
	const struct attach_options attach = {
		.data_dir = options.data_dir,
		.argv0 = argv[0],
		.may_start = options.may_start,
	};
	a.loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!a.loop) {
		log_broken("adapter", "the system offers no event loop");
		return 1;
	}
	a.bridge = bridge_new(cwd, &bridge_sides, &a);
	a.client = client_new(a.loop, &attach, &client_events, &a);
	a.stdio = stdio_new(a.loop, STDIN_FILENO, STDOUT_FILENO,
			    ENVELOPE_MESSAGE_BYTES, &stdio_events, &a);
	free(cwd);
	watch_loop(&a);
	ev_run(a.loop, 0);
	leave(&a);

	client_free(a.client);
	stdio_free(a.stdio);
	bridge_free(a.bridge);
	ev_loop_destroy(a.loop);
	return 0;
}
