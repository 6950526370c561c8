/*
 * json: strict validation and slicing of JSON text, without a tree.
 *
 * RFC 8259 grammar and UTF-8 are checked in one pass, with a bound on depth;
 * what is found is slices of the sender's own text, which is never changed.
 * Numbers, escapes, lone \u surrogates and \u0000 pass as they are: they are
 * the sender's.  A byte order mark is refused (RFC 8259, section 8.1: it MUST
 * NOT be sent).  No I/O; nothing is allocated but by what appends to a buf.
 *
 * Only json_check() judges.  The other functions are for text that passed it
 * (or jsonrpc_slice()); of text that did not, they find less, never more than
 * is there.
 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

struct buf;
struct err;

/* How deep arrays and objects may be nested. */
enum { JSON_DEPTH = 512 };

enum json_kind {
	JSON_NONE, /* absent */
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* By the first byte of a value. */
extern const unsigned char json_kinds[];

/* The kind of a valid value, by its first byte; JSON_NONE if empty. */
static inline enum json_kind json_kind(struct slice value)
{
	if (value.len == 0)
		return JSON_NONE;
	return (enum json_kind)json_kinds[(unsigned char)value.ptr[0]];
}

/* Is text exactly one valid value, with white space around it?  ERR_PARSE
 * with the offset, or ERR_TOO_LARGE for depth. */
bool json_check(struct slice text, struct err *e);

/* One member of a valid object.  key is its text between the quotes,
 * as sent; compare with json_key_is(). */
struct json_member {
	struct slice key;
	struct slice value;
};

/* Walk the members of a valid object, or the elements of a valid array: *at
 * starts as 0.  False at the end, or when value is no object (array). */
bool json_next_member(struct slice object, size_t *at, struct json_member *m);
bool json_next_element(struct slice array, size_t *at, struct slice *value);

/* Is this the key, once its escapes are resolved? */
bool json_key_equals(struct slice key, struct slice name);

/* The same.  Here, because messages are told apart by one after the other of
 * these, and a length or a byte decides nearly all of them: escapes only make
 * a text longer. */
static inline bool json_key_is(struct slice key, const char *name)
{
	struct slice want = slice_of(name);

	if (key.len < want.len)
		return false;
	if (want.len > 0 && key.ptr[0] != want.ptr[0] && key.ptr[0] != '\\')
		return false;
	return json_key_equals(key, want);
}

/* Which of the n names it is; n for none of them. */
unsigned json_key_among(struct slice key, const char *const names[],
			unsigned n);

/* The value of the member of that name; {NULL, 0} when there is none.  When
 * there are several, the last one, as most parsers do; json_has_twice() asks
 * whether that was so. */
struct slice json_get(struct slice object, const char *name);
bool json_has_twice(struct slice object, const char *name);

/* json_get() along a path that ends with NULL:
 * json_path(params, "_meta", "progressToken", NULL). */
struct slice json_path(struct slice object, ...) __attribute__((sentinel));

/* The characters of a valid string value (with its quotes), escapes resolved,
 * appended to *to.  Lone surrogates become U+FFFD. */
void json_unquote(struct buf *to, struct slice string);

/* Is value a string that reads text? */
static inline bool json_string_is(struct slice value, const char *text)
{
	return json_kind(value) == JSON_STRING && value.len >= 2 &&
	       json_key_is((struct slice){value.ptr + 1, value.len - 2}, text);
}

/* Append text as a string value, quotes and all.  A byte that is not UTF-8
 * becomes U+FFFD: what we write is always valid. */
void json_quote(struct buf *to, struct slice text);

/* A non-negative integer without fraction or exponent; false, and *n as it
 * was, for anything else. */
bool json_u64(struct slice value, unsigned long long *n);

/* One replacement in a text: the bytes at [at, at+len) become with. */
struct json_edit {
	struct slice old; /* lies inside the text */
	struct slice with;
};

/* Append text to *to with the edits made; they are in the order of the text
 * and do not overlap.  Every other byte is copied as it is. */
void json_splice(struct buf *to, struct slice text,
		 const struct json_edit *edits, size_t n);

/* Append a valid text on one line: CR and LF between tokens become spaces
 * (inside strings they cannot occur). */
void json_one_line(struct buf *to, struct slice text);

#endif
