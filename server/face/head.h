/*
 * head: the header list of a gRPC request, checked.
 *
 * The rules are those of gRPC over HTTP/2 (doc/PROTOCOL-HTTP2.md, Requests).
 * No I/O, no memory: slices of the header list.
 */
#ifndef SERVER_FACE_HEAD_H
#define SERVER_FACE_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct err;
struct h2_headers;

/* How the messages of a call may be packed. */
enum encoding {
	ENCODING_IDENTITY,
	ENCODING_GZIP,
	ENCODING_UNKNOWN, /* one that we do not have */
};

struct head {
	int http; /* 200; or 405 or 415: no gRPC can be spoken */
	struct slice path;
	bool has_timeout;
	int64_t timeout_ns;
	enum encoding encoding; /* of the requests */
	bool takes_gzip;	/* in responses */
};

/* Read the list.  False with *e set when the request is refused; head->http
 * says with which HTTP status. */
bool head_read(struct head *head, const struct h2_headers *list, struct err *e);

#endif
