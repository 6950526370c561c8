#include "server/daemon.h"

#include <assert.h>
#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "election/owner.h"
#include "proto/clock.h"
#include "proto/envelope.h"
#include "proto/err.h"
#include "proto/log.h"
#include "proto/version.h"
#include "server/claim.h"
#include "server/config.h"
#include "server/daemonlog.h"
#include "server/face/port.h"
#include "server/hub.h"
#include "server/idle.h"
#include "server/manager.h"
#include "server/watchdog.h"

enum daemon_state {
	DAEMON_STARTING,
	DAEMON_SERVING,
	DAEMON_DRAINING,
	DAEMON_LEAVING,
	DAEMON_STOPPING,
	DAEMON_STOPPED,
};

enum {
	LEAVE_MS = 2000,  /* for goodbyes and what is queued before them */
	STOP_MS = 8000,	  /* the ladder of a source takes five seconds */
	OPEN_MS = 300000, /* a large database that is brought up to date */
	CHECK_S = 2,	  /* where the system cannot watch files */
};

struct daemon {
	const struct config *config;
	enum daemon_state state;
	int status;
	int64_t started_ms;
	char *data_dir;
	struct owner *owner;
	struct port *port;     /* bound, and not the hub's yet; or NULL */
	struct daemonlog *log; /* NULL: standard error */
	struct ev_loop *loop;
	struct hub *hub;
	ev_signal terminate, interrupt, reopen;
	ev_io watch;	   /* the election's files changed */
	ev_timer check;	   /* the same, where they cannot be watched */
	ev_prepare turn;   /* the end of each turn of the loop */
	ev_timer patience; /* of the step that stopping is in */
	struct idle idle;
	struct manager manager;
	uint32_t asked_ms; /* for the drain that was asked for */
};

static const char *const state_name[] = {
	[DAEMON_STARTING] = "starting", [DAEMON_SERVING] = "serving",
	[DAEMON_DRAINING] = "draining", [DAEMON_LEAVING] = "leaving",
	[DAEMON_STOPPING] = "stopping", [DAEMON_STOPPED] = "stopped",
};

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[DAEMON_STARTING] = 1u << DAEMON_SERVING | 1u << DAEMON_STOPPED,
	[DAEMON_SERVING] = 1u << DAEMON_DRAINING,
	[DAEMON_DRAINING] = 1u << DAEMON_LEAVING,
	[DAEMON_LEAVING] = 1u << DAEMON_STOPPING,
	[DAEMON_STOPPING] = 1u << DAEMON_STOPPED,
	[DAEMON_STOPPED] = 0,
};

/* The only writer of d->state. */
static void advance(struct daemon *d, enum daemon_state next)
{
	assert(may_follow[d->state] & 1u << next);
	log_info("daemon", "%s -> %s", state_name[d->state], state_name[next]);
	d->state = next;
}

/* An error of the election; the words for reasons are the same. */
static bool from_election(struct err *e, const struct election_error *why)
{
	return err_set(e, err_by_name(why->code), "%s", why->why);
}

/* --- the end -------------------------------------------------------------- */

static void stopped(struct daemon *d)
{
	ev_timer_stop(d->loop, &d->patience);
	advance(d, DAEMON_STOPPED);
	ev_break(d->loop, EVBREAK_ALL);
}

static void be_patient(struct daemon *d, uint32_t ms)
{
	ev_timer_stop(d->loop, &d->patience);
	ev_timer_set(&d->patience, ms / 1e3, 0.);
	ev_timer_start(d->loop, &d->patience);
}

static void on_sources_down(void *owner)
{
	struct daemon *d = owner;

	if (d->state == DAEMON_STOPPING)
		stopped(d);
}

/* Nobody is served any more: end the sources. */
static void stop_sources(struct daemon *d)
{
	advance(d, DAEMON_STOPPING);
	be_patient(d, STOP_MS);
	hub_stop(d->hub, on_sources_down, d);
}

