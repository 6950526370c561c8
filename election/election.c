#include "election/election.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "election/attempt.h"
#include "election/pause.h"
#include "election/plat.h"
#include "election/text.h"
#include "election/trouble.h"

enum {
	/* Where nothing tells of changes we look; where something does, too,
	 * as another machine's changes may pass unseen. */
	POLL_FIRST_MS = 100,
	POLL_LAST_MS = 500,
	GLANCE_MS = 2000,
	/* An owner that is lost this soon, and again, is not sought at once. */
	STEADY_MS = 5000,
	FREE_LOSSES = 3,
};

/* So long is spawn.lock respected. */
static const struct pause patience = {225, 2000, 0};
/* After our candidate lost.  A killed owner's lock is free some milliseconds
 * after its socket is dead: the first pause need not be long. */
static const struct pause after_loser = {25, 2000, 0};
/* After our candidate failed. */
static const struct pause after_failure = {100, 5000, 0};
/* After an owner that was lost as soon as it was found. */
static const struct pause after_haste = {50, 1000, 0};

enum state {
	SEEKING,   /* about to read the manifest */
	ATTACHING, /* the caller tries it */
	ATTACHED,
	QUEUING,  /* someone else holds spawn.lock */
	STARTING, /* our candidate is at work */
	RESTING,  /* until the next try */
	ABSENT,	  /* no owner, and we may start none */
	STATE_COUNT
};

/* From each state, the states that may follow. */
static const unsigned may_follow[STATE_COUNT] = {
	[SEEKING] =
		1u << ATTACHING | 1u << QUEUING | 1u << RESTING | 1u << ABSENT,
	[ATTACHING] = 1u << ATTACHED | 1u << QUEUING | 1u << ABSENT,
	[ATTACHED] = 1u << SEEKING | 1u << RESTING,
	[QUEUING] = 1u << SEEKING | 1u << STARTING | 1u << RESTING,
	[STARTING] = 1u << SEEKING | 1u << RESTING,
	[RESTING] = 1u << SEEKING,
	[ABSENT] = 1u << SEEKING,
};

/* Owned by whoever wants to attach: the adapter, a command. */
struct election {
	char *data_dir;
	char *run;
	char *candidate;
	bool may_start;
	int dir_fd;	 /* -1 while the directory cannot be opened */
	bool dir_is_new; /* opened, and not sought in yet */
	struct plat_watch *watch;
	enum state state;
	int64_t now_ms;
	int64_t until_ms; /* when this state ends by itself; -1: never */
	int64_t deadline_ms;
	int64_t poll_ms;
	struct manifest manifest; /* the one being tried, or tried last */
	bool refused;		  /* in vain: it is no news when seen again */
	bool answered;		  /* but somebody was there */
	bool failed;		  /* a candidate said why: the best diagnosis */
	struct attempt attempt;
	struct pause patience;
	struct pause after_loser;
	struct pause after_failure;
	struct pause after_haste;
	unsigned losses; /* in a row, each soon after attaching */
	int64_t attached_ms;
	struct election_error trouble;
	unsigned started;
};

/* The only writer of el->state. */
static void advance(struct election *el, enum state next)
{
	assert(may_follow[el->state] & 1u << next);
	el->state = next;
	el->until_ms = -1;
	el->deadline_ms = -1;
	/* While the caller attaches, and ever after, nothing wakes up. */
	if (next == ATTACHING || next == ATTACHED)
		plat_watch_forget(el->watch);
}

static void rest(struct election *el, int64_t ms)
{
	advance(el, RESTING);
	el->until_ms = el->now_ms + ms;
}

/* The manifest was missing, or tried in vain. */
static void go_on_without(struct election *el)
{
	if (el->may_start) {
		advance(el, QUEUING);
		el->until_ms = el->now_ms + pause_take(&el->patience);
		return;
	}
	advance(el, ABSENT);
	if (el->dir_fd < 0 || (el->refused && el->answered))
		el->until_ms = el->now_ms + pause_take(&el->after_loser);
}

/* Our candidate has answered, failed, or is not needed any more. */
static void end_attempt(struct election *el)
{
	plat_watch_input(el->watch, -1);
	attempt_finish(&el->attempt);
}

/* Is there a manifest that has not been tried in vain? */
static bool has_news(struct election *el)
{
	struct manifest m;

	if (el->dir_fd < 0)
		return false;
	/* Before reading: a change in between must not be missed. */
	if (plat_watch_dirs(el->watch) == 0)
		plat_watch_dir(el->watch, el->run);
	if (!manifest_read(el->dir_fd, &m)) {
		el->refused = false;
		return false;
	}
	return !el->refused || m.epoch != el->manifest.epoch ||
	       memcmp(m.instance, el->manifest.instance, sizeof(m.instance)) !=
		       0 ||
	       strcmp(m.socket, el->manifest.socket) != 0;
}

