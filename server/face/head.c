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
	struct slice encoding = h2_header(list, "grpc-encoding");
	head->encoded = encoding.len > 0 && !slice_is(encoding, "identity");
	return read_timeout(head, h2_header(list, "grpc-timeout"), e);
}
