#include "server/face/door.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>

#include "proto/base64.h"
#include "proto/buf.h"
#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/h2.h"
#include "server/face/service.h"
#include "server/face/status.h"

enum { HOST_BYTES = 64, SHOWN = 64 };

/* How often a header comes, and its last value. */
static unsigned find_header(const struct h2_headers *list, const char *name,
			    struct slice *value)
{
	unsigned times = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (!slice_is(list->list[i].name, name))
			continue;
		*value = list->list[i].value;
		times++;
	}
	return times;
}

/* --- :authority ----------------------------------------------------------- */

/* Is it written in figures?  No resolver is asked for such a host. */
static bool is_address(const char *host)
{
	struct in6_addr address;
	char inner[HOST_BYTES];
	size_t len = strlen(host);

	if (host[0] != '[')
		return inet_pton(AF_INET, host, &address) == 1;
	if (len < 2 || host[len - 1] != ']')
		return false;
	memcpy(inner, host + 1, len - 2);
	inner[len - 2] = '\0';
	return inet_pton(AF_INET6, inner, &address) == 1;
}

static bool is_our_host(const struct door *d, const char *host)
{
	struct in_addr v4;

	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	if (d->anywhere)
		return is_address(host);
	return inet_pton(AF_INET, host, &v4) == 1 &&
	       ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* RFC 3986 section 3.2: authority = [ userinfo "@" ] host [ ":" port ].  The
 * port may be missing where it is that of http. */
static bool is_ours(const struct door *d, struct slice authority)
{
	char host[HOST_BYTES];
	char port[8];

	if (authority.len >= sizeof(host) ||
	    memchr(authority.ptr, '\0', authority.len))
		return false;
	memcpy(host, authority.ptr, authority.len);
	host[authority.len] = '\0';
	char *colon = strrchr(host, ':');
	const char *bracket = strchr(host, ']');
	if (!colon || (bracket && colon < bracket))
		return d->port == 80 && is_our_host(d, host);
	*colon = '\0';
	snprintf(port, sizeof(port), "%u", d->port);
	return strcmp(colon + 1, port) == 0 && is_our_host(d, host);
}

/* RFC 9113 section 8.3.1: a request converted from HTTP/1.1 may have a host
 * header instead; whichever is there must be ours. */
static bool check_authority(const struct door *d, const struct h2_headers *list,
			    struct err *e)
{
	static const char *const names[] = {":authority", "host"};
	unsigned found = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct slice value;
		unsigned times = find_header(list, names[i], &value);

		found += times;
		if (times == 0 || (times == 1 && is_ours(d, value)))
			continue;
		return err_set(e, ERR_PERMISSION,
			       "%.*s is no name of this daemon: connect to "
			       "127.0.0.1:%u, or to the address that "
			       "`executor endpoint` prints",
			       value.len < SHOWN ? (int)value.len : SHOWN,
			       value.ptr, d->port);
	}
	return found > 0 || err_set(e, ERR_PERMISSION,
				    "the request names no authority: it must "
				    "be 127.0.0.1:%u",
				    d->port);
}

/* --- the rest ------------------------------------------------------------- */

static bool check_token(const struct door *d, const struct h2_headers *list,
			struct err *e)
{
	struct slice value;
	unsigned times = find_header(list, "authorization", &value);

	if (times == 0)
		return err_set(e, ERR_UNAUTHENTICATED,
			       "a token is needed: send `authorization: Bearer "
			       "TOKEN`, with the token of the file that "
			       "`executor endpoint` names");
	struct slice token = bearer_of_header(value);
	if (times > 1 || !token.ptr)
		return err_set(e, ERR_UNAUTHENTICATED,
			       "one header `authorization: Bearer TOKEN` was "
			       "expected");
	if (!bearer_is(&d->token, token))
		return err_set(
			e, ERR_UNAUTHENTICATED,
			"the token is not valid, or not any more: read "
			"it again from the file that `executor endpoint` "
			"names");
	return true;
}

/* A path that leads nowhere is answered as on any other socket. */
static bool check_scope(const struct door *d, const struct services *services,
			struct slice path, struct err *e)
{
	const struct service *s;

	if (d->admin || !services_find(services, path, &s) || !s->admin)
		return true;
	return err_set(e, ERR_PERMISSION,
		       "%s is not served over TCP: use the unix socket, or "
		       "start the daemon with --tcp-admin",
		       s->name);
}

bool door_admit(const struct door *d, const struct services *services,
		const struct h2_headers *list, struct err *e)
{
	struct slice origin;

	/* The list is cut short: nothing can be said of what is missing. */
	if (list->too_large)
		return err_set(e, ERR_TOO_LARGE,
			       "the request's headers are too large");
	if (find_header(list, "origin", &origin) > 0)
		return err_set(e, ERR_PERMISSION,
			       "requests of web pages are refused: this one "
			       "has an origin");
	return check_authority(d, list, e) && check_token(d, list, e) &&
	       check_scope(d, services, h2_header(list, ":path"), e);
}

/* --- refusing ------------------------------------------------------------- */

static void on_headers(void *owner, const struct h2_headers *list)
{
	(void)owner;
	(void)list;
}

/* Nobody reads them, but they count against the connection's window. */
static void on_data(void *owner, struct slice bytes)
{
	h2_consume(owner, bytes.len);
}

static void on_nothing(void *owner)
{
	(void)owner;
}

static void on_closed(void *owner, uint32_t h2_error)
{
	(void)owner;
	(void)h2_error;
}

static const struct h2_stream_events deaf = {
	.headers = on_headers,
	.data = on_data,
	.end = on_nothing,
	.drained = on_nothing,
	.closed = on_closed,
};

/* gRPC over HTTP/2, Responses: "Trailers-Only -> HTTP-Status Content-Type
 * Trailers".  As a call of its own would end, without one. */
void door_refuse(struct h2_stream *s, const struct err *why)
{
	struct buf message = {0};
	struct buf details = {0};
	struct buf encoded = {0};
	char number[12];

	snprintf(number, sizeof(number), "%d", (int)err_grpc(why->reason));
	grpc_message_encode(&message, why->text);
	status_pack(&details, why, NULL);
	base64_encode(&encoded, buf_slice(&details));
	const struct h2_header list[] = {
		{slice_of(":status"), slice_of("200")},
		{slice_of("content-type"), slice_of("application/grpc")},
		{slice_of("grpc-status"), slice_of(number)},
		{slice_of("grpc-message"), buf_slice(&message)},
		{slice_of("grpc-status-details-bin"), buf_slice(&encoded)},
	};
	h2_stream_listen(s, &deaf, s);
	h2_finish(s, list, sizeof(list) / sizeof(list[0]));
	buf_finish(&message);
	buf_finish(&details);
	buf_finish(&encoded);
}
