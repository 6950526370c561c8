/*
 * utf8: is it UTF-8, and where not.
 *
 * UTF-8 as RFC 3629 defines it: no overlong form, no surrogate, nothing above
 * U+10FFFF.
 */
#ifndef PROTO_UTF8_H
#define PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

/* What stands for bytes that are no character: U+FFFD. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

static inline bool utf8_is_tail(unsigned char b)
{
	return (b & 0xc0) == 0x80;
}

/* The length (1 to 4) of the character that bytes begin with; 0 when they
 * begin with none.  len is at least 1.  Here, because whoever reads text that
 * is not English calls it for every character. */
static inline size_t utf8_character(const char *bytes, size_t len)
{
	const unsigned char *b = (const unsigned char *)bytes;

	if (b[0] < 0x80)
		return 1;
	/* RFC 3629, section 3: C0, C1 and F5 to FF never appear. */
	if (b[0] < 0xe0)
		return b[0] >= 0xc2 && len >= 2 && utf8_is_tail(b[1]) ? 2 : 0;
	if (b[0] < 0xf0) {
		if (len < 3 || !utf8_is_tail(b[1]) || !utf8_is_tail(b[2]))
			return 0;
		/* E0 80 to E0 9F are overlong, ED A0 to ED BF surrogates. */
		if (b[0] == 0xe0)
			return b[1] >= 0xa0 ? 3 : 0;
		return b[0] != 0xed || b[1] <= 0x9f ? 3 : 0;
	}
	if (b[0] > 0xf4 || len < 4 || !utf8_is_tail(b[1]) ||
	    !utf8_is_tail(b[2]) || !utf8_is_tail(b[3]))
		return 0;
	/* F0 80 to F0 8F are overlong, F4 90 and on above U+10FFFF. */
	if (b[0] == 0xf0)
		return b[1] >= 0x90 ? 4 : 0;
	return b[0] != 0xf4 || b[1] <= 0x8f ? 4 : 0;
}

/* Behind the characters at at that are not ASCII: the first byte that is, or
 * that begins no character, or end. */
static inline const char *utf8_run_end(const char *at, const char *end)
{
	while (at < end && (unsigned char)*at >= 0x80) {
		const unsigned char *b = (const unsigned char *)at;

		/* Most of what Asia writes, without a detour. */
		if (b[0] > 0xe0 && b[0] < 0xed && end - at >= 3 &&
		    utf8_is_tail(b[1]) && utf8_is_tail(b[2])) {
			at += 3;
			continue;
		}
		size_t step = utf8_character(at, (size_t)(end - at));
		if (step == 0)
			break;
		at += step;
	}
	return at;
}

bool utf8_valid(struct slice text);

#endif
