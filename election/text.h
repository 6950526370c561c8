/*
 * text: strings made of strings.  The caller frees; where there is no memory
 * the program ends.
 */
#ifndef ELECTION_TEXT_H
#define ELECTION_TEXT_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline char *text_join(const char *a, const char *between, const char *b)
{
	size_t size = strlen(a) + strlen(between) + strlen(b) + 1;
	char *text = malloc(size);

	assert(text);
	snprintf(text, size, "%s%s%s", a, between, b);
	return text;
}

static inline char *text_copy(const char *text)
{
	return text_join(text, "", "");
}

static inline char *text_path(const char *dir, const char *name)
{
	return text_join(dir, "/", name);
}

#endif
