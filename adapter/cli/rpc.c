#include "adapter/cli/rpc.h"

#include <ev.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter/attach.h"
#include "election/plat.h"
#include "executor/admin/v1/admin.pb-c.h"
#include "proto/clock.h"
#include "proto/envelope.h"
#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/h2.h"
#include "proto/mem.h"
#include "proto/version.h"

/* Who gets the replies of a stream. */
struct listener {
	const ProtobufCMessageDescriptor *type;
	bool (*message)(void *owner, const void *reply);
	void *owner;
};

/* The one call that is being waited for. */
struct call {
	const struct listener *listener; /* NULL: one reply, kept */
	struct h2_stream *stream;	 /* NULL once it is closed */
	struct grpc_reader reader;
	struct buf message;
	bool got_message;
	bool got_status;
	bool over;
	bool enough;	/* its listener has heard it */
	struct err why; /* ERR_NONE when the status was OK */
};

struct rpc {
	struct ev_loop *loop;
	struct attach *attach;
	struct h2 *h2; /* NULL while there is no connection */
	struct manifest manifest;
	ev_timer timeout;
	bool timed_out;
	bool may_start;
	bool hopeless; /* trouble that waiting does not mend */
	unsigned timeout_ms;
	struct err trouble;
	struct call call;
	struct arena arena;
};

/* A reason with that status, for what the daemon said in gRPC's words. */
static enum reason reason_of(enum grpc_code code)
{
	static const enum reason reasons[] = {
		[GRPC_OK] = ERR_NONE,
		[GRPC_CANCELLED] = ERR_CANCELLED,
		[GRPC_UNKNOWN] = ERR_INTERNAL,
		[GRPC_INVALID_ARGUMENT] = ERR_INVALID_ARGUMENT,
		[GRPC_DEADLINE_EXCEEDED] = ERR_DEADLINE,
		[GRPC_NOT_FOUND] = ERR_NOT_FOUND,
		[GRPC_ALREADY_EXISTS] = ERR_ALREADY_EXISTS,
		[GRPC_PERMISSION_DENIED] = ERR_PERMISSION,
		[GRPC_RESOURCE_EXHAUSTED] = ERR_OVERLOADED,
		[GRPC_FAILED_PRECONDITION] = ERR_MISMATCH,
		[GRPC_ABORTED] = ERR_OUTCOME_UNKNOWN,
		[GRPC_OUT_OF_RANGE] = ERR_INVALID_ARGUMENT,
		[GRPC_UNIMPLEMENTED] = ERR_UNIMPLEMENTED,
		[GRPC_INTERNAL] = ERR_INTERNAL,
		[GRPC_UNAVAILABLE] = ERR_LOST,
		[GRPC_DATA_LOSS] = ERR_STORE,
		[GRPC_UNAUTHENTICATED] = ERR_UNAUTHENTICATED,
	};

	return reasons[code];
}

/* --- the stream ------------------------------------------------------------
 */

static void read_status(struct call *call, const struct h2_headers *h)
{
	struct slice status = h2_header(h, "grpc-status");
	struct buf text = {0};
	unsigned code = 0;

	if (status.len == 0)
		return;
	for (size_t i = 0; i < status.len; i++)
		if (status.ptr[i] < '0' || status.ptr[i] > '9' || i > 1)
			code = GRPC_UNKNOWN + 1000;
		else
			code = code * 10 + (unsigned)(status.ptr[i] - '0');
	if (code > GRPC_UNAUTHENTICATED)
		code = GRPC_UNKNOWN;
	call->got_status = true;
	grpc_message_decode(&text, h2_header(h, "grpc-message"));
	err_set(&call->why, reason_of((enum grpc_code)code), "%.*s",
		(int)text.len, text.len ? text.data : "");
	buf_finish(&text);
}

static void on_headers(void *owner, const struct h2_headers *h)
{
	struct rpc *r = owner;
	struct slice status = h2_header(h, ":status");

	if (status.len > 0 && !slice_is(status, "200"))
		err_set(&r->call.why, ERR_PROTOCOL,
			"the daemon answered with HTTP status %.*s",
			(int)status.len, status.ptr);
	read_status(&r->call, h);
}

static bool hear(struct rpc *r, struct slice message)
{
	const struct listener *l = r->call.listener;

	arena_reset(&r->arena);
	const void *reply =
		protobuf_unpack(&r->arena, l->type, message, &r->call.why);
	if (!reply)
		return false;
	r->call.enough = !l->message(l->owner, reply);
	return !r->call.enough;
}

static bool on_message(void *owner, struct slice message)
{
	struct rpc *r = owner;

	if (r->call.listener)
		return hear(r, message);
	if (r->call.got_message)
		return err_set(&r->call.why, ERR_PROTOCOL,
			       "the daemon answered twice");
	r->call.got_message = true;
	buf_append_slice(&r->call.message, message);
	return true;
}

