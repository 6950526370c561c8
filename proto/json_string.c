/* The strings of json.h: escapes resolved, and made. */
#include "proto/json.h"

#include <stdint.h>

#include "proto/buf.h"
#include "proto/json_plain.h"
#include "proto/utf8.h"

enum {
	HIGH_SURROGATE = 0xd800,
	LOW_SURROGATE = 0xdc00,
	PAST_SURROGATES = 0xe000,
	REPLACEMENT = 0xfffd,
};

/* What stands between the quotes; empty when value is no string. */
static struct slice inside(struct slice value)
{
	if (json_kind(value) != JSON_STRING || value.len < 2)
		return (struct slice){NULL, 0};
	return (struct slice){value.ptr + 1, value.len - 2};
}

/* "\uXXXX" at the front of s. */
static bool read_unit(struct slice s, unsigned *unit)
{
	if (s.len < 6 || s.ptr[0] != '\\' || s.ptr[1] != 'u')
		return false;
	*unit = 0;
	for (size_t i = 2; i < 6; i++) {
		char c = s.ptr[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			digit = (unsigned)(c - 'A' + 10);
		else
			return false;
		*unit = *unit << 4 | digit;
	}
	return true;
}

static size_t put_utf8(char to[4], unsigned point)
{
	if (point < 0x80) {
		to[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		to[0] = (char)(0xc0 | point >> 6);
		to[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		to[0] = (char)(0xe0 | point >> 12);
		to[1] = (char)(0x80 | (point >> 6 & 0x3f));
		to[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | point >> 18);
	to[1] = (char)(0x80 | (point >> 12 & 0x3f));
	to[2] = (char)(0x80 | (point >> 6 & 0x3f));
	to[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

/* Resolve the escape at the front of s, which begins with a backslash: its
 * bytes go to to, their number to *len.  Returns how much of s it took. */
static size_t resolve_escape(struct slice s, char to[4], size_t *len)
{
	static const char letters[] = "bfnrt";
	static const char meanings[] = "\b\f\n\r\t";
	unsigned unit;
	unsigned low;

	if (read_unit(s, &unit)) {
		struct slice behind = {s.ptr + 6, s.len - 6};

		if (unit < HIGH_SURROGATE || unit >= PAST_SURROGATES) {
			*len = put_utf8(to, unit);
			return 6;
		}
		if (unit < LOW_SURROGATE && read_unit(behind, &low) &&
		    low >= LOW_SURROGATE && low < PAST_SURROGATES) {
			*len = put_utf8(to, 0x10000 + ((unit & 0x3ff) << 10) +
						    (low & 0x3ff));
			return 12;
		}
		*len = put_utf8(to, REPLACEMENT);
		return 6;
	}
	if (s.len < 2) {
		*len = 0;
		return s.len;
	}
	const char *letter = memchr(letters, s.ptr[1], sizeof(letters) - 1);
	to[0] = letter ? meanings[letter - letters] : s.ptr[1];
	*len = 1;
	return 2;
}

static bool resolved_is(struct slice raw, struct slice name)
{
	size_t at = 0;

	for (size_t i = 0; i < raw.len;) {
		struct slice rest = {raw.ptr + i, raw.len - i};
		char bytes[4];
		size_t len = 1;

		if (rest.ptr[0] == '\\') {
			i += resolve_escape(rest, bytes, &len);
		} else {
			bytes[0] = rest.ptr[0];
			i++;
		}
		if (name.len - at < len ||
		    memcmp(name.ptr + at, bytes, len) != 0)
			return false;
		at += len;
	}
	return at == name.len;
}

bool json_key_equals(struct slice key, struct slice name)
{
	/* Escapes only make a text longer. */
	if (key.len <= name.len)
		return slice_equal(key, name) &&
		       !memchr(name.ptr, '\\', name.len);
	return resolved_is(key, name);
}

unsigned json_key_among(struct slice key, const char *const names[], unsigned n)
{
	unsigned i = 0;

	while (i < n && !json_key_is(key, names[i]))
		i++;
	return i;
}

void json_unquote(struct buf *to, struct slice string)
{
	struct slice rest = inside(string);

	while (rest.len > 0) {
		const char *slash = memchr(rest.ptr, '\\', rest.len);
		size_t plain = slash ? (size_t)(slash - rest.ptr) : rest.len;
		char bytes[4];
		size_t len;

		buf_append(to, rest.ptr, plain);
		rest = (struct slice){rest.ptr + plain, rest.len - plain};
		if (rest.len == 0)
			break;
		size_t took = resolve_escape(rest, bytes, &len);
		buf_append(to, bytes, len);
		rest = (struct slice){rest.ptr + took, rest.len - took};
	}
}

/* RFC 8259, section 7: quotation mark, reverse solidus, and the control
 * characters (U+0000 through U+001F) MUST be escaped. */
static void append_escaped(struct buf *to, char c)
{
	static const char controls[] = "\b\f\n\r\t";
	static const char letters[] = "bfnrt";
	const char *control = memchr(controls, c, sizeof(controls) - 1);

	if (control)
		buf_printf(to, "\\%c", letters[control - controls]);
	else if ((unsigned char)c < 0x20)
		buf_printf(to, "\\u%04x", (unsigned)(unsigned char)c);
	else
		buf_append(to, (char[]){'\\', c}, 2);
}

void json_quote(struct buf *to, struct slice text)
{
	const char *at = text.len > 0 ? text.ptr : "";
	const char *end = at + text.len;

	buf_reserve(to, text.len + 2);
	buf_append(to, "\"", 1);
	while (at < end) {
		const char *stop = json_plain_end(at, end);

		buf_append(to, at, (size_t)(stop - at));
		at = stop;
		if (at == end)
			break;
		if ((unsigned char)*at < 0x80) {
			append_escaped(to, *at++);
			continue;
		}
		size_t step = utf8_character(at, (size_t)(end - at));
		if (step > 0)
			buf_append(to, at, step);
		else
			buf_append_text(to, UTF8_REPLACEMENT);
		at += step > 0 ? step : 1;
	}
	buf_append(to, "\"", 1);
}
