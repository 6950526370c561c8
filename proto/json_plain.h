/*
 * json_plain: how far the bytes of a JSON string need no second look.
 *
 * Most bytes of most messages lie inside strings, so this loop decides how
 * fast a message is read: 16 bytes at a time where SSE2 is there (it always
 * is on amd64), else 8 at a time.  Both are here, so that a test can hold one
 * against the other.  Private to json_scan.c.
 */
#ifndef PROTO_JSON_PLAIN_H
#define PROTO_JSON_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ASCII, no control character, and neither '"' nor '\'. */
static inline bool json_plain(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

/* The first byte from at on that is not plain, or end. */
static inline const char *json_plain_end_words(const char *at, const char *end)
{
	const uint64_t ones = 0x0101010101010101;
	const uint64_t tops = 0x8080808080808080;

	for (; end - at >= 8; at += 8) {
		uint64_t word;

		memcpy(&word, at, 8);
		/* x - 1 borrows into the top bit of a byte that is 0; and of
		 * bytes over 0x80, but those are not plain either. */
		uint64_t quotes = (word ^ ones * '"') - ones;
		uint64_t slashes = (word ^ ones * '\\') - ones;
		uint64_t controls = word - ones * 0x20;

		if ((word | quotes | slashes | controls) & tops)
			break;
	}
	while (at < end && json_plain(*at))
		at++;
	return at;
}

#ifdef __SSE2__
static inline const char *json_plain_end(const char *at, const char *end)
{
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i slash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);

	for (; end - at >= 16; at += 16) {
		__m128i bytes =
			_mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i marks = _mm_or_si128(
			_mm_cmpeq_epi8(bytes, quote),
			_mm_or_si128(
				_mm_cmpeq_epi8(bytes, slash),
				_mm_cmpeq_epi8(_mm_min_epu8(bytes, control),
					       bytes)));
		/* The top bit of a byte above 0x7f is its own mark. */
		unsigned found =
			(unsigned)_mm_movemask_epi8(_mm_or_si128(marks, bytes));

		if (found != 0)
			return at + __builtin_ctz(found);
	}
	while (at < end && json_plain(*at))
		at++;
	return at;
}
#else
static inline const char *json_plain_end(const char *at, const char *end)
{
	return json_plain_end_words(at, end);
}
#endif

#endif
