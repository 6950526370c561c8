#include "proto/grpc.h"

#include <strings.h>

#include "proto/utf8.h"

enum {
	/* Memory that a reader keeps between messages, unless told. */
	KEEP_BYTES = 64 * 1024,
	/* Of an error's text; clients bound their header lists at 8 KiB. */
	MESSAGE_BYTES = 1024,
};

void grpc_reader_init(struct grpc_reader *r, size_t limit_bytes)
{
	*r = (struct grpc_reader){.limit_bytes = limit_bytes,
				  .keep_bytes = KEEP_BYTES};
}

/*
 * gRPC over HTTP/2, Length-Prefixed-Message: Compressed-Flag Message-Length
 * Message, where Compressed-Flag is 0 / 1 as 1 byte unsigned integer and
 * Message-Length is encoded as 4 byte unsigned integer (big endian).
 */
static bool check_prefix(struct grpc_reader *r, const char *bytes, size_t *len,
			 struct err *e)
{
	const unsigned char *b = (const unsigned char *)bytes;

	r->compressed = b[0] == 1;
	/* "If the Message-Encoding header is omitted then the Compressed-Flag
	 * must be set to 0." */
	if (b[0] == 1 && !r->encoding)
		return err_set(e, ERR_PROTOCOL,
			       "a compressed message without an encoding");
	if (b[0] > 1)
		return err_set(e, ERR_PROTOCOL,
			       "the compressed flag of a message is %u", b[0]);
	*len = (size_t)b[1] << 24 | (size_t)b[2] << 16 | (size_t)b[3] << 8 |
	       b[4];
	if (*len > r->limit_bytes)
		return err_set(e, ERR_TOO_LARGE,
			       "a message of %zu bytes; the limit is %zu", *len,
			       r->limit_bytes);
	return true;
}

/* Move bytes from *rest until want are torn; true when they are. */
static bool fill(struct grpc_reader *r, struct slice *rest, size_t want)
{
	size_t missing = r->torn.len < want ? want - r->torn.len : 0;
	size_t step = rest->len < missing ? rest->len : missing;

	buf_append(&r->torn, rest->ptr, step);
	*rest = (struct slice){rest->ptr + step, rest->len - step};
	return step == missing;
}

static bool hand_up(struct slice message,
		    const struct grpc_reader_events *events, void *owner,
		    struct err *e)
{
	if (events->message(owner, message))
		return true;
	return err_set(e, ERR_NONE, "stopped");
}

/* Go on with the message that is torn. */
static bool read_torn(struct grpc_reader *r, struct slice *rest,
		      const struct grpc_reader_events *events, void *owner,
		      struct err *e)
{
	size_t len = 0;

	if (!fill(r, rest, GRPC_PREFIX_BYTES))
		return true;
	if (!check_prefix(r, r->torn.data, &len, e))
		return false;
	if (!fill(r, rest, GRPC_PREFIX_BYTES + len))
		return true;
	struct slice message = {r->torn.data + GRPC_PREFIX_BYTES, len};
	bool go_on = hand_up(message, events, owner, e);
	buf_reset(&r->torn, r->keep_bytes);
	return go_on;
}

bool grpc_reader_feed(struct grpc_reader *r, struct slice bytes,
		      const struct grpc_reader_events *events, void *owner,
		      struct err *e)
{
	struct slice rest = bytes;
	size_t len = 0;

	while (rest.len > 0) {
		/* A message that lies here whole is handed up as it lies. */
		if (r->torn.len > 0 || rest.len < GRPC_PREFIX_BYTES) {
			if (!read_torn(r, &rest, events, owner, e)) {
				r->left_bytes = rest.len;
				return false;
			}
			continue;
		}
		if (!check_prefix(r, rest.ptr, &len, e))
			return false;
		if (rest.len - GRPC_PREFIX_BYTES < len) {
			buf_append_slice(&r->torn, rest);
			break;
		}
		rest = (struct slice){rest.ptr + GRPC_PREFIX_BYTES,
				      rest.len - GRPC_PREFIX_BYTES};
		struct slice message = {rest.ptr, len};
		rest = (struct slice){rest.ptr + len, rest.len - len};
		r->left_bytes = rest.len;
		if (!hand_up(message, events, owner, e))
			return false;
	}
	r->left_bytes = 0;
	return true;
}

bool grpc_reader_end(const struct grpc_reader *r, struct err *e)
{
	if (r->torn.len == 0)
		return true;
	return err_set(e, ERR_PROTOCOL, "the stream ended inside a message");
}

void grpc_reader_finish(struct grpc_reader *r)
{
	buf_finish(&r->torn);
}

void grpc_prefix(unsigned char to[GRPC_PREFIX_BYTES], uint32_t len)
{
	to[0] = 0;
	to[1] = (unsigned char)(len >> 24);
	to[2] = (unsigned char)(len >> 16);
	to[3] = (unsigned char)(len >> 8);
	to[4] = (unsigned char)len;
}

