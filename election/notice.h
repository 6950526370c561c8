/*
 * notice: what an owner hangs out so that it is found.
 *
 * run/manifest, for everyone who elects; run/executor.sock, a symbolic link
 * for stock gRPC channels, moved in one step so that they reconnect at any
 * time.  Both are the owner's alone to write, and it takes them down before
 * it lets go of the lock.
 */
#ifndef ELECTION_NOTICE_H
#define ELECTION_NOTICE_H

#include <stdbool.h>
#include <stddef.h>

#include "election/error.h"
#include "election/manifest.h"

enum { NOTICE_TEXT_BYTES = 2048 };

#define NOTICE_LINK "executor.sock"

/* Zeroed: nothing to hang out. */
struct notice {
	char text[NOTICE_TEXT_BYTES]; /* the manifest */
	size_t len;
	char target[MANIFEST_PATH_BYTES + 1]; /* of the link */
};

/* Compose it.  below_run: the socket is in run/s, and the link says so
 * relatively, to hold wherever the data directory is mounted. */
bool notice_write(struct notice *n, const struct manifest *m, bool below_run,
		  struct election_error *e);

/* Hang it out.  run is the path of run_fd, for messages. */
bool notice_post(const struct notice *n, int run_fd, const char *run,
		 struct election_error *e);

/* Post again what is not there any more, or is not ours.  False when the
 * manifest could not be; the link is a courtesy. */
bool notice_keep(const struct notice *n, int run_fd, const char *run,
		 struct election_error *e);

/* Take down what is ours, the manifest first. */
void notice_remove(const struct notice *n, int run_fd);

/* Take down a dead owner's manifest. */
bool notice_drop_stale(int run_fd, const char *run, struct election_error *e);

#endif
