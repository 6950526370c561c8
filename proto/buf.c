#include "proto/buf.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/mem.h"

enum {
	SMALLEST = 256,
	HEAP_BYTES = 512 * 1024, /* more has pages of its own */
};

static bool is_large(size_t cap)
{
	return cap > HEAP_BYTES;
}

/* A power of two: cap, or the next that holds want. */
static size_t fitting_cap(size_t cap, size_t want)
{
	if (cap < SMALLEST)
		cap = SMALLEST;
	while (cap < want)
		cap *= 2;
	return is_large(cap) && cap < MEM_PAGES_BYTES ? MEM_PAGES_BYTES : cap;
}

static void release(char *base, size_t cap)
{
	if (is_large(cap))
		mem_pages_free(base, cap);
	else
		free(base);
}

/* Apart from buf_reserve(), which is small enough to be inlined without it. */
static char *make_room(struct buf *b, size_t len)
{
	assert(len <= SIZE_MAX / 4 && b->len <= SIZE_MAX / 4);
	assert(b->data || b->len == 0);
	char *base = b->data ? b->data - b->head : NULL;
	/* Sliding costs a copy of len bytes at most once per half buffer. */
	if (base && b->cap - b->len >= len && b->head >= b->cap / 2) {
		memmove(base, b->data, b->len);
	} else {
		size_t cap = fitting_cap(b->cap, b->len + len);

		if (b->head > 0 || is_large(b->cap) != is_large(cap)) {
			char *grown =
				is_large(cap) ? mem_pages(cap) : mem_alloc(cap);

			if (b->len > 0)
				memcpy(grown, b->data, b->len);
			release(base, b->cap);
			base = grown;
		} else if (is_large(cap)) {
			/* The pages move, not the bytes. */
			base = mem_pages_grow(base, b->cap, cap);
		} else {
			base = mem_grow(base, cap);
		}
		b->cap = cap;
	}
	b->head = 0;
	b->data = base;
	return b->data + b->len;
}

char *buf_reserve(struct buf *b, size_t len)
{
	if (b->data && b->cap - b->head - b->len >= len)
		return b->data + b->len;
	return make_room(b, len);
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

void buf_replace(struct buf *b, size_t at, size_t len, struct slice with)
{
	assert(at <= b->len && len <= b->len - at);
	size_t behind = b->len - at - len;
	size_t more = with.len > len ? with.len - len : 0;
	size_t fewer = len > with.len ? len - with.len : 0;

	if (at < behind && b->head + fewer >= more) {
		char *start = b->data + fewer - more;

		memmove(start, b->data, at);
		b->head = b->head + fewer - more;
		b->data = start;
	} else {
		char *data = buf_reserve(b, more) - b->len;

		memmove(data + at + with.len, data + at + len, behind);
	}
	b->len = b->len + more - fewer;
	if (with.len > 0)
		memcpy(b->data + at, with.ptr, with.len);
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
		release(b->data - b->head, b->cap);
	*b = (struct buf){0};
}