/* gRPC over HTTP/2, Timeout-Unit, coarsest first. */
static const struct {
	char letter;
	int64_t ns;
} units[] = {
	{'H', 3600 * INT64_C(1000000000)},
	{'M', 60 * INT64_C(1000000000)},
	{'S', INT64_C(1000000000)},
	{'m', 1000000},
	{'u', 1000},
	{'n', 1},
};

enum {
	UNITS = sizeof(units) / sizeof(units[0]),
	FINEST_PRINTED = 3,	    /* m */
	TIMEOUT_DIGITS = 8,	    /* at most 8 digits */
	TIMEOUT_VALUES = 100000000, /* so many */
};

bool grpc_timeout_parse(struct slice text, int64_t *ns)
{
	int64_t value = 0;

	if (text.len < 2 || text.len > TIMEOUT_DIGITS + 1)
		return false;
	size_t digits = text.len - 1;
	for (size_t i = 0; i < digits; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = value * 10 + (text.ptr[i] - '0');
	}
	for (size_t i = 0; i < UNITS; i++) {
		if (units[i].letter != text.ptr[digits])
			continue;
		*ns = value > INT64_MAX / units[i].ns ? INT64_MAX
						      : value * units[i].ns;
		return true;
	}
	return false;
}

void grpc_timeout_print(struct buf *to, uint64_t ms)
{
	/* The coarsest unit that is exact is the shortest. */
	for (size_t i = 0; i <= FINEST_PRINTED; i++) {
		uint64_t unit_ms = (uint64_t)units[i].ns / 1000000;

		if (ms % unit_ms != 0 || ms / unit_ms >= TIMEOUT_VALUES)
			continue;
		buf_printf(to, "%u%c", (unsigned)(ms / unit_ms),
			   units[i].letter);
		return;
	}
	/* Eight digits do not hold it: a little later, never earlier. */
	for (size_t i = FINEST_PRINTED; i > 0; i--) {
		uint64_t unit_ms = (uint64_t)units[i - 1].ns / 1000000;
		uint64_t value = ms / unit_ms + 1;

		if (value >= TIMEOUT_VALUES)
			continue;
		buf_printf(to, "%u%c", (unsigned)value, units[i - 1].letter);
		return;
	}
	buf_printf(to, "%uH", TIMEOUT_VALUES - 1);
}

/* gRPC over HTTP/2, Percent-Byte-Unencoded: 1*( %x20-%x24 / %x26-%x7E ). */
static bool goes_unencoded(char c)
{
	return c >= 0x20 && c <= 0x7e && c != '%';
}

static void append_encoded(struct buf *to, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (goes_unencoded(bytes[i]))
			buf_append(to, bytes + i, 1);
		else
			buf_printf(to, "%%%02X", (unsigned char)bytes[i]);
	}
}

/* Status-Message: the value is conceptually a Unicode string, encoded as
 * UTF-8 and then percent-encoded; so what is not UTF-8 is replaced. */
void grpc_message_encode(struct buf *to, const char *text)
{
	size_t len = strlen(text);
	size_t step;

	for (size_t at = 0; at < len; at += step) {
		size_t character = utf8_character(text + at, len - at);

		step = character > 0 ? character : 1;
		if (at + step > MESSAGE_BYTES)
			return;
		if (character > 0)
			append_encoded(to, text + at, step);
		else
			append_encoded(to, UTF8_REPLACEMENT, 3);
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Status-Message: When decoding invalid values, implementations MUST NOT error
 * or throw away the message. */
void grpc_message_decode(struct buf *to, struct slice encoded)
{
	for (size_t at = 0; at < encoded.len; at++) {
		char c = encoded.ptr[at];

		if (c == '%' && encoded.len - at > 2) {
			int high = hex_value(encoded.ptr[at + 1]);
			int low = hex_value(encoded.ptr[at + 2]);

			if (high >= 0 && low >= 0) {
				c = (char)(high << 4 | low);
				at += 2;
			}
		}
		buf_append(to, &c, 1);
	}
}

bool grpc_content_type_ok(struct slice value)
{
	static const struct slice want = {"application/grpc", 16};

	/* RFC 9110, section 8.3.1: the type and subtype tokens are
	 * case-insensitive. */
	if (value.len < want.len ||
	    strncasecmp(value.ptr, want.ptr, want.len) != 0)
		return false;
	return value.len == want.len || value.ptr[want.len] == '+' ||
	       value.ptr[want.len] == ';';
}

enum grpc_code grpc_of_http(int status)
{
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

enum grpc_code grpc_of_reset(uint32_t http2_error)
{
	/* By the numbers of RFC 9113, section 7.  Whatever is not here is
	 * INTERNAL: the framing or the implementation is broken. */
	switch (http2_error) {
	case 0x7: /* REFUSED_STREAM */
		return GRPC_UNAVAILABLE;
	case 0x8: /* CANCEL */
		return GRPC_CANCELLED;
	case 0xb: /* ENHANCE_YOUR_CALM */
		return GRPC_RESOURCE_EXHAUSTED;
	case 0xc: /* INADEQUATE_SECURITY */
		return GRPC_PERMISSION_DENIED;
	default:
		return GRPC_INTERNAL;
	}
}
