#include "proto/h2_internal.h"

#include <strings.h>

enum pseudo { METHOD, SCHEME, AUTHORITY, PATH, PSEUDO_COUNT };

static const struct slice pseudo_names[PSEUDO_COUNT] = {
	[METHOD] = {":method", 7},
	[SCHEME] = {":scheme", 7},
	[AUTHORITY] = {":authority", 10},
	[PATH] = {":path", 5},
};

/* RFC 9113 section 8.2.2: "An endpoint MUST NOT generate an HTTP/2 message
 * containing connection-specific header fields." */
static const struct slice connection_specific[] = {
	{"connection", 10}, {"proxy-connection", 16},  {"keep-alive", 10},
	{"upgrade", 7},	    {"transfer-encoding", 17},
};

static bool same_word(struct slice s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

static const uint8_t *octets(struct slice s)
{
	return (const uint8_t *)s.ptr;
}

static bool pseudo_ok(struct h2_check *c, struct slice name, struct slice value)
{
	unsigned which = 0;

	while (which < PSEUDO_COUNT && !slice_equal(name, pseudo_names[which]))
		which++;
	/* Section 8.3: "Endpoints MUST treat a request or response that
	 * contains undefined or invalid pseudo-header fields as malformed";
	 * they MUST NOT appear in trailers, after a regular field, or twice. */
	if (which == PSEUDO_COUNT || c->trailers || c->regular ||
	    (c->seen & 1u << which))
		return false;
	c->seen |= 1u << which;
	switch ((enum pseudo)which) {
	case METHOD:
		c->connect = slice_is(value, "CONNECT");
		c->options = slice_is(value, "OPTIONS");
		return nghttp2_check_method(octets(value), value.len);
	case SCHEME:
		return value.len > 0;
	case PATH:
		c->star = slice_is(value, "*");
		return (c->star || (value.len > 0 && value.ptr[0] == '/')) &&
		       nghttp2_check_path(octets(value), value.len);
	case AUTHORITY: /* a socket's path, from some clients */
	case PSEUDO_COUNT:
		break;
	}
	return true;
}

static bool length_ok(struct h2_check *c, struct slice value)
{
	int64_t n = 0;

	if (c->content_length >= 0 || value.len == 0 || value.len > 18)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return false;
		n = n * 10 + (value.ptr[i] - '0');
	}
	c->content_length = n;
	return true;
}

static bool regular_ok(struct h2_check *c, struct slice name,
		       struct slice value)
{
	size_t count =
		sizeof(connection_specific) / sizeof(*connection_specific);

	c->regular = true;
	for (size_t i = 0; i < count; i++)
		if (slice_equal(name, connection_specific[i]))
			return false;
	/* Section 8.2.2: TE "MUST NOT contain any value other than
	 * 'trailers'". */
	if (slice_is(name, "te"))
		return same_word(value, "trailers");
	if (slice_is(name, "content-length") && !c->trailers)
		return length_ok(c, value);
	return true;
}

void h2_check_begin(struct h2_check *c, bool trailers)
{
	*c = (struct h2_check){.trailers = trailers, .content_length = -1};
}

void h2_check_header(struct h2_check *c, struct slice name, struct slice value)
{
	/* Section 8.2.1: field names are lower case, and neither they nor
	 * values may hold what would split a message of HTTP/1. */
	if (c->malformed ||
	    !nghttp2_check_header_name(octets(name), name.len) ||
	    !nghttp2_check_header_value_rfc9113(octets(value), value.len))
		c->malformed = true;
	else if (name.ptr[0] == ':')
		c->malformed = !pseudo_ok(c, name, value);
	else
		c->malformed = !regular_ok(c, name, value);
}

bool h2_check_end(const struct h2_check *c, bool end_stream)
{
	const unsigned need = 1u << METHOD | 1u << SCHEME | 1u << PATH;

	if (c->malformed)
		return false;
	/* Section 8.1: a trailer section is the end of the message. */
	if (c->trailers)
		return end_stream;
	/* Section 8.5: CONNECT has neither scheme nor path. */
	if (c->connect)
		return c->seen == (1u << METHOD | 1u << AUTHORITY);
	/* Section 8.3.1: "All HTTP/2 requests MUST include exactly one valid
	 * value for the ':method', ':scheme', and ':path'"; * is for
	 * OPTIONS. */
	return (c->seen & need) == need && (!c->star || c->options);
}