/* Nothing is in flight, or may be for longer: say goodbye. */
static void leave(struct daemon *d)
{
	advance(d, DAEMON_LEAVING);
	if (hub_in_flight(d->hub) > 0)
		log_odd("daemon", "%u requests are given up",
			hub_in_flight(d->hub));
	be_patient(d, LEAVE_MS);
	hub_leave(d->hub);
}

/* Stop serving, in good order.  First of all nobody must find us any more:
 * whoever comes now waits for a successor. */
static void drain(struct daemon *d, uint32_t ms)
{
	if (d->state != DAEMON_SERVING)
		return;
	advance(d, DAEMON_DRAINING);
	ev_io_stop(d->loop, &d->watch);
	ev_timer_stop(d->loop, &d->check);
	idle_look(&d->idle, true);
	manager_say(&d->manager,
		    "STOPPING=1\nSTATUS=Finishing what runs\n"
		    "EXTEND_TIMEOUT_USEC=%llu\n",
		    ((unsigned long long)ms + LEAVE_MS + 2 * STOP_MS) * 1000);
	owner_unpublish(d->owner);
	hub_drain(d->hub);
	be_patient(d, ms);
}

/* The step that stopping is in has taken long enough. */
static void hurry(struct daemon *d)
{
	switch (d->state) {
	case DAEMON_DRAINING:
		leave(d);
		break;
	case DAEMON_LEAVING:
		stop_sources(d);
		break;
	case DAEMON_STOPPING:
		log_odd("daemon", "sources did not end in time");
		stopped(d);
		break;
	case DAEMON_STARTING:
	case DAEMON_SERVING:
	case DAEMON_STOPPED:
		break;
	}
}

static void terminate(struct daemon *d)
{
	if (d->state == DAEMON_STARTING)
		stopped(d);
	else if (d->state == DAEMON_SERVING)
		drain(d, d->config->drain_ms);
	else
		hurry(d);
}

/* What stopping waits for can only change in some turn of the loop. */
static void look(struct daemon *d)
{
	if (d->log)
		daemonlog_check(d->log);
	if (d->state == DAEMON_SERVING)
		idle_look(&d->idle, hub_is_used(d->hub));
	else if (d->state == DAEMON_DRAINING && hub_in_flight(d->hub) == 0)
		leave(d);
	else if (d->state == DAEMON_LEAVING && hub_peers(d->hub) == 0)
		stop_sources(d);
}

/* It could not start: the starter, the log and whoever looks are told. */
static void fail(struct daemon *d, const struct err *why)
{
	struct election_error e = {.code = err_name(why->reason)};

	snprintf(e.why, sizeof(e.why), "%s", why->text);
	owner_fail(d->owner, &e);
	log_broken("daemon", "reason=%s %s", e.code, e.why);
	if (d->log && d->config->ready_fd < 0)
		fprintf(stderr, "executord: error: %s\n", e.why);
	d->status = OWNER_EXIT_FAILED;
}

/* --- serving -------------------------------------------------------------- */

/* Somebody replaced the lock or the directory: another one may own it now. */
static void check_owner(struct daemon *d)
{
	if (d->state != DAEMON_SERVING || owner_check(d->owner) == OWNER_STILL)
		return;
	log_broken("daemon", "%s or a file of its election was replaced",
		   d->data_dir);
	d->status = DAEMON_EXIT_BROKEN;
	drain(d, d->config->drain_ms);
}

static void watch_owner(struct daemon *d)
{
	int fd = owner_watch_fd(d->owner);

	if (fd >= 0) {
		ev_io_set(&d->watch, fd, EV_READ);
		ev_io_start(d->loop, &d->watch);
	} else {
		ev_timer_set(&d->check, CHECK_S, CHECK_S);
		ev_timer_start(d->loop, &d->check);
	}
}

