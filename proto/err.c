#include "proto/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One row per way to fail.  MCP 2026-07-28 asks that local conditions use the
 * standard JSON-RPC codes only; what tells them apart is the name. */
static const struct {
	enum grpc_code grpc;
	int jsonrpc;
	const char *name;
} table[ERR_COUNT] = {
	[ERR_NONE] = {GRPC_OK, 0, "none"},
	[ERR_PARSE] = {GRPC_INVALID_ARGUMENT, -32700, "parse_error"},
	[ERR_INVALID_REQUEST] = {GRPC_INVALID_ARGUMENT, -32600,
				 "invalid_request"},
	[ERR_METHOD_NOT_FOUND] = {GRPC_UNIMPLEMENTED, -32601,
				  "method_not_found"},
	[ERR_INVALID_PARAMS] = {GRPC_INVALID_ARGUMENT, -32602,
				"invalid_params"},
	[ERR_UNKNOWN_TOOL] = {GRPC_NOT_FOUND, -32602, "unknown_tool"},
	[ERR_UNKNOWN_PROMPT] = {GRPC_NOT_FOUND, -32602, "unknown_prompt"},
	/* MCP 2025-11-25, Resources, Error Handling: "Resource not found:
	 * -32002". */
	[ERR_UNKNOWN_RESOURCE] = {GRPC_NOT_FOUND, -32002, "unknown_resource"},
	[ERR_TOO_LARGE] = {GRPC_RESOURCE_EXHAUSTED, -32603, "too_large"},
	[ERR_PROTOCOL] = {GRPC_INTERNAL, -32603, "protocol_error"},
	[ERR_UNIMPLEMENTED] = {GRPC_UNIMPLEMENTED, -32603, "unimplemented"},
	[ERR_INVALID_ARGUMENT] = {GRPC_INVALID_ARGUMENT, -32602,
				  "invalid_argument"},
	[ERR_NOT_FOUND] = {GRPC_NOT_FOUND, -32603, "not_found"},
	[ERR_ALREADY_EXISTS] = {GRPC_ALREADY_EXISTS, -32603, "already_exists"},
	[ERR_UNAUTHENTICATED] = {GRPC_UNAUTHENTICATED, -32603,
				 "unauthenticated"},
	[ERR_PERMISSION] = {GRPC_PERMISSION_DENIED, -32603,
			    "permission_denied"},
	[ERR_MISMATCH] = {GRPC_FAILED_PRECONDITION, -32603, "mismatch"},
	[ERR_VERSION] = {GRPC_FAILED_PRECONDITION, -32603, "version"},
	[ERR_CANCELLED] = {GRPC_CANCELLED, -32603, "cancelled"},
	[ERR_DEADLINE] = {GRPC_DEADLINE_EXCEEDED, -32603, "timeout"},
	[ERR_OVERLOADED] = {GRPC_RESOURCE_EXHAUSTED, -32603, "overloaded"},
	[ERR_DRAINING] = {GRPC_UNAVAILABLE, -32603, "draining"},
	[ERR_OUTCOME_UNKNOWN] = {GRPC_ABORTED, -32603, "outcome_unknown"},
	[ERR_SOURCE_DOWN] = {GRPC_UNAVAILABLE, -32603, "source_down"},
	[ERR_SOURCE_DISABLED] = {GRPC_FAILED_PRECONDITION, -32603,
				 "source_disabled"},
	[ERR_SOURCE_PROTOCOL] = {GRPC_INTERNAL, -32603, "source_protocol"},
	[ERR_DAEMON_STARTING] = {GRPC_UNAVAILABLE, -32603, "daemon_starting"},
	[ERR_DAEMON_UNREACHABLE] = {GRPC_UNAVAILABLE, -32603,
				    "daemon_unreachable"},
	[ERR_NOT_RUNNING] = {GRPC_UNAVAILABLE, -32603, "not_running"},
	[ERR_DAEMON_STOPPED] = {GRPC_UNAVAILABLE, -32603, "daemon_stopped"},
	[ERR_NO_DESCRIPTORS] = {GRPC_RESOURCE_EXHAUSTED, -32603,
				"no_descriptors"},
	[ERR_NO_PROCESSES] = {GRPC_RESOURCE_EXHAUSTED, -32603, "no_processes"},
	[ERR_NETWORK_FS] = {GRPC_FAILED_PRECONDITION, -32603, "network_fs"},
	[ERR_CORRUPT] = {GRPC_DATA_LOSS, -32603, "corrupt"},
	[ERR_NO_SPACE] = {GRPC_RESOURCE_EXHAUSTED, -32603, "no_space"},
	[ERR_READ_ONLY] = {GRPC_FAILED_PRECONDITION, -32603, "read_only"},
	[ERR_NO_LOCKS] = {GRPC_FAILED_PRECONDITION, -32603, "fs_no_locks"},
	[ERR_WRONG_OWNER] = {GRPC_PERMISSION_DENIED, -32603, "wrong_owner"},
	[ERR_CRASH_LOOP] = {GRPC_UNAVAILABLE, -32603, "crash_loop"},
	[ERR_STORE] = {GRPC_DATA_LOSS, -32603, "store"},
	[ERR_IO] = {GRPC_INTERNAL, -32603, "io_error"},
	[ERR_LOST] = {GRPC_UNAVAILABLE, -32603, "connection_lost"},
	[ERR_INTERNAL] = {GRPC_INTERNAL, -32603, "internal"},
};

