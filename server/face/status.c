#include "server/face/status.h"

#include <stdint.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/protobuf.h"

/* The field numbers of google/rpc/status.proto and error_details.proto, and of
 * google/protobuf/any.proto.  Three small messages that never change: written
 * by hand, they need no copies of other people's files. */
enum {
	STATUS_CODE = 1,
	STATUS_MESSAGE = 2,
	STATUS_DETAILS = 3, /* repeated Any */
	ANY_TYPE_URL = 1,
	ANY_VALUE = 2,
	INFO_REASON = 1,
	INFO_DOMAIN = 2,
	INFO_METADATA = 3, /* map<string, string> */
	ENTRY_KEY = 1,
	ENTRY_VALUE = 2,
};

/* Protocol Buffers, Encoding: "Each varint byte has a continuation bit [...] in
 * the most significant bit". */
static void append_varint(struct buf *to, uint64_t value)
{
	while (value > 0x7f) {
		char more = (char)(value | 0x80);

		buf_append(to, &more, 1);
		value >>= 7;
	}
	char last = (char)value;
	buf_append(to, &last, 1);
}

static void append_int(struct buf *to, unsigned field, uint64_t value)
{
	append_varint(to, field << 3 | 0); /* VARINT */
	append_varint(to, value);
}

static void append_bytes(struct buf *to, unsigned field, struct slice bytes)
{
	append_varint(to, field << 3 | 2); /* LEN */
	append_varint(to, bytes.len);
	buf_append_slice(to, bytes);
}

static void append_string(struct buf *to, unsigned field, const char *text)
{
	char *valid = protobuf_text(text);

	append_bytes(to, field, slice_of(valid));
	free(valid);
}

/* ErrorInfo.reason: "This should be at most 63 characters and match a regular
 * expression of /[A-Z][A-Z0-9_]+[A-Z0-9]/". */
static void append_reason(struct buf *to, enum reason reason)
{
	const char *name = err_name(reason);
	char capitals[64];
	size_t len = 0;

	for (; len < sizeof(capitals) - 1 && name[len] != '\0'; len++)
		capitals[len] = name[len] >= 'a' && name[len] <= 'z'
					? (char)(name[len] - 'a' + 'A')
					: name[len];
	append_bytes(to, INFO_REASON, (struct slice){capitals, len});
}

static void pack_info(struct buf *to, enum reason reason, const char *source)
{
	struct buf entry = {0};

	append_reason(to, reason);
	append_string(to, INFO_DOMAIN, "executor");
	if (!source)
		return;
	append_string(&entry, ENTRY_KEY, "source");
	append_string(&entry, ENTRY_VALUE, source);
	append_bytes(to, INFO_METADATA, buf_slice(&entry));
	buf_finish(&entry);
}

void status_pack(struct buf *to, const struct err *why, const char *source)
{
	struct buf info = {0};
	struct buf any = {0};

	pack_info(&info, why->reason, source);
	append_string(&any, ANY_TYPE_URL,
		      "type.googleapis.com/google.rpc.ErrorInfo");
	append_bytes(&any, ANY_VALUE, buf_slice(&info));
	append_int(to, STATUS_CODE, err_grpc(why->reason));
	append_string(to, STATUS_MESSAGE, why->text);
	append_bytes(to, STATUS_DETAILS, buf_slice(&any));
	buf_finish(&info);
	buf_finish(&any);
}
