#include "proto/json_scan.h"

#include "proto/err.h"
#include "proto/json.h"
#include "proto/json_plain.h"
#include "proto/utf8.h"

/*
 * The skip functions take and return the position, which so stays in a
 * register; s is there for the end of the text and for what went wrong.  NULL
 * means that *e is filled and s->at tells where.
 */

bool json_scan_fail(const struct json_scan *s, const char *why, struct err *e)
{
	return err_set(e, ERR_PARSE, "not JSON at byte %zu: %s",
		       (size_t)(s->at - s->text), why);
}

static const char *stop(struct json_scan *s, const char *at, const char *why,
			struct err *e)
{
	s->at = at;
	json_scan_fail(s, why, e);
	return NULL;
}

static inline bool is_digit(const char *at, const char *end)
{
	return at < end && *at >= '0' && *at <= '9';
}

static inline bool is_byte(const char *at, const char *end, char c)
{
	return at < end && *at == c;
}

/* At least one digit. */
static inline const char *skip_digits(struct json_scan *s, const char *at,
				      struct err *e)
{
	if (!is_digit(at, s->end))
		return stop(s, at, "a digit is missing", e);
	do
		at++;
	while (is_digit(at, s->end));
	return at;
}

/* RFC 8259, section 6: number = [ minus ] int [ frac ] [ exp ], where int has
 * no leading zeros. */
