#include "proto/hash.h"

#include <stddef.h>
#include <string.h>

/* FNV-1a, over words as long as there are any. */
uint64_t hash_text(struct slice text)
{
	const uint64_t prime = 0x100000001b3ull;
	uint64_t hash = 0xcbf29ce484222325ull ^ text.len;
	uint64_t word;
	size_t at = 0;

	for (; at + sizeof(word) <= text.len; at += sizeof(word)) {
		memcpy(&word, text.ptr + at, sizeof(word));
		hash = (hash ^ word) * prime;
		hash ^= hash >> 32;
	}
	for (; at < text.len; at++)
		hash = (hash ^ (unsigned char)text.ptr[at]) * prime;
	return hash;
}
