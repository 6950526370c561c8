#include "server/face/head.h"

#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/h2.h"

/* gRPC over HTTP/2, Requests: "Timeout -> "grpc-timeout" TimeoutValue
 * TimeoutUnit".  "If Timeout is omitted a server should assume an infinite
 * timeout." */
static bool read_timeout(struct head *head, struct slice value, struct err *e)
{
	if (!value.ptr)
		return true;
	if (!grpc_timeout_parse(value, &head->timeout_ns))
		return err_set(e, ERR_PROTOCOL, "grpc-timeout is malformed");
	head->has_timeout = true;
	return true;
}

static enum encoding read_encoding(struct slice value)
{
	if (value.len == 0 || slice_is(value, "identity"))
		return ENCODING_IDENTITY;
	return slice_is(value, "gzip") ? ENCODING_GZIP : ENCODING_UNKNOWN;
}

static struct slice without_spaces(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = (struct slice){s.ptr + 1, s.len - 1};
	while (s.len > 0 &&
	       (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Is item in a comma-separated list? */
static bool list_has(struct slice list, const char *item)
{
	for (;;) {
		const char *comma =
			list.len > 0 ? memchr(list.ptr, ',', list.len) : NULL;
		size_t len = comma ? (size_t)(comma - list.ptr) : list.len;

		if (slice_is(without_spaces((struct slice){list.ptr, len}),
			     item))
			return true;
		if (!comma)
			return false;
		list = (struct slice){comma + 1, list.len - len - 1};
	}
}

/* "Message-Accept-Encoding -> "grpc-accept-encoding" Content-Coding
 * *("," Content-Coding)". */
static bool takes_gzip(const struct h2_headers *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_is(list->list[i].name, "grpc-accept-encoding") &&
		    list_has(list->list[i].value, "gzip"))
			return true;
	return false;
}

bool head_read(struct head *head, const struct h2_headers *list, struct err *e)
{
	*head = (struct head){.http = 200};
	head->path = h2_header(list, ":path");
	/* The list is cut short: nothing can be said of what is missing. */
	if (list->too_large)
		return err_set(e, ERR_TOO_LARGE,
			       "the request's headers are too large");
	/* gRPC over HTTP/2, Requests: "Method -> ":method POST"". */
	if (!slice_is(h2_header(list, ":method"), "POST")) {
		head->http = 405;
		return err_set(e, ERR_PROTOCOL, "the method must be POST");
	}
	/* "If Content-Type does not begin with "application/grpc", gRPC
	 * servers SHOULD respond with HTTP status of 415". */
	if (!grpc_content_type_ok(h2_header(list, "content-type"))) {
		head->http = 415;
		return err_set(e, ERR_PROTOCOL,
			       "the content-type must be application/grpc");
	}
	head->encoding = read_encoding(h2_header(list, "grpc-encoding"));
	head->takes_gzip = takes_gzip(list);
	return read_timeout(head, h2_header(list, "grpc-timeout"), e);
}
