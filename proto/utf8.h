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

/* The length (1 to 4) of the character that bytes begin with; 0 when they
 * begin with none.  len is at least 1. */
size_t utf8_character(const char *bytes, size_t len);

bool utf8_valid(struct slice text);

#endif
