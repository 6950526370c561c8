#include "proto/utf8.h"

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