static void serve(struct daemon *d, const struct err *why)
{
	struct err e;

	if (d->state != DAEMON_STARTING)
		return;
	if (why || !publish(d->owner, d->hub, &d->port, &e)) {
		fail(d, why ? why : &e);
		stopped(d);
		return;
	}
	while (d->manager.count > 0)
		hub_listen_also(d->hub, d->manager.fds[--d->manager.count]);
	advance(d, DAEMON_SERVING);
	owner_ready(d->owner);
	manager_ready(&d->manager, d->loop);
	watch_owner(d);
	log_info("daemon", "version=%s pid=%ld epoch=%" PRIu64 " socket=%s%s%s",
		 version_text, (long)getpid(), hub_epoch(d->hub),
		 owner_socket(d->owner), *hub_url(d->hub) ? " tcp=" : "",
		 hub_url(d->hub));
}

/* Nobody has been here for long.  Who read the manifest a moment ago may stand
 * at the socket already: only when nobody can come any more is it clear that
 * nobody came.  Who comes later still is turned away before he is heard, and
 * finds a successor. */
static void retire(struct daemon *d)
{
	struct err e;

	if (d->state != DAEMON_SERVING)
		return;
	owner_unpublish(d->owner);
	hub_take(d->hub);
	if (!hub_is_used(d->hub)) {
		log_info("daemon", "nobody came for %u s",
			 d->config->idle_exit_ms / 1000);
		hub_shut(d->hub);
		drain(d, d->config->drain_ms);
		return;
	}
	log_info("daemon", "somebody came at the last moment");
	if (publish(d->owner, d->hub, &d->port, &e))
		return;
	log_broken("daemon", "reason=%s %s", err_name(e.reason), e.text);
	d->status = DAEMON_EXIT_BROKEN;
	drain(d, d->config->drain_ms);
}

/* --- events --------------------------------------------------------------- */

static void on_idle(void *owner)
{
	retire(owner);
}

static void on_loaded(void *owner, const struct err *why)
{
	serve(owner, why);
}

static void on_facts(void *owner, struct admin_facts *facts)
{
	struct daemon *d = owner;

	*facts = (struct admin_facts){
		.epoch = hub_epoch(d->hub),
		.instance = hub_instance(d->hub),
		.data_dir = d->data_dir,
		/* The link stays when the daemon changes. */
		.socket = owner_link(d->owner),
		.tcp_url = hub_url(d->hub),
		.uptime_s = (uint64_t)(clock_now_ms() - d->started_ms) / 1000,
		.connections = (uint32_t)hub_peers(d->hub),
		.streams = (uint32_t)hub_streams(d->hub),
		.draining = d->state != DAEMON_SERVING,
	};
}

/* One that could come back would be asked to make way again, for ever. */
static void on_required(void *owner, const struct err *why)
{
	struct daemon *d = owner;

	if (why)
		log_broken("daemon", "does not make way: reason=%s %s",
			   err_name(why->reason), why->text);
	else
		drain(d, d->asked_ms);
}

static void on_drain_asked(void *owner, uint32_t timeout_ms,
			   const char *min_version)
{
	struct daemon *d = owner;

	if (d->state != DAEMON_SERVING)
		return;
	d->asked_ms = timeout_ms > 0 ? timeout_ms : d->config->drain_ms;
	if (min_version[0] == '\0') {
		drain(d, d->asked_ms);
		return;
	}
	log_info("daemon", "version %s makes way for %s", version_text,
		 min_version);
	hub_require(d->hub, min_version, on_required, d);
}

static bool on_rotate_token(void *owner, struct err *e)
{
	struct daemon *d = owner;

	return hub_rotate_token(d->hub, e);
}

static const struct admin_events admin_events = {
	.facts = on_facts,
	.drain = on_drain_asked,
	.rotate_token = on_rotate_token,
};

static void on_terminate(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	log_info("daemon", "signal %d", w->signum);
	terminate(w->data);
}

