/*
 * json_plain: which bytes of a JSON string need a second look.
 *
 * Most bytes of most messages lie inside strings, and are plain: they are what
 * they are.  The others are marked, sixteen bytes at a time: with SSE2 where
 * it is (it always is on amd64), else in two words.  Both are here, so that a
 * test can hold one against the other.  Private to the files of json.h.
 */
#ifndef PROTO_JSON_PLAIN_H
#define PROTO_JSON_PLAIN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(JSON_PLAIN_WORDS)
#include <emmintrin.h>
#endif

/* ASCII, no control character, and neither '"' nor '\'. */
static inline bool json_plain(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

/* A bit for each of the eight bytes at at that is not plain, the first one's
 * lowest. */
static inline unsigned json_marks_word(const char *at)
{
	const uint64_t ones = 0x0101010101010101;
	const uint64_t lows = 0x7f * ones;
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	word = le64toh(word);
	/* A sum of two numbers below 0x80 stays in its byte; its top bit tells
	 * whether the byte, less its own top bit, was large enough. */
	uint64_t low = word & lows;
	uint64_t spaces = low + ones * (0x80 - 0x20);
	uint64_t quotes = (low ^ ones * '"') + lows;
	uint64_t slashes = (low ^ ones * '\\') + lows;
	uint64_t plain = spaces & quotes & slashes & ~word;

	/* The eight top bits, side by side at the top. */
	return (unsigned)((~plain >> 7 & ones) * 0x0102040810204080 >> 56);
}

/* The same for sixteen bytes. */
static inline unsigned json_marks_words(const char *at)
{
	return json_marks_word(at) | json_marks_word(at + 8) << 8;
}

static inline unsigned json_marks(const char *at)
{
#if defined(__SSE2__) && !defined(JSON_PLAIN_WORDS)
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
	__m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	__m128i slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
	/* Signed: what is above 0x7f is less than a space, too. */
	__m128i others = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));

	return (unsigned)_mm_movemask_epi8(
		_mm_or_si128(others, _mm_or_si128(quotes, slashes)));
#else
	return json_marks_words(at);
#endif
}

/* The first byte from at on that is not plain, or end. */
static inline const char *json_plain_end(const char *at, const char *end)
{
	for (; end - at >= 16; at += 16) {
		unsigned marks = json_marks(at);

		if (marks != 0)
			return at + (unsigned)__builtin_ctz(marks);
	}
	while (at < end && json_plain(*at))
		at++;
	return at;
}

#endif