/* snprintf may have cut a UTF-8 sequence in two: drop its first half. */
static void trim_to_character(char *text)
{
	size_t len = strlen(text);
	size_t lead = len;

	while (lead > 0 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
		lead--;
	if (lead == 0)
		return;
	unsigned char first = (unsigned char)text[lead - 1];
	size_t need = first >= 0xf0   ? 4
		      : first >= 0xe0 ? 3
		      : first >= 0xc0 ? 2
				      : 1;
	if (first >= 0xc0 && len - (lead - 1) < need)
		text[lead - 1] = '\0';
}

bool err_set(struct err *e, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return false;
	e->reason = reason;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	trim_to_character(e->text);
	return false;
}

/* Errors of the machine that are the same wherever they come up. */
static const struct condition {
	int number;
	enum reason reason;
	const char *advice;
} conditions[] = {
	{ENOSPC, ERR_NO_SPACE, "free some space"},
	{EDQUOT, ERR_NO_SPACE, "free some space"},
	{EFBIG, ERR_NO_SPACE, "raise `ulimit -f`"},
	{EROFS, ERR_READ_ONLY, "make it writable, or give another --data-dir"},
	{EMFILE, ERR_NO_DESCRIPTORS, "raise `ulimit -n`"},
	{ENFILE, ERR_NO_DESCRIPTORS, "raise the sysctl fs.file-max"},
};

static const struct condition *condition_of(int number)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (conditions[i].number == number)
			return &conditions[i];
	return NULL;
}

bool err_sys(struct err *e, enum reason reason, const char *fmt, ...)
{
	int number = errno;
	va_list ap;

	if (!e)
		return false;
	const struct condition *c = condition_of(number);
	e->reason = c ? c->reason : reason;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	size_t len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s%s%s",
		 strerror(number), c ? "; " : "", c ? c->advice : "");
	trim_to_character(e->text);
	return false;
}

enum grpc_code err_grpc(enum reason reason)
{
	return table[reason].grpc;
}

int err_jsonrpc(enum reason reason)
{
	return table[reason].jsonrpc;
}

const char *err_name(enum reason reason)
{
	return table[reason].name;
}

enum reason err_by_name(const char *name)
{
	for (int i = 0; i < ERR_COUNT; i++)
		if (strcmp(table[i].name, name) == 0)
			return (enum reason)i;
	return ERR_INTERNAL;
}