static bool is_over(const struct election *el)
{
	return el->until_ms >= 0 && el->now_ms >= el->until_ms;
}

/* Wait for a change, for until_ms, or for the next look. */
static void set_deadline(struct election *el)
{
	bool watched = plat_watch_dirs(el->watch) > 0;
	int64_t look = el->now_ms + (watched ? GLANCE_MS : el->poll_ms);

	el->deadline_ms = el->until_ms;
	if (watched && el->until_ms < 0)
		return;
	if (el->until_ms < 0 || look < el->until_ms)
		el->deadline_ms = look;
	if (!watched && el->poll_ms * 2 <= POLL_LAST_MS)
		el->poll_ms *= 2;
}

/* Anew each time: the directory may have been removed or replaced under us.
 * One that cannot be written to, or not now, can still be attached through. */
static bool open_dir(struct election *el, struct election_error *e)
{
	if (el->dir_fd >= 0)
		close(el->dir_fd);
	el->dir_fd = datadir_open(el->data_dir, false, e);
	if (el->dir_fd < 0 && el->may_start) {
		free(datadir_resolve(el->data_dir, true, e));
		el->dir_fd = datadir_open(el->data_dir, false, e);
	}
	return el->dir_fd >= 0;
}

/* --- what each state does; true when another state was reached ------------ */

static bool seek(struct election *el)
{
	struct election_error ignored;

	el->refused = false;
	if (!el->dir_is_new && !open_dir(el, &el->trouble)) {
		if (el->may_start)
			rest(el, pause_take(&el->after_failure));
		else
			go_on_without(el);
		return true;
	}
	el->dir_is_new = false;
	if (manifest_read(el->dir_fd, &el->manifest)) {
		advance(el, ATTACHING);
		return true;
	}
	if (el->may_start) /* so that run/ can be watched */
		datadir_fill(el->dir_fd, el->data_dir, &ignored);
	else
		election_error_set(&el->trouble, "not_running",
				   "no daemon runs for %s", el->data_dir);
	go_on_without(el);
	return true;
}

static bool queue(struct election *el)
{
	bool ours = attempt_lock(&el->attempt, el->dir_fd, el->data_dir);

	/* Also under the lock: somebody may have published by now. */
	if (has_news(el)) {
		end_attempt(el);
		advance(el, SEEKING);
		return true;
	}
	if (!ours && !is_over(el)) {
		set_deadline(el);
		return false;
	}
	if (!attempt_start(&el->attempt, el->candidate, el->data_dir,
			   el->now_ms, &el->trouble) ||
	    !plat_watch_input(el->watch, el->attempt.spawn.fd)) {
		end_attempt(el);
		rest(el, pause_take(&el->after_failure));
		return true;
	}
	el->started++;
	advance(el, STARTING);
	return true;
}

/* A candidate at work, or one that lost, is a worse diagnosis than what one
 * that failed said, or than an owner that does not answer. */
static void say(struct election *el, const struct election_error *e)
{
	if (!el->failed && !(el->refused && el->answered))
		el->trouble = *e;
}

/* True when the attempt is over. */
static bool follow(struct election *el, enum attempt_event event,
		   int64_t wait_ms, const struct election_error *e)
{
	struct election_error holder;

	switch (event) {
	case ATTEMPT_WAIT:
		return false;
	case ATTEMPT_WORK:
		say(el, e);
		return false;
	case ATTEMPT_READY:
		advance(el, SEEKING);
		break;
	case ATTEMPT_LOST:
		trouble_starting(&holder, el->dir_fd, el->data_dir);
		say(el, &holder);
		rest(el, pause_take(&el->after_loser));
		break;
	case ATTEMPT_REST:
		el->trouble = *e;
		el->failed = true;
		rest(el, pause_between(wait_ms, wait_ms + wait_ms / 4));
		break;
	case ATTEMPT_FAIL:
		el->trouble = *e;
		el->failed = true;
		rest(el, pause_take(&el->after_failure));
		break;
	}
	end_attempt(el);
	return true;
}

static bool listen_to_candidate(struct election *el)
{
	struct election_error e;
	enum attempt_event event;
	int64_t wait_ms = 0;

	do {
		event = attempt_next(&el->attempt, el->data_dir, el->now_ms,
				     &wait_ms, &e);
		if (follow(el, event, wait_ms, &e))
			return true;
	} while (event != ATTEMPT_WAIT);
	/* Another one's daemon may be there before ours has answered. */
	if (has_news(el)) {
		end_attempt(el);
		advance(el, SEEKING);
		return true;
	}
	el->until_ms = el->attempt.until_ms;
	set_deadline(el);
	return false;
}

static bool wait_for_news(struct election *el)
{
	if (is_over(el) || has_news(el)) {
		advance(el, SEEKING);
		return true;
	}
	set_deadline(el);
	return false;
}

