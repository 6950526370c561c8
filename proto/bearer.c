#include "proto/bearer.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "proto/mem.h"

enum { SECRET_BYTES = 32, SEXTET_BITS = 6, OCTET_BITS = 8 };

static const char scheme[] = "Bearer";

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789-_";

void bearer_make(struct bearer *b)
{
	uint8_t secret[SECRET_BYTES];
	uint32_t bits = 0;
	int have = 0;
	size_t from = 0;

	mem_random(secret, sizeof(secret));
	for (size_t i = 0; i < BEARER_CHARS; i++) {
		if (have < SEXTET_BITS) {
			bits <<= OCTET_BITS;
			bits |= from < sizeof(secret) ? secret[from++] : 0;
			have += OCTET_BITS;
		}
		have -= SEXTET_BITS;
		b->text[i] = alphabet[bits >> have & 0x3f];
	}
	b->text[BEARER_CHARS] = '\0';
	mem_wipe(secret, sizeof(secret));
	mem_wipe(&bits, sizeof(bits));
}

bool bearer_parse(struct bearer *b, struct slice text)
{
	if (text.len == BEARER_CHARS + 1 && text.ptr[BEARER_CHARS] == '\n')
		text.len--;
	if (text.len != BEARER_CHARS)
		return false;
	for (size_t i = 0; i < BEARER_CHARS; i++)
		if (text.ptr[i] == '\0' || !strchr(alphabet, text.ptr[i]))
			return false;
	memcpy(b->text, text.ptr, BEARER_CHARS);
	b->text[BEARER_CHARS] = '\0';
	return true;
}

struct slice bearer_of_header(struct slice value)
{
	size_t at = sizeof(scheme) - 1;

	if (value.len <= at || strncasecmp(value.ptr, scheme, at) != 0 ||
	    value.ptr[at] != ' ')
		return (struct slice){NULL, 0};
	while (at < value.len && value.ptr[at] == ' ')
		at++;
	return (struct slice){value.ptr + at, value.len - at};
}

bool bearer_is(const struct bearer *b, struct slice token)
{
	/* volatile: no compiler may find out that the rest does not matter
	 * once they differ.  The length of a token is no secret. */
	volatile uint8_t differ = 0;

	if (token.len != BEARER_CHARS)
		return false;
	for (size_t i = 0; i < BEARER_CHARS; i++)
		differ = (uint8_t)(differ |
				   (uint8_t)(b->text[i] ^ token.ptr[i]));
	return differ == 0;
}