static inline const char *skip_number(struct json_scan *s, const char *at,
				      struct err *e)
{
	if (is_byte(at, s->end, '-'))
		at++;
	if (is_byte(at, s->end, '0'))
		at++;
	else if (!(at = skip_digits(s, at, e)))
		return NULL;
	if (is_byte(at, s->end, '.') && !(at = skip_digits(s, at + 1, e)))
		return NULL;
	if (is_byte(at, s->end, 'e') || is_byte(at, s->end, 'E')) {
		at++;
		if (is_byte(at, s->end, '+') || is_byte(at, s->end, '-'))
			at++;
		at = skip_digits(s, at, e);
	}
	return at;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* RFC 8259, section 7: what may follow a backslash. */
static const bool is_escape[256] = {
	['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true, ['f'] = true,
	['n'] = true, ['r'] = true,  ['t'] = true, ['u'] = true,
};

/* Behind a backslash.  \u takes any four digits: half a surrogate pair is
 * legal in JSON (RFC 8259, section 8.2), and JavaScript writes it. */
static inline const char *skip_escape(struct json_scan *s, const char *at,
				      struct err *e)
{
	if (at == s->end || !is_escape[(unsigned char)*at])
		return stop(s, at, "no such escape", e);
	if (*at++ != 'u')
		return at;
	for (int i = 0; i < 4; i++, at++)
		if (at == s->end || !is_hex(*at))
			return stop(s, at, "\\u needs four hex digits", e);
	return at;
}

/* The rest of a string that has more than plain bytes: from the first that is
 * not, to behind the closing quote. */
static const char *skip_rest(struct json_scan *s, const char *at, struct err *e)
{
	for (;; at = json_plain_end(at, s->end)) {
		if (at == s->end)
			return stop(s, at, "a string has no end", e);
		unsigned char c = (unsigned char)*at;

		if (c == '"')
			return at + 1;
		if (c == '\\') {
			s->escaped = true;
			at = skip_escape(s, at + 1, e);
			if (!at)
				return NULL;
			continue;
		}
		if (c < 0x20)
			return stop(s, at, "a control character in a string",
				    e);
		at = utf8_run_end(at, s->end);
		if (at < s->end && (unsigned char)*at >= 0x80)
			return stop(s, at, "not UTF-8", e);
	}
}

/* Behind the opening quote, to behind the closing one. */
static inline const char *skip_string(struct json_scan *s, const char *at,
				      struct err *e)
{
	at = json_plain_end(at, s->end);
	if (is_byte(at, s->end, '"'))
		return at + 1;
	return skip_rest(s, at, e);
}

/* A key behind its opening quote, and its colon, with the white space. */
static inline const char *skip_key(struct json_scan *s, const char *at,
				   struct err *e)
{
	if (!is_byte(at, s->end, '"'))
		return stop(s, at, "expected a member's name", e);
	at = skip_string(s, at + 1, e);
	if (!at)
		return NULL;
	at = json_space_end(at, s->end);
	if (!is_byte(at, s->end, ':'))
		return stop(s, at, "expected :", e);
	return json_space_end(at + 1, s->end);
}

static inline const char *skip_word(struct json_scan *s, const char *at,
				    struct slice word, struct err *e)
{
	if ((size_t)(s->end - at) < word.len ||
	    memcmp(at, word.ptr, word.len) != 0)
		return stop(s, at, "no value begins like this", e);
	return at + word.len;
}

/* A number, a string or a literal. */
static inline const char *skip_scalar(struct json_scan *s, const char *at,
				      struct err *e)
{
	if (at == s->end)
		return stop(s, at, "a value is missing", e);
	switch (*at) {
	case '"':
		return skip_string(s, at + 1, e);
	case 't':
		return skip_word(s, at, (struct slice){"true", 4}, e);
	case 'f':
		return skip_word(s, at, (struct slice){"false", 5}, e);
	case 'n':
		return skip_word(s, at, (struct slice){"null", 4}, e);
	default:
		if (*at == '-' || is_digit(at, s->end))
			return skip_number(s, at, e);
		return stop(s, at, "no value begins like this", e);
	}
}

bool json_scan_key(struct json_scan *s, struct slice *key, struct err *e)
{
	const char *start = s->at;

	s->escaped = false;
	const char *at = skip_key(s, start, e);
	if (!at)
		return false;
	s->at = at;
	/* Back over the colon and the space to the closing quote. */
	while (*--at != '"')
		;
	*key = (struct slice){start + 1, (size_t)(at - start - 1)};
	return true;
}

/* What is open in a value. */
struct nest {
	unsigned open;
	unsigned limit;
	char closers[JSON_DEPTH]; /* of what is open, innermost last */
};

/* Behind a bracket: remember how it closes.  Returns where its first member or
 * element is, or its closer when it is empty. */
static inline const char *open_nest(struct json_scan *s, struct nest *n,
				    const char *at, struct err *e)
{
	if (n->open == n->limit) {
		s->at = at;
		err_set(e, ERR_TOO_LARGE,
			"JSON nested too deep at byte %zu: the limit is %d",
			(size_t)(at - s->text), JSON_DEPTH);
		return NULL;
	}
	n->closers[n->open++] = *at == '{' ? '}' : ']';
	return json_space_end(at + 1, s->end);
}

/* Behind a value: close what ends here.  Returns behind the comma that leads
 * to another value, or, with n->open 0, behind all of it. */
static inline const char *close_nests(struct json_scan *s, struct nest *n,
				      const char *at, struct err *e)
{
	while (n->open > 0) {
		at = json_space_end(at, s->end);
		if (is_byte(at, s->end, ','))
			return json_space_end(at + 1, s->end);
		if (!is_byte(at, s->end, n->closers[n->open - 1]))
			return stop(s, at, "expected , or the closing bracket",
				    e);
		at++;
		n->open--;
	}
	return at;
}

bool json_scan_value(struct json_scan *s, unsigned depth, struct err *e)
{
	const char *at = s->at;
	struct nest nest;

	nest.open = 0;
	nest.limit = depth < JSON_DEPTH ? depth : JSON_DEPTH;
	do {
		if (is_byte(at, s->end, '{') || is_byte(at, s->end, '[')) {
			at = open_nest(s, &nest, at, e);
			if (at &&
			    is_byte(at, s->end, nest.closers[nest.open - 1]))
				at = close_nests(s, &nest, at, e);
		} else {
			at = skip_scalar(s, at, e);
			if (at)
				at = close_nests(s, &nest, at, e);
		}
		if (at && nest.open > 0 && nest.closers[nest.open - 1] == '}')
			at = skip_key(s, at, e);
		if (!at)
			return false;
	} while (nest.open > 0);
	s->at = at;
	return true;
}

bool json_scan_end(struct json_scan *s, struct err *e)
{
	json_scan_space(s);
	if (s->at < s->end)
		return json_scan_fail(s, "something behind the value", e);
	return true;
}
