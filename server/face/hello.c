#include "server/face/hello.h"

#include <string.h>

#include "proto/err.h"
#include "proto/version.h"

static bool is_id(ProtobufCBinaryData id, const unsigned char *expected)
{
	return id.len == ENVELOPE_ID_BYTES &&
	       memcmp(id.data, expected, ENVELOPE_ID_BYTES) == 0;
}

bool hello_check(const envelope_hello_t *hello, const struct mcp_options *o,
		 struct err *e)
{
	if (hello->protocol_min > version_protocol_max ||
	    hello->protocol_max < version_protocol_min ||
	    hello->protocol_min > hello->protocol_max)
		return err_set(e, ERR_VERSION,
			       "this daemon (version %s) speaks protocol %u to "
			       "%u, the caller (%.64s) %u to %u: install the "
			       "newer of the two for both",
			       version_text, version_protocol_min,
			       version_protocol_max, hello->version,
			       hello->protocol_min, hello->protocol_max);
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

bool hello_replaces(const envelope_hello_t *hello)
{
	return hello->replace_older &&
	       hello->protocol_min > version_protocol_max &&
	       version_compare(hello->version, version_text) > 0;
}

void hello_welcome(const envelope_hello_t *hello, const struct mcp_options *o,
		   envelope_welcome_t *welcome,
		   Executor__Mcp__V1__Limits *limits)
{
	executor__mcp__v1__limits__init(limits);
	limits->message_bytes = o->message_bytes;
	limits->session_bytes = o->session_bytes;
	limits->chunk_bytes = ENVELOPE_CHUNK_BYTES;
	welcome->protocol = hello->protocol_max < version_protocol_max
				    ? hello->protocol_max
				    : version_protocol_max;
	welcome->version = (char *)(uintptr_t)version_text;
	welcome->epoch = o->epoch;
	welcome->daemon_instance = protobuf_bytes(
		(struct slice){(const char *)o->instance, ENVELOPE_ID_BYTES});
	welcome->limits = limits;
}