static const struct {
	bool (*act)(struct election *el);
	enum election_want want;
} states[STATE_COUNT] = {
	[SEEKING] = {seek, ELECTION_WAIT},
	[ATTACHING] = {NULL, ELECTION_ATTACH},
	[ATTACHED] = {NULL, ELECTION_IDLE},
	[QUEUING] = {queue, ELECTION_WAIT},
	[STARTING] = {listen_to_candidate, ELECTION_WAIT},
	[RESTING] = {wait_for_news, ELECTION_WAIT},
	[ABSENT] = {wait_for_news, ELECTION_IDLE},
};

/* --- for the caller ------------------------------------------------------ */

struct election *election_new(const struct election_options *options,
			      struct election_error *e)
{
	struct election *el = calloc(1, sizeof(*el));

	assert(el);
	el->data_dir = text_copy(options->data_dir);
	el->candidate = text_copy(options->candidate);
	el->may_start = options->may_start;
	el->dir_fd = -1;
	attempt_init(&el->attempt);
	el->patience = patience;
	el->after_loser = after_loser;
	el->after_failure = after_failure;
	el->after_haste = after_haste;
	el->poll_ms = POLL_FIRST_MS;
	el->run = text_path(el->data_dir, "run");
	el->watch = plat_watch_new();
	if (!el->watch)
		election_error_sys(e, "io_error", "cannot watch %s", el->run);
	if (!el->watch || !open_dir(el, e)) {
		election_free(el);
		return NULL;
	}
	el->dir_is_new = true;
	election_error_set(&el->trouble, "daemon_starting",
			   "looking for the daemon of %s", el->data_dir);
	return el;
}

enum election_want election_step(struct election *el, int64_t now_ms)
{
	el->now_ms = now_ms;
	attempt_reap(&el->attempt);
	plat_watch_drain(el->watch);
	while (states[el->state].act && states[el->state].act(el))
		;
	return states[el->state].want;
}

int election_fd(const struct election *el)
{
	return plat_watch_fd(el->watch);
}

int64_t election_deadline_ms(const struct election *el)
{
	return el->deadline_ms;
}

const struct manifest *election_manifest(const struct election *el)
{
	return &el->manifest;
}

void election_attached(struct election *el)
{
	advance(el, ATTACHED);
	attempt_reap(&el->attempt);
	el->attached_ms = el->now_ms;
	el->failed = false;
	el->poll_ms = POLL_FIRST_MS;
	pause_reset(&el->patience);
	pause_reset(&el->after_loser);
	pause_reset(&el->after_failure);
}

void election_refused(struct election *el, enum election_refusal how,
		      const char *why, int64_t now_ms)
{
	struct election_error e;

	assert(el->state == ATTACHING);
	el->now_ms = now_ms;
	el->refused = true;
	el->answered = how != ELECTION_GONE;
	switch (how) {
	case ELECTION_GONE:
		trouble_gone(&e, &el->manifest, el->data_dir, why,
			     el->may_start);
		break;
	case ELECTION_SILENT:
		trouble_silent(&e, &el->manifest, el->data_dir, why);
		break;
	case ELECTION_OTHER:
		trouble_other(&e, &el->manifest, el->data_dir, why);
		break;
	}
	if (el->answered || !el->failed)
		el->trouble = e;
	go_on_without(el);
	el->deadline_ms = now_ms;
}

void election_lost(struct election *el, int64_t now_ms)
{
	assert(el->state == ATTACHED);
	el->losses = now_ms - el->attached_ms < STEADY_MS ? el->losses + 1 : 0;
	el->now_ms = now_ms;
	election_error_set(&el->trouble, "daemon_starting",
			   "the connection to the daemon of %s ended; looking "
			   "for it again",
			   el->data_dir);
	if (el->losses > FREE_LOSSES) {
		/* Only another owner is worth trying at once. */
		el->refused = true;
		el->answered = false;
		rest(el, pause_take(&el->after_haste));
	} else {
		pause_reset(&el->after_haste);
		advance(el, SEEKING);
	}
	el->deadline_ms = now_ms;
}

const struct election_error *election_trouble(const struct election *el)
{
	return &el->trouble;
}

unsigned election_started(const struct election *el)
{
	return el->started;
}

void election_allow_start(struct election *el, bool may_start, int64_t now_ms)
{
	assert(may_start || (el->state != QUEUING && el->state != STARTING));
	el->may_start = may_start;
	el->now_ms = now_ms;
	if (el->state == ABSENT && may_start) {
		advance(el, SEEKING);
		el->deadline_ms = now_ms;
	}
}

void election_free(struct election *el)
{
	if (!el)
		return;
	if (el->watch)
		end_attempt(el);
	plat_watch_free(el->watch);
	if (el->dir_fd >= 0)
		close(el->dir_fd);
	free(el->data_dir);
	free(el->run);
	free(el->candidate);
	free(el);
}
