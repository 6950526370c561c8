#include "server/config_rows.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "proto/err.h"

enum {
	KIB = 1024,
	/* The least that a chunk and its framing need. */
	MESSAGE_LEAST = 64 * KIB,
	SECONDS_MOST = 30 * 24 * 60 * 60,
	AUDIT_ROWS_MOST = 10 * 1000 * 1000,
	CONNECTIONS_MOST = 65536,
};

/* Of a message: its length is 32 bits in a gRPC prefix, and stays well below.
 */
static const unsigned long long MESSAGE_MOST = 1024ull * KIB * KIB;
/* Of a value in the database, which holds at most 1 GB. */
static const unsigned long long RESULT_MOST = 512ull * KIB * KIB;
static const unsigned long long QUEUE_MOST = 1024ull * 1024 * KIB * KIB;

static bool read_number(const char *text, unsigned long long least,
			unsigned long long most, unsigned long long *to,
			struct err *e)
{
	char *end;

	errno = 0;
	*to = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    *to < least || *to > most)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "%.64s is no number from %llu to %llu", text,
			       least, most);
	return true;
}

/* Milliseconds of at most thirty days fit into 32 bits. */
static bool read_seconds(const char *text, unsigned *to_ms, struct err *e)
{
	unsigned long long n;

	if (!read_number(text, 0, SECONDS_MOST, &n, e))
		return false;
	*to_ms = (unsigned)n * 1000;
	return true;
}

static bool read_bytes(const char *text, unsigned long long most, size_t *to,
		       struct err *e)
{
	unsigned long long n;

	if (!read_number(text, MESSAGE_LEAST, most, &n, e))
		return false;
	*to = (size_t)n;
	return true;
}

static bool set_data_dir(struct config *c, const char *value, struct err *e)
{
	if (value[0] == '\0')
		return err_set(e, ERR_INVALID_ARGUMENT, "the path is empty");
	c->data_dir = value;
	return true;
}

static bool set_ready_fd(struct config *c, const char *value, struct err *e)
{
	unsigned long long n;

	if (!read_number(value, 3, INT_MAX, &n, e))
		return false;
	c->ready_fd = (int)n;
	return true;
}

static bool set_log_level(struct config *c, const char *value, struct err *e)
{
	if (!log_level_parse(value, &c->log_level))
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "%.64s is none of debug, info, odd, broken, off",
			       value);
	return true;
}

static bool set_foreground(struct config *c, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	c->foreground = true;
	return true;
}

static bool set_message_limit(struct config *c, const char *value,
			      struct err *e)
{
	return read_bytes(value, MESSAGE_MOST, &c->message_bytes, e);
}

static bool set_session_queue(struct config *c, const char *value,
			      struct err *e)
{
	return read_bytes(value, QUEUE_MOST, &c->session_bytes, e);
}

static bool set_all_queues(struct config *c, const char *value, struct err *e)
{
	return read_bytes(value, QUEUE_MOST, &c->all_bytes, e);
}

static bool set_source_idle(struct config *c, const char *value, struct err *e)
{
	return read_seconds(value, &c->source_idle_ms, e);
}

static bool set_source_memory(struct config *c, const char *value,
			      struct err *e)
{
	unsigned long long n;

	if (!read_number(value, 0, QUEUE_MOST, &n, e))
		return false;
	c->source_memory_bytes = n;
	return true;
}

static bool set_detached(struct config *c, const char *value, struct err *e)
{
	return read_seconds(value, &c->detached_ms, e);
}

static bool set_journal(struct config *c, const char *value, struct err *e)
{
	c->journal = strcmp(value, "on") == 0;
	return c->journal || strcmp(value, "off") == 0 ||
	       err_set(e, ERR_INVALID_ARGUMENT, "%.64s is neither on nor off",
		       value);
}

