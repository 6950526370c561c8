/*
 * doctor: what `executor doctor` finds, as its files put it together.
 *
 *   doctor.c         the command; the findings, collected and printed
 *   doctor_place.c   what can be seen without a daemon
 *   doctor_daemon.c  what a daemon that runs is asked
 *   doctor_port.c    what its TCP port answers
 *
 * A finding is one line: a sentence, and where something is to be done the
 * command that does it.
 */
#ifndef ADAPTER_CLI_DOCTOR_H
#define ADAPTER_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "election/manifest.h"

struct cli;

enum finding_status { FINDING_GOOD, FINDING_ODD, FINDING_BAD };

enum finding_group {
	GROUP_DIRECTORY,
	GROUP_ELECTION,
	GROUP_ENDPOINTS,
	GROUP_STORE,
	GROUP_SOURCES,
	GROUP_NAMES,
	GROUP_LIMITS,
	GROUP_COUNT
};

struct finding {
	enum finding_status status;
	enum finding_group group;
	char *text;
	char *fix; /* a command, or NULL */
};

struct doctor {
	struct cli *cli;
	struct finding *findings;
	size_t count;
	/* What the first half saw, for the second. */
	int dir_fd; /* -1: the directory cannot be used */
	bool has_manifest;
	struct manifest manifest;
	pid_t holder; /* of owner.lock; 0: nobody, or nobody can tell */
};

/* Add a finding; fix is copied, or NULL. */
void doctor_find(struct doctor *d, enum finding_group group,
		 enum finding_status status, const char *fix, const char *text,
		 ...) __attribute__((format(printf, 5, 6)));

void doctor_look_at_place(struct doctor *d);

/* Who holds the lock and what the manifest says, now. */
void doctor_look_at_owner(struct doctor *d);

/* The daemon serves TCP at this URL: does it answer whoever has the token? */
void doctor_look_at_port(struct doctor *d, const char *url);

/* start: begin one when none runs. */
void doctor_ask_daemon(struct doctor *d, bool start);

#endif
