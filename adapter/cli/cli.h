/*
 * cli: what every command of `executor` has in common.
 *
 * One command is one function and one row of the table in main.c, from which
 * parsing, --help, the manual page and the completion of shells are driven.
 */
#ifndef ADAPTER_CLI_CLI_H
#define ADAPTER_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "executor/admin/v1/admin.pb-c.h"
#include "proto/err.h"

struct cJSON;
struct rpc;

/* The generated names are as long as the package; these are the same types. */
typedef Executor__Admin__V1__Source admin_source_t;
typedef Executor__Admin__V1__Tool admin_tool_t;
typedef Executor__Admin__V1__GetStatusResponse admin_status_t;

/* The exit statuses, as `executor --help` prints them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILURE = 1,
	CLI_USAGE = 2,
	CLI_NOT_RUNNING = 3,
	CLI_DENIED = 4,
	CLI_TOOL_ERROR = 5,
	CLI_NOT_FOUND = 6,
	CLI_TIMEOUT = 7,
};

/* What the options said, and the connection once there is one.  Owned by
 * main. */
struct cli {
	const struct command *const *commands;
	size_t command_count;
	const struct cli_option *common; /* options of every command */
	const char *data_dir_option;
	char *data_dir; /* canonical; set by cli_data_dir() */
	bool json;
	bool no_start;
	bool quiet;
	unsigned timeout_ms;
	struct rpc *rpc;
};

/* One option; a table of them ends with a zeroed row. */
struct cli_option {
	const char *name;
	const char *argument; /* what help calls its value; NULL: it has none */
	const char *help;
	/* Its values, for completion: words with spaces between, "@dirs",
	 * "@files" or "@sources"; or NULL. */
	const char *values;
	int value; /* a letter, or from CLI_OWN_OPTION on */
};

struct command {
	const char *name;  /* "source add" */
	const char *usage; /* what follows the name */
	const char *help;  /* one line */
	const char *more;  /* further lines for `executor help NAME`, or NULL */
	const char *operands; /* what completes them, as values above */
	bool hidden;	      /* not for people */
	/* Options of its own, or NULL; their values are from CLI_OWN_OPTION
	 * on. */
	const struct cli_option *options;
	/* One of them was given; own is zeroed memory of own_bytes. */
	bool (*option)(void *own, int value, const char *argument,
		       struct err *e);
	size_t own_bytes;
	/* How many operands: least to most; most is -1 for any number. */
	int least, most;
	int (*run)(struct cli *c, void *own, int argc, char **argv);
	/* What own holds, or NULL. */
	void (*finish)(void *own);
};

enum { CLI_OWN_OPTION = 1000 };

/* Print "executor: error: text" and return the status that fits. */
int cli_fail(const struct err *e);

/* Resolve the data directory, creating it when create. */
bool cli_data_dir(struct cli *c, bool create, struct err *e);

/* Attach, once; never starts a daemon when start is false or --no-start was
 * given. */
bool cli_attach(struct cli *c, bool start, struct err *e);

/* Attach and call AdminService's method of that name. */
void *cli_admin(struct cli *c, bool start, const char *method,
		const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *reply, struct err *e);

/* The same for a method that streams, as rpc_stream(). */
bool cli_admin_stream(struct cli *c, bool start, const char *method,
		      const ProtobufCMessage *request,
		      const ProtobufCMessageDescriptor *reply,
		      bool (*message)(void *owner, const void *reply),
		      void *owner, struct err *e);

/* Attach and ask for the status. */
const admin_status_t *cli_get_status(struct cli *c, bool start, struct err *e);

/* --- help: help.c --------------------------------------------------------
 */

/* What each exit status means, ended by NULL. */
extern const char *const cli_exit_texts[];

int cli_help(const struct cli *c);
int cli_command_help(const struct command *cmd);
/* Has it a letter, too? */
bool cli_option_has_letter(const struct cli_option *o);
/* "-o, --output FORMAT" */
void cli_option_synopsis(const struct cli_option *o, char to[64]);

/* --- output ----------------------------------------------------------------
 */

/* Print value on standard output and release it. */
int cli_print_json(struct cJSON *value);

/* Columns: cells are printed with two spaces between, widths fitted. */
struct table;
struct table *table_new(unsigned columns);
void table_row(struct table *t, ...); /* columns strings, copied */
void table_print(struct table *t);    /* and release */

/* "1h02m", "12s". */
void cli_duration(char to[16], uint64_t seconds);

/* Text from a peer on a terminal: control characters become '?'.  The caller
 * frees. */
char *cli_plain(const char *text, size_t len);

/* Tools, as `tools list` and `tools search` print them. */
int cli_print_tools(const struct cli *c, admin_tool_t *const *tools, size_t n);

/* The value of roots in a request, from what --roots was given: none, client,
 * or the paths and file:// URIs of directories.  The caller frees; NULL with
 * *e set. */
char *cli_roots(const char *const *given, size_t n, struct err *e);

const char *cli_source_state(Executor__Admin__V1__Source__State state);
enum { CLI_MEMORY_BYTES = 32 };

/* "45 MiB", or nothing when it is not known. */
void cli_source_memory(char to[CLI_MEMORY_BYTES], const admin_source_t *s);
struct cJSON *cli_source_json(const admin_source_t *s);
/* The command as a person would type it; the caller frees. */
char *cli_source_command(const admin_source_t *s);

/* --- the commands: one file each --------------------------------------- */

extern const struct command cmd_status;
extern const struct command cmd_source_add;
extern const struct command cmd_source_list;
extern const struct command cmd_source_show;
extern const struct command cmd_source_set;
extern const struct command cmd_source_enable;
extern const struct command cmd_source_disable;
extern const struct command cmd_source_test;
extern const struct command cmd_source_remove;
extern const struct command cmd_tools_list;
extern const struct command cmd_tools_search;
extern const struct command cmd_tools_describe;
extern const struct command cmd_call;
extern const struct command cmd_daemon_run;
extern const struct command cmd_daemon_stop;
extern const struct command cmd_daemon_restart;
extern const struct command cmd_service_install;
extern const struct command cmd_service_uninstall;
extern const struct command cmd_service_status;
extern const struct command cmd_logs;
extern const struct command cmd_audit;
extern const struct command cmd_endpoint;
extern const struct command cmd_token_rotate;
extern const struct command cmd_mcp;
extern const struct command cmd_top;
extern const struct command cmd_doctor;
extern const struct command cmd_completion;
extern const struct command cmd_man;

#endif