static void on_reopen(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct daemon *d = w->data;

	(void)loop;
	(void)revents;
	if (d->log)
		daemonlog_reopen(d->log);
}

static void on_watch(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	check_owner(w->data);
}

static void on_check(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	check_owner(w->data);
}

static void on_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	(void)loop;
	(void)revents;
	look(w->data);
}

static void on_patience(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	hurry(w->data);
}

/* --- the beginning -------------------------------------------------------- */

static bool make_loop(struct daemon *d, struct err *e)
{
	/* The default one: only it reaps children. */
	d->loop = ev_default_loop(EVFLAG_AUTO);
	if (!d->loop)
		return err_set(e, ERR_INTERNAL, "libev finds no way to wait");
	ev_signal_init(&d->terminate, on_terminate, SIGTERM);
	ev_signal_init(&d->interrupt, on_terminate, SIGINT);
	ev_signal_init(&d->reopen, on_reopen, SIGUSR1);
	ev_io_init(&d->watch, on_watch, -1, EV_READ);
	ev_init(&d->check, on_check);
	ev_prepare_init(&d->turn, on_turn);
	ev_init(&d->patience, on_patience);
	idle_init(&d->idle, d->loop, d->config->idle_exit_ms, on_idle, d);
	watchdog_start(d->loop, d->config->stuck_ms);
	/* Before those who write what it queues. */
	ev_set_priority(&d->turn, EV_MAXPRI);
	d->terminate.data = d->interrupt.data = d->reopen.data = d;
	d->watch.data = d->check.data = d->turn.data = d->patience.data = d;
	ev_signal_start(d->loop, &d->terminate);
	ev_signal_start(d->loop, &d->interrupt);
	ev_signal_start(d->loop, &d->reopen);
	ev_prepare_start(d->loop, &d->turn);
	return true;
}

/* Only the owner writes the log.  Who was started by an adapter has standard
 * streams that are nobody's; a person keeps them. */
static bool open_log(struct daemon *d, struct err *e)
{
	struct election_error why;

	if (d->config->foreground)
		return true;
	int dir_fd = datadir_open(d->data_dir, false, &why);
	if (dir_fd < 0)
		return from_election(e, &why);
	d->log = daemonlog_open(dir_fd, d->config->log_level,
				d->config->ready_fd >= 0, e);
	close(dir_fd);
	return d->log != NULL;
}

static bool start(struct daemon *d, struct err *e)
{
	char *newer = NULL;

	if (!open_log(d, e) || !make_loop(d, e))
		return false;
	owner_progress(d->owner, "opening the database");
	manager_say(&d->manager,
		    "STATUS=Opening the database\n"
		    "EXTEND_TIMEOUT_USEC=%llu\n",
		    OPEN_MS * 1000ull);
	d->hub = hub_new(d->loop, d->config, d->data_dir, &newer, e);
	if (!d->hub) {
		manager_keep(&d->manager);
		yield(d->owner, d->config, newer);
		free(newer);
		return false;
	}
	hub_load(d->hub, &admin_events, on_loaded, d);
	return true;
}

int daemon_run(const struct config *config)
{
	struct daemon d = {.config = config, .started_ms = clock_now_ms()};
	struct err e;

	log_open(STDERR_FILENO, config->log_level);
	manager_init(&d.manager);
	d.status = claim(config, &d.owner, &d.data_dir, &d.port);
	if (!d.owner)
		goto out;
	if (!start(&d, &e))
		fail(&d, &e);
	else if (d.state != DAEMON_STOPPED)
		ev_run(d.loop, 0);
	watchdog_stop();
	manager_stop(&d.manager);
	hub_free(d.hub);
	owner_unpublish(d.owner);
	log_info("daemon", "ended with status %d", d.status);
	daemonlog_close(d.log);
	owner_free(d.owner);
out:
	port_free(d.port);
	free(d.data_dir);
	return d.status;
}
