/* What the doctor finds at the daemon's TCP port: what a stock client would. */
#include "adapter/cli/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/grpc.h"
#include "proto/h2.h"
#include "proto/mem.h"
#include "proto/token.h"

enum { HOST_BYTES = 64, CONNECT_S = 2 };

static const double ANSWER_S = 5;

/* One health check over a connection of its own. */
struct probe {
	struct ev_loop *loop;
	struct h2 *h2;
	int status; /* of gRPC; -1: none came */
};

/* --- the connection ------------------------------------------------------- */

/* HOST:PORT of a URL as the daemon prints it, in figures. */
static bool read_name(const char *target, struct sockaddr_storage *name)
{
	struct sockaddr_in6 *v6 = (void *)name;
	struct sockaddr_in *v4 = (void *)name;
	const char *colon = strrchr(target, ':');
	bool bracket = target[0] == '[';
	char host[HOST_BYTES];

	memset(name, 0, sizeof(*name));
	if (!colon || colon - target < 2 + bracket ||
	    (size_t)(colon - target) >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s",
		 (int)(colon - target) - 2 * bracket, target + bracket);
	in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (bracket) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = port;
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

static int dial(const char *target)
{
	const struct timeval bound = {.tv_sec = CONNECT_S};
	struct sockaddr_storage name;

	errno = EINVAL;
	if (!read_name(target, &name))
		return -1;
	int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* socket(7): SO_SNDTIMEO bounds connect(2), too. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
	if (connect(fd, (const struct sockaddr *)&name,
		    name.ss_family == AF_INET6
			    ? sizeof(struct sockaddr_in6)
			    : sizeof(struct sockaddr_in)) == 0 &&
	    fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* --- the call ------------------------------------------------------------- */

static void on_headers(void *owner, const struct h2_headers *h)
{
	struct slice status = h2_header(h, "grpc-status");
	struct probe *p = owner;
	char text[4] = "";

	if (status.len == 0 || status.len >= sizeof(text))
		return;
	memcpy(text, status.ptr, status.len);
	p->status = (int)strtol(text, NULL, 10);
}

static void on_data(void *owner, struct slice bytes)
{
	(void)owner;
	(void)bytes; /* fewer than any window */
}

static void on_nothing(void *owner)
{
	(void)owner;
}

static void on_closed(void *owner, uint32_t h2_error)
{
	struct probe *p = owner;

	(void)h2_error;
	ev_break(p->loop, EVBREAK_ALL);
}

static void on_down(void *owner, const struct err *why)
{
	struct probe *p = owner;

	(void)why;
	h2_free(p->h2);
	p->h2 = NULL;
	ev_break(p->loop, EVBREAK_ALL);
}

static const struct h2_stream_events stream_events = {
	.headers = on_headers,
	.data = on_data,
	.end = on_nothing,
	.drained = on_nothing,
	.closed = on_closed,
};

static const struct h2_events events = {.down = on_down};

static void on_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static struct h2_header header(const char *name, const char *value)
{
	return (struct h2_header){slice_of(name), slice_of(value)};
}

static void ask(struct probe *p, const char *target, const struct bearer *token)
{
	static const char empty[GRPC_PREFIX_BYTES];
	char authorization[BEARER_CHARS + 8];
	struct err e;

	snprintf(authorization, sizeof(authorization), "Bearer %s",
		 token->text);
	const struct h2_header headers[] = {
		header(":method", "POST"),
		header(":scheme", "http"),
		header(":path", "/grpc.health.v1.Health/Check"),
		header(":authority", target),
		header("te", "trailers"),
		header("content-type", "application/grpc"),
		header("authorization", authorization),
	};
	struct h2_stream *s =
		h2_request(p->h2, headers, sizeof(headers) / sizeof(headers[0]),
			   &stream_events, p, &e);
	if (s) {
		buf_append(h2_output(s), empty, sizeof(empty));
		h2_send(s);
		h2_end(s);
	}
	mem_wipe(authorization, sizeof(authorization));
}

/* The status of a health check there, or -1. */
static int check_health(int fd, const char *target, const struct bearer *token)
{
	const struct h2_limits limits = h2_limits_local();
	struct probe p = {.loop = ev_loop_new(EVFLAG_AUTO), .status = -1};
	ev_timer late;

	p.h2 = h2_new_client(p.loop, fd, &limits, &events, &p);
	ev_timer_init(&late, on_late, ANSWER_S, 0.);
	ev_timer_start(p.loop, &late);
	ask(&p, target, token);
	ev_run(p.loop, 0);
	h2_free(p.h2);
	ev_timer_stop(p.loop, &late);
	ev_loop_destroy(p.loop);
	return p.status;
}

/* --- the findings --------------------------------------------------------- */

static void find_status(struct doctor *d, const char *url, int status)
{
	if (status == GRPC_OK)
		doctor_find(d, GROUP_ENDPOINTS, FINDING_GOOD, NULL,
			    "%s serves whoever has the token", url);
	else if (status == GRPC_UNAUTHENTICATED)
		doctor_find(d, GROUP_ENDPOINTS, FINDING_BAD,
			    "executor token rotate",
			    "%s does not take the token of the token file: "
			    "somebody else wrote it",
			    url);
	else if (status >= 0)
		doctor_find(d, GROUP_ENDPOINTS, FINDING_BAD, "executor logs",
			    "%s answers with gRPC status %d", url, status);
	else
		doctor_find(d, GROUP_ENDPOINTS, FINDING_BAD, "executor logs",
			    "%s does not answer", url);
}

void doctor_look_at_port(struct doctor *d, const char *url)
{
	const char *slashes = strstr(url, "//");
	const char *target = slashes ? slashes + 2 : url;
	struct bearer token;
	struct err e;

	if (!token_read(d->cli->data_dir, &token, &e)) {
		/* What is wrong with one that is there was said already. */
		if (e.reason == ERR_NOT_FOUND)
			doctor_find(d, GROUP_ENDPOINTS, FINDING_BAD,
				    "executor token rotate",
				    "%s is served, and the token file is gone",
				    url);
		return;
	}
	int fd = dial(target);
	if (fd < 0)
		doctor_find(d, GROUP_ENDPOINTS, FINDING_BAD, "executor logs",
			    "%s cannot be reached: %s", url, strerror(errno));
	else
		find_status(d, url, check_health(fd, target, &token));
	mem_wipe(&token, sizeof(token));
}
