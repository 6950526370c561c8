#include "adapter/attach.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "adapter/sibling.h"
#include "proto/clock.h"
#include "proto/err.h"
#include "proto/h2.h"
#include "proto/log.h"
#include "proto/mem.h"

enum {
	PROOF_MS = 2000, /* for the daemon's first answer */
	/* Between looks at a directory that cannot be used; doubling. */
	REST_FIRST_MS = 100,
	REST_LAST_MS = 30000,
	STEPS_PER_TURN = 16,
	SOON_MS = 10, /* after that many */
};

enum attach_state {
	ATTACH_IDLE,
	ATTACH_SEEKING, /* the election has the word, or we rest */
	ATTACH_PROVING,
	ATTACH_ATTACHED,
};

static const char *const state_name[] = {
	[ATTACH_IDLE] = "idle",
	[ATTACH_SEEKING] = "seeking",
	[ATTACH_PROVING] = "proving",
	[ATTACH_ATTACHED] = "attached",
};

/* From each state, the states that may follow. */
static const unsigned may_follow[] = {
	[ATTACH_IDLE] = 1u << ATTACH_SEEKING,
	[ATTACH_SEEKING] = 1u << ATTACH_PROVING,
	[ATTACH_PROVING] = 1u << ATTACH_ATTACHED | 1u << ATTACH_SEEKING,
	[ATTACH_ATTACHED] = 1u << ATTACH_SEEKING,
};

/* Owned by the client, or by a command of the command line. */
struct attach {
	struct ev_loop *loop;
	const struct attach_events *events;
	void *owner;
	char *option_dir;
	char *argv0;
	bool may_start;
	bool resting; /* see attach_rest() */

	enum attach_state state;
	char *data_dir;		   /* NULL: not resolved yet */
	struct election *election; /* NULL: the directory is of no use yet */
	struct h2 *h2;		   /* PROVING and ATTACHED */
	int64_t rest_ms;	   /* before the next look at the directory */
	struct election_error trouble; /* last told; code is never NULL */

	ev_idle begin;
	ev_io watch;	/* the election's descriptor, while SEEKING */
	ev_timer timer; /* the election's deadline, a rest, or the proof's */
};

/* The only writer of a->state. */
static void advance(struct attach *a, enum attach_state next)
{
	assert(may_follow[a->state] & 1u << next);
	log_debug("attach", "%s -> %s", state_name[a->state], state_name[next]);
	a->state = next;
}

static void set_timer(struct attach *a, int64_t ms)
{
	ev_timer_stop(a->loop, &a->timer);
	ev_timer_set(&a->timer, ms > 0 ? (double)ms / 1000 : 0, 0);
	ev_timer_start(a->loop, &a->timer);
}

/* --- the diagnosis -------------------------------------------------------- */

/* Pass on what the election says, once. */
static void tell_trouble(struct attach *a, const struct election_error *now)
{
	struct err e;

	if (a->resting || (strcmp(now->code, a->trouble.code) == 0 &&
			   strcmp(now->why, a->trouble.why) == 0))
		return;
	a->trouble = *now;
	err_set(&e, err_by_name(now->code), "%s", now->why);
	if (e.reason != ERR_NONE)
		a->events->trouble(a->owner, &e);
}

/* --- the connection ------------------------------------------------------- */

/* The kernel says who listens there: our own user, or nobody we trust. */
static bool peer_is_ours(int fd)
{
#ifdef SO_PEERCRED
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	return peer.uid == geteuid();
#else
	uid_t uid;
	gid_t gid;

	return getpeereid(fd, &uid, &gid) == 0 && uid == geteuid();
#endif
}

/* Connect to a unix socket; at once or not at all.  -1 with errno set. */
static int connect_to(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	int number = errno;
	close(fd);
	errno = number;
	return -1;
}

/* The connection is over; the election knows how to go on. */
static void leave_connection(struct attach *a, enum election_refusal how,
			     const char *why)
{
	bool confirmed = a->state == ATTACH_ATTACHED;

	a->h2 = NULL;
	advance(a, ATTACH_SEEKING);
	if (confirmed)
		election_lost(a->election, clock_now_ms());
	else
		election_refused(a->election, how, why, clock_now_ms());
	set_timer(a, 0);
}

static void on_down(void *owner, const struct err *why)
{
	struct attach *a = owner;
	struct h2 *h2 = a->h2;
	struct err lost = *why;

	if (lost.reason == ERR_NONE)
		err_set(&lost, ERR_LOST, "the daemon closed the connection");
	log_debug("attach", "connection lost: %s", lost.text);
	leave_connection(a, ELECTION_GONE, lost.text);
	a->events->lost(a->owner, &lost);
	h2_free(h2);
}

static const struct h2_events h2_events = {.down = on_down};

/* Try the daemon that the manifest names. */
static bool try_to_connect(struct attach *a)
{
	const struct manifest *m = election_manifest(a->election);
	struct h2_limits limits = h2_limits_local();
	int64_t now = clock_now_ms();
	int fd = connect_to(m->socket);

	if (fd < 0) {
		/* A full backlog belongs to somebody who is alive. */
		election_refused(a->election,
				 errno == EAGAIN ? ELECTION_SILENT
						 : ELECTION_GONE,
				 strerror(errno), now);
		return false;
	}
	if (!peer_is_ours(fd)) {
		close(fd);
		election_refused(a->election, ELECTION_OTHER,
				 "another user listens on the daemon's socket",
				 now);
		return false;
	}
	advance(a, ATTACH_PROVING);
	ev_io_stop(a->loop, &a->watch);
	set_timer(a, PROOF_MS);
	a->h2 = h2_new_client(a->loop, fd, &limits, &h2_events, a);
	a->events->connected(a->owner, a->h2, m);
	return true;
}