static void on_data(void *owner, struct slice bytes)
{
	static const struct grpc_reader_events events = {on_message};
	struct rpc *r = owner;
	struct err e;

	h2_consume(r->call.stream, bytes.len);
	if (grpc_reader_feed(&r->call.reader, bytes, &events, r, &e))
		return;
	if (e.reason != ERR_NONE)
		r->call.why = e;
	h2_reset(r->call.stream, H2_CANCEL);
}

static void on_end(void *owner)
{
	(void)owner; /* .closed follows: both halves are done */
}

static void on_drained(void *owner)
{
	(void)owner;
}

static void on_closed(void *owner, uint32_t h2_error)
{
	struct rpc *r = owner;

	r->call.stream = NULL;
	r->call.over = true;
	if (!r->call.got_status && r->call.why.reason == ERR_NONE)
		err_set(&r->call.why,
			h2_error == H2_LOST
				? ERR_LOST
				: reason_of(grpc_of_reset(h2_error)),
			"the daemon ended the call without an answer");
	ev_break(r->loop, EVBREAK_ALL);
}

static struct h2_header header(const char *name, const char *value)
{
	return (struct h2_header){slice_of(name), slice_of(value)};
}

/* Start the call; its end breaks the loop.  A stream may go on for ever. */
static bool begin(struct rpc *r, const char *path,
		  const ProtobufCMessage *request,
		  const struct listener *listener, struct err *e)
{
	static const struct h2_stream_events events = {
		.headers = on_headers,
		.data = on_data,
		.end = on_end,
		.drained = on_drained,
		.closed = on_closed,
	};
	struct buf timeout = {0};

	grpc_timeout_print(&timeout, r->timeout_ms);
	const struct h2_header headers[] = {
		header(":method", "POST"),
		header(":scheme", "http"),
		header(":path", path),
		header(":authority", "localhost"),
		header("te", "trailers"),
		header("content-type", "application/grpc"),
		header("user-agent", version_user_agent),
		{slice_of("grpc-timeout"), buf_slice(&timeout)}, /* last */
	};
	const size_t count = sizeof(headers) / sizeof(headers[0]);
	buf_finish(&r->call.message);
	grpc_reader_finish(&r->call.reader);
	r->call = (struct call){.listener = listener};
	/* A response holds a whole message and little else. */
	grpc_reader_init(&r->call.reader,
			 ENVELOPE_MESSAGE_BYTES + ENVELOPE_LIMIT_BYTES);
	r->call.stream = h2_request(
		r->h2, headers, listener ? count - 1 : count, &events, r, e);
	buf_finish(&timeout);
	if (!r->call.stream)
		return false;
	protobuf_pack_framed(h2_output(r->call.stream), request);
	h2_send(r->call.stream);
	h2_end(r->call.stream);
	return true;
}

/* The reply of a call that is over. */
static void *finish(struct rpc *r, const ProtobufCMessageDescriptor *type,
		    struct err *e)
{
	if (r->call.why.reason != ERR_NONE) {
		*e = r->call.why;
		return NULL;
	}
	if (!r->call.got_message) {
		err_set(e, ERR_PROTOCOL, "the daemon's answer is empty");
		return NULL;
	}
	arena_reset(&r->arena);
	return protobuf_unpack(&r->arena, type, buf_slice(&r->call.message), e);
}

/* --- attaching -------------------------------------------------------------
 */

/* Only the daemon of the manifest may be believed: ask who answers. */
static void on_connected(void *owner, struct h2 *h2,
			 const struct manifest *manifest)
{
	Executor__Admin__V1__GetStatusRequest request =
		EXECUTOR__ADMIN__V1__GET_STATUS_REQUEST__INIT;
	struct rpc *r = owner;

	r->h2 = h2;
	r->manifest = *manifest;
	begin(r, "/executor.admin.v1.AdminService/GetStatus", &request.base,
	      NULL, &r->trouble);
}

static void on_lost(void *owner, const struct err *why)
{
	struct rpc *r = owner;

	r->h2 = NULL;
	r->trouble = *why;
	ev_break(r->loop, EVBREAK_ALL);
}

static void on_trouble(void *owner, const struct err *why)
{
	struct rpc *r = owner;

	r->trouble = *why;
	/* One that is starting is worth the wait; what else keeps us away is
	 * for a person to mend. */
	r->hopeless = why->reason != ERR_DAEMON_STARTING;
	if (r->hopeless)
		ev_break(r->loop, EVBREAK_ALL);
}

static void on_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct rpc *r = w->data;

	(void)revents;
	r->timed_out = true;
	ev_break(loop, EVBREAK_ALL);
}

static void on_reader_gone(struct ev_loop *loop, ev_io *w, int revents)
{
	struct rpc *r = w->data;

	(void)loop;
	(void)revents;
	r->call.enough = true;
}

/* Run the loop until a call is over, the connection is lost, or time is. */
static void run_loop(struct rpc *r)
{
	r->timed_out = false;
	ev_now_update(r->loop);
	ev_timer_set(&r->timeout, r->timeout_ms / 1e3, 0);
	ev_timer_start(r->loop, &r->timeout);
	ev_run(r->loop, 0);
	ev_timer_stop(r->loop, &r->timeout);
}

