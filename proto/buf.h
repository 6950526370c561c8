/*
 * buf: growable bytes, consumed from the front.
 *
 * A zeroed struct is an empty buffer.  Memory that cannot be had aborts the
 * program; sizes that come from outside are compared with a limit before they
 * get here.
 */
#ifndef PROTO_BUF_H
#define PROTO_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "proto/slice.h"

struct buf {
	char *data;  /* the first unconsumed byte; NULL when nothing is held */
	size_t len;  /* unconsumed bytes */
	size_t head; /* consumed bytes before data */
	size_t cap;  /* all of the allocation */
};

/* Room for len more bytes behind what there is; returns where they go.
 * buf_added() says how many were written. */
char *buf_reserve(struct buf *b, size_t len);
void buf_added(struct buf *b, size_t len);

void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_text(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Drop len bytes from the front; len is at most b->len. */
void buf_consume(struct buf *b, size_t len);

/* Put with, which is no part of b, in the place of the len bytes at offset at.
 * What stands before them moves or what stands behind, whichever is less and
 * has room. */
void buf_replace(struct buf *b, size_t at, size_t len, struct slice with);

/* Forget the contents, keep at most keep_bytes of memory. */
void buf_reset(struct buf *b, size_t keep_bytes);

struct slice buf_slice(const struct buf *b);

/* Hand the contents over: *to, which must be empty, gets them, *from is
 * zeroed. */
void buf_move(struct buf *to, struct buf *from);

/* Release; *b is zeroed.  A zeroed buffer may be finished. */
void buf_finish(struct buf *b);

#endif
