#include "proto/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz"
			       "0123456789+/";

/* The first digits base64 digits of three bytes, most significant first. */
static void append_digits(struct buf *to, uint32_t bits, size_t digits)
{
	for (size_t i = 0; i < digits; i++)
		buf_append(to, &alphabet[bits >> (18 - 6 * i) & 0x3f], 1);
}

void base64_encode(struct buf *to, struct slice bytes)
{
	const unsigned char *b = (const unsigned char *)bytes.ptr;
	size_t at = 0;

	buf_reserve(to, bytes.len / 3 * 4 + 4);
	for (; bytes.len - at >= 3; at += 3)
		append_digits(to,
			      (uint32_t)b[at] << 16 | (uint32_t)b[at + 1] << 8 |
				      b[at + 2],
			      4);
	if (bytes.len - at == 1)
		append_digits(to, (uint32_t)b[at] << 16, 2);
	else if (bytes.len - at == 2)
		append_digits(to,
			      (uint32_t)b[at] << 16 | (uint32_t)b[at + 1] << 8,
			      3);
}

/* 0 to 63; or -1. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* RFC 4648 section 3.2: padding may be left out where the length is known; but
 * what is there must be right. */
static bool without_padding(struct slice *text)
{
	size_t padding = 0;

	while (padding < 2 && text->len > padding &&
	       text->ptr[text->len - 1 - padding] == '=')
		padding++;
	if (padding > 0 && text->len % 4 != 0)
		return false;
	text->len -= padding;
	return text->len % 4 != 1;
}

bool base64_decode(struct buf *to, struct slice text)
{
	uint32_t bits = 0;
	unsigned count = 0; /* bits that wait for a whole byte */
	size_t before = to->len;

	if (!without_padding(&text))
		return false;
	buf_reserve(to, text.len / 4 * 3 + 3);
	for (size_t i = 0; i < text.len; i++) {
		int value = digit_value(text.ptr[i]);

		if (value < 0) {
			to->len = before;
			return false;
		}
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			char byte = (char)(bits >> count & 0xff);
			buf_append(to, &byte, 1);
		}
	}
	/* Section 3.5: the bits left over must be zero, or two texts would
	 * stand for the same bytes. */
	if (bits & ((1u << count) - 1)) {
		to->len = before;
		return false;
	}
	return true;
}
