#include "proto/utf8.h"

/*
 * RFC 3629, section 4: the first byte decides the length and the range of the
 * second; every further byte is 80..BF.  Narrowing the second is what keeps
 * out overlong forms (E0, F0), surrogates (ED) and too large numbers (F4).
 */
size_t utf8_character(const char *bytes, size_t len)
{
	const unsigned char *b = (const unsigned char *)bytes;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t need;

	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	if (b[0] < 0xe0)
		need = 2;
	else if (b[0] < 0xf0)
		need = 3;
	else
		need = 4;
	if (len < need)
		return 0;
	if (b[0] == 0xe0)
		low = 0xa0;
	else if (b[0] == 0xed)
		high = 0x9f;
	else if (b[0] == 0xf0)
		low = 0x90;
	else if (b[0] == 0xf4)
		high = 0x8f;
	if (b[1] < low || b[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	return need;
}

bool utf8_valid(struct slice text)
{
	for (size_t at = 0; at < text.len;) {
		size_t step = utf8_character(text.ptr + at, text.len - at);

		if (step == 0)
			return false;
		at += step;
	}
	return true;
}
