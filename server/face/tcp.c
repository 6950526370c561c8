#include "server/face/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/err.h"

enum { HOST_BYTES = 64, BACKLOG = 128, PORT_MOST = 65535 };

static bool read_port(const char *text, in_port_t *to, struct err *e)
{
	char *end;

	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    n > PORT_MOST)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "%.64s is no port from 0 to %d", text,
			       PORT_MOST);
	*to = htons((uint16_t)n);
	return true;
}

static bool read_v4(struct tcp_address *a, const char *host, in_port_t port)
{
	a->name.v4 =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
	if (inet_pton(AF_INET, host, &a->name.v4.sin_addr) != 1)
		return false;
	/* RFC 1122 section 3.2.1.3: all of 127 is loopback. */
	a->loopback = ntohl(a->name.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return true;
}

static bool read_v6(struct tcp_address *a, const char *host, in_port_t port)
{
	a->name.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
					   .sin6_port = port};
	if (inet_pton(AF_INET6, host, &a->name.v6.sin6_addr) != 1)
		return false;
	a->loopback = IN6_IS_ADDR_LOOPBACK(&a->name.v6.sin6_addr);
	return true;
}

/* Cut "HOST:PORT" in two; port is NULL when there is none. */
static bool split(const char *text, char host[HOST_BYTES], const char **port)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : text;

	if (!end || !*text)
		return false;
	const char *colon = strchr(end, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	if (!colon && strspn(text, "0123456789") == len) {
		*port = text;
		len = 0;
	} else {
		*port = colon ? colon + 1 : NULL;
		if (len == 0)
			return false;
	}
	if (len >= HOST_BYTES)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

static bool read_host(struct tcp_address *a, char *host, in_port_t port)
{
	size_t len = strlen(host);

	if (len == 0 || strcmp(host, "localhost") == 0)
		return read_v4(a, "127.0.0.1", port);
	if (host[0] != '[')
		return read_v4(a, host, port);
	if (host[len - 1] != ']')
		return false;
	host[len - 1] = '\0';
	return read_v6(a, host + 1, port);
}

bool tcp_parse(struct tcp_address *a, const char *text, struct err *e)
{
	struct tcp_address found = {.set = true};
	in_port_t number = htons(TCP_PORT_DEFAULT);
	char host[HOST_BYTES];
	const char *port;

	if (!split(text, host, &port))
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "%.64s is no HOST:PORT such as 127.0.0.1:%d",
			       text, TCP_PORT_DEFAULT);
	if (port && !read_port(port, &number, e))
		return false;
	if (!read_host(&found, host, number))
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "%.64s is no address: write 127.0.0.1, [::1] or "
			       "localhost; other names are not looked up",
			       host);
	*a = found;
	return true;
}

/* As in a URL. */
static void print_name(const struct tcp_address *a, char to[TCP_URL_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (a->name.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->name.v6.sin6_addr, host, sizeof(host));
		snprintf(to, TCP_URL_BYTES, "[%s]:%u", host,
			 ntohs(a->name.v6.sin6_port));
	} else {
		inet_ntop(AF_INET, &a->name.v4.sin_addr, host, sizeof(host));
		snprintf(to, TCP_URL_BYTES, "%s:%u", host,
			 ntohs(a->name.v4.sin_port));
	}
}

static bool say_why(const struct tcp_address *a, struct err *e)
{
	char name[TCP_URL_BYTES];
	int number = errno;

	print_name(a, name);
	switch (number) {
	case EADDRINUSE:
		return err_set(e, ERR_ALREADY_EXISTS,
			       "another program listens on %s: end it, or "
			       "choose another port (port 0 is any free one)",
			       name);
	case EACCES:
		return err_set(e, ERR_PERMISSION,
			       "you may not listen on %s: choose a port from "
			       "1024 on",
			       name);
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "cannot listen on %s: this machine has no such "
			       "address; choose 127.0.0.1",
			       name);
	default:
		errno = number;
		return err_sys(e, ERR_IO, "cannot listen on %s", name);
	}
}

int tcp_bind(const struct tcp_address *a, struct err *e)
{
	const int on = 1;
	bool v6 = a->name.any.sa_family == AF_INET6;
	int fd = socket(a->name.any.sa_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* Reuse: the connections of a daemon that ended keep its port for a
	 * minute, though nobody listens there.  V6 only: [::] is not 0.0.0.0
	 * too, unasked. */
	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (!v6 ||
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
	    bind(fd, &a->name.any,
		 v6 ? sizeof(a->name.v6) : sizeof(a->name.v4)) == 0)
		return fd;
	say_why(a, e);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The name of a bound socket. */
static bool name_of(int fd, struct tcp_address *a, struct err *e)
{
	socklen_t len = sizeof(a->name);

	*a = (struct tcp_address){0};
	return getsockname(fd, &a->name.any, &len) == 0 ||
	       err_sys(e, ERR_IO, "cannot learn a socket's name");
}

bool tcp_listen(int fd, struct err *e)
{
	struct tcp_address a;

	/* Two sockets may be bound where only one can listen. */
	if (!name_of(fd, &a, e))
		return false;
	return listen(fd, BACKLOG) == 0 || say_why(&a, e);
}

bool tcp_url(int fd, char to[TCP_URL_BYTES], uint16_t *port, struct err *e)
{
	char name[TCP_URL_BYTES];
	struct tcp_address a;

	if (!name_of(fd, &a, e))
		return false;
	print_name(&a, name);
	*port = ntohs(a.name.any.sa_family == AF_INET6 ? a.name.v6.sin6_port
						       : a.name.v4.sin_port);
	snprintf(to, TCP_URL_BYTES, "http://%.*s", TCP_URL_BYTES - 8, name);
	return true;
}
