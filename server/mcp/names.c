#include "server/mcp/names.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	HASH_CHARACTERS = 9, /* with the _ before it */
	HEAD_BYTES = NAMES_BYTES - HASH_CHARACTERS,
};

static uint64_t fnv1a(uint64_t hash, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		hash ^= (unsigned char)bytes.ptr[i];
		hash *= 0x100000001b3ull;
	}
	return hash;
}

static uint32_t hash_of(const char *source, struct slice tool, unsigned try)
{
	const struct slice nul = {"", 1};
	uint64_t hash = fnv1a(0xcbf29ce484222325ull, slice_of(source));

	hash = fnv1a(hash, nul);
	hash = fnv1a(hash, tool);
	if (try >= 2) {
		char number[16];

		snprintf(number, sizeof(number), "%u", try);
		hash = fnv1a(hash, nul);
		hash = fnv1a(hash, slice_of(number));
	}
	return (uint32_t)(hash >> 32 ^ hash);
}

static bool is_allowed(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void names_expose(char exposed[NAMES_BYTES + 1], const char *source,
		  struct slice tool, unsigned try)
{
	char whole[NAMES_BYTES + 2]; /* one more than fits shows that it does
				      * not */
	int len = snprintf(whole, sizeof(whole), "%s__", source);
	size_t at =
		(size_t)len < NAMES_BYTES + 1 ? (size_t)len : NAMES_BYTES + 1;

	for (size_t i = 0; i < tool.len && at <= NAMES_BYTES; i++) {
		/* Only the first byte of a character of UTF-8 counts. */
		if (((unsigned char)tool.ptr[i] & 0xc0) == 0x80)
			continue;
		whole[at++] = is_allowed(tool.ptr[i]) ? tool.ptr[i] : '_';
	}
	whole[at] = '\0';
	if (try == 0 && at <= NAMES_BYTES)
		memcpy(exposed, whole, at + 1);
	else
		snprintf(exposed, NAMES_BYTES + 1, "%.*s_%08x", HEAD_BYTES,
			 whole, (unsigned)hash_of(source, tool, try));
}
