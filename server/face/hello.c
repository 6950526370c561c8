#include "server/face/hello.h"

#include <string.h>

#include "proto/err.h"

static bool is_id(ProtobufCBinaryData id, const unsigned char *expected)
{
	return id.len == ENVELOPE_ID_BYTES &&
	       memcmp(id.data, expected, ENVELOPE_ID_BYTES) == 0;
}

bool hello_check(const envelope_hello_t *hello, const struct mcp_options *o,
		 struct err *e)
{
	if (hello->protocol_min > ENVELOPE_PROTOCOL_MAX ||
	    hello->protocol_max < ENVELOPE_PROTOCOL_MIN ||
	    hello->protocol_min > hello->protocol_max)
		return err_set(e, ERR_MISMATCH,
			       "this daemon (%s) speaks protocol %d to %d, "
			       "the caller %u to %u; install the same version "
			       "of both",
			       EXECUTOR_VERSION, ENVELOPE_PROTOCOL_MIN,
			       ENVELOPE_PROTOCOL_MAX, hello->protocol_min,
			       hello->protocol_max);
	if (hello->epoch != 0 && hello->epoch != o->epoch)
		return err_set(e, ERR_MISMATCH, "this is epoch %llu, not %llu",
			       (unsigned long long)o->epoch,
			       (unsigned long long)hello->epoch);
	if (hello->daemon_instance.len != 0 &&
	    !is_id(hello->daemon_instance, o->instance))
		return err_set(e, ERR_MISMATCH,
			       "this is another instance of the daemon");
	return true;
}

void hello_welcome(const envelope_hello_t *hello, const struct mcp_options *o,
		   envelope_welcome_t *welcome,
		   Executor__Mcp__V1__Limits *limits)
{
	static char version[] = EXECUTOR_VERSION;

	executor__mcp__v1__limits__init(limits);
	limits->message_bytes = o->message_bytes;
	limits->session_bytes = o->session_bytes;
	limits->chunk_bytes = ENVELOPE_CHUNK_BYTES;
	welcome->protocol = hello->protocol_max < ENVELOPE_PROTOCOL_MAX
				    ? hello->protocol_max
				    : ENVELOPE_PROTOCOL_MAX;
	welcome->version = version;
	welcome->epoch = o->epoch;
	welcome->daemon_instance = protobuf_bytes(
		(struct slice){(const char *)o->instance, ENVELOPE_ID_BYTES});
	welcome->limits = limits;
}