/* --- the election --------------------------------------------------------- */

/* False, with the trouble told, while the directory cannot be used. */
static bool open_election(struct attach *a)
{
	struct election_error e = {.code = err_name(ERR_INTERNAL)};
	char *candidate = NULL;

	if (!a->data_dir)
		a->data_dir = datadir_resolve(a->option_dir, a->may_start, &e);
	if (a->data_dir) {
		candidate = sibling_path(a->argv0, "executord");
		a->election = election_new(
			&(struct election_options){
				.data_dir = a->data_dir,
				.candidate = candidate,
				.may_start = a->may_start,
			},
			&e);
		free(candidate);
	}
	if (!a->election) {
		tell_trouble(a, &e);
		return false;
	}
	ev_io_set(&a->watch, election_fd(a->election), EV_READ);
	return true;
}

static void await_election(struct attach *a)
{
	int64_t deadline = election_deadline_ms(a->election);

	ev_io_start(a->loop, &a->watch);
	if (deadline >= 0)
		set_timer(a, deadline - clock_now_ms());
	else
		ev_timer_stop(a->loop, &a->timer);
}

/* Go on as far as possible without waiting. */
static void seek(struct attach *a)
{
	if (!a->election && !open_election(a)) {
		set_timer(a, a->rest_ms);
		if (a->rest_ms < REST_LAST_MS)
			a->rest_ms *= 2;
		return;
	}
	for (int i = 0; i < STEPS_PER_TURN; i++) {
		enum election_want want =
			election_step(a->election, clock_now_ms());

		if (want == ELECTION_ATTACH) {
			if (try_to_connect(a))
				return;
			continue;
		}
		tell_trouble(a, election_trouble(a->election));
		await_election(a);
		return;
	}
	set_timer(a, SOON_MS);
}

static void on_begin(struct ev_loop *loop, ev_idle *w, int revents)
{
	struct attach *a = w->data;

	(void)revents;
	ev_idle_stop(loop, w);
	advance(a, ATTACH_SEEKING);
	seek(a);
}

static void on_election(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	seek(w->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct attach *a = w->data;
	struct err silent;

	(void)loop;
	(void)revents;
	if (a->state == ATTACH_SEEKING) {
		seek(a);
		return;
	}
	err_set(&silent, ERR_DAEMON_UNREACHABLE, "no answer within %d s",
		PROOF_MS / 1000);
	struct h2 *h2 = a->h2;
	leave_connection(a, ELECTION_SILENT, silent.text);
	h2_free(h2);
	a->events->lost(a->owner, &silent);
}

/* --- public --------------------------------------------------------------- */

struct attach *attach_new(struct ev_loop *loop,
			  const struct attach_options *options,
			  const struct attach_events *events, void *owner)
{
	struct attach *a = mem_zalloc(sizeof(*a));

	a->loop = loop;
	a->events = events;
	a->owner = owner;
	a->option_dir = options->data_dir ? mem_text(options->data_dir) : NULL;
	a->argv0 = options->argv0 ? mem_text(options->argv0) : NULL;
	a->may_start = options->may_start;
	a->rest_ms = REST_FIRST_MS;
	a->trouble.code = err_name(ERR_NONE);
	ev_idle_init(&a->begin, on_begin);
	ev_io_init(&a->watch, on_election, -1, EV_READ);
	ev_timer_init(&a->timer, on_timer, 0, 0);
	a->begin.data = a;
	a->watch.data = a;
	a->timer.data = a;
	return a;
}

void attach_rest(struct attach *a)
{
	assert(a->state == ATTACH_ATTACHED || a->state == ATTACH_PROVING);
	a->resting = true;
	election_allow_start(a->election, false, clock_now_ms());
}

void attach_start(struct attach *a)
{
	if (a->resting && a->state == ATTACH_SEEKING) {
		election_allow_start(a->election, a->may_start, clock_now_ms());
		set_timer(a, 0);
		a->resting = false;
	}
	if (a->state == ATTACH_IDLE)
		ev_idle_start(a->loop, &a->begin);
	else if (!a->election)
		set_timer(a, 0);
}

void attach_confirm(struct attach *a)
{
	advance(a, ATTACH_ATTACHED);
	a->trouble = (struct election_error){.code = err_name(ERR_NONE)};
	ev_timer_stop(a->loop, &a->timer);
	election_attached(a->election);
	election_allow_start(a->election, a->may_start, clock_now_ms());
	a->resting = false;
}

void attach_refuse(struct attach *a, enum election_refusal how,
		   const struct err *why)
{
	struct h2 *h2 = a->h2;

	leave_connection(a, how, why->text);
	h2_free(h2);
}

void attach_free(struct attach *a)
{
	if (!a)
		return;
	ev_idle_stop(a->loop, &a->begin);
	ev_io_stop(a->loop, &a->watch);
	ev_timer_stop(a->loop, &a->timer);
	h2_free(a->h2);
	election_free(a->election);
	free(a->data_dir);
	free(a->option_dir);
	free(a->argv0);
	free(a);
}
