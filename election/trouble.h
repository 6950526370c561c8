/*
 * trouble: why the owner could not be attached to, for a person who can do
 * something about it.
 */
#ifndef ELECTION_TROUBLE_H
#define ELECTION_TROUBLE_H

#include "election/error.h"
#include "election/manifest.h"

/* Refused, reset, or the end before the hello's answer. */
void trouble_gone(struct election_error *e, const struct manifest *m,
		  const char *data_dir, const char *why, bool may_start);

/* Connected, but no answer in time: a stopped process accepts connections,
 * its kernel does it. */
void trouble_silent(struct election_error *e, const struct manifest *m,
		    const char *data_dir, const char *why);

/* Our candidate lost: someone holds owner.lock and is not to be found yet.
 * Who that is says the record in the lock, which decides nothing. */
void trouble_starting(struct election_error *e, int dir_fd,
		      const char *data_dir);

/* Somebody else answered. */
void trouble_other(struct election_error *e, const struct manifest *m,
		   const char *data_dir, const char *why);

#endif