/* Is who answered who the manifest names? */
static bool confirm(struct rpc *r)
{
	struct err e;
	const Executor__Admin__V1__GetStatusResponse *status = finish(
		r, &executor__admin__v1__get_status_response__descriptor, &e);

	if (status && status->epoch == r->manifest.epoch &&
	    slice_equal(protobuf_slice(status->instance),
			(struct slice){(const char *)r->manifest.instance,
				       MANIFEST_ID_BYTES})) {
		attach_confirm(r->attach);
		return true;
	}
	if (status)
		err_set(&e, ERR_MISMATCH,
			"another daemon answers at %s than its manifest says",
			r->manifest.socket);
	r->trouble = e;
	r->h2 = NULL;
	attach_refuse(r->attach, status ? ELECTION_OTHER : ELECTION_GONE, &e);
	return false;
}

struct rpc *rpc_open(const struct rpc_options *options, struct err *e)
{
	static const struct attach_events events = {
		.connected = on_connected,
		.lost = on_lost,
		.trouble = on_trouble,
	};
	struct rpc *r = mem_zalloc(sizeof(*r));
	const struct attach_options attach = {
		.data_dir = options->data_dir,
		.may_start = options->may_start,
	};

	r->loop = ev_default_loop(0);
	r->timeout_ms = options->timeout_ms;
	r->may_start = options->may_start;
	ev_timer_init(&r->timeout, on_timeout, 0, 0);
	r->timeout.data = r;
	err_set(&r->trouble, ERR_DEADLINE, "the daemon did not answer");
	r->attach = attach_new(r->loop, &attach, &events, r);
	attach_start(r->attach);
	int64_t end = clock_now_ms() + options->timeout_ms;
	while (clock_now_ms() < end) {
		run_loop(r);
		if (r->call.over && r->h2 && confirm(r))
			return r;
		r->call.over = false;
		if (r->timed_out || r->hopeless)
			break;
	}
	*e = r->trouble;
	rpc_close(r);
	return NULL;
}

void *rpc_call(struct rpc *r, const char *path, const ProtobufCMessage *request,
	       const ProtobufCMessageDescriptor *reply_type, struct err *e)
{
	if (!r->h2) {
		err_set(e, ERR_LOST, "the connection to the daemon ended");
		return NULL;
	}
	if (!begin(r, path, request, NULL, e))
		return NULL;
	while (!r->call.over && r->h2 && !r->timed_out)
		run_loop(r);
	if (r->call.over)
		return finish(r, reply_type, e);
	if (r->timed_out)
		err_set(e, ERR_DEADLINE,
			"no answer within %u s; --timeout S waits longer",
			r->timeout_ms / 1000);
	else
		*e = r->trouble;
	if (r->call.stream)
		h2_reset(r->call.stream, H2_CANCEL);
	return NULL;
}

/* A pipe whose reader has gone is an error to epoll, which libev brings as
 * whatever was asked for.  Nothing else is watched: of a file it would be
 * always. */
static void watch_reader(struct rpc *r, ev_io *w)
{
	struct stat st;

	ev_io_init(w, on_reader_gone, STDOUT_FILENO, EV_READ);
	w->data = r;
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode))
		ev_io_start(r->loop, w);
}

bool rpc_stream(struct rpc *r, const char *path,
		const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *reply_type,
		bool (*message)(void *owner, const void *reply), void *owner,
		struct err *e)
{
	const struct listener listener = {reply_type, message, owner};
	ev_io reader;

	if (!r->h2)
		return err_set(e, ERR_LOST,
			       "the connection to the daemon ended");
	if (!begin(r, path, request, &listener, e))
		return false;
	watch_reader(r, &reader);
	while (!r->call.over && !r->call.enough && r->h2)
		ev_run(r->loop, EVRUN_ONCE);
	ev_io_stop(r->loop, &reader);
	if (r->call.stream)
		h2_reset(r->call.stream, H2_CANCEL);
	if (r->call.enough || (r->call.over && r->call.why.reason == ERR_NONE))
		return true;
	*e = r->call.over ? r->call.why : r->trouble;
	return false;
}

int64_t rpc_pid(const struct rpc *r)
{
	return r->manifest.pid;
}

bool rpc_wait_gone(struct rpc *r)
{
	int64_t end = clock_now_ms() + r->timeout_ms;

	/* Before the connection is given up: as long as it stands, the pid is
	 * that of the daemon and of nobody else. */
	int fd = plat_process_fd((pid_t)r->manifest.pid);
	while (r->h2 && clock_now_ms() < end)
		run_loop(r);
	if (fd < 0) /* the end of the connection must do */
		return r->h2 == NULL;
	int64_t left = end - clock_now_ms();
	struct pollfd gone = {.fd = fd, .events = POLLIN};
	int n = poll(&gone, 1, left > 0 ? (int)left : 0);
	close(fd);
	return n == 1;
}

void rpc_close(struct rpc *r)
{
	if (!r)
		return;
	attach_free(r->attach);
	buf_finish(&r->call.message);
	grpc_reader_finish(&r->call.reader);
	arena_finish(&r->arena);
	free(r);
}
