/*
 * cli: what every command of `executor` has in common.
 *
 * One command is one function and one row of the table in main.c, from which
 * parsing and --help are driven.
 */
#ifndef ADAPTER_CLI_CLI_H
#define ADAPTER_CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

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
	const char *data_dir_option;
	char *data_dir; /* canonical; set by cli_data_dir() */
	bool json;
	bool no_start;
	bool quiet;
	unsigned timeout_ms;
	struct rpc *rpc;
};

struct command {
	const char *name;  /* "source add" */
	const char *usage; /* what follows the name */
	const char *help;  /* one line */
	const char *more;  /* further lines for `executor help NAME`, or NULL */
	/* Options of its own, ended by a zeroed row, or NULL; their values are
	 * from CLI_OWN_OPTION on. */
	const struct option *options;
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

/* Attach and ask for the status. */
const admin_status_t *cli_get_status(struct cli *c, bool start, struct err *e);

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

const char *cli_source_state(Executor__Admin__V1__Source__State state);
struct cJSON *cli_source_json(const admin_source_t *s);
/* The command as a person would type it; the caller frees. */
char *cli_source_command(const admin_source_t *s);

/* --- the commands: one file each --------------------------------------- */

extern const struct command cmd_status;
extern const struct command cmd_source_add;
extern const struct command cmd_source_list;
extern const struct command cmd_source_show;
extern const struct command cmd_source_remove;
extern const struct command cmd_tools_list;
extern const struct command cmd_tools_describe;
extern const struct command cmd_call;
extern const struct command cmd_daemon_run;
extern const struct command cmd_daemon_stop;
extern const struct command cmd_daemon_restart;
extern const struct command cmd_logs;
extern const struct command cmd_endpoint;
extern const struct command cmd_mcp;

#endif
