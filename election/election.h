/*
 * election: find the owner of a data directory, or start a candidate.
 *
 * The adapter's side of the election; owner.h is the candidate's.  It never
 * blocks and never gives up: it offers one descriptor to watch, a deadline and
 * a step.  Attaching (connect, hello) is the caller's: election says where to
 * try, the caller says how it went.
 *
 *   SEEKING --manifest--> ATTACHING --attached--> ATTACHED --lost--> SEEKING
 *   SEEKING or ATTACHING --none, refused--> QUEUING --spawn.lock, patience-->
 *   STARTING --ready--> SEEKING
 *   STARTING --lost, failed, died--> RESTING --time, news--> SEEKING
 *   SEEKING or ATTACHING --and may_start is false--> ABSENT --news--> SEEKING
 *
 * After each call that changes something (attached, refused, lost) step again.
 * Clients write, unlink and kill nothing.  docs/election.md tells why, and
 * election.pml is the model.
 */
#ifndef ELECTION_ELECTION_H
#define ELECTION_ELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "election/datadir.h"
#include "election/manifest.h"

struct election;

enum election_want {
	ELECTION_WAIT, /* until the descriptor is readable or the deadline */
	/* Try election_manifest(), then say how it went.  Until then a step
	 * says so again, the descriptor is silent and there is no deadline:
	 * how long to wait for the hello's answer is the caller's matter. */
	ELECTION_ATTACH,
	/* Attached; or no owner was found and none may be started, which is
	 * for the caller to give up on, or to go on as with ELECTION_WAIT. */
	ELECTION_IDLE,
};

enum election_refusal {
	ELECTION_GONE,	 /* refused, reset, or end before the hello's answer */
	ELECTION_SILENT, /* connected, but no answer in time */
	ELECTION_OTHER,	 /* answered, but is another epoch, instance or uid */
};

struct election_options {
	const char *data_dir;  /* canonical; copied */
	const char *candidate; /* path of executord; copied */
	bool may_start;	       /* false: only attach (--no-start) */
};

/* NULL with *e set only when the directory cannot be used (or the process has
 * no descriptor left).  A directory that cannot be written to can. */
struct election *election_new(const struct election_options *options,
			      struct election_error *e);

/* Go on as far as possible without blocking.  now_ms is CLOCK_MONOTONIC. */
enum election_want election_step(struct election *el, int64_t now_ms);

/* Readable when a step may get further; one descriptor for the election's
 * whole life. */
int election_fd(const struct election *el);

/* When to step at the latest, in CLOCK_MONOTONIC ms; -1 for never.  It may
 * lie in the past. */
int64_t election_deadline_ms(const struct election *el);

/* After ELECTION_ATTACH. */
const struct manifest *election_manifest(const struct election *el);

/* How attaching went. */
void election_attached(struct election *el);
void election_refused(struct election *el, enum election_refusal how,
		      const char *why, int64_t now_ms);

/* The attached connection ended: seek again. */
void election_lost(struct election *el, int64_t now_ms);

/* The latest diagnosis while not attached: a candidate's own words, a silent
 * owner, or that one is starting.  Never NULL. */
const struct election_error *election_trouble(const struct election *el);

/* Candidates that this election started so far. */
unsigned election_started(const struct election *el);

/* May a candidate be started, from now on?  Not to be forbidden while one is
 * being started. */
void election_allow_start(struct election *el, bool may_start, int64_t now_ms);

void election_free(struct election *el);

#endif
