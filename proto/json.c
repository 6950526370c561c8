#include "proto/json.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>

#include "proto/buf.h"
#include "proto/json_scan.h"

const unsigned char json_kinds[UCHAR_MAX + 1] = {
	['n'] = JSON_NULL,   ['t'] = JSON_BOOL,	  ['f'] = JSON_BOOL,
	['"'] = JSON_STRING, ['['] = JSON_ARRAY,  ['{'] = JSON_OBJECT,
	['-'] = JSON_NUMBER, ['0'] = JSON_NUMBER, ['1'] = JSON_NUMBER,
	['2'] = JSON_NUMBER, ['3'] = JSON_NUMBER, ['4'] = JSON_NUMBER,
	['5'] = JSON_NUMBER, ['6'] = JSON_NUMBER, ['7'] = JSON_NUMBER,
	['8'] = JSON_NUMBER, ['9'] = JSON_NUMBER,
};

bool json_check(struct slice text, struct err *e)
{
	struct json_scan s = json_scan_of(text);

	json_scan_space(&s);
	return json_scan_value(&s, JSON_DEPTH, e) && json_scan_end(&s, e);
}

/* Go to the next member or element of what open begins.  *at is 0 before the
 * first, then the offset behind the one before. */
static bool go_to_next(struct json_scan *s, size_t at, char open, char close)
{
	if (at > (size_t)(s->end - s->at))
		return false;
	s->at += at;
	json_scan_space(s);
	if (!json_scan_byte(s, at == 0 ? open : ','))
		return false;
	json_scan_space(s);
	return !json_scan_byte(s, close);
}

bool json_next_member(struct slice object, size_t *at, struct json_member *m)
{
	struct json_scan s = json_scan_of(object);

	if (!go_to_next(&s, *at, '{', '}') ||
	    !json_scan_member(&s, JSON_DEPTH, m, NULL))
		return false;
	*at = (size_t)(s.at - s.text);
	return true;
}

bool json_next_element(struct slice array, size_t *at, struct slice *value)
{
	struct json_scan s = json_scan_of(array);

	if (!go_to_next(&s, *at, '[', ']'))
		return false;
	const char *start = s.at;
	if (!json_scan_value(&s, JSON_DEPTH, NULL))
		return false;
	*value = (struct slice){start, (size_t)(s.at - start)};
	*at = (size_t)(s.at - s.text);
	return true;
}

/* A member that is looked for, and what was found. */
struct search {
	const char *name;
	struct slice value; /* of the last that has this name */
	unsigned found;
};

static void on_member(void *owner, struct slice key, struct slice value)
{
	struct search *search = owner;

	if (!json_key_is(key, search->name))
		return;
	search->value = value;
	search->found++;
}

static struct search find_members(struct slice object, const char *name)
{
	struct json_scan s = json_scan_of(object);
	struct search search = {name, {NULL, 0}, 0};

	json_scan_space(&s);
	if (json_scan_byte(&s, '{'))
		json_scan_members(&s, JSON_DEPTH, on_member, &search, NULL);
	return search;
}

struct slice json_get(struct slice object, const char *name)
{
	return find_members(object, name).value;
}

bool json_has_twice(struct slice object, const char *name)
{
	return find_members(object, name).found > 1;
}

struct slice json_path(struct slice object, ...)
{
	struct slice value = object;
	const char *name;
	va_list ap;

	va_start(ap, object);
	while ((name = va_arg(ap, const char *)) != NULL)
		value = json_get(value, name);
	va_end(ap);
	return value;
}

bool json_u64(struct slice value, unsigned long long *n)
{
	unsigned long long sum = 0;

	if (value.len == 0 || (value.len > 1 && value.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return false;
		unsigned digit = (unsigned)(value.ptr[i] - '0');

		if (sum > (ULLONG_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*n = sum;
	return true;
}

void json_splice(struct buf *to, struct slice text,
		 const struct json_edit *edits, size_t n)
{
	const char *from = text.ptr;
	const char *end = text.ptr + text.len;
	size_t need = text.len;

	for (size_t i = 0; i < n; i++)
		need += edits[i].with.len;
	buf_reserve(to, need);
	for (size_t i = 0; i < n; i++) {
		const struct json_edit *edit = &edits[i];

		assert(edit->old.ptr >= from);
		assert(edit->old.len <= (size_t)(end - edit->old.ptr));
		buf_append(to, from, (size_t)(edit->old.ptr - from));
		buf_append_slice(to, edit->with);
		from = edit->old.ptr + edit->old.len;
	}
	buf_append(to, from, (size_t)(end - from));
}

static void blank_out(char *at, const char *end, char c)
{
	while (at < end && (at = memchr(at, c, (size_t)(end - at))) != NULL)
		*at++ = ' ';
}

void json_one_line(struct buf *to, struct slice text)
{
	if (text.len == 0)
		return;
	char *line = buf_reserve(to, text.len);

	memcpy(line, text.ptr, text.len);
	blank_out(line, line + text.len, '\n');
	blank_out(line, line + text.len, '\r');
	buf_added(to, text.len);
}