static bool set_journal_size(struct config *c, const char *value, struct err *e)
{
	unsigned long long n;

	if (!read_number(value, 0, QUEUE_MOST, &n, e))
		return false;
	c->journal_bytes = (size_t)n;
	return true;
}

static bool set_journal_result(struct config *c, const char *value,
			       struct err *e)
{
	unsigned long long n;

	if (!read_number(value, 0, RESULT_MOST, &n, e))
		return false;
	c->journal_result_bytes = (size_t)n;
	return true;
}

static bool set_journal_keep(struct config *c, const char *value, struct err *e)
{
	return read_seconds(value, &c->journal_keep_ms, e);
}

static bool set_audit_rows(struct config *c, const char *value, struct err *e)
{
	unsigned long long n;

	if (!read_number(value, 0, AUDIT_ROWS_MOST, &n, e))
		return false;
	c->audit_rows = (unsigned)n;
	return true;
}

static bool set_drain_timeout(struct config *c, const char *value,
			      struct err *e)
{
	return read_seconds(value, &c->drain_ms, e);
}

static bool set_wait(struct config *c, const char *value, struct err *e)
{
	return read_seconds(value, &c->wait_ms, e);
}

static bool set_connections(struct config *c, const char *value, struct err *e)
{
	unsigned long long n;

	if (!read_number(value, 1, CONNECTIONS_MOST, &n, e))
		return false;
	c->connections = (size_t)n;
	return true;
}

static bool set_client_idle(struct config *c, const char *value, struct err *e)
{
	return read_seconds(value, &c->client_idle_ms, e);
}

static bool set_client_age(struct config *c, const char *value, struct err *e)
{
	return read_seconds(value, &c->client_age_ms, e);
}

static bool set_client_keepalive(struct config *c, const char *value,
				 struct err *e)
{
	return read_seconds(value, &c->client_keepalive_ms, e);
}

static bool set_idle_exit(struct config *c, const char *value, struct err *e)
{
	return read_seconds(value, &c->idle_exit_ms, e);
}

static bool set_stuck_after(struct config *c, const char *value, struct err *e)
{
	return read_seconds(value, &c->stuck_ms, e);
}

static bool set_listen(struct config *c, const char *value, struct err *e)
{
	return tcp_parse(&c->listen, value, e);
}

static bool set_beyond_loopback(struct config *c, const char *value,
				struct err *e)
{
	(void)value;
	(void)e;
	c->listen_beyond_loopback = true;
	return true;
}

static bool set_tcp_admin(struct config *c, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	c->tcp_admin = true;
	return true;
}

static bool set_yielded(struct config *c, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	c->yielded = true;
	return true;
}

