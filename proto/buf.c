#include "proto/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/mem.h"

enum { SMALLEST = 256 };

char *buf_reserve(struct buf *b, size_t len)
{
	assert(len <= SIZE_MAX / 4 && b->len <= SIZE_MAX / 4);
	assert(b->data || b->len == 0);
	if (b->data && b->cap - b->head - b->len >= len)
		return b->data + b->len;
	char *base = b->data ? b->data - b->head : NULL;
	/* Sliding costs a copy of len bytes at most once per half buffer. */
	if (base && b->cap - b->len >= len && b->head >= b->cap / 2) {
		memmove(base, b->data, b->len);
	} else {
		size_t want = b->len + len;
		size_t cap = b->cap < SMALLEST ? SMALLEST : b->cap;

		while (cap < want)
			cap *= 2;
		if (b->head == 0) {
			/* Of a large one the pages move, not the bytes. */
			base = mem_grow(base, cap);
		} else {
			char *grown = mem_alloc(cap);

			memcpy(grown, b->data, b->len);
			free(base);
			base = grown;
		}
		b->cap = cap;
	}
	b->head = 0;
	b->data = base;
	return b->data + b->len;
}

void buf_added(struct buf *b, size_t len)
{
	assert(b->cap - b->head - b->len >= len);
	b->len += len;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	memcpy(buf_reserve(b, len), bytes, len);
	b->len += len;
}

void buf_append_slice(struct buf *b, struct slice s)
{
	buf_append(b, s.ptr, s.len);
}

void buf_append_text(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int need = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(need >= 0);
	char *to = buf_reserve(b, (size_t)need + 1);
	va_start(ap, fmt);
	vsnprintf(to, (size_t)need + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)need;
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (len == 0)
		return;
	b->len -= len;
	b->data += len;
	b->head += len;
	if (b->len == 0) {
		b->data -= b->head;
		b->head = 0;
	}
}

void buf_reset(struct buf *b, size_t keep_bytes)
{
	if (b->cap > keep_bytes) {
		buf_finish(b);
		return;
	}
	if (b->data)
		b->data -= b->head;
	b->head = 0;
	b->len = 0;
}

struct slice buf_slice(const struct buf *b)
{
	return (struct slice){b->data, b->len};
}

void buf_move(struct buf *to, struct buf *from)
{
	assert(to->data == NULL);
	*to = *from;
	*from = (struct buf){0};
}

void buf_finish(struct buf *b)
{
	if (b->data)
		free(b->data - b->head);
	*b = (struct buf){0};
}
