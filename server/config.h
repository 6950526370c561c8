/*
 * config: every option of executord, once.
 *
 * One table (name, environment, default, help, setter) drives the parser and
 * --help.  The result is handed down as a const struct config; nothing else
 * reads the command line or the environment.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/log.h"
#include "server/face/tcp.h"

struct err;

struct config {
	const char *data_dir; /* as given; NULL: ~/.executor */
	int ready_fd;	      /* the starter's pipe, or -1 */
	enum log_level log_level;
	bool foreground; /* log to stderr */
	size_t message_bytes;
	size_t session_bytes; /* queued for one client */
	size_t all_bytes;     /* queued for all clients */
	unsigned source_idle_ms;
	uint64_t source_memory_bytes; /* 0: no limit */
	unsigned detached_ms;
	bool journal;
	size_t journal_bytes;	     /* of all results that it keeps */
	size_t journal_result_bytes; /* of one */
	unsigned journal_keep_ms;
	unsigned audit_rows;
	unsigned drain_ms;
	unsigned wait_ms;   /* for another owner to end */
	bool yielded;	    /* an older one has started us in its place */
	char *const *argv;  /* as given */
	size_t connections; /* of each listener */
	/* 0: as the listener has it. */
	unsigned client_idle_ms, client_age_ms, client_keepalive_ms;
	unsigned idle_exit_ms;	   /* 0: never */
	unsigned stuck_ms;	   /* the longest turn of the loop; 0: any */
	struct tcp_address listen; /* not set: the unix socket only */
	bool listen_beyond_loopback;
	bool tcp_admin; /* the token grants the admin service, too */
};

enum config_outcome {
	CONFIG_SERVE,
	CONFIG_HELP,
	CONFIG_VERSION,
	CONFIG_BAD, /* *e says what is wrong */
};

/* Texts are borrowed from argv and the environment. */
enum config_outcome config_read(struct config *c, int argc, char *const argv[],
				struct err *e);

void config_help(FILE *to);
void config_version(FILE *to);

#endif