const struct config_row config_rows[] = {
	{.name = "data-dir",
	 .argument = "DIR",
	 .env = "EXECUTOR_DATA_DIR",
	 .help = "the directory to own; ~/.executor when not given",
	 .set = set_data_dir},
	{.name = "foreground",
	 .help = "log to standard error instead of DIR/logs/executord.log",
	 .set = set_foreground},
	{.name = "log-level",
	 .argument = "LEVEL",
	 .fallback = "info",
	 .help = "debug, info, odd, broken or off",
	 .set = set_log_level},
	{.name = "message-limit",
	 .argument = "BYTES",
	 .fallback = "67108864",
	 .help = "the largest JSON-RPC message",
	 .set = set_message_limit},
	{.name = "session-queue",
	 .argument = "BYTES",
	 .fallback = "8388608",
	 .help = "what may wait for one client that reads slowly",
	 .set = set_session_queue},
	{.name = "all-queues",
	 .argument = "BYTES",
	 .fallback = "268435456",
	 .help = "what may wait for all clients together",
	 .set = set_all_queues},
	{.name = "source-idle",
	 .argument = "S",
	 .fallback = "600",
	 .help = "stop a source after so many seconds without a request; "
		 "0: never",
	 .set = set_source_idle},
	{.name = "source-memory",
	 .argument = "BYTES",
	 .fallback = "4294967296",
	 .help = "restart a source whose processes use more memory; 0: never",
	 .set = set_source_memory},
	{.name = "detached",
	 .argument = "S",
	 .fallback = "60",
	 .help = "keep a session so many seconds after its adapter was lost",
	 .set = set_detached},
	{.name = "journal",
	 .argument = "on|off",
	 .fallback = "on",
	 .help = "write calls down before they run, so that none is lost or "
		 "run twice",
	 .set = set_journal},
	{.name = "journal-size",
	 .argument = "BYTES",
	 .fallback = "268435456",
	 .help = "results that are kept until they are delivered, all together",
	 .set = set_journal_size},
	{.name = "journal-result",
	 .argument = "BYTES",
	 .fallback = "1048576",
	 .help = "the largest of them; of a larger one only its end is kept",
	 .set = set_journal_result},
	{.name = "journal-keep",
	 .argument = "S",
	 .fallback = "86400",
	 .help = "how long they are kept",
	 .set = set_journal_keep},
	{.name = "audit-rows",
	 .argument = "N",
	 .fallback = "100000",
	 .help = "keep the last N calls in the audit log, for a month; 0: none",
	 .set = set_audit_rows},
	{.name = "drain-timeout",
	 .argument = "S",
	 .fallback = "10",
	 .help = "on SIGTERM, give running requests so many seconds",
	 .set = set_drain_timeout},
	{.name = "connections",
	 .argument = "N",
	 .fallback = "2048",
	 .help = "how many clients may be connected at a time",
	 .set = set_connections},
	{.name = "client-idle",
	 .argument = "S",
	 .fallback = "0",
	 .help = "close a connection that had no call for so many seconds; 0: "
		 "never",
	 .set = set_client_idle},
	{.name = "client-age",
	 .argument = "S",
	 .fallback = "0",
	 .help = "close a connection of that age when its calls are done, or "
		 "after a minute; 0: never",
	 .set = set_client_age},
	{.name = "client-keepalive",
	 .argument = "S",
	 .fallback = "0",
	 .help = "ping a client that was silent for so many seconds; 0: never",
	 .set = set_client_keepalive},
	{.name = "idle-exit",
	 .argument = "S",
	 .fallback = "1800",
	 .help = "end after so many seconds without a client; 0: never",
	 .set = set_idle_exit},
	{.name = "stuck-after",
	 .argument = "S",
	 .fallback = "30",
	 .set = set_stuck_after},
	{.name = "listen",
	 .argument = "HOST:PORT",
	 .help = "serve TCP, too, for whoever has the token of DIR/token; "
		 "port 0: any",
	 .set = set_listen},
	{.name = "listen-beyond-loopback",
	 .help = "allow a --listen that other machines reach: neither token "
		 "nor data is encrypted",
	 .set = set_beyond_loopback},
	{.name = "tcp-admin",
	 .help = "let the token's holder administer the daemon over TCP, too",
	 .set = set_tcp_admin},
	{.name = "wait",
	 .argument = "S",
	 .fallback = "0",
	 .help = "wait so many seconds for the directory's present owner to "
		 "end",
	 .set = set_wait},
	{.name = "yielded", .set = set_yielded},
	{.name = "ready-fd",
	 .argument = "N",
	 .help = "tell the process that started this one how the start went",
	 .set = set_ready_fd},
	{.name = "help",
	 .letter = 'h',
	 .help = "print this text",
	 .outcome = CONFIG_HELP},
	{.name = "version",
	 .letter = 'V',
	 .help = "print the version",
	 .outcome = CONFIG_VERSION},
};

const size_t config_row_count = sizeof(config_rows) / sizeof(config_rows[0]);

static_assert(sizeof(config_rows) / sizeof(config_rows[0]) <= CONFIG_ROWS_MOST,
	      "room for every row");
