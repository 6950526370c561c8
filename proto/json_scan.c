#include "proto/json_scan.h"

#include <stdint.h>

#include "proto/err.h"
#include "proto/json.h"
#include "proto/json_plain.h"
#include "proto/utf8.h"

/* The arrays and objects that are open, innermost last. */
struct nest {
	unsigned level;
	unsigned limit;
	uint64_t objects[JSON_DEPTH / 64]; /* a bit per level: an object? */
};

static bool nest_open(struct nest *n, bool object)
{
	if (n->level == n->limit)
		return false;
	uint64_t bit = (uint64_t)1 << n->level % 64;
	uint64_t *word = &n->objects[n->level / 64];

	*word = object ? *word | bit : *word & ~bit;
	n->level++;
	return true;
}

static bool nest_in_object(const struct nest *n)
{
	unsigned top = n->level - 1;

	return n->objects[top / 64] >> top % 64 & 1;
}

bool json_scan_fail(const struct json_scan *s, const char *why, struct err *e)
{
	return err_set(e, ERR_PARSE, "not JSON at byte %zu: %s",
		       (size_t)(s->at - s->text), why);
}

static bool is_digit(const struct json_scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

static bool scan_digits(struct json_scan *s, struct err *e)
{
	if (!is_digit(s))
		return json_scan_fail(s, "a digit is missing", e);
	do
		s->at++;
	while (is_digit(s));
	return true;
}

/* RFC 8259, section 6: number = [ minus ] int [ frac ] [ exp ], where int has
 * no leading zeros. */
static bool scan_number(struct json_scan *s, struct err *e)
{
	json_scan_byte(s, '-');
	if (!json_scan_byte(s, '0') && !scan_digits(s, e))
		return false;
	if (json_scan_byte(s, '.') && !scan_digits(s, e))
		return false;
	if (json_scan_byte(s, 'e') || json_scan_byte(s, 'E')) {
		if (!json_scan_byte(s, '+'))
			json_scan_byte(s, '-');
		return scan_digits(s, e);
	}
	return true;
}

/* Behind a backslash.  \u takes any four digits: half a surrogate pair is
 * legal in JSON (RFC 8259, section 8.2), and JavaScript writes it. */
static bool scan_escape(struct json_scan *s, struct err *e)
{
	if (s->at == s->end || !memchr("\"\\/bfnrtu", *s->at, 9))
		return json_scan_fail(s, "no such escape", e);
	if (*s->at++ != 'u')
		return true;
	for (int i = 0; i < 4; i++) {
		if (s->at == s->end || !is_hex(*s->at))
			return json_scan_fail(s, "\\u needs four hex digits",
					      e);
		s->at++;
	}
	return true;
}

/* Behind the opening quote, to behind the closing one. */
static bool scan_string(struct json_scan *s, struct err *e)
{
	s->escaped = false;
	for (;;) {
		s->at = json_plain_end(s->at, s->end);
		if (s->at == s->end)
			return json_scan_fail(s, "a string has no end", e);
		unsigned char c = (unsigned char)*s->at;

		if (c == '"') {
			s->at++;
			return true;
		}
		if (c == '\\') {
			s->escaped = true;
			s->at++;
			if (!scan_escape(s, e))
				return false;
			continue;
		}
		if (c < 0x20)
			return json_scan_fail(
				s, "a control character in a string", e);
		/* Text that is not ASCII mostly stays so for a while. */
		do {
			size_t step =
				utf8_character(s->at, (size_t)(s->end - s->at));

			if (step == 0)
				return json_scan_fail(s, "not UTF-8", e);
			s->at += step;
		} while (s->at < s->end && (unsigned char)*s->at >= 0x80);
	}
}

static bool scan_word(struct json_scan *s, struct slice word, struct err *e)
{
	if ((size_t)(s->end - s->at) < word.len ||
	    memcmp(s->at, word.ptr, word.len) != 0)
		return json_scan_fail(s, "no value begins like this", e);
	s->at += word.len;
	return true;
}

/* A string, number or literal. */
static bool scan_scalar(struct json_scan *s, struct err *e)
{
	if (s->at == s->end)
		return json_scan_fail(s, "a value is missing", e);
	switch (*s->at) {
	case '"':
		s->at++;
		return scan_string(s, e);
	case 't':
		return scan_word(s, (struct slice){"true", 4}, e);
	case 'f':
		return scan_word(s, (struct slice){"false", 5}, e);
	case 'n':
		return scan_word(s, (struct slice){"null", 4}, e);
	default:
		if (*s->at == '-' || is_digit(s))
			return scan_number(s, e);
		return json_scan_fail(s, "no value begins like this", e);
	}
}

/* Behind a value: close what ends here.  *more says that the innermost array
 * or object goes on behind a comma. */
static bool scan_closers(struct json_scan *s, struct nest *n, bool *more,
			 struct err *e)
{
	*more = false;
	while (n->level > 0) {
		json_scan_space(s);
		if (json_scan_byte(s, ',')) {
			*more = true;
			json_scan_space(s);
			return true;
		}
		if (!json_scan_byte(s, nest_in_object(n) ? '}' : ']'))
			return json_scan_fail(s,
					      nest_in_object(n)
						      ? "expected , or }"
						      : "expected , or ]",
					      e);
		n->level--;
	}
	return true;
}

bool json_scan_key(struct json_scan *s, struct slice *key, struct err *e)
{
	if (!json_scan_byte(s, '"'))
		return json_scan_fail(s, "expected a member's name", e);
	key->ptr = s->at;
	if (!scan_string(s, e))
		return false;
	key->len = (size_t)(s->at - 1 - key->ptr);
	json_scan_space(s);
	if (!json_scan_byte(s, ':'))
		return json_scan_fail(s, "expected :", e);
	json_scan_space(s);
	return true;
}

bool json_scan_value(struct json_scan *s, unsigned depth, struct err *e)
{
	struct nest nest = {.limit = depth < JSON_DEPTH ? depth : JSON_DEPTH};
	struct slice key;
	bool more;

	do {
		bool object = s->at < s->end && *s->at == '{';

		if (object || (s->at < s->end && *s->at == '[')) {
			if (!nest_open(&nest, object))
				return err_set(e, ERR_TOO_LARGE,
					       "JSON nested too deep at byte "
					       "%zu: the limit is %d",
					       (size_t)(s->at - s->text),
					       JSON_DEPTH);
			s->at++;
			json_scan_space(s);
			more = s->at == s->end ||
			       *s->at != (object ? '}' : ']');
		} else if (!scan_scalar(s, e)) {
			return false;
		} else {
			more = false;
		}
		if (!more && !scan_closers(s, &nest, &more, e))
			return false;
		if (more && nest_in_object(&nest) && !json_scan_key(s, &key, e))
			return false;
	} while (more);
	return true;
}

bool json_scan_end(struct json_scan *s, struct err *e)
{
	json_scan_space(s);
	if (s->at < s->end)
		return json_scan_fail(s, "something behind the value", e);
	return true;
}
