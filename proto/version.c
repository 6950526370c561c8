#include "proto/version.h"

#include <ctype.h>
#include <string.h>

#ifndef VERSION_TEXT
#define VERSION_TEXT	     EXECUTOR_VERSION
#define VERSION_PROTOCOL_MIN 1
#define VERSION_PROTOCOL_MAX 1
#endif

const char version_text[] = VERSION_TEXT;
const char version_user_agent[] = "grpc-c-executor/" VERSION_TEXT;
const unsigned version_protocol_min = VERSION_PROTOCOL_MIN;
const unsigned version_protocol_max = VERSION_PROTOCOL_MAX;

enum { NUMBERS = 3 };

static size_t digits(const char *text)
{
	size_t n = 0;

	while (isdigit((unsigned char)text[n]))
		n++;
	return n;
}

/* Behind "1.2.3", or NULL. */
static const char *behind_numbers(const char *text)
{
	for (int i = 0; i < NUMBERS; i++) {
		size_t n = digits(text);

		if (n == 0)
			return NULL;
		text += n;
		if (i < NUMBERS - 1 && *text++ != '.')
			return NULL;
	}
	return text;
}

bool version_is(const char *text)
{
	const char *end = behind_numbers(text);

	if (!end || (*end != '\0' && *end != '-' && *end != '+'))
		return false;
	for (const char *c = end; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".-+", *c))
			return false;
	return strlen(text) < VERSION_BYTES;
}

/* Numbers of any length: the longer one is larger, zeroes in front aside. */
static int compare_numbers(const char *a, size_t a_len, const char *b,
			   size_t b_len)
{
	for (; a_len > 0 && *a == '0'; a_len--)
		a++;
	for (; b_len > 0 && *b == '0'; b_len--)
		b++;
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return memcmp(a, b, a_len);
}

/* One identifier of a pre-release: "Identifiers consisting of only digits are
 * compared numerically", and are lower than others. */
static int compare_identifiers(const char *a, size_t a_len, const char *b,
			       size_t b_len)
{
	bool a_number = a_len > 0 && digits(a) >= a_len;
	bool b_number = b_len > 0 && digits(b) >= b_len;

	if (a_number && b_number)
		return compare_numbers(a, a_len, b, b_len);
	if (a_number != b_number)
		return a_number ? -1 : 1;
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	if (order != 0 || a_len == b_len)
		return order;
	return a_len < b_len ? -1 : 1;
}

static int compare_pre_releases(const char *a, const char *b)
{
	/* "1.0.0-alpha < 1.0.0". */
	if (*a != '-' || *b != '-')
		return (*a != '-') - (*b != '-');
	for (;;) {
		size_t a_len = strcspn(++a, ".+");
		size_t b_len = strcspn(++b, ".+");
		int order = compare_identifiers(a, a_len, b, b_len);

		if (order != 0)
			return order;
		a += a_len;
		b += b_len;
		if (*a != '.' || *b != '.')
			return (*a == '.') - (*b == '.');
	}
}

int version_compare(const char *a, const char *b)
{
	if (!version_is(a) || !version_is(b))
		return version_is(a) - version_is(b);
	for (int i = 0; i < NUMBERS; i++) {
		size_t a_len = digits(a);
		size_t b_len = digits(b);
		int order = compare_numbers(a, a_len, b, b_len);

		if (order != 0)
			return order;
		/* Past the last one there is no dot, but what follows. */
		a += a_len + (i < NUMBERS - 1);
		b += b_len + (i < NUMBERS - 1);
	}
	return compare_pre_releases(a, b);
}
